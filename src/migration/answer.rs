//! What a host's daemon answers for the guest, in the words of the decision table. Pure: libvirt's answers in, columns out.

use crate::journal::{Action, PerformIntent, State, Step};
use crate::libvirt::{DomainInfo, Failure, HypervisorError, PauseReason, RunReason, State as Now};
use crate::model::pci::PciAddress;

/// One cell of the columns S and D.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// The daemon does not answer. Never the same as absent.
    Unreachable,
    /// The daemon says that it does not know the guest.
    Absent,
    /// Defined and off, with the planned devices (on the source: with any).
    Off,
    /// Defined and off because it migrated away.
    OffMigrated,
    /// Defined and off on the destination, with other devices than planned.
    OffOther,
    /// Its process waits for an incoming migration.
    Incoming,
    /// Runs as it did when libvirt was told to migrate it, or again after a failed migration.
    RunUnchanged,
    /// Runs because it migrated there, with the planned devices.
    RunMigrated,
    /// Runs for another reason or with other devices than planned: somebody else acted.
    RunOther,
    /// Runs, but not the run that was being migrated: its host started it anew since.
    StartedAnew,
    /// Paused for a migration.
    PausedMigration,
    /// Paused because recovery suspended it.
    PausedByPvm,
    /// Paused for another reason.
    PausedOther,
    /// Crashed, going down, suspended by the guest.
    Other,
}

impl Answer {
    /// Every value.
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[
        Self::Unreachable,
        Self::Absent,
        Self::Off,
        Self::OffMigrated,
        Self::OffOther,
        Self::Incoming,
        Self::RunUnchanged,
        Self::RunMigrated,
        Self::RunOther,
        Self::StartedAnew,
        Self::PausedMigration,
        Self::PausedByPvm,
        Self::PausedOther,
        Self::Other,
    ];

    /// In words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "does not answer",
            Self::Absent => "does not know the guest",
            Self::Off => "has it defined, shut off",
            Self::OffMigrated => "has it defined, shut off because it migrated away",
            Self::OffOther => "has it defined, shut off, with other devices than planned",
            Self::Incoming => "has a process waiting for the incoming migration",
            Self::RunUnchanged => "runs it as before the migration",
            Self::RunMigrated => "runs it because it migrated there",
            Self::RunOther => "runs it, but not as this migration would have made it",
            Self::StartedAnew => "runs it, but it was started anew since: it is not the run that was being migrated",
            Self::PausedMigration => "has it paused for migration",
            Self::PausedByPvm => "has it paused, suspended by pvm recover",
            Self::PausedOther => "has it paused for another reason",
            Self::Other => "has it in another state",
        }
    }
}

/// The column J: the job on the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Job {
    /// No job.
    None,
    /// An outgoing migration.
    Out,
    /// Another job: a backup, a dump.
    Other,
    /// The source does not answer.
    Unknown,
}

impl Job {
    /// Every value.
    #[cfg(test)]
    pub(crate) const ALL: &[Self] = &[Self::None, Self::Out, Self::Other, Self::Unknown];

    /// In words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::None => "no job",
            Self::Out => "an outgoing migration",
            Self::Other => "another job",
            Self::Unknown => "unknown",
        }
    }
}

/// That a host did not say where the guest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Silence {
    /// Why.
    pub why: String,
    /// Whether its daemon answers nevertheless: then the host is not dead, whatever the operator says.
    pub daemon_answers: bool,
}

impl From<HypervisorError> for Silence {
    fn from(error: HypervisorError) -> Self {
        let daemon_answers = !matches!(error.failure, Failure::ConnectionLost | Failure::DaemonSilent);
        Self { why: error.to_string(), daemon_answers }
    }
}

impl From<String> for Silence {
    fn from(why: String) -> Self {
        Self { why, daemon_answers: false }
    }
}

/// What one host was seen to say about the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It did not answer.
    Unreachable(Silence),
    /// It says that it does not know the guest.
    Absent,
    /// It has it.
    Present {
        /// State with its reason.
        state: Now,
        /// Number of the running domain.
        id: Option<u32>,
        /// The job on it.
        job: Job,
        /// Whether a migration comes in.
        incoming: bool,
        /// Id of the migration whose lock the running guest carries.
        lock: Option<String>,
        /// Host addresses of its PCI devices, in the live XML or, when it is off, in the definition.
        devices: Vec<PciAddress>,
    },
}

