//! Versions and facts that two hosts must share: one row for each.

use super::prelude::*;
use crate::model::known::Origin;
use crate::model::snapshot::host::Host;

/// The first version that will do, and who says so.
struct Floor {
    what: &'static str,
    least: (u64, u64, u64),
    #[cfg_attr(not(test), expect(dead_code, reason = "for who reads the table, and for its test"))]
    origin: Origin,
}

/// Nova's `MIN_VFIO_PCI_VARIANT_LIBVIRT_VERSION`.
const LIBVIRT_FLOOR: Floor = Floor {
    what: "libvirt",
    least: (10, 0, 0),
    origin: Origin::new("nova/virt/libvirt/driver.py", "Nova 34, 2026-11-28"),
};

/// Nova's `MIN_VFIO_PCI_VARIANT_QEMU_VERSION`.
const QEMU_FLOOR: Floor =
    Floor { what: "QEMU", least: (8, 2, 2), origin: Origin::new("nova/virt/libvirt/driver.py", "Nova 34, 2026-11-28") };

check! {
    /// libvirt is too old to migrate VFIO devices.
    ///
    /// # Meaning
    /// libvirt 10.0.0 is the first that binds a device to its variant driver by itself, and it is the version Nova asks
    /// for. Below 9.7.0 libvirt does not recognise a bound variant driver at all; below 8.6.0 it refuses to migrate any
    /// guest with a PCI host device.
    /// # Check by hand
    /// virsh -c URI version --daemon.
    /// # Fix
    /// Upgrade libvirt on the host named.
    "libvirt-version": Error, VfioHosts(|hosts| floor(hosts, "libvirt", libvirt, &LIBVIRT_FLOOR));

    /// QEMU is too old to migrate VFIO devices.
    ///
    /// # Meaning
    /// VFIO migration left its experimental state in QEMU 8.1; 8.2 added peer-to-peer support, without which a guest
    /// with several devices cannot move. Nova asks for 8.2.2.
    /// # Check by hand
    /// virsh -c URI version.
    /// # Fix
    /// Upgrade QEMU on the host named; guests must be restarted to run the new one.
    "qemu-version": Error, VfioHosts(|hosts| floor(hosts, "qemu", qemu, &QEMU_FLOOR));

    /// The destination's libvirt is older than the source's.
    ///
    /// # Meaning
    /// An older libvirt rejects elements of the guest's XML that it does not know, or drops them silently.
    /// # Check by hand
    /// virsh -c URI version --daemon on both hosts.
    /// # Fix
    /// Upgrade the destination first.
    "libvirt-downgrade": Warning, Hosts(|hosts| not_older(hosts, "libvirt", "libvirt", libvirt)), rechecked;

    /// The destination's QEMU is older than the source's.
    ///
    /// # Meaning
    /// QEMU keeps the format of its state from older to newer versions. The other way is not supported: it can fail at
    /// the end, with the guest already paused.
    /// # Check by hand
    /// virsh -c URI version on both hosts.
    /// # Fix
    /// Upgrade the destination first.
    "qemu-downgrade": Warning, Hosts(|hosts| not_older(hosts, "qemu", "QEMU", qemu));

    /// The hosts have different architectures.
    ///
    /// # Meaning
    /// A guest cannot continue on another kind of CPU.
    /// # Check by hand
    /// uname -m on both hosts.
    /// # Fix
    /// A destination of the same architecture.
    "host-architecture": Error, Hosts(architecture), rechecked;

    /// The hosts have different page sizes.
    ///
    /// # Meaning
    /// Kernels with 4 KiB and 64 KiB pages (arm64) track dirty memory in different units: QEMU refuses the stream, and
    /// devices refuse the page size of their dirty log.
    /// # Check by hand
    /// getconf PAGESIZE on both hosts.
    /// # Fix
    /// A kernel with the same page size.
    "page-size": Error, Hosts(page_size);

    /// The hosts confine guests with different security drivers.
    ///
    /// # Meaning
    /// SELinux or AppArmor on the destination may keep QEMU from /dev/vfio, where the source let it.
    /// # Check by hand
    /// virsh -c URI capabilities, element host/secmodel.
    /// # Fix
    /// The same security_driver in qemu.conf, with a policy that knows the variant driver.
    "security-model": Warning, Hosts(security_model), rechecked
}

