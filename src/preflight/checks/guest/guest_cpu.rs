//! The guest's CPU is there.

use super::prelude::*;

check! {
    /// The destination's CPU cannot run the guest.
    ///
    /// # Meaning
    /// A custom CPU model runs wherever libvirt calls it usable. host-passthrough shows the guest the host's own CPU:
    /// then both must be the same model with the same microcode. libvirt compares the CPU by itself before the guest is
    /// paused.
    /// # Check by hand
    /// virsh -c URI hypervisor-cpu-compare CPU.xml; virsh -c URI domcapabilities.
    /// # Fix
    /// A destination with the same CPU, or a named CPU model that both have.
    "guest-cpu": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let (source, destination) = (instance.source(), instance.destination());
    let cpu = &instance.guest.cpu;
    if matches!(cpu.mode.as_deref(), Some("host-passthrough" | "maximum")) {
        let (s, d) = (&source.cpu, &destination.cpu);
        let verdict = match (&s.model, &d.model) {
            (Some(a), Some(b)) if a != b => Verdict::fail(format!("the guest sees the host's CPU, and {b} is not {a}")),
            (Some(_), Some(_)) if s.microcode != d.microcode => {
                Verdict::fail("the guest sees the host's CPU, and its microcode differs").weighing(Severity::Warning)
            }
            (Some(_), Some(_)) => Verdict::pass(),
            (None, _) => missing(source, "cpu.model", "its CPU model"),
            (_, None) => missing(destination, "cpu.model", "its CPU model"),
        };
        let word = |model: &Option<String>| model.clone().unwrap_or_else(|| "unknown".to_owned());
        return vec![verdict.facts(&word(&s.model), &word(&d.model))];
    }
    let Some(model) = &cpu.model else { return Vec::new() };
    let emulator = instance.guest.emulator.as_deref().unwrap_or_default();
    let machine = instance.guest.machine.as_deref().unwrap_or_default();
    // Which models can run differs between KVM and emulation, hardly between machine types.
    let capabilities = &destination.domain_capabilities;
    let virt = format!(" {}", instance.guest.virt_type);
    let same_kind = || capabilities.iter().find(|(name, _)| name.ends_with(&virt)).map(|(_, xml)| xml);
    let Some(xml) = capabilities.get(&format!("{emulator} {machine}{virt}")).or_else(same_kind) else {
        return vec![missing(destination, "domain_capabilities", "which CPU models it can run")];
    };
    vec![
        match usable(xml, model) {
            Some(true) => Verdict::pass(),
            Some(false) => Verdict::fail(format!("{} cannot run the CPU model {model}", name(destination))),
            None => Verdict::fail(format!("{} does not know the CPU model {model}", name(destination))),
        }
        .facts(model, &destination.cpu.model.as_deref().unwrap_or("unknown")),
    ]
}

/// What the domain capabilities say about a CPU model.
fn usable(xml: &str, model: &str) -> Option<bool> {
    xml.split("<model").skip(1).find_map(|element| {
        let (attributes, rest) = element.split_once('>')?;
        (rest.split('<').next() == Some(model)).then(|| !attributes.contains("usable='no'"))
    })
}
