//! Every device of the guest has a place.

use super::prelude::*;
use crate::plan::Role;
use crate::plan::instance::MOST_HOSTDEVS;

check! {
    /// The destination has no place for every device of the guest.
    ///
    /// # Meaning
    /// pvm looks for a device of the destination for each host device of the guest, for all of them together, so that a
    /// map is found whenever there is one. When there is none it names the smallest set of requests that cannot be met
    /// together and how many devices each condition removed. The codes of the conditions have pages of their own.
    /// # Check by hand
    /// pvm inventory DST; pvm explain CODE for each condition.
    /// # Fix
    /// free a device, bind its driver, or declare it, whichever condition removed the most.
    "device-map": Error, Instance(run), never_ignored
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let plan = instance.plan;
    if instance.domain.hostdevs.len() > MOST_HOSTDEVS {
        return vec![Verdict::fail(format!("the guest has more than {MOST_HOSTDEVS} host devices"))];
    }
    if plan.held.is_empty() {
        return Vec::new();
    }
    let mut verdicts = Vec::new();
    if let Some(unmet) = &plan.unmet {
        let removed: Vec<String> = unmet.removed_by.iter().map(|(code, count)| format!("{code} {count}")).collect();
        let why = if removed.is_empty() {
            format!("{} has no such device", name(instance.destination()))
        } else {
            format!("devices removed by condition: {}", removed.join(", "))
        };
        verdicts.push(
            Verdict::fail(format!("no place for {}: {why}", unmet.requests.join(" and "))).remedy(
                unmet
                    .removed_by
                    .iter()
                    .max_by_key(|(_, count)| **count)
                    .map_or(format!("pvm inventory {}", name(instance.destination())), |(code, _)| {
                        format!("pvm explain {code}")
                    }),
            ),
        );
    }
    for held in &plan.held {
        if held.device.is_none() {
            verdicts.push(
                Verdict::unknown(format!("{} on {} is not in its snapshot", held.address, name(instance.source())))
                    .about(&held.address)
                    .remedy("take the snapshot of the source again"),
            );
        } else if held.role == Role::Unaccounted && plan.asked.is_ok() {
            verdicts.push(
                Verdict::fail(format!("no request accounts for the guest's device {}", held.address))
                    .about(&held.address)
                    .remedy(format!(
                        "--replug {} if it is a port, or --request ALIAS:N with what the flavor asks for",
                        held.address
                    )),
            );
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}