impl Answer {
    /// Whether the guest's CPUs run there.
    pub(crate) const fn runs(self) -> bool {
        matches!(self, Self::RunUnchanged | Self::RunMigrated | Self::RunOther | Self::StartedAnew)
    }
}

impl Seen {
    /// The job on it.
    pub(crate) const fn job(&self) -> Job {
        match self {
            Self::Unreachable(_) => Job::Unknown,
            Self::Absent => Job::None,
            Self::Present { job, .. } => *job,
        }
    }
}

/// The record of the guest as it is now, for [`crate::journal::Entry::PerformIntent`].
pub(crate) fn perform_intent(info: &DomainInfo, attempt: u32, max_downtime_ms: Option<u64>) -> PerformIntent {
    PerformIntent {
        domain_id: info.id,
        state: info.state.word().to_owned(),
        reason: info.state.reason().to_owned(),
        attempt,
        max_downtime_ms,
        definition: None,
        autostart_off: false,
    }
}

/// The cell S.
pub(crate) fn source(seen: &Seen, journal: &State) -> Answer {
    let Seen::Present { state, id, incoming, lock, .. } = seen else {
        return without_domain(seen, journal.source_is_dead);
    };
    if *incoming {
        return Answer::Incoming;
    }
    // libvirt counts from 1 again after each start of its host, so that the number alone does not tell two runs apart: the
    // lock does, which a guest that is started anew does not have. Before libvirt was told to migrate there is no number.
    let same_number =
        journal.perform.as_ref().is_none_or(|(_, then)| then.domain_id.is_none() || then.domain_id == *id);
    let same = same_number && is_locked_as_expected(lock.as_deref(), journal);
    let as_then =
        journal.perform.as_ref().is_none_or(|(_, then)| then.state == state.word() && then.reason == state.reason());
    let began_paused = began_paused(journal);
    match state {
        // Its memory came back from elsewhere: moved back, or restored.
        Now::Running(RunReason::Migrated) if !same_number => Answer::RunOther,
        Now::Running(_) if !same && has_lock(lock.as_deref(), journal) => Answer::RunOther,
        Now::Running(_) if !same => Answer::StartedAnew,
        Now::Running(RunReason::Unpaused | RunReason::MigrationCanceled) => Answer::RunUnchanged,
        Now::Running(_) if as_then => Answer::RunUnchanged,
        Now::Running(RunReason::Migrated) => Answer::RunMigrated,
        Now::Running(RunReason::Other(_)) => Answer::RunOther,
        // Also a copy that was started anew, which is why it was suspended.
        Now::Paused(PauseReason::User) if journal.has_begun(&Step::SuspendSource) => Answer::PausedByPvm,
        Now::Paused(_) if !same => Answer::PausedOther,
        Now::Paused(PauseReason::Migration) => Answer::PausedMigration,
        Now::Paused(_) if began_paused && as_then => Answer::RunUnchanged,
        Now::Paused(_) => Answer::PausedOther,
        Now::ShutOff { migrated: true } => Answer::OffMigrated,
        Now::ShutOff { migrated: false } => Answer::Off,
        Now::Other(_) => Answer::Other,
    }
}

/// The cell D.
pub(crate) fn destination(seen: &Seen, journal: &State) -> Answer {
    let Seen::Present { state, incoming, devices, lock, .. } = seen else {
        return without_domain(seen, journal.destination_is_dead);
    };
    let expected = is_locked_as_expected(lock.as_deref(), journal);
    let planned = as_planned(devices, journal);
    // Before libvirt was told to migrate, no copy there is this migration's.
    let arrived = if planned && journal.perform.is_some() { Answer::RunMigrated } else { Answer::RunOther };
    match state {
        Now::ShutOff { migrated: true } => Answer::OffMigrated,
        Now::ShutOff { migrated: false } if planned => Answer::Off,
        Now::ShutOff { migrated: false } => Answer::OffOther,
        // Another pvm's migration, which is not to be destroyed as a left-over of this one.
        Now::Paused(_) if lock.is_some() && !expected => Answer::PausedOther,
        Now::Paused(_) if *incoming => Answer::Incoming,
        Now::Paused(PauseReason::StartingUp) => Answer::Incoming,
        Now::Running(_) if !expected => Answer::StartedAnew,
        Now::Running(RunReason::Migrated) => arrived,
        Now::Running(RunReason::Unpaused) if journal.has_begun(&Step::ResumeDestination) => arrived,
        Now::Running(RunReason::Other(_)) if !has_lock(lock.as_deref(), journal) => Answer::StartedAnew,
        Now::Running(_) => Answer::RunOther,
        Now::Paused(PauseReason::User) if journal.has_begun(&Step::SuspendDestination) => Answer::PausedByPvm,
        Now::Paused(_) if began_paused(journal) => arrived,
        Now::Paused(PauseReason::Migration) => Answer::PausedMigration,
        Now::Paused(_) => Answer::PausedOther,
        Now::Other(_) => Answer::Other,
    }
}

