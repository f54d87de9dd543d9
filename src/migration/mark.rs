//! Reads, sets and removes the mark of a migration in a guest.

use std::time::Duration;

use crate::journal::mark::{Mark, policy_of};
use crate::libvirt::{DomainXml, Failure, Hypervisor, HypervisorError, Result};
use crate::model::policy::{ELEMENT, NAMESPACE, PREFIX};

/// What a guest says about a migration of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing.
    None,
    /// This.
    Mark(Box<Mark>),
    /// A mark that this build cannot read.
    Unreadable,
}

/// Reads the mark of a running guest. A guest that is not there or does not run has none.
pub(crate) fn read(host: &dyn Hypervisor, uuid: &str) -> Result<Found> {
    match host.metadata(uuid, NAMESPACE) {
        Ok(Some(text)) => {
            Ok(roxmltree::Document::parse(&text).map_or(Found::Unreadable, |document| found(document.root_element())))
        }
        Ok(None) | Err(HypervisorError { failure: Failure::Absent, .. }) => Ok(Found::None),
        // Only a running guest has live metadata; whether it runs need not be asked before each look.
        Err(e) => match host.domain(uuid)? {
            Some(guest) if guest.state.is_active() => Err(e),
            Some(_) | None => Ok(Found::None),
        },
    }
}

/// Sets the mark of a migration that has the lock. Another's mark is never replaced: it is looked for in the same breath.
pub(crate) fn set(host: &dyn Hypervisor, uuid: &str, mark: &Mark) -> Result<()> {
    match read(host, uuid)? {
        Found::Mark(there) if there.id == mark.id => {
            let mark = Mark { policy: there.policy, ..mark.clone() };
            host.set_metadata(uuid, PREFIX, NAMESPACE, Some(&mark.element()))
        }
        found => Err(HypervisorError {
            doing: "cannot write into the guest's migration lock".into(),
            message: match found {
                Found::None => "it is gone".into(),
                Found::Mark(there) => held_by(&there),
                Found::Unreadable => UNREADABLE.into(),
            },
            failure: Failure::Other,
        }),
    }
}

/// Removes it, and the request for it, if they are this migration's; and requests that came along from another host. The
/// guest's policy gets its place back.
pub(crate) fn remove(host: &dyn Hypervisor, uuid: &str, id: &str) -> Result<()> {
    let Elements { mark, requests, .. } = elements(host, uuid)?;
    if let Found::Mark(mark) = mark
        && mark.id == id
    {
        host.set_metadata(uuid, PREFIX, NAMESPACE, mark.policy().as_deref())?;
    }
    if requests.is_empty() {
        return Ok(());
    }
    let here = host.host_uuid().ok();
    for request in requests.iter().filter(|request| request.id == id || came_along(request, here.as_deref())) {
        host.set_metadata(uuid, REQUEST_PREFIX, &request_namespace(&request.id), None)?;
    }
    Ok(())
}

const UNREADABLE: &str = "carries the mark of a migration that this pvm cannot read";

fn held_by(mark: &Mark) -> String {
    format!(
        "is marked by migration {} from {} to {}, which pvm on {} began and has not ended: pvm recover {0} there",
        mark.id, mark.source.name, mark.destination.name, mark.machine
    )
}

/// What keeps the guest from being migrated: the mark of a migration that `is_own` does not know.
pub(crate) fn obstacle(host: &dyn Hypervisor, uuid: &str, is_own: impl Fn(&str) -> bool) -> Result<Option<String>> {
    Ok(read(host, uuid)?.obstacle(is_own))
}

impl Found {
    /// What keeps the guest from being migrated.
    pub(crate) fn obstacle(&self, is_own: impl Fn(&str) -> bool) -> Option<String> {
        match self {
            Self::None => None,
            Self::Mark(mark) if is_own(&mark.id) => None,
            Self::Mark(mark) => Some(held_by(mark)),
            Self::Unreadable => Some(UNREADABLE.to_owned()),
        }
    }
}

/// The prefix of a request.
const REQUEST_PREFIX: &str = "pvmrequest";
/// The namespace of requests, before the id of the migration.
const REQUEST: &str = "urn:pvm:request:1:";
/// How long a migration that may go first waits for the others to give way.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks meanwhile.
const BETWEEN: Duration = Duration::from_millis(100);

fn request_namespace(id: &str) -> String {
    format!("{REQUEST}{id}")
}

/// Whether a request was made on another host than this one. Its migration was refused there or found the guest gone: libvirt
/// lets nobody take a request back while it migrates the guest, so that the request travels with it.
fn came_along(request: &Mark, here: Option<&str>) -> bool {
    request.source.uuid.as_deref().zip(here).is_some_and(|(there, here)| !there.eq_ignore_ascii_case(here))
}

