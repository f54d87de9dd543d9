//! From evidence to verdict. Pure.

use super::device::Device;
use super::evidence::{Evidence, Log, dated};
use super::messages::{self, Says};
use super::verdict::Verdict;
use crate::model::time::Timestamp;

/// Dates of two hosts are compared with this much room.
const SLACK_MS: i64 = 2000;

/// Evidence as it was received, or why it was not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    /// When it was asked for, by this machine's clock.
    pub asked: Timestamp,
    /// When it was there, by this machine's clock.
    pub answered: Timestamp,
    /// What came.
    pub content: Result<Evidence, String>,
}

/// What is to be proved. Moments are by this machine's clock.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question<'a> {
    /// The devices whose state is asked for, as they are on that host.
    pub devices: &'a [Device],
    /// When libvirt was told to migrate.
    pub since: Timestamp,
    /// When the guest was seen running there (or there again).
    pub running: Timestamp,
    /// Bytes of device state the source sent; only asked on the destination.
    pub vfio_bytes: Option<u64>,
}

/// Whether the state arrived on the destination.
pub(crate) fn arrived(received: &Received, question: &Question) -> Verdict {
    judge(received, question, |log, earliest| match log.started {
        None => Err("QEMU's log does not reach back to the guest's start there".to_owned()),
        Some(started) if started < earliest => {
            Err(format!("QEMU's log is of a start at {started}, before this migration"))
        }
        Some(_) if question.vfio_bytes.is_none() => {
            Err("the source did not say how much device state it sent".to_owned())
        }
        Some(_) if question.vfio_bytes == Some(0) => Err("the source sent no device state".to_owned()),
        Some(_) => Ok(0),
    })
}

/// Whether the devices on the source still have their state, after a migration that failed late.
pub(crate) fn stayed(received: &Received, question: &Question) -> Verdict {
    judge(received, question, |log, earliest| {
        let begun = log.lines.iter().rposition(|line| {
            dated(line).is_some_and(|(time, text)| time >= earliest && text.starts_with("initiating migration"))
        });
        begun.ok_or_else(|| "QEMU's log on the source does not show this migration's beginning".to_owned())
    })
}

/// Whether QEMU's log proves that the guest was never started on the destination: started for this migration, ended by
/// libvirt as a failure.
pub(crate) fn never_ran(received: &Received, since: Timestamp) -> bool {
    let Ok(evidence) = &received.content else { return false };
    let Some(log) = &evidence.log else { return false };
    log.started.is_some_and(|started| started >= earliest(received, evidence, since))
        && log
            .lines
            .iter()
            .any(|line| dated(line).is_some_and(|(_, text)| text.trim_end() == "shutting down, reason=failed"))
}

/// The earliest that `since` can have been by that host's clock.
fn earliest(received: &Received, evidence: &Evidence, since: Timestamp) -> Timestamp {
    since.plus(evidence.taken_at.since(received.answered)).plus(-SLACK_MS)
}

/// Judges by the log from a line on, and by the kernel. `window` says from which, or why the log does not serve.
fn judge(
    received: &Received,
    question: &Question,
    window: impl Fn(&Log, Timestamp) -> Result<usize, String>,
) -> Verdict {
    if question.devices.is_empty() {
        return Verdict::NothingToProve;
    }
    let evidence = match &received.content {
        Ok(evidence) => evidence,
        Err(why) => return Verdict::not_verified(format!("that host's logs could not be read: {why}")),
    };
    let Some(log) = &evidence.log else {
        return Verdict::not_verified(format!("QEMU's log could not be read: {}", evidence.why_unknown("log")));
    };
    let earliest = earliest(received, evidence, question.since);
    let (from, unfit) = match window(log, earliest) {
        Ok(from) => (from, None),
        Err(why) => (0, Some(why)),
    };
    // A loss is a loss, whatever else is missing; but a log of another time says nothing.
    let dated_wrong = log.started.is_some_and(|started| started < earliest) && unfit.is_some();
    let mut unknown_line = None;
    for line in log.lines.iter().skip(from) {
        match messages::read(line, question.devices) {
            Says::Loss(meaning) if !dated_wrong => {
                return Verdict::Lost { why: format!("{meaning}; QEMU on {} wrote: {line}", evidence.host) };
            }
            Says::Loss(_) | Says::Nothing => {}
            Says::Unknown => unknown_line = unknown_line.or(Some(line)),
        }
    }
    let missing = unfit
        .or_else(|| unknown_line.map(|line| format!("QEMU wrote something pvm does not know: {line}")))
        .or_else(|| unknown_version(log))
        .or_else(|| {
            (received.asked < question.running).then(|| "the logs were read before the guest ran again".to_owned())
        })
        .or_else(|| {
            (evidence.since > earliest)
                .then(|| format!("the clock of {} is too far behind this machine's", evidence.host))
        })
        .or_else(|| kernel_complaint(evidence, question.devices, earliest));
    missing.map_or(Verdict::Verified, Verdict::not_verified)
}

fn unknown_version(log: &Log) -> Option<String> {
    match log.qemu.as_deref().map(|text| (text, messages::version(text))) {
        Some((_, Some(version))) if messages::is_known(version) => None,
        Some((text, _)) => Some(format!("pvm does not know what QEMU {text} writes when a device's state is lost")),
        None => Some("QEMU's version is not in its log".to_owned()),
    }
}

/// The first error the kernel logged for one of the devices or its physical function.
fn kernel_complaint(evidence: &Evidence, devices: &[Device], earliest: Timestamp) -> Option<String> {
    let Some(kernel) = &evidence.kernel else {
        return Some(format!("the kernel's log could not be read: {}", evidence.why_unknown("kernel")));
    };
    let concerns = |text: &str| {
        super::evidence::addresses(text).iter().any(|named| {
            devices
                .iter()
                .map(|device| &device.address)
                .any(|device| device == named || evidence.physical_functions.get(device) == Some(named))
        })
    };
    kernel
        .iter()
        .find(|line| line.level <= 3 && line.time >= earliest && concerns(&line.text))
        .map(|line| format!("the kernel of {} logged an error: {}", evidence.host, line.text))
}

#[cfg(test)]
#[path = "prove_tests.rs"]
mod tests;