/// Whether a running guest carries this migration's lock.
fn has_lock(lock: Option<&str>, journal: &State) -> bool {
    lock == Some(&journal.plan.id)
}

/// Whether it carries the lock, where the run that was being migrated must.
fn is_locked_as_expected(lock: Option<&str>, journal: &State) -> bool {
    !journal.must_be_marked() || has_lock(lock, journal)
}

/// A host that is said to be dead counts as one without the guest, as long as it does not speak for itself.
fn without_domain(seen: &Seen, is_dead: bool) -> Answer {
    match seen {
        Seen::Unreachable(silence) if !is_dead || silence.daemon_answers => Answer::Unreachable,
        Seen::Unreachable(_) | Seen::Absent | Seen::Present { .. } => Answer::Absent,
    }
}

/// A guest that was paused at the start is expected paused at the end.
fn began_paused(journal: &State) -> bool {
    journal.perform.as_ref().is_some_and(|(_, then)| then.state == "paused")
}

/// Whether a guest on the destination has the devices that moved with their state, and besides them at most the ports'.
fn as_planned(devices: &[PciAddress], journal: &State) -> bool {
    let moved = |action| journal.map.iter().filter(move |m| m.action == action).map(|m| m.destination);
    let may_be_port = |device: &PciAddress| {
        moved(Action::Reattach).any(|d| d == *device)
            || journal.ports.iter().any(|p| p.attach_intent == Some(*device) || p.attached == Some(*device))
    };
    moved(Action::Migrate).all(|d| devices.contains(&d))
        && devices.iter().all(|d| moved(Action::Migrate).any(|m| m == *d) || may_be_port(d))
}

