//! The document a host gives as evidence: what QEMU and the kernel wrote there. Nothing in it is a judgement.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::identity::{Identity, compare};
use crate::model::pci::PciAddress;
use crate::model::snapshot::Unknown;
use crate::model::time::Timestamp;

/// The schema this build writes and reads.
pub(crate) const SCHEMA: &str = "pvm.evidence/1";

/// What one host has written about one guest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Evidence {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the pvm that read it.
    pub pvm_version: String,
    /// Name of the host it was read on.
    pub host: String,
    /// UUID of that host, as its libvirt says it; none with an entry in `unknown`.
    pub host_uuid: Option<String>,
    /// The domain's name.
    pub domain: String,
    /// UUID of the domain that has this name there; none with an entry in `unknown`.
    pub domain_uuid: Option<String>,
    /// From when on it was asked for.
    pub since: Timestamp,
    /// When it was read, by that host's clock.
    pub taken_at: Timestamp,
    /// QEMU's log of the domain, from its last start; none with an entry in `unknown`.
    pub log: Option<Log>,
    /// What the kernel logged since then about PCI functions, VFIO or an IOMMU; none with an entry in `unknown`.
    pub kernel: Option<Vec<KernelLine>>,
    /// The physical function of each virtual function whose physical function the kernel complained about.
    pub physical_functions: BTreeMap<PciAddress, PciAddress>,
    /// Facts that could not be read.
    pub unknown: Vec<Unknown>,
}

impl Evidence {
    /// Whether this was written by that host about that guest: whatever was asked may answer, and with anything.
    pub(crate) fn is_of(&self, asked: &Asked<'_>) -> Result<(), String> {
        if !self.domain.is_empty() && self.domain != asked.domain {
            return Err(format!("they are of another guest, {}", self.domain));
        }
        if let Some(uuid) = self.domain_uuid.as_deref().filter(|uuid| !uuid.eq_ignore_ascii_case(asked.domain_uuid)) {
            return Err(format!("they are of another guest, which has the UUID {uuid} and not {}", asked.domain_uuid));
        }
        // Where the host itself cannot be known by its UUID, only the way to it ties the two together.
        let Some(wanted) = asked.host_uuid else { return Ok(()) };
        match compare(self.host_uuid.as_deref(), Some(wanted)) {
            Identity::Same => Ok(()),
            Identity::Other => Err(format!(
                "they are of another host, {} with the UUID {}; the guest's host has {wanted}",
                self.host,
                self.host_uuid.as_deref().unwrap_or_default()
            )),
            Identity::Unknown => {
                Err(format!("they do not say by a UUID of which host they are: {}", self.why_unknown("host_uuid")))
            }
        }
    }

    /// Why a fact is unknown.
    pub(crate) fn why_unknown(&self, fact: &str) -> &str {
        self.unknown.iter().find(|u| u.fact == fact).map_or("it was not read", |u| u.why.as_str())
    }
}

/// Whose evidence is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked<'a> {
    /// UUID of the host; none where its libvirt names none.
    pub host_uuid: Option<&'a str>,
    /// Name of the guest.
    pub domain: &'a str,
    /// UUID of the guest.
    pub domain_uuid: &'a str,
}

/// QEMU's log of a domain, from its last start, without QEMU's command line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Log {
    /// The file.
    pub path: String,
    /// When QEMU was started; none: the log does not reach back so far.
    pub started: Option<Timestamp>,
    /// QEMU's version, as libvirt wrote it.
    pub qemu: Option<String>,
    /// Everything after the command line.
    pub lines: Vec<String>,
}

/// One line of the kernel's log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KernelLine {
    /// When, by that host's clock.
    pub time: Timestamp,
    /// Its level; 3 is an error, less is worse.
    pub level: u8,
    /// Its text.
    pub text: String,
}

/// QEMU's log as the last start in it and what came after. Pure.
pub(crate) fn read_log(path: &str, text: &str) -> Log {
    let mut log = Log { path: path.to_owned(), ..Log::default() };
    let lines: Vec<&str> = text.lines().collect();
    let start =
        lines.iter().rposition(|line| line.split_once(": ").is_some_and(|(_, t)| t.starts_with("starting up ")));
    let Some(start) = start else {
        log.lines = lines.iter().map(|line| (*line).to_owned()).collect();
        return log;
    };
    log.started = dated(lines[start]).map(|(time, _)| time);
    log.qemu = lines[start].split("qemu version: ").nth(1).map(|rest| {
        let version: &str = rest.split(',').next().unwrap_or(rest);
        version.to_owned()
    });
    // The command line goes on as long as its lines end in a backslash. It is left out: it is long and nobody's business.
    let mut rest = lines[start + 1..].iter().skip_while(|line| line.ends_with('\\'));
    if lines.get(start + 1).is_some_and(|line| line.ends_with('\\')) {
        rest.next();
    }
    log.lines = rest.map(|line| (*line).to_owned()).collect();
    log
}

/// A line's date and text, when it has a date.
pub(crate) fn dated(line: &str) -> Option<(Timestamp, &str)> {
    let (date, text) = line.split_once(": ")?;
    Some((date.parse().ok()?, text))
}

