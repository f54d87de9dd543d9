//! A rehearsal: the migration that is planned, begun so slowly that it cannot complete, and aborted before switch-over. What
//! libvirt, QEMU and hooks check before the guest is paused is then proved. Pure.

use std::time::Duration;

use crate::journal;
use crate::model::device_move::Action;

/// libvirt's least bandwidth, in MiB per second.
const BANDWIDTH_MIB: u64 = 1;
/// A limit of the pause in which nothing fits at that bandwidth. With none at all QEMU would not ask devices for their state.
const DOWNTIME: Duration = Duration::from_millis(1);
/// Whoever has not let memory flow until then will not let it flow.
const LIMIT: Duration = Duration::from_secs(60);
/// So long after the first memory the destination's QEMU has read which memory and devices come, and has left if it cannot
/// have them.
const ENOUGH: Duration = Duration::from_secs(1);
/// A guest with less memory may be sent whole in that time.
const LEAST_MEMORY: u64 = 32 << 20;

/// How far a rehearsal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Too little to say.
    Little,
    /// What can be shown before switch-over.
    Enough,
    /// Nothing but the guest's own writing holds it back any more.
    TooFast,
}

/// What is shown when memory has flowed for so long. From the second pass on the state of a device that moves with it still
/// keeps QEMU from switching over; a guest without one may write too little to do so.
pub(super) fn shown(flowed: Duration, pass: u64, moves_state: bool) -> Shown {
    if flowed >= ENOUGH {
        Shown::Enough
    } else if pass > 1 && !moves_state {
        Shown::TooFast
    } else {
        Shown::Little
    }
}

impl journal::Plan {
    /// The rehearsal of this migration, or why there can be none. `memory` is the guest's, in bytes.
    pub fn rehearsed(mut self, memory: Option<u64>) -> Result<Self, String> {
        let name = &self.instance.name;
        if self.paused {
            return Err(format!(
                "{name} is paused: it writes nothing that would keep QEMU from completing a migration"
            ));
        }
        if let Some(port) = self.map.iter().find(|moved| moved.action == Action::Reattach) {
            return Err(format!(
                "port {} would have to be unplugged from {name}, which no rehearsal does",
                port.source
            ));
        }
        match memory {
            Some(memory) if memory >= LEAST_MEMORY => {}
            Some(_) => return Err(format!("{name} has so little memory that the migration could complete")),
            None => return Err(format!("the memory of {name} is not known, so that the migration could complete")),
        }
        self.rehearsal = true;
        self.parameters.bandwidth = Some(BANDWIDTH_MIB);
        self.parameters.switchover_bandwidth = None;
        self.parameters.max_downtime = Some(DOWNTIME);
        self.parameters.raise_downtime = false;
        self.parameters.timeout = Some(LIMIT);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::forward::engine_tests::plan;

    #[test]
    fn what_could_complete_is_not_rehearsed() {
        let big = Some(1 << 30);
        let rehearsed = plan().rehearsed(big).unwrap();
        assert!(rehearsed.rehearsal && !rehearsed.parameters.raise_downtime);
        assert_eq!((rehearsed.parameters.bandwidth, rehearsed.parameters.max_downtime), (Some(1), Some(DOWNTIME)));
        let refused = |plan: journal::Plan, memory| plan.rehearsed(memory).unwrap_err();
        assert!(refused(journal::Plan { paused: true, ..plan() }, big).contains("vm is paused"));
        assert!(refused(plan(), Some(LEAST_MEMORY - 1)).contains("so little memory"));
        assert!(refused(plan(), None).contains("not known"));
        let mut port = plan();
        port.map[0].action = Action::Reattach;
        assert!(refused(port, big).contains("port 0000:81:00.1 would have to be unplugged"));
    }

    #[test]
    fn a_guest_whose_memory_is_sent_is_held_back_by_a_device_only() {
        assert_eq!(shown(ENOUGH / 2, 1, false), Shown::Little);
        assert_eq!(shown(ENOUGH, 1, false), Shown::Enough);
        assert_eq!(shown(ENOUGH / 2, 2, false), Shown::TooFast);
        assert_eq!(shown(ENOUGH / 2, 2, true), Shown::Little);
    }
}