/// Whether every port that was to be unplugged is still (or again) in the guest on the source.
pub(crate) fn ports_there(seen: &Seen, journal: &State) -> bool {
    let Seen::Present { devices, .. } = seen else { return false };
    journal.ports.iter().all(|p| devices.contains(&p.port.source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{DeviceMove, Entry, Plan, Port, Record};
    use crate::model::time::Timestamp;

    const VF: &str = "0000:c1:00.7";
    const PORT: &str = "0000:c1:00.1";

    fn address(text: &str) -> PciAddress {
        text.parse().unwrap()
    }

    fn journal(then: Option<(Now, u32)>, more: &[Entry]) -> State {
        let from = |text: &str, action| DeviceMove::new(address("0000:81:00.1"), address(text), action);
        let plan = Plan { map: vec![from(VF, Action::Migrate), from(PORT, Action::Reattach)], ..Plan::default() };
        let mut entries = vec![Entry::Plan(Box::new(plan))];
        if let Some((state, id)) = then {
            let info = DomainInfo {
                name: String::new(),
                uuid: String::new(),
                id: Some(id),
                state,
                persistent: true,
                autostart: false,
            };
            entries.push(Entry::PerformIntent(perform_intent(&info, 1, None)));
        }
        entries.extend_from_slice(more);
        let records: Vec<_> =
            entries.into_iter().map(|entry| Record { v: 1, seq: 1, time: Timestamp(0), entry }).collect();
        State::of(&records).unwrap()
    }

    fn seen(state: Now, id: u32, devices: &[&str]) -> Seen {
        Seen::Present {
            state,
            id: Some(id),
            job: Job::None,
            incoming: false,
            lock: None,
            devices: devices.iter().map(|d| address(d)).collect(),
        }
    }

    const BOOTED: Now = Now::Running(RunReason::Other(1));
    const USER: Now = Now::Paused(PauseReason::User);
    const MIGRATING: Now = Now::Paused(PauseReason::Migration);

    #[test]
    fn the_source_runs_on_only_if_it_is_the_same_domain() {
        let journal = journal(Some((BOOTED, 3)), &[]);
        let answer = |state, id| source(&seen(state, id, &[]), &journal);
        assert_eq!(answer(BOOTED, 3), Answer::RunUnchanged);
        assert_eq!(answer(Now::Running(RunReason::Unpaused), 3), Answer::RunUnchanged);
        assert_eq!(answer(Now::Running(RunReason::MigrationCanceled), 3), Answer::RunUnchanged);
        assert_eq!(answer(BOOTED, 4), Answer::StartedAnew);
        assert_eq!(answer(Now::Running(RunReason::MigrationCanceled), 4), Answer::StartedAnew);
        assert_eq!(answer(Now::Running(RunReason::Migrated), 4), Answer::RunOther);
        assert_eq!(answer(Now::Running(RunReason::Migrated), 3), Answer::RunMigrated);
        assert_eq!(answer(MIGRATING, 3), Answer::PausedMigration);
        assert_eq!(answer(MIGRATING, 4), Answer::PausedOther);
        assert_eq!(answer(USER, 3), Answer::PausedOther);
        assert_eq!(answer(Now::ShutOff { migrated: true }, 3), Answer::OffMigrated);
    }

    #[test]
    fn a_guest_that_had_migrated_to_the_source_before_is_unchanged_there() {
        let here = Now::Running(RunReason::Migrated);
        assert_eq!(source(&seen(here, 3, &[]), &journal(Some((here, 3)), &[])), Answer::RunUnchanged);
    }

    #[test]
    fn no_answer_is_not_absence() {
        let journal = journal(None, &[]);
        let silent = Seen::Unreachable("cut".to_owned().into());
        assert_eq!(source(&silent, &journal), Answer::Unreachable);
        assert_eq!(destination(&silent, &journal), Answer::Unreachable);
        assert_eq!(source(&Seen::Absent, &journal), Answer::Absent);
        assert_eq!(silent.job(), Job::Unknown);
    }

    #[test]
    fn the_operators_word_that_a_host_is_dead_counts_as_absence() {
        let dead = |source_is_dead, destination_is_dead| {
            journal(None, &[Entry::Decision { keep: None, source_is_dead, destination_is_dead }])
        };
        let silent = Seen::Unreachable(String::new().into());
        assert_eq!(source(&silent, &dead(true, false)), Answer::Absent);
        assert_eq!(destination(&silent, &dead(true, false)), Answer::Unreachable);
        assert_eq!(destination(&silent, &dead(false, true)), Answer::Absent);
        // A host whose daemon answers is not dead, whatever its guest's QEMU does.
        let hung = Seen::Unreachable(Silence { why: String::new(), daemon_answers: true });
        assert_eq!(source(&hung, &dead(true, true)), Answer::Unreachable);
        assert_eq!(destination(&hung, &dead(true, true)), Answer::Unreachable);
        // A host that answers after all is believed.
        assert_eq!(source(&seen(BOOTED, 3, &[]), &dead(true, false)), Answer::RunUnchanged);
    }

    #[test]
    fn arrived_means_migrated_with_the_planned_devices() {
        let journal = journal(Some((BOOTED, 3)), &[]);
        let answer = |state, devices: &[&str]| destination(&seen(state, 9, devices), &journal);
        let migrated = Now::Running(RunReason::Migrated);
        assert_eq!(answer(migrated, &[VF]), Answer::RunMigrated);
        assert_eq!(answer(migrated, &[VF, PORT]), Answer::RunMigrated);
        assert_eq!(answer(migrated, &[]), Answer::RunOther);
        assert_eq!(answer(migrated, &[VF, "0000:c1:00.5"]), Answer::RunOther);
        assert_eq!(answer(BOOTED, &[VF]), Answer::StartedAnew);
        assert_eq!(answer(Now::Running(RunReason::Unpaused), &[VF]), Answer::RunOther);
        assert_eq!(answer(Now::ShutOff { migrated: false }, &[VF]), Answer::Off);
        assert_eq!(answer(Now::ShutOff { migrated: false }, &[]), Answer::OffOther);
        assert_eq!(answer(Now::Paused(PauseReason::StartingUp), &[VF]), Answer::Incoming);
        assert_eq!(answer(MIGRATING, &[VF]), Answer::PausedMigration);
        let incoming = Seen::Present {
            state: MIGRATING,
            id: Some(9),
            job: Job::None,
            incoming: true,
            lock: None,
            devices: Vec::new(),
        };
        assert_eq!(destination(&incoming, &journal), Answer::Incoming);
    }

    #[test]
    fn what_recovery_itself_did_is_recognised() {
        let did = |step| [Entry::RecoverIntent { row: "15".into(), step }];
        let suspended = journal(Some((BOOTED, 3)), &did(Step::SuspendSource));
        assert_eq!(source(&seen(USER, 3, &[]), &suspended), Answer::PausedByPvm);
        let resumed = journal(Some((BOOTED, 3)), &did(Step::ResumeDestination));
        assert_eq!(destination(&seen(Now::Running(RunReason::Unpaused), 9, &[VF]), &resumed), Answer::RunMigrated);
    }

    #[test]
    fn a_guest_that_began_paused_is_expected_paused() {
        let journal = journal(Some((USER, 3)), &[]);
        assert_eq!(source(&seen(USER, 3, &[]), &journal), Answer::RunUnchanged);
        assert_eq!(source(&seen(MIGRATING, 3, &[]), &journal), Answer::PausedMigration);
        assert_eq!(destination(&seen(USER, 9, &[VF]), &journal), Answer::RunMigrated);
    }

    #[test]
    fn a_port_is_gone_when_its_address_is() {
        let port = Port {
            source: address("0000:81:00.2"),
            alias: None,
            source_xml: String::new(),
            destination_xml: String::new(),
            persistent: false,
            planned: None,
            alternatives: Vec::new(),
        };
        let journal = journal(None, &[Entry::UnplugRequested { port }]);
        assert!(ports_there(&seen(BOOTED, 3, &["0000:81:00.2"]), &journal));
        assert!(!ports_there(&seen(BOOTED, 3, &["0000:81:00.1"]), &journal));
        assert!(!ports_there(&Seen::Absent, &journal));
    }

    /// P5: libvirt counts domains from 1 again when its host has crashed, so that number and reason fit a fresh guest, too.
    #[test]
    fn a_guest_without_the_lock_that_it_must_carry_was_started_anew() {
        let marked = |more: &[Entry]| {
            let mut state = journal(None, &[&[Entry::MarkIntent], more].concat());
            state.plan.id = "m-1".into();
            state
        };
        let performed = Entry::PerformIntent(PerformIntent {
            domain_id: Some(3),
            state: BOOTED.word().into(),
            reason: BOOTED.reason().into(),
            ..PerformIntent::default()
        });
        let locked = |state, id, by: Option<&str>| match seen(state, id, &[VF]) {
            Seen::Present { state, id, job, incoming, devices, .. } => {
                Seen::Present { state, id, job, incoming, lock: by.map(str::to_owned), devices }
            }
            other => other,
        };
        let open = marked(std::slice::from_ref(&performed));
        let here = |by| source(&locked(BOOTED, 3, by), &open);
        assert_eq!(here(Some("m-1")), Answer::RunUnchanged);
        assert_eq!(here(None), Answer::StartedAnew);
        assert_eq!(here(Some("m-2")), Answer::StartedAnew, "another migration's");
        assert_eq!(source(&locked(MIGRATING, 3, None), &open), Answer::PausedOther);
        // Restored or moved back: another number, but the memory that was migrated.
        assert_eq!(source(&locked(BOOTED, 4, Some("m-1")), &open), Answer::RunOther);
        let there = |state, by| destination(&locked(state, 9, by), &open);
        let migrated = Now::Running(RunReason::Migrated);
        assert_eq!(there(migrated, Some("m-1")), Answer::RunMigrated);
        assert_eq!(there(migrated, None), Answer::StartedAnew);
        assert_eq!(there(BOOTED, None), Answer::StartedAnew);
        assert_eq!(there(Now::Running(RunReason::Unpaused), Some("m-1")), Answer::RunOther);
        assert_eq!(there(MIGRATING, Some("m-2")), Answer::PausedOther, "another migration comes in");
        // A port was unplugged, libvirt not yet told: there is no number at all.
        let port = Port {
            source: address("0000:81:00.2"),
            alias: None,
            source_xml: String::new(),
            destination_xml: String::new(),
            persistent: false,
            planned: None,
            alternatives: Vec::new(),
        };
        let unplugging = marked(&[Entry::UnplugRequested { port }]);
        assert_eq!(source(&locked(BOOTED, 3, Some("m-1")), &unplugging), Answer::RunUnchanged);
        assert_eq!(source(&locked(BOOTED, 3, None), &unplugging), Answer::StartedAnew);
        // Before anything was touched it may not have been set, and once it is being taken off it may be gone.
        assert_eq!(source(&locked(BOOTED, 3, None), &marked(&[])), Answer::RunUnchanged);
        let undoing = marked(&[performed, Entry::UndoIntent { step: Step::RemoveMark }]);
        assert_eq!(source(&locked(BOOTED, 3, None), &undoing), Answer::RunUnchanged);
    }
}
