//! The decision table, as data. The first row from the top that fits is taken.
//!
//! libvirt's promise has two holes. An answer lost at the end lets the source resume a guest that already runs on the
//! destination (a split); a daemon restarted or a client that died just before that answer leaves the source paused forever.
//! In both libvirt waits for somebody to decide. The table decides what follows from what the hosts say, and asks for the
//! rest. "Does not answer" is never taken for "does not have it".
//!
//! A torn last line of a journal (row 0a) is dropped by the reader, [`crate::journal::text::parse`]: its effect had not begun.

use super::action::{Action, Choices, Exit};
use super::answer::{Answer, Job};
use super::cancel::Halted;
use crate::journal::{Keep, Last};
use crate::model::outcome::Outcome;

/// What else has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    Always,
    /// The journal is damaged or newer.
    JournalInTrouble,
    /// Every port is still in the guest on the source.
    PortsThere,
    /// QEMU's log on the destination proves that the guest never ran there.
    NeverRan,
    /// The migration is cancelled and does not end.
    Halted(Halted),
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Its number.
    pub number: &'static str,
    /// Last records it is for; empty: any.
    pub last: &'static [Last],
    /// What the source answers; empty: anything.
    pub source: &'static [Answer],
    /// What the destination answers; empty: anything.
    pub destination: &'static [Answer],
    /// The job on the source; empty: any.
    pub job: &'static [Job],
    /// What else has to hold.
    pub condition: Condition,
    /// What to do.
    pub action: Action,
    /// What to do instead, by the operator's decision.
    pub choices: Choices,
    /// How the run ends.
    pub exit: Exit,
    /// Whether it is safe with nobody there.
    pub auto: bool,
    /// What the case is and what follows from it.
    pub words: &'static str,
}

use Answer::{
    Absent, Incoming, Off, OffMigrated, OffOther, Other, PausedByPvm, PausedMigration, PausedOther, RunMigrated,
    RunOther, RunUnchanged, StartedAnew, Unreachable,
};

const UNTOUCHED: &[Last] = &[Last::Plan, Last::Claim, Last::Recheck];
const UNPLUGGING: &[Last] = &[Last::UnplugRequested, Last::Detached];
const PERFORMING: &[Last] = &[Last::PerformIntent, Last::Switched, Last::Returned, Last::Failed];
const BEFORE_ARRIVAL: &[Last] = &[
    Last::UnplugRequested,
    Last::Detached,
    Last::PerformIntent,
    Last::Switched,
    Last::Returned,
    Last::Failed,
    Last::Undo,
];
const BEFORE_RETURN: &[Last] =
    &[Last::UnplugRequested, Last::Detached, Last::PerformIntent, Last::Switched, Last::Failed, Last::Undo];
const ATTACHING: &[Last] = &[Last::Verify, Last::AttachIntent, Last::Attached];
const TOUCHED: &[Last] = &[
    Last::UnplugRequested,
    Last::Detached,
    Last::PerformIntent,
    Last::Switched,
    Last::Returned,
    Last::Failed,
    Last::VerifyLost,
    Last::Verify,
    Last::AttachIntent,
    Last::Attached,
    Last::Cleanup,
    Last::Undo,
];

const GONE: &[Answer] = &[Absent, Off, OffMigrated];
const NOT_RUNNING_BUT_REACHABLE: &[Answer] =
    &[Absent, Off, OffMigrated, OffOther, Incoming, PausedMigration, PausedByPvm, PausedOther, Other];
const NOT_THERE: &[Answer] = &[Absent, Off, OffMigrated, OffOther];
const RUNNING: &[Answer] = &[RunMigrated, RunUnchanged, RunOther, StartedAnew];
const RUNNING_OR_SUSPENDED: &[Answer] = &[RunMigrated, RunUnchanged, RunOther, StartedAnew, PausedByPvm];
/// Runs that went on from the memory that was being migrated.
const RUNNING_ON: &[Answer] = &[RunMigrated, RunUnchanged, RunOther];
const REACHABLE: &[Answer] = &[
    Absent,
    Off,
    OffMigrated,
    OffOther,
    Incoming,
    RunUnchanged,
    RunMigrated,
    RunOther,
    StartedAnew,
    PausedMigration,
    PausedByPvm,
    PausedOther,
    Other,
];