fn libvirt(host: &Host) -> Option<&str> {
    host.libvirt.as_deref()
}

fn qemu(host: &Host) -> Option<&str> {
    host.qemu.as_deref()
}

fn architecture(hosts: Hosts<'_>) -> Vec<Verdict> {
    equal(hosts, "arch", "architecture", |host| host.arch.as_deref())
}

fn page_size(hosts: Hosts<'_>) -> Vec<Verdict> {
    // x86 has one page size, whoever reports it.
    let x86 = |host: &Host| host.arch.as_deref() == Some("x86_64") && host.page_size.is_none();
    if x86(&hosts.source.host) || x86(&hosts.destination.host) {
        return vec![Verdict::pass()];
    }
    equal(hosts, "page_size", "page size", |host| host.page_size)
}

fn security_model(hosts: Hosts<'_>) -> Vec<Verdict> {
    equal(hosts, "security_model", "security driver", |host| host.security_model.as_deref())
}

/// Both hosts have the same.
fn equal<'a, T: PartialEq + ToString>(
    hosts: Hosts<'a>,
    fact: &str,
    what: &str,
    get: impl Fn(&'a Host) -> Option<T>,
) -> Vec<Verdict> {
    let (s, d) = match both(hosts, fact, &format!("its {what}"), get) {
        Ok(values) => values,
        Err(unknown) => return unknown,
    };
    let verdict = if s == d {
        Verdict::pass()
    } else {
        Verdict::fail(format!("the {what} differs: {} and {}", s.to_string(), d.to_string()))
    };
    vec![verdict.facts(&s, &d)]
}

/// Both hosts have at least this version.
fn floor<'a>(
    hosts: Hosts<'a>,
    fact: &str,
    get: impl Fn(&'a Host) -> Option<&'a str>,
    Floor { what, least, origin: _ }: &Floor,
) -> Vec<Verdict> {
    let all = [&hosts.source.host, &hosts.destination.host];
    let word = |host| get(host).unwrap_or("unknown");
    let mut verdicts = Vec::new();
    for host in all {
        match get(host).and_then(version) {
            Some(has) if has >= *least => {}
            Some(_) => verdicts.push(
                Verdict::fail(format!(
                    "{what} {} on {} is older than {}.{}.{}",
                    word(host),
                    name(host),
                    least.0,
                    least.1,
                    least.2
                ))
                .remedy(format!("upgrade {what} on {}", name(host))),
            ),
            None => verdicts.push(missing(host, fact, &format!("its {what} version"))),
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts.into_iter().map(|verdict| verdict.facts(&word(all[0]), &word(all[1]))).collect()
}

/// The destination's version is not below the source's.
fn not_older<'a>(hosts: Hosts<'a>, fact: &str, what: &str, get: impl Fn(&'a Host) -> Option<&'a str>) -> Vec<Verdict> {
    let (source, destination) = (&hosts.source.host, &hosts.destination.host);
    let (Some(s), Some(d)) = (get(source), get(destination)) else {
        let host = if get(source).is_none() { source } else { destination };
        return vec![missing(host, fact, &format!("its {what} version"))];
    };
    let verdict = if version(d) >= version(s) {
        Verdict::pass()
    } else {
        Verdict::fail(format!("{what} {d} on {} is older than {s} on {}", name(destination), name(source)))
            .remedy(format!("upgrade {what} on {} first", name(destination)))
    };
    vec![verdict.facts(&s, &d)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_floor_has_its_origin() {
        for floor in [LIBVIRT_FLOOR, QEMU_FLOOR] {
            assert!(floor.origin.is_complete(), "{}", floor.what);
        }
    }
}