/// What pvm's element in a guest's metadata is: a mark, or the guest's policy, which nobody has to wait for.
fn found(element: roxmltree::Node<'_, '_>) -> Found {
    match Mark::of(element) {
        Some(mark) => Found::Mark(Box::new(mark)),
        None if element.tag_name().name() == ELEMENT => Found::None,
        None => Found::Unreadable,
    }
}

/// What a running guest carries at one moment.
struct Elements {
    mark: Found,
    /// Requests for the lock.
    requests: Vec<Mark>,
    /// The attributes of its policy.
    policy: Vec<(String, String)>,
}

fn elements(host: &dyn Hypervisor, uuid: &str) -> Result<Elements> {
    let xml = match host.xml(uuid, DomainXml::Live) {
        Ok(xml) => xml,
        Err(e) if e.failure == Failure::Absent => {
            return Ok(Elements { mark: Found::None, requests: Vec::new(), policy: Vec::new() });
        }
        Err(e) => return Err(e),
    };
    let unreadable = |message: String| HypervisorError {
        doing: format!("cannot read the metadata of {uuid}"),
        message,
        failure: Failure::Other,
    };
    let document = roxmltree::Document::parse(&xml).map_err(|e| unreadable(e.to_string()))?;
    let metadata = document.root_element().children().find(|node| node.has_tag_name("metadata"));
    let (mut mark, mut requests, mut policy) = (Found::None, Vec::new(), Vec::new());
    for node in metadata.into_iter().flat_map(|metadata| metadata.children()) {
        match node.tag_name().namespace() {
            Some(NAMESPACE) => (mark, policy) = (found(node), policy_of(node)),
            Some(name) if name.starts_with(REQUEST) => {
                let request = Mark::of(node);
                requests.push(request.ok_or_else(|| unreadable("a request for the lock cannot be read".into()))?);
            }
            _ => {}
        }
    }
    Ok(Elements { mark, requests, policy })
}

/// Takes the migration lock of a running guest for `mark`. `Err` of the inner result says who keeps it from that.
///
/// libvirt has no compare-and-swap, but each migration can write an element of its own: Burns' and Lamport's one-bit
/// algorithm. Each announces itself, then looks; whoever sees one with a lower id takes its announcement back and gives way,
/// whoever sees only higher ones waits until they have. So the mark is only ever written by one, however slow a disk or
/// a daemon is: no clock decides. `known` are marks of this machine's closed migrations, which hold nothing. A pvm of before
/// this protocol only looks and writes: [`holds`] is asked again before the first unplug and before libvirt's call.
pub(crate) fn take(
    host: &dyn Hypervisor,
    uuid: &str,
    mark: &Mark,
    known: impl Fn(&str) -> bool,
    mut pause: impl FnMut(Duration),
) -> Result<std::result::Result<(), String>> {
    let (id, namespace) = (&mark.id, request_namespace(&mark.id));
    if let Err(e) = host.set_metadata(uuid, REQUEST_PREFIX, &namespace, Some(&mark.element())) {
        // A migration under way keeps libvirt from writing: whose it is can be read.
        return match obstacle(host, uuid, |other| other == id || known(other)) {
            Ok(Some(why)) => Ok(Err(why)),
            Ok(None) | Err(_) => Err(e),
        };
    }
    let here = host.host_uuid().ok();
    let is_rival = |request: &Mark| request.id != *id && !known(&request.id) && !came_along(request, here.as_deref());
    let mut waited = Duration::ZERO;
    let free = loop {
        // All of one moment: a request is taken back only once the mark is there.
        let found = elements(host, uuid)?;
        if let Some(why) = found.mark.obstacle(|other| other == id || known(other)) {
            break Err(why);
        }
        let others: Vec<_> = found.requests.into_iter().filter(is_rival).collect();
        let Some(other) = others.iter().min_by(|a, b| a.id.cmp(&b.id)) else { break Ok(found.policy) };
        if other.id < *id || waited >= PATIENCE {
            break Err(held_by(other));
        }
        pause(BETWEEN);
        waited += BETWEEN;
    };
    let taken = match free {
        Ok(policy) => {
            let mark = Mark { policy, ..mark.clone() };
            host.set_metadata(uuid, PREFIX, NAMESPACE, Some(&mark.element()))?;
            Ok(())
        }
        Err(why) => Err(why),
    };
    host.set_metadata(uuid, REQUEST_PREFIX, &namespace, None)?;
    Ok(taken)
}

/// Whether the guest still carries this migration's mark; who has it instead.
pub(crate) fn holds(host: &dyn Hypervisor, uuid: &str, id: &str) -> Result<std::result::Result<(), String>> {
    Ok(match read(host, uuid)? {
        Found::Mark(mark) if mark.id == id => Ok(()),
        Found::Mark(mark) => Err(held_by(&mark)),
        Found::Unreadable => Err(UNREADABLE.to_owned()),
        Found::None => {
            Err("has lost its migration lock: somebody removed it, or the guest was started anew".to_owned())
        }
    })
}

#[cfg(test)]
#[path = "mark_tests.rs"]
mod tests;
