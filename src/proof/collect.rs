//! Reads the evidence on this host: QEMU's log of one domain and the kernel's log, nothing else.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::evidence::{self, Evidence, KernelLine, SCHEMA};
use crate::model::pci::PciAddress;
use crate::model::regular::read_regular_text;
use crate::model::snapshot::Unknown;
use crate::model::time::Timestamp;

/// libvirt rotates a log at 2 MiB; what does not fit is not needed to judge one start.
const MOST_LOG: u64 = 4 << 20;
/// The largest log that a kernel can keep has fewer.
const MOST_RECORDS: usize = 1 << 20;
/// More lines of the kernel than this are not one migration's.
const MOST_KERNEL_LINES: usize = 2000;
/// `O_NONBLOCK | O_NOFOLLOW` without the C library's names, by way of rustix.
const OPEN_FLAGS: rustix::fs::OFlags = rustix::fs::OFlags::NONBLOCK.union(rustix::fs::OFlags::NOFOLLOW);

/// Collects the evidence about `domain` under `root`. What cannot be read is said in the document.
pub(crate) fn collect(root: &Path, domain: &str, since: Timestamp, now: Timestamp) -> Evidence {
    let mut evidence = Evidence {
        schema: SCHEMA.to_owned(),
        pvm_version: env!("CARGO_PKG_VERSION").to_owned(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        domain: domain.to_owned(),
        since,
        taken_at: now,
        ..Evidence::default()
    };
    match read_log(root, domain) {
        Ok(log) => evidence.log = Some(log),
        Err(why) => evidence.unknown.push(Unknown::new("log", why)),
    }
    match read_kernel(root, since, now) {
        Ok(lines) => {
            evidence.physical_functions = physical_functions(root, &lines);
            evidence.kernel = Some(lines);
        }
        Err(why) => evidence.unknown.push(Unknown::new("kernel", why)),
    }
    evidence
}

fn read_log(root: &Path, domain: &str) -> Result<evidence::Log, String> {
    // libvirt's own rule for names: no slash, no line end. A dot in front would be a hidden file, which it does not make.
    if domain.is_empty() || domain.starts_with('.') || domain.len() > 200 || domain.contains(['/', '\n', '\0']) {
        return Err("this is not the name of a domain".to_owned());
    }
    let path = root.join("var/log/libvirt/qemu").join(format!("{domain}.log"));
    let failed = |e: io::Error| format!("{}: {e}", path.display());
    let mut file = open(&path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("{}: not a regular file", path.display()));
    }
    file.seek(io::SeekFrom::Start(metadata.len().saturating_sub(MOST_LOG))).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MOST_LOG).read_to_end(&mut bytes).map_err(failed)?;
    Ok(evidence::read_log(&path.display().to_string(), &String::from_utf8_lossy(&bytes)))
}

fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OPEN_FLAGS.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn read_kernel(root: &Path, since: Timestamp, now: Timestamp) -> Result<Vec<KernelLine>, String> {
    let booted = now.plus(-uptime_ms(root)?);
    let path = root.join("dev/kmsg");
    let records = read_records(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut lines = Vec::new();
    let mut first = None;
    for (level, sequence, microseconds, text) in records.iter().filter_map(|r| evidence::read_kernel_record(r)) {
        let time = booted.plus(i64::try_from(microseconds / 1000).unwrap_or(i64::MAX));
        first = first.or(Some((sequence, time)));
        if time >= since && evidence::is_relevant(text) {
            lines.push(KernelLine { time, level, text: text.to_owned() });
        }
    }
    match first {
        Some((sequence, time)) if sequence > 0 && time > since => {
            Err(format!("{} does not reach back to {since}: its first line is of {time}", path.display()))
        }
        None => Err(format!("{} has no lines", path.display())),
        Some(_) if lines.len() > MOST_KERNEL_LINES => {
            Err(format!("{} has too many lines since {since}", path.display()))
        }
        Some(_) => Ok(lines),
    }
}

fn uptime_ms(root: &Path) -> Result<i64, String> {
    let path = root.join("proc/uptime");
    let text = read_regular_text(&path, 200).map_err(|e| format!("{}: {e}", path.display()))?;
    let (seconds, rest) = text.split_once('.').unwrap_or((&text, "0"));
    let hundredths = rest.split_whitespace().next().unwrap_or("0");
    let number = |text: &str| text.trim().parse::<i64>().map_err(|e| format!("{}: {e}", path.display()));
    let milliseconds = number(seconds)?.checked_mul(1000);
    let whole = number(hundredths)?.checked_mul(10).and_then(|rest| milliseconds?.checked_add(rest));
    whole.ok_or_else(|| format!("{}: it is too large", path.display()))
}

/// The records of the kernel's log. The device gives one per read and says "again" at the end; a fixture is a plain file.
fn read_records(path: &Path) -> io::Result<Vec<String>> {
    let mut file = open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(read_regular_text(path, MOST_LOG)?.lines().map(str::to_owned).collect());
    }
    if !kind.is_char_device() {
        return Err(io::Error::other("not a character device"));
    }
    let mut records = Vec::new();
    let mut buffer = [0; 8192];
    // Another device under this name may have no end.
    while records.len() < MOST_RECORDS {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(records),
            Ok(length) => records.push(String::from_utf8_lossy(&buffer[..length]).into_owned()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(records),
            // The record was overwritten before it was read: the next read goes on after it.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::other(format!("it has more than {MOST_RECORDS} records")))
}

/// The virtual functions of every physical function that an error names.
fn physical_functions(root: &Path, lines: &[KernelLine]) -> std::collections::BTreeMap<PciAddress, PciAddress> {
    let named: BTreeSet<PciAddress> =
        lines.iter().filter(|line| line.level <= 3).flat_map(|line| evidence::addresses(&line.text)).collect();
    let mut found = std::collections::BTreeMap::new();
    for physical in named {
        let directory = root.join("sys/bus/pci/devices").join(physical.to_string());
        #[expect(clippy::disallowed_methods, reason = "the edge that reads evidence")]
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            if !entry.file_name().to_string_lossy().starts_with("virtfn") {
                continue;
            }
            #[expect(clippy::disallowed_methods, reason = "the edge that reads evidence")]
            let target = fs::read_link(entry.path()).ok();
            let name = target.as_deref().and_then(Path::file_name).and_then(|name| name.to_str());
            if let Some(function) = name.and_then(|name| name.parse().ok()) {
                found.insert(function, physical);
            }
        }
    }
    found
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests build a tree")]
mod tests {
    use super::*;

    fn tree(log: &str, kmsg: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in
            [("var/log/libvirt/qemu/vm.log", log), ("dev/kmsg", kmsg), ("proc/uptime", "100.50 400.00\n")]
        {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let functions = dir.path().join("sys/bus/pci/devices/0000:02:00.0");
        fs::create_dir_all(&functions).unwrap();
        std::os::unix::fs::symlink("../0000:02:10.2", functions.join("virtfn1")).unwrap();
        dir
    }

    const LOG: &str = "1970-01-01 00:01:39.000+0000: starting up libvirt version: 11, qemu version: 10.0.2, x\na\n";
    const KMSG: &str =
        "6,0,1000000,-;boot\n3,1,99500000,-;mlx5_core 0000:02:00.0: failed\n SUBSYSTEM=pci\n3,2,99600000,-;disk\n";

    #[test]
    fn both_logs_are_read_and_dated() {
        let dir = tree(LOG, KMSG);
        // The machine has been up for 100.5 s: the kernel's second 99.5 is one second ago.
        let evidence = collect(dir.path(), "vm", Timestamp(99_000), Timestamp(100_500));
        assert_eq!(evidence.unknown, []);
        assert_eq!(evidence.log.unwrap().started, Some(Timestamp(99_000)));
        let kernel = evidence.kernel.unwrap();
        assert_eq!(kernel.len(), 1);
        assert_eq!((kernel[0].time, kernel[0].level), (Timestamp(99_500), 3));
        let (function, physical) = evidence.physical_functions.iter().next().unwrap();
        assert_eq!((function.to_string(), physical.to_string()), ("0000:02:10.2".into(), "0000:02:00.0".into()));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let dir = tree(LOG, "6,7,99900000,-;late\n");
        let evidence = collect(dir.path(), "other", Timestamp(99_000), Timestamp(100_500));
        assert_eq!((evidence.log.as_ref(), evidence.kernel.as_ref()), (None, None));
        assert!(evidence.why_unknown("log").contains("other.log"));
        assert!(evidence.why_unknown("kernel").contains("does not reach back"));
    }

    #[test]
    fn only_the_domains_own_log_can_be_asked_for() {
        let dir = tree(LOG, KMSG);
        fs::write(dir.path().join("var/log/secret.log"), "secret").unwrap();
        std::os::unix::fs::symlink("../../secret.log", dir.path().join("var/log/libvirt/qemu/link.log")).unwrap();
        fs::create_dir(dir.path().join("var/log/libvirt/qemu/dir.log")).unwrap();
        for name in ["../../secret", "link", "dir", "", ".", ".hidden", "a/b", "a\nb", "a\0b"] {
            let evidence = collect(dir.path(), name, Timestamp(0), Timestamp(100_500));
            assert_eq!(evidence.log, None, "{name:?}");
            assert!(!format!("{evidence:?}").contains("\"secret\""), "{name:?}");
        }
    }
}
