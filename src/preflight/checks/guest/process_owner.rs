//! The user that QEMU runs as is known there.

use super::prelude::*;

check! {
    /// The guest's QEMU runs as a user that the destination may not know.
    ///
    /// # Meaning
    /// A static DAC label names user and group of the guest's process. libvirt on the destination looks the names up in its
    /// own accounts ("Failed to parse group"); numbers, written with a plus sign, need none. Whether a name service knows
    /// them pvm does not ask.
    /// # Check by hand
    /// On the destination: getent passwd USER; getent group GROUP.
    /// # Fix
    /// Create them there, with the source's numbers, or write the label with numbers: +UID:+GID.
    "process-owner": Error, Instance(run), rechecked
}

/// Known on every host.
const EVERYWHERE: &str = "root";

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Some(label) = instance.guest.owner_label.as_deref() else { return Vec::new() };
    let names: Vec<&str> = label.split(':').filter(|name| *name != EVERYWHERE && !is_number(name)).collect();
    if names.is_empty() {
        return vec![Verdict::pass()];
    }
    let host = name(instance.destination());
    vec![
        Verdict::unknown(format!(
            "whether {host} knows {}, whom the guest's QEMU runs as, is not known",
            names.join(" and ")
        ))
        .remedy(format!(
            "on {host}: getent passwd {0}; getent group {0}",
            names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(" ")
        )),
    ]
}

fn is_number(name: &str) -> bool {
    let digits = name.strip_prefix('+').unwrap_or(name);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
