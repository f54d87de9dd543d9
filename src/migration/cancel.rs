//! A cancelled migration that does not come to its end by itself.
//!
//! An abort that meets the switch-over can be lost twice (seen with QEMU 7.2 and libvirt 9.0). QEMU notes the abort just
//! before it pauses for libvirt, and then waits for a word that libvirt has no more reason to say: the guest stays paused.
//! Or QEMU cancels so fast that libvirt finds the guest running again where it waits for it to stop: the job never ends. In
//! both the data stream is broken, so the destination has no complete guest and can never run it.

use serde_json::Value;

use super::answer::{self, Answer, Job, Seen};
use super::ground::Ground;
use super::look::look;
use crate::journal::{Side, State as Journalled, Step};
use crate::libvirt::{Hypervisor, HypervisorError, PauseReason, State};

/// Who waits for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Halted {
    /// QEMU is cancelling and waits for libvirt; the guest stays paused.
    Qemu,
    /// QEMU has cancelled and runs the guest; libvirt waits for it to stop.
    Daemon,
}

/// What QEMU's migration is at.
const ASK: &str = r#"{"execute":"query-migrate"}"#;

/// Ends QEMU's wait. QEMU refuses it in any other state than this, and goes on with cancelling.
const GO_ON: &str = r#"{"execute":"migrate-continue","arguments":{"state":"cancelling"}}"#;

impl Halted {
    /// Whether it can be so, by what the hosts answer: the job goes on, and the destination has nothing.
    pub(crate) const fn is_possible(source: Answer, destination: Answer, job: Job) -> bool {
        matches!(job, Job::Out)
            && matches!(source, Answer::RunUnchanged | Answer::PausedMigration)
            && matches!(destination, Answer::Absent | Answer::Off | Answer::OffMigrated | Answer::OffOther)
    }

    /// From QEMU's answer about its migration.
    fn of(source: Answer, answer: &str) -> Option<Self> {
        let answer: Value = serde_json::from_str(answer).ok()?;
        match (source, answer["return"]["status"].as_str()?) {
            (Answer::PausedMigration, "cancelling") => Some(Self::Qemu),
            (Answer::RunUnchanged, "cancelled" | "failed") => Some(Self::Daemon),
            _ => None,
        }
    }

    /// Asks the source's QEMU. `None`: it is not so, or QEMU did not say.
    pub(crate) fn ask(host: &dyn Hypervisor, uuid: &str, source: Answer) -> Option<Self> {
        Self::of(source, &host.monitor(uuid, ASK).ok()?)
    }

    /// Whether the migration is cancelled and does not end, by what both hosts were seen to say. QEMU is asked only where it
    /// can be so.
    pub(crate) fn of_seen(
        host: &dyn Hypervisor,
        journal: &Journalled,
        source: &Seen,
        destination: &Seen,
    ) -> Option<Self> {
        let answers = (answer::source(source, journal), answer::destination(destination, journal));
        if !Self::is_possible(answers.0, answers.1, source.job()) {
            return None;
        }
        Self::ask(host, &journal.plan.instance.uuid, answers.0)
    }

    /// The same after a look at both hosts.
    pub(crate) fn look(source: &dyn Hypervisor, destination: &dyn Hypervisor, journal: &Journalled) -> Option<Self> {
        let uuid = &journal.plan.instance.uuid;
        Self::of_seen(source, journal, &look(source, uuid), &look(destination, uuid))
    }

    /// The same for a migration that is being finished.
    pub(crate) fn find(ground: &mut Ground<'_>, source: &Seen, destination: &Seen) -> Option<Self> {
        let host = ground.host(Side::Source).ok()?;
        Self::of_seen(host.as_ref(), &ground.state, source, destination)
    }