/// A row that fits everything and does nothing; rows are written as what differs from it.
const BASE: Row = Row {
    number: "",
    last: &[],
    source: &[],
    destination: &[],
    job: &[],
    condition: Condition::Always,
    action: Action::Nothing,
    choices: &[],
    exit: Exit::Ends(Outcome::Undecided),
    auto: false,
    words: "",
};

/// The table; its last row fits everything.
pub(crate) const TABLE: &[Row] = &[
    Row {
        number: "0b",
        condition: Condition::JournalInTrouble,
        action: Action::Show,
        exit: Exit::Ends(Outcome::Incomplete),
        words: "The journal is damaged or was written by a newer pvm, so it cannot say what was begun. It is only shown.",
        ..BASE
    },
    Row {
        number: "1",
        last: &[Last::Done, Last::Undone],
        exit: Exit::Ends(Outcome::Fine),
        words: "The migration is over. Nothing is left to do.",
        ..BASE
    },
    // Two copies that write to one disk damage it more with every second, and two with one address disturb the network:
    // nobody has to be there to stop one, at whatever point the migration is. The one to stop is the one that was started
    // anew, else the source's: the destination's has gone on from its memory. What it is stopped from can be taken up
    // again; which copy is kept stays a decision.
    Row {
        number: "15",
        source: RUNNING_OR_SUSPENDED,
        destination: &[RunMigrated],
        action: Action::SuspendSource,
        auto: true,
        choices: &[(Keep::Dst, Action::DestroySourceAndFinish), (Keep::Src, Action::DestroyDestinationAndKeepSource)],
        words: "The guest is on both hosts: the destination runs it, and the source took a lost answer for a failure or started it anew. The source's copy is suspended at once, nothing is released. --keep dst destroys the source's copy, --keep src the destination's.",
        ..BASE
    },
    Row {
        number: "15a",
        source: RUNNING_OR_SUSPENDED,
        destination: &[RunOther, RunUnchanged],
        action: Action::SuspendSource,
        auto: true,
        choices: &[(Keep::Dst, Action::DestroySourceAndFinish), (Keep::Src, Action::DestroyDestinationAndKeepSource)],
        words: "The guest is on both hosts: the destination runs it from the memory that was migrated, though not as this migration would have made it. The source's copy is suspended at once, nothing is released. --keep dst destroys the source's copy, --keep src the destination's.",
        ..BASE
    },
    Row {
        number: "15b",
        source: RUNNING_ON,
        destination: &[StartedAnew, PausedByPvm],
        action: Action::SuspendDestination,
        auto: true,
        choices: &[(Keep::Dst, Action::KeepDestination), (Keep::Src, Action::DestroyDestinationAndKeepSource)],
        words: "The guest is on both hosts: the source runs on with its memory, and the destination started it anew. The destination's copy is suspended at once, nothing is released. --keep src destroys the destination's copy, --keep dst the source's.",
        ..BASE
    },
    Row {
        number: "15c",
        source: &[StartedAnew],
        destination: &[PausedByPvm],
        action: Action::SuspendDestination,
        auto: true,
        choices: &[(Keep::Dst, Action::KeepDestination), (Keep::Src, Action::DestroyDestinationAndKeepSource)],
        words: "The guest is on both hosts: the source started it anew since the destination's copy was suspended, which it stays. --keep src destroys the destination's copy, --keep dst the source's.",
        ..BASE
    },
    Row {
        number: "15d",
        source: &[StartedAnew, PausedByPvm],
        destination: &[StartedAnew],
        action: Action::SuspendSource,
        auto: true,
        choices: &[(Keep::Dst, Action::DestroySourceAndFinish), (Keep::Src, Action::DestroyDestinationAndKeepSource)],
        words: "The guest is on both hosts, and the destination started it anew; the memory that was migrated runs on neither. The source's copy is suspended at once, nothing is released. --keep dst destroys the source's copy, --keep src the destination's.",
        ..BASE
    },
    Row {
        number: "2",
        last: TOUCHED,
        source: &[Unreachable],
        destination: &[Unreachable],
        exit: Exit::Ends(Outcome::Unknown),
        words: "Neither host answers. Nothing is changed while the answer is unknown.",
        ..BASE
    },
    Row {
        number: "3",
        last: UNTOUCHED,
        job: &[Job::None, Job::Other, Job::Unknown],
        action: Action::ReleaseClaims,
        exit: Exit::Ends(Outcome::Fine),
        auto: true,
        words: "Nothing had been touched. The claimed devices are given back.",
        ..BASE
    },
    Row {
        number: "4",
        last: UNTOUCHED,
        job: &[Job::Out],
        action: Action::ReleaseClaims,
        exit: Exit::Ends(Outcome::Fine),
        words: "Nothing had been touched; the migration that is running is somebody else's. Only the claimed devices are given back.",
        ..BASE
    },
    Row {
        number: "5",
        last: &[Last::UnplugRequested],
        source: &[RunUnchanged],
        destination: NOT_RUNNING_BUT_REACHABLE,
        job: &[Job::None],
        condition: Condition::PortsThere,
        action: Action::WaitForUnplug,
        exit: Exit::Ends(Outcome::Incomplete),
        words: "The guest was asked to unplug a port and still has it; it may yet do so. The record stays open.",
        ..BASE
    },
    Row {
        number: "6",
        last: UNPLUGGING,
        source: &[RunUnchanged],
        destination: NOT_RUNNING_BUT_REACHABLE,
        job: &[Job::None],
        action: Action::ReattachOnSource,
        exit: Exit::Ends(Outcome::Fine),
        auto: true,
        words: "The guest runs on the source without a port that was unplugged for the migration. The port is plugged in again.",
        ..BASE
    },
    Row {
        number: "7a",
        last: &[Last::PerformIntent, Last::Switched],
        source: &[RunUnchanged],
        destination: NOT_THERE,
        job: &[Job::Out],
        condition: Condition::Halted(Halted::Daemon),
        action: Action::EndCancelled,
        exit: Exit::Again,
        auto: true,
        words: "The migration was aborted during switchover. QEMU runs the guest again, but libvirt still waits for it to stop. It is stopped for a moment; libvirt then ends the job and lets it run.",
        ..BASE
    },
    Row {
        number: "7",
        last: &[Last::PerformIntent],
        source: &[RunUnchanged],
        destination: &[Incoming, Absent, Off, OffMigrated, OffOther],
        job: &[Job::Out],
        action: Action::Follow,
        exit: Exit::Again,
        auto: true,
        words: "libvirt is still migrating the guest; --abort cancels it.",
        ..BASE
    },
    Row {
        number: "8a",
        last: &[Last::PerformIntent, Last::Switched],
        source: &[PausedMigration],
        destination: NOT_THERE,
        job: &[Job::Out],
        condition: Condition::Halted(Halted::Qemu),
        action: Action::EndCancelled,
        exit: Exit::Again,
        auto: true,
        words: "The migration was aborted during switchover and QEMU waits for libvirt, which will not answer. The destination has nothing. QEMU is told to go on with cancelling; the guest then runs on the source.",
        ..BASE
    },
    Row {
        number: "8",
        last: &[Last::PerformIntent, Last::Switched],
        source: &[PausedMigration],
        destination: &[Incoming],
        job: &[Job::Out],
        action: Action::WaitForSwitchover,
        exit: Exit::Again,
        auto: true,
        words: "The guest is in switchover. pvm waits for its end and never aborts it.",
        ..BASE
    },
    Row {
        number: "9",
        last: PERFORMING,
        source: GONE,
        destination: &[RunMigrated],
        job: &[Job::None],
        action: Action::Finish,
        exit: Exit::FineUnlessMissing,
        auto: true,
        words: "The guest has moved. Its device state is verified, its ports are plugged in, and what is left over is removed.",
        ..BASE
    },
    Row {
        number: "10",
        last: PERFORMING,
        source: &[PausedMigration],
        destination: &[RunMigrated],
        job: &[Job::None],
        action: Action::DestroySourceAndFinish,
        exit: Exit::FineUnlessMissing,
        auto: true,
        words: "The guest runs on the destination with the planned devices; the source was never told and keeps a stale paused copy, which is destroyed.",
        ..BASE
    },
    Row {
        number: "11",
        last: PERFORMING,
        source: &[PausedMigration],
        destination: &[Absent],
        job: &[Job::None],
        condition: Condition::NeverRan,
        action: Action::ResumeSource,
        exit: Exit::UndoneUnlessLost,
        words: "The source stands paused and the destination's log proves that the guest never ran there. The source may run again.",
        ..BASE
    },
    Row {
        number: "12",
        last: PERFORMING,
        source: &[PausedMigration, PausedByPvm],
        destination: NOT_THERE,
        job: &[Job::None],
        choices: &[(Keep::Src, Action::ResumeSource), (Keep::None, Action::GiveUp)],
        words: "The source stands paused and nothing proves that the guest did not run on the destination in between: if it did, the source's memory is older than its disks. --keep src accepts that risk; --destroy-guest destroys the guest.",
        ..BASE
    },
    Row {
        number: "13",
        last: PERFORMING,
        source: &[RunUnchanged],
        destination: &[Incoming],
        job: &[Job::None],
        action: Action::DestroyIncoming,
        exit: Exit::Again,
        auto: true,
        words: "The guest runs on the source; the destination keeps a process that waits for a migration that is over. It never ran and is destroyed after 60 seconds.",
        ..BASE
    },
    Row {
        number: "14",
        last: &[Last::PerformIntent, Last::Switched, Last::Failed],
        source: &[RunUnchanged],
        destination: NOT_THERE,
        job: &[Job::None],
        action: Action::Undo,
        exit: Exit::UndoneUnlessLost,
        auto: true,
        words: "The migration failed and the guest runs on the source. Its devices are checked, its ports plugged in again.",
        ..BASE
    },
    Row {
        number: "14a",
        last: BEFORE_ARRIVAL,
        source: &[StartedAnew],
        destination: NOT_THERE,
        job: &[Job::None],
        action: Action::CloseStartedAnew,
        exit: Exit::Ends(Outcome::Incomplete),
        auto: true,
        words: "The guest runs on the source, but its host started it anew since the migration began, and the destination has nothing. What its memory and its devices held is gone; it has the devices of its definition. The record is closed.",
        ..BASE
    },
    Row {
        number: "16",
        last: PERFORMING,
        source: GONE,
        destination: &[RunOther, StartedAnew, RunUnchanged],
        job: &[Job::None],
        choices: &[(Keep::Dst, Action::CloseStartedAnew)],
        words: "Only the destination runs the guest, but not as this migration would have made it: it was started anew, or somebody else acted. Nothing is changed. --keep dst closes the record and leaves it as it is.",
        ..BASE
    },
    Row {
        number: "16a",
        last: PERFORMING,
        destination: &[RunOther, StartedAnew, RunUnchanged],
        words: "The destination runs the guest, but not as this migration would have made it: it was started anew, or somebody else acted. Nothing is changed.",
        ..BASE
    },
    Row {
        number: "17",
        last: BEFORE_ARRIVAL,
        source: &[RunUnchanged, StartedAnew],
        destination: &[Unreachable],
        job: &[Job::None, Job::Out],
        exit: Exit::Ends(Outcome::Unknown),
        words: "The source runs the guest; the destination does not answer and may run it too. Nothing is changed. If it is powered off or fenced: --destination-is-dead.",
        ..BASE
    },
    Row {
        number: "18",
        last: PERFORMING,
        source: &[PausedMigration, PausedByPvm],
        destination: &[Unreachable],
        words: "The source stands paused; the destination does not answer and may run the guest. Nothing is changed. If it is powered off or fenced: --destination-is-dead.",
        ..BASE
    },
    Row {
        number: "19",
        last: PERFORMING,
        source: &[Unreachable],
        destination: &[RunMigrated],
        action: Action::RecordProof,
        words: "The destination runs the guest; the source does not answer and may run it too. Nothing is changed. If it is powered off or fenced: --source-is-dead.",
        ..BASE
    },
    Row {
        number: "20",
        last: PERFORMING,
        source: &[Unreachable],
        destination: NOT_RUNNING_BUT_REACHABLE,
        exit: Exit::Ends(Outcome::Unknown),
        words: "The source does not answer and the destination does not run the guest. Nothing is changed.",
        ..BASE
    },
    Row {
        number: "21",
        last: PERFORMING,
        source: &[PausedOther],
        words: "The source has the guest paused for a reason of its own: somebody else acted. Nothing is changed.",
        ..BASE
    },
    Row {
        number: "22",
        last: PERFORMING,
        source: GONE,
        destination: &[PausedMigration, Incoming],
        job: &[Job::None],
        choices: &[(Keep::Dst, Action::ResumeDestination)],
        words: "Only the destination has the guest, and it has not been started there. --keep dst starts it once its state is verified to be complete.",
        ..BASE
    },
    Row {
        number: "22a",
        source: GONE,
        destination: &[PausedByPvm],
        job: &[Job::None],
        choices: &[(Keep::Dst, Action::KeepDestination)],
        words: "Only the destination has the guest, in the copy that pvm suspended while the source ran it, too. --keep dst lets it run.",
        ..BASE
    },
    Row {
        number: "23",
        last: PERFORMING,
        source: &[Absent, OffMigrated],
        destination: &[Off],
        job: &[Job::None],
        action: Action::AttachInDefinition,
        exit: Exit::Ends(Outcome::Fine),
        auto: true,
        words: "The guest moved and was switched off since. Its ports are put into its definition, and what is left over is removed.",
        ..BASE
    },
    Row {
        number: "23a",
        last: &[Last::Returned],
        source: &[Off],
        destination: &[Off],
        job: &[Job::None],
        action: Action::AttachInDefinition,
        exit: Exit::Ends(Outcome::Fine),
        auto: true,
        words: "The guest moved and was switched off since; the source kept its definition. The ports are put into that of the destination, and what is left over is removed.",
        ..BASE
    },
    // Both may have had a definition all along: which one the guest ran last from, nobody says.
    Row {
        number: "23b",
        last: BEFORE_RETURN,
        source: &[Off],
        destination: &[Off, OffOther],
        job: &[Job::None],
        choices: &[(Keep::Dst, Action::AttachInDefinition), (Keep::Src, Action::CloseOff)],
        words: "The guest is switched off, and both hosts have it defined: nothing shows whether it had moved. Nothing is changed. --keep src closes the record and leaves both definitions, --keep dst finishes the move.",
        ..BASE
    },
    Row {
        number: "23c",
        last: BEFORE_RETURN,
        source: &[Off],
        destination: &[Absent],
        job: &[Job::None],
        action: Action::CloseOff,
        exit: Exit::Ends(Outcome::Incomplete),
        auto: true,
        words: "The guest did not move, and is switched off on the source: it was shut down, or its host lost power. The destination has nothing. The record is closed.",
        ..BASE
    },
    Row {
        number: "24",
        last: PERFORMING,
        source: GONE,
        destination: &[OffMigrated],
        job: &[Job::None],
        action: Action::Close,
        exit: Exit::Ends(Outcome::Fine),
        words: "The guest moved, and was moved on by others since. The record is closed.",
        ..BASE
    },
    Row {
        number: "25",
        last: PERFORMING,
        source: &[Absent],
        destination: &[Absent],
        job: &[Job::None],
        action: Action::ShowXml,
        words: "Neither host has the guest. What the journal knows of it is shown; nothing is changed.",
        ..BASE
    },
    Row {
        number: "26",
        last: &[Last::VerifyLost],
        source: GONE,
        destination: RUNNING,
        job: &[Job::None],
        action: Action::Attach,
        exit: Exit::Ends(Outcome::Incomplete),
        words: "The guest moved, but the state of a device was lost on the way. The verdict stands; the ports are plugged in. Unplug the device and plug it in again, or reboot the guest.",
        ..BASE
    },
    Row {
        number: "27",
        last: ATTACHING,
        source: GONE,
        destination: RUNNING,
        job: &[Job::None],
        action: Action::Attach,
        exit: Exit::FineUnlessMissing,
        auto: true,
        words: "The guest moved. Ports that are not plugged in yet are plugged in.",
        ..BASE
    },
    Row {
        number: "28",
        last: ATTACHING,
        source: GONE,
        destination: &[Off, OffOther],
        job: &[Job::None],
        action: Action::AttachInDefinition,
        exit: Exit::Ends(Outcome::Fine),
        auto: true,
        words: "The guest moved and was switched off since. Its ports are put into its definition.",
        ..BASE
    },
    Row {
        number: "29",
        last: &[Last::Cleanup],
        source: GONE,
        destination: REACHABLE,
        job: &[Job::None],
        action: Action::CleanUp,
        exit: Exit::Ends(Outcome::Fine),
        auto: true,
        words: "The guest has moved and has what could be given to it. What is left over is removed.",
        ..BASE
    },
    Row {
        number: "30",
        last: &[Last::Undo],
        source: &[RunUnchanged],
        destination: NOT_THERE,
        job: &[Job::None],
        action: Action::Undo,
        exit: Exit::UndoneUnlessLost,
        auto: true,
        words: "The migration was being undone and the guest runs on the source. The undo is repeated from its last step.",
        ..BASE
    },
    LAST_ROW,
];

/// What fits no other row.
pub(crate) const LAST_ROW: Row =
    Row { number: "31", action: Action::Show, words: "The table has no answer to this. Nothing is changed.", ..BASE };
