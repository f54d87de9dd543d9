//! What runs on the host when no move runs any more. Guests come and go by other hands, too, and whoever switches a host off
//! believes that it is empty.

use std::collections::BTreeMap;

use crate::journal::{DrainGuest, DrainRecord, Fate, Host};
use crate::libvirt;
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::output::drain::Came;

/// The guests that run on a host, their names by UUID; or why they are not known.
pub(super) type Running = Result<BTreeMap<String, String>, String>;

/// Asks the host's libvirt, if it is that of the host.
pub(super) fn running(host: &Host) -> Running {
    let ask = || -> libvirt::Result<Running> {
        let daemon = libvirt::open(&host.uri)?;
        if host.uuid.as_ref() != Some(&daemon.host_uuid()?) {
            return Ok(Err("another host answers under this name".to_owned()));
        }
        let active = daemon.domains()?.into_iter().filter(|domain| domain.state.is_active());
        Ok(Ok(active.map(|domain| (domain.uuid, domain.name)).collect()))
    };
    ask().unwrap_or_else(|error| Err(sentence(&error)))
}

/// Corrects the record of a drain by what runs there. `is_whole`: all guests of the host were to leave.
pub(super) fn correct(
    record: &mut DrainRecord,
    came: &mut BTreeMap<String, Came>,
    running: &BTreeMap<String, String>,
    is_whole: bool,
) {
    for guest in &mut record.guests {
        let fate = match (&guest.fate, running.contains_key(&guest.uuid)) {
            (Fate::Waiting | Fate::Stays { .. } | Fate::Gone, false) => Fate::Gone,
            (Fate::Left | Fate::Gone, true) => Fate::Stays { why: "it runs there again".to_owned() },
            _ => continue,
        };
        let is_gone = fate == Fate::Gone;
        guest.fate = fate;
        match came.get_mut(&guest.uuid) {
            // A migration that was undone has its own end to tell.
            Some(came) if is_gone && came.migration.is_some() => {
                came.has_left = Some(true);
                came.summary += "; it does not run there any more";
            }
            _ => drop(came.remove(&guest.uuid)),
        }
    }
    let new = running.iter().filter(|(uuid, _)| is_whole && !record.guests.iter().any(|guest| guest.uuid == **uuid));
    let new: Vec<DrainGuest> = new
        .map(|(uuid, name)| DrainGuest {
            name: name.clone(),
            uuid: uuid.clone(),
            destination: None,
            fate: Fate::Waiting,
        })
        .collect();
    came.extend(new.iter().map(|guest| (guest.uuid.clone(), newcomer(guest))));
    record.guests.extend(new);
}

fn newcomer(guest: &DrainGuest) -> Came {
    Came {
        guest: guest.name.clone(),
        uuid: guest.uuid.clone(),
        destination: None,
        migration: None,
        has_left: Some(false),
        exit_code: Outcome::Findings.code(),
        summary: format!("{} stays: it came while the drain went on", guest.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(name: &str, fate: Fate) -> DrainGuest {
        DrainGuest { name: name.to_owned(), uuid: name.to_owned(), destination: None, fate }
    }

    #[test]
    fn who_came_and_who_went_by_another_hand_is_told_apart_from_who_was_moved() {
        let stays = || Fate::Stays { why: "x".to_owned() };
        let moving = || Fate::Moving { migration: "m".to_owned() };
        let guests = [
            ("moved", Fate::Left, Fate::Left),
            ("back", Fate::Left, Fate::Stays { why: "it runs there again".to_owned() }),
            ("there", stays(), stays()),
            ("off", stays(), Fate::Gone),
            ("off too", Fate::Waiting, Fate::Gone),
            ("unclear", moving(), moving()),
        ];
        let running = ["back", "there", "new"].map(|name| (name.to_owned(), name.to_owned())).into();
        for is_whole in [true, false] {
            let before = guests.iter().map(|(name, before, _)| guest(name, before.clone())).collect();
            let mut record = DrainRecord::new("d".into(), Host::default(), before, String::new());
            let mut came = BTreeMap::new();
            correct(&mut record, &mut came, &running, is_whole);
            let mut expected: Vec<_> = guests.iter().map(|(name, _, after)| guest(name, after.clone())).collect();
            expected.extend(is_whole.then(|| guest("new", Fate::Waiting)));
            assert_eq!(record.guests, expected);
            assert_eq!(came.keys().collect::<Vec<_>>(), if is_whole { vec!["new"] } else { vec![] });
        }
    }
}
