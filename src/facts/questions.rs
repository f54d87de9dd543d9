//! What a host's libvirt is asked about the guests that may come to it: their CPUs, their emulators, their volumes, its secrets.
//!
//! A snapshot holds what a host says of itself; these answers depend on another host's guests. They are added to the snapshot, so
//! that checks see nothing but snapshots.

use crate::domain::guest::{self, Guest};
use crate::libvirt::{CpuComparison as Compared, CpuTarget, Hypervisor};
use crate::model::snapshot::host::CpuComparison;
use crate::model::snapshot::{Domain, Snapshot, Unknown};

/// Guests of a host are of few kinds; past this nothing new is asked.
const MOST: usize = 64;

/// Asks `daemon`, which is that of `snapshot`'s host, about these guests. What it does not answer stays unknown.
pub(crate) fn ask<'a>(snapshot: &mut Snapshot, daemon: &dyn Hypervisor, guests: impl IntoIterator<Item = &'a Domain>) {
    let guests: Vec<Guest> = guests.into_iter().filter_map(|domain| guest::read(domain.xml.as_deref()?).ok()).collect();
    if guests.iter().any(|guest| !guest.secrets.is_empty()) {
        match daemon.secrets() {
            Ok(secrets) => snapshot.host.secrets = Some(secrets),
            Err(error) => snapshot.host.unknown.push(Unknown::new("secrets", error.to_string())),
        }
    }
    for guest in &guests {
        capabilities(snapshot, daemon, guest);
        cpu(snapshot, daemon, guest);
        volumes(snapshot, daemon, guest);
    }
}

/// Domain capabilities of the guest's emulator and machine, as far as no guest of the host has them.
fn capabilities(snapshot: &mut Snapshot, daemon: &dyn Hypervisor, guest: &Guest) {
    let (Some(emulator), Some(machine)) = (guest.emulator.as_deref(), guest.machine.as_deref()) else { return };
    let name = format!("{emulator} {machine} {}", guest.virt_type);
    let known = &mut snapshot.host.domain_capabilities;
    if known.contains_key(&name) || known.len() >= MOST {
        return;
    }
    let xml = daemon.domain_capabilities(Some(emulator), guest.arch.as_deref(), Some(machine), Some(&guest.virt_type));
    if let Ok(xml) = xml {
        known.insert(name, xml);
    }
}

fn cpu(snapshot: &mut Snapshot, daemon: &dyn Hypervisor, guest: &Guest) {
    let answers = &mut snapshot.host.cpu_comparisons;
    if guest.cpu.model.is_none() || answers.contains_key(&guest.cpu.xml) || answers.len() >= MOST {
        return;
    }
    let on = CpuTarget {
        emulator: guest.emulator.as_deref(),
        arch: guest.arch.as_deref(),
        machine: guest.machine.as_deref(),
        virt_type: Some(&guest.virt_type),
    };
    let answer = match daemon.compare_cpu(on, &guest.cpu.for_another_host()) {
        Ok(Compared::Runs) => CpuComparison { runs: Some(true), ..CpuComparison::default() },
        Ok(Compared::Incompatible(why)) => {
            let without = guest.cpu.without_arch_capabilities();
            let without = without.map(|cpu| daemon.compare_cpu(on, &cpu));
            let without_arch_capabilities = matches!(without, Some(Ok(Compared::Runs)));
            CpuComparison { runs: Some(false), why, without_arch_capabilities, ..CpuComparison::default() }
        }
        Ok(Compared::NotKnown(why)) => {
            CpuComparison { runs: Some(false), names_unknown: true, why, ..CpuComparison::default() }
        }
        Err(error) => CpuComparison { why: error.to_string(), ..CpuComparison::default() },
    };
    answers.insert(guest.cpu.xml.clone(), answer);
}

/// Where the pools of the host have the guest's volumes.
fn volumes(snapshot: &mut Snapshot, daemon: &dyn Hypervisor, guest: &Guest) {
    for disk in &guest.disks {
        let (Some(pool), Some(volume)) = (disk.pool.as_deref(), disk.source.as_deref()) else { continue };
        let active = snapshot.host.pools.as_ref().is_some_and(|pools| pools.iter().any(|active| active == pool));
        if active && let Ok(path) = daemon.volume_path(pool, volume) {
            snapshot.host.volumes.insert(format!("{pool}/{volume}"), path);
        }
    }
}