/// One record of `/dev/kmsg`: level, sequence number, microseconds since boot, text. None: not a record.
pub(crate) fn read_kernel_record(record: &str) -> Option<(u8, u64, u64, &str)> {
    let (head, text) = record.split_once(';')?;
    let mut fields = head.split(',');
    let priority: u64 = fields.next()?.parse().ok()?;
    let sequence = fields.next()?.parse().ok()?;
    let microseconds = fields.next()?.parse().ok()?;
    // Lines after the first, which begin with a blank, are a dictionary.
    let text = text.split('\n').next().unwrap_or(text);
    Some((u8::try_from(priority & 7).ok()?, sequence, microseconds, text))
}

/// Whether a kernel line is about what the proof looks at.
pub(crate) fn is_relevant(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["vfio", "iommu", "dmar", "amd-vi"].iter().any(|word| lower.contains(word)) || !addresses(text).is_empty()
}

/// Every PCI address in a text.
pub(crate) fn addresses(text: &str) -> Vec<PciAddress> {
    text.split(|c: char| !(c.is_ascii_hexdigit() || matches!(c, ':' | '.')))
        .map(|word| word.trim_end_matches([':', '.']))
        .filter(|word| word.matches(':').count() == 2)
        .filter_map(|word| word.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LOG: &str = "2026-11-23 06:00:00.000+0000: starting up libvirt version: 11.3.0, qemu version: 9.2.0, kernel: 6.12, hostname: old\n\
        old line\n\
        2026-11-23 06:10:00.000+0000: shutting down, reason=shutdown\n\
        2026-11-23 06:24:00.125+0000: starting up libvirt version: 11.3.0, package: 3 (Debian), qemu version: 10.0.2Debian 1:10.0.2+ds-2, kernel: 6.12.1, hostname: host-b\n\
        LC_ALL=C \\\n\
        PATH=/bin \\\n\
        /usr/bin/qemu-system-x86_64 \\\n\
        -msg timestamp=on\n\
        char device redirected to /dev/pts/0 (label charserial0)\n\
        0000:02:10.2: Failed setting device state to RUNNING_P2P. Recover state is ERROR. Resetting device: Input/output error\n";

    #[test]
    fn the_log_is_read_from_the_last_start_without_the_command_line() {
        let log = read_log("x.log", LOG);
        assert_eq!(log.started, Some("2026-11-23T06:24:00.125Z".parse().unwrap()));
        assert_eq!(log.qemu.as_deref(), Some("10.0.2Debian 1:10.0.2+ds-2"));
        assert_eq!(log.lines.len(), 2);
        assert!(log.lines[0].starts_with("char device"));
    }

    /// P4: "verified" was said of the log of another guest on another host.
    #[test]
    fn evidence_of_another_host_or_guest_is_none() {
        let (host, other) = ("0aeb4c2e-1111-4222-8333-444455556666", "1aeb4c2e-1111-4222-8333-444455556666");
        let asked = Asked { host_uuid: Some(host), domain: "vm", domain_uuid: "u-1" };
        let evidence = Evidence {
            host: "b".into(),
            host_uuid: Some(host.into()),
            domain: "vm".into(),
            domain_uuid: Some("U-1".into()),
            ..Evidence::default()
        };
        assert_eq!(evidence.is_of(&asked), Ok(()));
        // A guest that is not there any more has no UUID there.
        assert_eq!(Evidence { domain_uuid: None, ..evidence.clone() }.is_of(&asked), Ok(()));
        for (is, why) in [
            (Evidence { domain: "another-guest".into(), ..evidence.clone() }, "another guest, another-guest"),
            (Evidence { domain_uuid: Some("u-2".into()), ..evidence.clone() }, "another guest, which has the UUID u-2"),
            (Evidence { host_uuid: Some(other.into()), ..evidence.clone() }, "another host, b with the UUID 1aeb"),
            (Evidence { host_uuid: None, ..evidence.clone() }, "do not say by a UUID of which host"),
        ] {
            let said = is.is_of(&asked).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn a_log_without_a_start_says_so() {
        let log = read_log("x.log", "some line\n");
        assert_eq!((log.started, log.qemu, log.lines), (None, None, vec!["some line".to_owned()]));
    }

    #[test]
    fn kernel_records_are_read_as_the_kernel_writes_them() {
        let record = "3,1234,5678901,-;igbvf_vfio_pci 0000:02:10.2: load failed: -5\n SUBSYSTEM=pci\n DEVICE=+pci:0000:02:10.2\n";
        let (level, sequence, time, text) = read_kernel_record(record).unwrap();
        assert_eq!((level, sequence, time), (3, 1234, 5_678_901));
        assert_eq!(text, "igbvf_vfio_pci 0000:02:10.2: load failed: -5");
        assert_eq!(addresses(text), ["0000:02:10.2".parse().unwrap()]);
        assert!(is_relevant(text) && is_relevant("DMAR: fault") && !is_relevant("eth0: link up at 10:20"));
        assert_eq!(read_kernel_record(" SUBSYSTEM=pci"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text: String) {
            let _ = (read_log("x", &text), read_kernel_record(&text), addresses(&text));
        }
    }
}
