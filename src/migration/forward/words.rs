//! The end of a migration in one sentence.

use super::order::Order;
use super::step::{End, Place};
use super::way::NAMES_DIRECT;
use crate::journal::Side;
use crate::libvirt::{Failure, HypervisorError};
use crate::migration::recover::words::{but, losses};
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::proof::Verdict;

/// Where the guest is, what it has lost, and why if that is not what was wanted. `missing`: ports it is known to be without.
pub(super) fn message(order: &Order, end: &End, verdict: Option<&Verdict>, missing: &[PciAddress]) -> String {
    let (instance, id) = (&order.instance.name, &order.id);
    let why = end.why.as_deref().unwrap_or("no reason is known");
    let open = end.open.then(|| format!("the migration is not finished: {why}; see: pvm recover {id}"));
    match end.place {
        Place::Destination => {
            let mut parts = losses(verdict, missing, Side::Destination);
            parts.extend(open);
            but(&format!("{instance} runs on {}", order.destination.name), &parts)
        }
        Place::Source => {
            let stays = format!("{instance} stays on {}", order.source_label);
            let mut parts = losses(verdict, missing, Side::Source);
            match end.outcome {
                Outcome::Findings | Outcome::Unknown => {
                    let open = if end.open { format!("; see: pvm recover {id}") } else { String::new() };
                    format!("{stays}, nothing was changed: {why}{open}")
                }
                Outcome::Incomplete if end.open => {
                    parts.extend(open);
                    but(&stays, &parts)
                }
                Outcome::Incomplete => format!("{}; it did not move: {why}", but(&stays, &parts)),
                _ => format!("{stays}, all was undone: {why}"),
            }
        }
        Place::Unclear => {
            let parts = losses(verdict, missing, Side::Source);
            let and = parts.iter().fold(String::new(), |text, part| format!("{text}, and {part}"));
            format!("where {instance} runs is not clear{and}: {why}; nothing is released, see: pvm recover {id}")
        }
    }
}

/// The device of a host that libvirt says another guest has taken (`virHostdevPreparePCIDevices`: "PCI device … is in use by
/// driver …, domain …").
pub fn taken_device(message: &str) -> Option<PciAddress> {
    let (_, behind) = message.split_once("PCI device ")?;
    let (address, behind) = behind.split_once(' ')?;
    if behind.starts_with("is in use by driver") { address.parse().ok() } else { None }
}