    /// The row of the decision table.
    pub(crate) const fn row(self) -> &'static str {
        match self {
            Self::Qemu => "8a",
            Self::Daemon => "7a",
        }
    }

    /// What ends it, for the journal.
    pub(crate) const fn step(self) -> Step {
        match self {
            Self::Qemu => Step::GoOnCancelling,
            Self::Daemon => Step::WakeDaemon,
        }
    }

    /// Ends it; libvirt then ends the job by itself and lets the guest run. Where the job has just ended without that, the guest
    /// runs on too.
    pub(crate) fn end(self, host: &dyn Hypervisor, uuid: &str) -> Result<(), HypervisorError> {
        match self {
            Self::Qemu => host.monitor(uuid, GO_ON).map(|_| ()),
            Self::Daemon => {
                let state = || host.domain(uuid).map(|guest| guest.map(|guest| guest.state));
                let ran = matches!(state()?, Some(State::Running(_)));
                // The stop that libvirt waits for. Its own undo of the failed job starts the CPUs again.
                host.suspend(uuid)?;
                // One that came too late for the job is nobody's to undo but pvm's.
                if ran && host.job(uuid)?.is_none() && state()? == Some(State::Paused(PauseReason::User)) {
                    host.resume(uuid)?;
                }
                Ok(())
            }
        }
    }

    /// In words, after the name of the source.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Qemu => "QEMU was told to cancel during switchover and waits for libvirt",
            Self::Daemon => "QEMU has cancelled and runs the guest, but libvirt waits for it to stop",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libvirt::RunReason;
    use crate::libvirt::scripted::{CANCELED, Has, Scripted};

    #[test]
    fn a_guest_is_not_left_suspended_when_its_job_had_just_ended() {
        let (unpaused, user) = (State::Running(RunReason::Unpaused), State::Paused(PauseReason::User));
        for (state, job, told, ends) in [
            (unpaused, Some(5), &["suspend"][..], CANCELED),
            (CANCELED, None, &["suspend", "resume"], unpaused),
            // Paused from the beginning it stays so.
            (user, None, &["suspend"], user),
        ] {
            let host = Scripted::default();
            *host.0.lock().unwrap() = Has { state: Some(state), job, ..Has::default() };
            Halted::Daemon.end(&host, "u").unwrap();
            assert_eq!((host.calls(), host.state()), (told.iter().map(ToString::to_string).collect(), Some(ends)));
        }
    }

    #[test]
    fn only_a_cancel_that_waits_is_one() {
        let of = |source, status: &str| Halted::of(source, &format!(r#"{{"return":{{"status":"{status}"}}}}"#));
        assert_eq!(of(Answer::PausedMigration, "cancelling"), Some(Halted::Qemu));
        assert_eq!(of(Answer::RunUnchanged, "cancelled"), Some(Halted::Daemon));
        assert_eq!(of(Answer::RunUnchanged, "failed"), Some(Halted::Daemon));
        // Switch-over as it should be, or an answer that says nothing.
        for status in ["pre-switchover", "device", "active", "completed", "cancelled"] {
            assert_eq!(of(Answer::PausedMigration, status), None, "{status}");
        }
        assert_eq!(of(Answer::RunUnchanged, "active"), None);
        assert_eq!(Halted::of(Answer::PausedMigration, r#"{"error":{"class":"GenericError"}}"#), None);
        assert_eq!(Halted::of(Answer::PausedMigration, "[["), None);
    }

    #[test]
    fn nobody_is_asked_while_the_destination_has_a_copy_or_is_silent() {
        for destination in [Answer::Incoming, Answer::RunMigrated, Answer::Unreachable, Answer::PausedMigration] {
            assert!(!Halted::is_possible(Answer::PausedMigration, destination, Job::Out));
        }
        assert!(Halted::is_possible(Answer::PausedMigration, Answer::Absent, Job::Out));
        assert!(!Halted::is_possible(Answer::PausedMigration, Answer::Absent, Job::None));
        assert!(!Halted::is_possible(Answer::RunOther, Answer::Absent, Job::Out));
    }
}
