//! A journal as text: one JSON object per line, each with a checksum, numbered from 1. Reading is pure and total.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::record::{Entry, Record, VERSION};
use crate::model::time::Timestamp;

/// The text of one record, with its line end. The checksum is the object's last member and covers everything before it.
pub(crate) fn line(seq: u64, time: Timestamp, entry: &Entry) -> Result<String, serde_json::Error> {
    let record = Record { v: VERSION, seq, time, entry: entry.clone() };
    let mut text = serde_json::to_string(&record)?;
    // The object's closing brace comes after the checksum.
    text.pop();
    let sum = checksum(text.as_bytes());
    Ok(format!("{text},\"sum\":\"{sum}\"}}\n"))
}

/// What a journal's bytes say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// The records up to the end, or up to the trouble.
    pub records: Vec<Record>,
    /// Length of the part that is whole: what comes after it is a torn line.
    pub whole: usize,
    /// Whether a torn last line was dropped. Its effect had not begun.
    pub torn: bool,
    /// What is wrong with it, apart from a torn last line.
    pub trouble: Option<Trouble>,
}

/// Why a journal cannot be acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A whole line is not what was written.
    #[error("line {line} is damaged: {why}")]
    Damaged {
        /// 1-based line.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A line is of a version this build does not know.
    #[error(
        "line {line} was written by a newer pvm (version {version} of the journal, this pvm reads up to {VERSION})"
    )]
    Newer {
        /// 1-based line.
        line: usize,
        /// Its version.
        version: u64,
    },
}

/// Reads a journal. A last line without its end was being written when pvm died and is dropped; anything else that is not as
/// written is reported with its line, and the records before it are kept for showing.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    for (index, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let Some(line_text) = line.strip_suffix(b"\n") else {
            parsed.torn = true;
            return parsed;
        };
        match read_line(line_text, index, &parsed.records) {
            Ok(record) => parsed.records.push(record),
            Err(trouble) => {
                parsed.trouble = Some(trouble);
                return parsed;
            }
        }
        parsed.whole += line.len();
    }
    parsed
}

fn read_line(bytes: &[u8], index: usize, before: &[Record]) -> Result<Record, Trouble> {
    #[derive(Deserialize)]
    struct Head {
        v: u64,
    }

    let line = index + 1;
    let damaged = |why: &str| Trouble::Damaged { line, why: why.to_owned() };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged("not UTF-8"))?;
    // The version first: a newer pvm may write everything else in another way.
    let head: Head = serde_json::from_str(text).map_err(|e| damaged(&e.to_string()))?;
    if head.v > u64::from(VERSION) {
        return Err(Trouble::Newer { line, version: head.v });
    }
    let (body, sum) = split_sum(text).ok_or_else(|| damaged("no checksum at its end"))?;
    if checksum(body.as_bytes()) != sum {
        return Err(damaged("its checksum does not match"));
    }
    let record: Record = serde_json::from_str(text).map_err(|e| damaged(&e.to_string()))?;
    if usize::try_from(record.seq) != Ok(line) {
        return Err(damaged(&format!("it is record {}, lines are missing or doubled", record.seq)));
    }
    if matches!(record.entry, Entry::Plan(_)) != before.is_empty() {
        return Err(damaged("the plan is the first record and no other"));
    }
    Ok(record)
}

/// A line's part under the checksum, and the checksum.
fn split_sum(text: &str) -> Option<(&str, &str)> {
    let (body, rest) = text.rsplit_once(",\"sum\":\"")?;
    Some((body, rest.strip_suffix("\"}")?))
}