/// libvirt's error when nothing has moved, with the way round if it may be that the source's daemon does not reach the
/// destination's.
pub(super) fn before_anything_moved(order: &Order, error: &HypervisorError) -> String {
    if error.failure != Failure::PeerUnreached {
        return error.message.clone();
    }
    format!(
        "{}; the daemon of {} opens {} as its own user: where it cannot, {NAMES_DIRECT}",
        error.message, order.source_label, order.destination_uri
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything the pure step can end with: place, outcome, whether the journal stays open, the verdict, and whether a port
    /// is missing.
    #[test]
    fn the_last_line_tells_the_whole_truth() {
        use Place::{Destination, Source, Unclear};
        let order =
            Order { id: "m-1".into(), source_label: "a".into(), ..crate::migration::forward::engine_tests::order() };
        let (lost, unproved) = (Verdict::Lost { why: "x".into() }, Verdict::not_verified("x"));
        let (sure, none, port) = (Verdict::Verified, &[][..], &["0000:81:00.2".parse().unwrap()][..]);
        let state = |what: &str| format!("the state of its devices is {what}");
        let (here, there) = ("it is without port 0000:81:00.2", "it has no port in place of 0000:81:00.2");
        let open = "the migration is not finished: no; see: pvm recover m-1";
        let incomplete = Outcome::Incomplete;
        let table = [
            (Destination, Outcome::Fine, false, &sure, none, String::new()),
            (Destination, Outcome::Fine, false, &unproved, none, format!(", but {}", state("not proved"))),
            (Destination, incomplete, false, &unproved, none, format!(", but {}", state("not proved"))),
            (Destination, incomplete, false, &lost, none, format!(", but {}", state("lost"))),
            (Destination, incomplete, false, &sure, port, format!(", but {there}")),
            (Destination, incomplete, false, &unproved, port, format!(", but {}, and {there}", state("not proved"))),
            (Destination, incomplete, false, &lost, port, format!(", but {}, and {there}", state("lost"))),
            (Destination, incomplete, true, &sure, none, format!(", but {open}")),
            (Destination, incomplete, true, &unproved, none, format!(", but {}, and {open}", state("not proved"))),
            (Destination, incomplete, true, &lost, none, format!(", but {}, and {open}", state("lost"))),
            (Destination, incomplete, true, &sure, port, format!(", but {there}, and {open}")),
            (
                Destination,
                incomplete,
                true,
                &unproved,
                port,
                format!(", but {}, {there}, and {open}", state("not proved")),
            ),
            (Destination, incomplete, true, &lost, port, format!(", but {}, {there}, and {open}", state("lost"))),
            (Source, Outcome::Undone, false, &sure, none, ", all was undone: no".into()),
            (Source, Outcome::Interrupted, false, &sure, none, ", all was undone: no".into()),
            (Source, Outcome::Findings, false, &sure, none, ", nothing was changed: no".into()),
            (Source, Outcome::Unknown, false, &sure, none, ", nothing was changed: no".into()),
            (Source, Outcome::Unknown, true, &sure, none, ", nothing was changed: no; see: pvm recover m-1".into()),
            (Source, incomplete, false, &unproved, none, format!(", but {}; it did not move: no", state("not proved"))),
            (Source, incomplete, false, &lost, none, format!(", but {}; it did not move: no", state("lost"))),
            (Source, incomplete, false, &sure, port, format!(", but {here}; it did not move: no")),
            (
                Source,
                incomplete,
                false,
                &unproved,
                port,
                format!(", but {}, and {here}; it did not move: no", state("not proved")),
            ),
            (
                Source,
                incomplete,
                false,
                &lost,
                port,
                format!(", but {}, and {here}; it did not move: no", state("lost")),
            ),
            (Source, incomplete, true, &sure, none, format!(", but {open}")),
            (Source, incomplete, true, &unproved, none, format!(", but {}, and {open}", state("not proved"))),
            (Source, incomplete, true, &lost, none, format!(", but {}, and {open}", state("lost"))),
            (Source, incomplete, true, &sure, port, format!(", but {here}, and {open}")),
            (Source, incomplete, true, &unproved, port, format!(", but {}, {here}, and {open}", state("not proved"))),
            (Source, incomplete, true, &lost, port, format!(", but {}, {here}, and {open}", state("lost"))),
            (Unclear, Outcome::Undecided, true, &sure, none, String::new()),
            (Unclear, Outcome::Undecided, true, &sure, port, format!(", and {here}")),
        ];
        for (place, outcome, open, verdict, missing, rest) in table {
            let end = End { outcome, place, open, why: Some("no".into()) };
            let wanted = match place {
                Destination => format!("vm runs on b{rest}"),
                Source => format!("vm stays on a{rest}"),
                Unclear => format!("where vm runs is not clear{rest}: no; nothing is released, see: pvm recover m-1"),
            };
            assert_eq!(message(&order, &end, Some(verdict), missing), wanted);
        }
        // Before the proof there is no verdict, and more than one port may be missing.
        let end = End { outcome: incomplete, place: Source, open: true, why: Some("no".into()) };
        let ports = ["0000:81:00.2", "0000:81:00.3"].map(|port| port.parse().unwrap());
        assert_eq!(
            message(&order, &end, None, &ports),
            format!("vm stays on a, but it is without ports 0000:81:00.2 and 0000:81:00.3, and {open}")
        );
    }

    #[test]
    fn an_end_that_cannot_be_recorded_is_open_and_not_finer_than_that() {
        let end = |outcome, why: Option<&str>| End {
            outcome,
            place: Place::Source,
            why: why.map(str::to_owned),
            open: false,
        };
        for (outcome, becomes) in [
            (Outcome::Fine, Outcome::Incomplete),
            (Outcome::Undone, Outcome::Incomplete),
            (Outcome::Interrupted, Outcome::Incomplete),
            (Outcome::Incomplete, Outcome::Incomplete),
            (Outcome::Findings, Outcome::Unknown),
            (Outcome::Unknown, Outcome::Unknown),
            (Outcome::Undecided, Outcome::Undecided),
        ] {
            let wanted = End { open: true, ..end(becomes, Some("no; full")) };
            assert_eq!(end(outcome, Some("no")).unrecorded("full"), wanted);
        }
        assert_eq!(end(Outcome::Fine, None).unrecorded("full").why.as_deref(), Some("full"));
        assert_eq!(end(Outcome::Unknown, Some("is full")).unrecorded("full").why.as_deref(), Some("is full"));
    }

    #[test]
    fn a_taken_device_is_read_from_libvirts_words() {
        let address: PciAddress = "0000:02:10.0".parse().unwrap();
        let said = "all was undone: Requested operation is not valid: PCI device 0000:02:10.0 is in use by driver QEMU, domain x";
        assert_eq!(taken_device(said), Some(address));
        assert_eq!(taken_device("Unable to reset PCI device 0000:02:10.0: no FLR"), None);
        assert_eq!(taken_device("PCI device nonsense is in use by driver QEMU"), None);
    }
}
