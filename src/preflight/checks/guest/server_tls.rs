//! What QEMU encrypts there, it can.

use super::prelude::*;
use crate::domain::guest::{self, Guest};
use crate::model::snapshot::Host;

check! {
    /// QEMU of the destination would encrypt a console, a device or a disk, and cannot.
    ///
    /// # Meaning
    /// vnc_tls, spice_tls, chardev_tls and nbd_tls in qemu.conf are each host's own, and decide when a guest arrives: a
    /// console, a TCP device or an NBD disk is encrypted there, even if it is not on the source. Without certificates
    /// QEMU does not start, nor with certificates that have expired, that ca-cert.pem did not sign or whose key is another's. An NBD server that talks plainly to the source may not talk TLS to the destination. A guest
    /// that fixes a TLS port for SPICE needs spice_tls.
    /// # Check by hand
    /// On the destination: grep tls /etc/libvirt/qemu.conf; ls /etc/pki/qemu, or the folder of its *_tls_x509_cert_dir.
    /// # Fix
    /// Put ca-cert.pem, server-cert.pem and server-key.pem into that folder, or set the option to the source's value.
    "server-tls": Error, Instance(run), rechecked
}

/// Something that QEMU may encrypt: what it is, the word in `NAME_tls`, and what its definition says of it.
struct Subject {
    what: String,
    option: &'static str,
    own: Own,
}

/// What a definition says. A running guest shows what its host's qemu.conf decided as if the definition said it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    /// Encrypted, or not.
    Says(bool),
    /// Nothing: qemu.conf decides.
    Nothing,
    /// One or the other.
    Unknown,
}

impl Own {
    #[expect(clippy::option_option, reason = "no definition and one that says nothing are apart")]
    fn new(live: Option<bool>, defined: Option<Option<bool>>) -> Self {
        match (live, defined) {
            (_, Some(Some(says))) => Self::Says(says),
            (_, Some(None)) | (None, None) => Self::Nothing,
            (Some(_), None) => Self::Unknown,
        }
    }
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let (source, host) = (instance.source(), instance.destination());
    let subjects = subjects(instance);
    if subjects.is_empty() {
        return Vec::new();
    }
    let Some(there) = &host.servers else { return vec![missing(host, "servers", "what its QEMU encrypts")] };
    let here = source.servers.as_ref();
    let mut verdicts: Vec<Verdict> = subjects
        .iter()
        .filter(|subject| subject.own != Own::Says(false))
        .filter_map(|subject| {
            let Subject { what, option, own } = subject;
            match there.tls.get(*option) {
                Some(false) if *own == Own::Unknown => Some(
                    Verdict::unknown(format!(
                        "QEMU of {} encrypts {what} without certificates there, unless its definition says otherwise",
                        name(host)
                    ))
                    .remedy(certificates(host, option)),
                ),
                Some(false) => Some(
                    Verdict::fail(format!(
                        "QEMU of {} encrypts {what}, and its certificates are not there",
                        name(host)
                    ))
                    .remedy(certificates(host, option)),
                ),
                Some(true) if there.tls_refused.contains_key(*option) => {
                    let why = &there.tls_refused[*option];
                    let message =
                        format!("QEMU of {} encrypts {what}, and refuses its certificates: {why}", name(host));
                    let verdict = if *own == Own::Unknown { Verdict::unknown(message) } else { Verdict::fail(message) };
                    let command = "openssl x509 -noout -subject -issuer -dates -in server-cert.pem";
                    let remedy = format!("on {}, in the folder of {option}'s certificates: {command}", name(host));
                    Some(verdict.remedy(remedy))
                }
                None if *own == Own::Says(true) && *option == "spice" => Some(
                    Verdict::fail(format!("{what} has a TLS port, and spice_tls is off on {}", name(host)))
                        .remedy(format!("spice_tls = 1 in qemu.conf of {}", name(host))),
                ),
                // The definition of the source's making says nothing of what its own qemu.conf decided.
                at_all if *option == "nbd" && *own != Own::Says(true) => {
                    let differs = here.is_none_or(|here| here.tls.contains_key("nbd") != at_all.is_some());
                    differs.then(|| {
                        Verdict::unknown(format!(
                            "nbd_tls differs between the hosts: the server of {what} may not take both"
                        ))
                        .remedy("the same nbd_tls in both qemu.conf")
                    })
                }
                _ => None,
            }
        })
        .collect();
    verdicts.dedup();
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}

fn certificates(host: &Host, option: &str) -> String {
    format!("on {}: ls /etc/pki/qemu; or {option}_tls = 0 in qemu.conf", name(host))
}

fn subjects(instance: &Instance<'_>) -> Vec<Subject> {
    let guest = instance.guest;
    let defined = instance.domain.inactive_xml.as_deref().and_then(|xml| guest::read(xml).ok());
    let mut subjects = Vec::new();
    for graphics in &guest.graphics {
        let option = match graphics.kind.as_str() {
            "vnc" => "vnc",
            "spice" => "spice",
            _ => continue,
        };
        subjects.push(Subject {
            what: format!("the {} server", option.to_ascii_uppercase()),
            option,
            own: if graphics.wants_tls { Own::Says(true) } else { Own::Nothing },
        });
    }
    for endpoint in guest.endpoints.iter().filter(|endpoint| endpoint.is_tcp && endpoint.may_encrypt) {
        let same = |other: &&guest::Endpoint| {
            (&other.what, &other.host, other.port) == (&endpoint.what, &endpoint.host, endpoint.port)
        };
        let same = |defined: &Guest| defined.endpoints.iter().find(same).map(|same| same.tls);
        let own = Own::new(endpoint.tls, defined.as_ref().and_then(same));
        subjects.push(Subject { what: format!("the {}", endpoint.what), option: "chardev", own });
    }
    for disk in guest.disks.iter().filter(|disk| disk.protocol.as_deref() == Some("nbd")) {
        let same = |defined: &Guest| defined.disks.iter().find(|same| same.target == disk.target).map(|same| same.tls);
        let own = Own::new(disk.tls, defined.as_ref().and_then(same));
        subjects.push(Subject { what: format!("disk {}", disk.target), option: "nbd", own });
    }
    subjects
}