/// The first 16 hexadecimal digits of SHA-256: enough against accidents, which is all it is for.
pub(crate) fn checksum(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::{PerformIntent, Plan, Port, Receipt, Side, Step};
    use super::*;
    use crate::model::device_move::{Action, DeviceMove};
    use crate::proof::Verdict;

    fn entries() -> Vec<Entry> {
        let source = "0000:81:00.1".parse().unwrap();
        let device = "0000:c1:00.7".parse().unwrap();
        let map = vec![DeviceMove::new(source, device, Action::Migrate)];
        let port = Port {
            source,
            alias: Some("ua-1".into()),
            source_xml: "<interface type='hostdev'>\n<!-- ü\u{2028},\"sum\":\"0\"} --></interface>".into(),
            destination_xml: "<interface/>".into(),
            persistent: true,
            planned: Some(device),
            alternatives: vec![source],
        };
        let plan = Plan { id: "20261123-062400-aa".into(), map: map.clone(), ..Plan::default() };
        vec![
            Entry::Plan(Box::new(plan)),
            Entry::Claim { map: map.clone() },
            Entry::Recheck,
            Entry::UnplugRequested { port },
            Entry::Detached { source },
            Entry::PerformIntent(PerformIntent { domain_id: Some(3), ..PerformIntent::default() }),
            Entry::Reclaim { map },
            Entry::Switched,
            Entry::PerformReturned {
                error: Some("operation failed".into()),
                vfio_bytes: Some(262_336),
                peer_unreached: false,
            },
            Entry::Verify { side: Side::Destination, verdict: Verdict::Lost { why: "reset".into() } },
            Entry::Verify { side: Side::Source, verdict: Verdict::Verified },
            Entry::Proof { verdict: Verdict::not_verified("no answer") },
            Entry::AttachIntent { source, device },
            Entry::Attached { source, device },
            Entry::Cleanup,
            Entry::UndoIntent { step: Step::ReattachOnSource { source } },
            Entry::UndoDone { step: Step::ReleaseClaims },
            Entry::Decision {
                keep: Some(super::super::record::Keep::Src),
                source_is_dead: false,
                destination_is_dead: true,
            },
            Entry::RecoverIntent { row: "15".into(), step: Step::SuspendSource },
            Entry::Done { receipt: Receipt { phases: vec![("plan".into(), 3)], ..Receipt::default() } },
            Entry::Undone { receipt: Receipt::default() },
        ]
    }

    fn journal() -> (Vec<u8>, Vec<usize>) {
        let mut text = String::new();
        let mut ends = vec![0];
        for (index, entry) in entries().iter().enumerate() {
            text += &line(index as u64 + 1, Timestamp(1_795_415_040_125), entry).unwrap();
            ends.push(text.len());
        }
        (text.into_bytes(), ends)
    }

    #[test]
    fn what_is_written_is_read_and_named_as_in_the_file() {
        let (bytes, _) = journal();
        let parsed = parse(&bytes);
        assert_eq!((parsed.trouble, parsed.torn, parsed.whole), (None, false, bytes.len()));
        assert_eq!(parsed.records.iter().map(|r| r.entry.clone()).collect::<Vec<_>>(), entries());
        for (text, record) in String::from_utf8(bytes).unwrap().lines().zip(&parsed.records) {
            assert!(text.contains(&format!("\"record\":\"{}\"", record.entry.name())), "{text}");
        }
    }

    #[test]
    fn a_record_looks_like_this() {
        let text = line(3, Timestamp(0), &Entry::Recheck).unwrap();
        let (body, sum) = split_sum(text.trim_end()).unwrap();
        assert_eq!(body, r#"{"v":1,"seq":3,"time":"1970-01-01T00:00:00.000Z","record":"recheck""#);
        assert_eq!(sum.len(), 16);
    }

    #[test]
    fn truncation_at_every_byte_drops_the_torn_line_only() {
        let (bytes, ends) = journal();
        for length in 0..=bytes.len() {
            let parsed = parse(&bytes[..length]);
            let whole = ends.iter().rposition(|end| *end <= length).unwrap();
            assert_eq!(parsed.trouble, None, "cut at {length}");
            assert_eq!((parsed.records.len(), parsed.whole), (whole, ends[whole]), "cut at {length}");
            assert_eq!(parsed.torn, length != ends[whole], "cut at {length}");
        }
    }

    #[test]
    fn one_changed_byte_is_never_read_as_a_record() {
        let (bytes, ends) = journal();
        // The very last byte is left out: without it the last line is torn, which is another case.
        for at in 0..bytes.len() - 1 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            let parsed = parse(&damaged);
            let line = ends.iter().rposition(|end| *end <= at).unwrap();
            assert_eq!(parsed.records.len(), line, "byte {at}");
            let Some(Trouble::Damaged { line: reported, .. } | Trouble::Newer { line: reported, .. }) = parsed.trouble
            else {
                panic!("byte {at} changed unseen")
            };
            assert_eq!(reported, line + 1, "byte {at}");
        }
    }

    #[test]
    fn a_missing_line_a_doubled_line_and_a_foreign_line_are_damage() {
        let (bytes, ends) = journal();
        let line = |n: usize| &bytes[ends[n - 1]..ends[n]];
        for (text, at) in [
            ([line(1), line(3)].concat(), 2),
            ([line(1), line(2), line(2)].concat(), 3),
            ([line(2)].concat(), 1),
            ([line(1), b"\n".as_slice()].concat(), 2),
            ([line(1), b"{}\n".as_slice(), line(2)].concat(), 2),
        ] {
            assert!(matches!(parse(&text).trouble, Some(Trouble::Damaged { line, .. }) if line == at));
        }
    }

    #[test]
    fn a_newer_version_is_recognised_whatever_else_it_writes() {
        let (bytes, ends) = journal();
        let mut text = bytes[..ends[2]].to_vec();
        text.extend_from_slice(b"{\"v\":2,\"what\":[]}\n");
        let parsed = parse(&text);
        assert_eq!(parsed.trouble, Some(Trouble::Newer { line: 3, version: 2 }));
        assert_eq!(parsed.records.len(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let parsed = parse(&bytes);
            prop_assert!(parsed.whole <= bytes.len());
        }

        #[test]
        fn anything_behind_a_whole_record_is_torn_or_reported(tail in proptest::collection::vec(any::<u8>(), 1..200)) {
            let (bytes, ends) = journal();
            let parsed = parse(&[&bytes[..ends[3]], &tail].concat());
            prop_assert_eq!(parsed.records.len(), 3);
            prop_assert!(parsed.torn != parsed.trouble.is_some());
        }
    }
}
