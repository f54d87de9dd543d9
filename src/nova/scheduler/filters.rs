//! Which pools a request may use (`nova/pci/stats.py`, `_filter_pools`).

use serde_json::Value;

use super::pools::{Pool, Pools};
use serde::{Deserialize, Serialize};

use crate::model::snapshot::host::NumaCell;
use crate::model::snapshot::{AliasSpec, Declared};
use crate::nova::oslo::bool_word;

/// One request: so many devices that any of the alternatives describes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Request {
    /// How many devices.
    pub count: usize,
    /// Alias it comes from.
    pub alias: String,
    /// Alternatives, as the alias has them.
    pub spec: Vec<AliasSpec>,
    /// `legacy`, `required`, `preferred` or `socket`.
    pub numa_policy: String,
}

impl Request {
    /// Whether every alternative asks for live-migratable devices (`nova/objects/instance_pci_requests.py`,
    /// `is_live_migratable`).
    pub fn is_live_migratable(&self) -> bool {
        self.all_want(Declared::Yes)
    }

    fn all_want(&self, declared: Declared) -> bool {
        !self.spec.is_empty() && self.spec.iter().all(|spec| spec.live_migratable == declared)
    }

    fn any_says(&self, key: &str, accept: impl Fn(&str) -> bool) -> bool {
        self.spec.iter().any(|spec| spec.get(key).is_some_and(|value| accept(value)))
    }
}

/// NUMA cells: those of the guest, and the host's with their sockets.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    /// Host cells the guest uses; none when it has no NUMA topology.
    pub guest: Vec<u32>,
    /// Every host cell with its socket.
    pub host: Vec<(u32, Option<u32>)>,
}

impl Cells {
    /// The cells of a host, with the guest on `guest`.
    pub fn new(guest: Vec<u32>, host: &[NumaCell]) -> Self {
        Self { guest, host: host.iter().map(|cell| (cell.id, cell.socket)).collect() }
    }

    /// Whether a node shares a socket with one of the guest's cells; no when sockets are not known.
    pub fn same_socket(&self, node: u32) -> bool {
        if self.host.iter().any(|(_, socket)| socket.is_none()) {
            return false;
        }
        let socket_of = |id: u32| self.host.iter().find(|(cell, _)| *cell == id).and_then(|(_, socket)| *socket);
        let Some(socket) = socket_of(node) else { return false };
        self.guest.iter().any(|id| socket_of(*id) == Some(socket))
    }
}

/// Steps of the filter, named for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// No alternative of the request describes the pool.
    Spec,
    /// A PF that was not asked for.
    UnrequestedPf,
    /// A vDPA device that was not asked for.
    UnrequestedVdpa,
    /// Managed by a remote host and not asked for.
    RemoteManaged,
    /// Declared otherwise than the request wants it.
    LiveMigratable,
}

/// Indexes of the pools that may serve `request`, in the order in which Nova uses them; `None` when they hold too few.
/// `free` says how many devices a pool still has.
pub(crate) fn filter(
    pools: &Pools<'_>,
    request: &Request,
    cells: &Cells,
    free: impl Fn(usize) -> usize + Copy,
) -> Option<Vec<usize>> {
    let enough = |list: &[usize]| suffices(list, free, request.count);
    let mut described = PerFamily::new(pools, request, |pool| matches_spec(pool, request));
    let passing: Vec<usize> = (0..pools.list.len()).filter(|at| described.is_true(*at)).collect();
    if !enough(&passing) {
        return None;
    }
    let mut passing = numa(pools, passing, request, cells, free);
    if !enough(&passing) {
        return None;
    }
    let mut kept = PerFamily::new(pools, request, |pool| removed_by(pool, request).is_none());
    passing.retain(|at| kept.is_true(*at));
    (enough(&passing) && !passing.is_empty()).then_some(passing)
}

/// Whether these pools hold so many devices.
fn suffices(list: &[usize], free: impl Fn(usize) -> usize, count: usize) -> bool {
    let mut missing = count;
    list.iter().any(|at| {
        missing = missing.saturating_sub(free(*at));
        missing == 0
    }) || missing == 0
}

/// Whether what a request says of a pool is the same for all pools of its family.
pub(crate) fn is_by_family(request: &Request) -> bool {
    let own = |key: &String| matches!(key.as_str(), "address" | "numa_node" | "parent_ifname" | "rp_uuid");
    !request.spec.iter().any(|spec| spec.rest.keys().any(own))
}

/// An answer about pools that is worked out once for each family where that is enough.
struct PerFamily<'p, 'a, F> {
    pools: &'p Pools<'a>,
    by_family: bool,
    answers: Vec<Option<bool>>,
    ask: F,
}

impl<'p, 'a, F: Fn(&Pool<'a>) -> bool> PerFamily<'p, 'a, F> {
    fn new(pools: &'p Pools<'a>, request: &Request, ask: F) -> Self {
        Self { pools, by_family: is_by_family(request), answers: Vec::new(), ask }
    }

    fn is_true(&mut self, at: usize) -> bool {
        let pool = &self.pools.list[at];
        if !self.by_family {
            return (self.ask)(pool);
        }
        if self.answers.len() <= pool.family {
            self.answers.resize(pool.family + 1, None);
        }
        *self.answers[pool.family].get_or_insert_with(|| (self.ask)(pool))
    }
}

/// The step that takes a pool away from a request, NUMA apart; `None` when it may serve it.
pub(crate) fn removed_by(pool: &Pool<'_>, request: &Request) -> Option<Step> {
    if !matches_spec(pool, request) {
        Some(Step::Spec)
    } else if pool.says("dev_type", "type-PF") && !request.any_says("dev_type", |word| word == "type-PF") {
        Some(Step::UnrequestedPf)
    } else if pool.says("dev_type", "vdpa") && !request.any_says("dev_type", |word| word == "vdpa") {
        Some(Step::UnrequestedVdpa)
    } else if pool.like.tags.remote_managed.as_ref().is_some_and(is_true)
        && !request.any_says("remote_managed", |word| is_true(&Value::from(word)))
    {
        Some(Step::RemoteManaged)
    } else if [Declared::Yes, Declared::No].into_iter().any(|word| request.all_want(word) && pool.declared() != word) {
        Some(Step::LiveMigratable)
    } else {
        None
    }
}

/// Whether any alternative describes the pool (`nova/pci/utils.py`, `pci_device_prop_match`): text without regard to case.
fn matches_spec(pool: &Pool<'_>, request: &Request) -> bool {
    request.spec.iter().any(|spec| {
        let declared = spec.live_migratable == Declared::Unset || spec.live_migratable == pool.declared();
        let mut rest =
            spec.rest.iter().filter(|(key, _)| !matches!(key.as_str(), "resource_class" | "traits" | "rp_uuids"));
        declared && rest.all(|(key, wanted)| pool.says(key, wanted))
    })
}

/// Non-strict boolean words, as Nova reads `remote_managed` here.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(yes) => *yes,
        Value::String(text) => bool_word::word(text) == Some(true),
        Value::Number(number) => number.as_u64() == Some(1),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// `_filter_pools_for_numa_cells`: close devices when close ones alone suffice, else what the policy allows.
fn numa(
    pools: &Pools<'_>,
    list: Vec<usize>,
    request: &Request,
    cells: &Cells,
    free: impl Fn(usize) -> usize,
) -> Vec<usize> {
    if cells.guest.is_empty() {
        return list;
    }
    let node = |at: usize| pools.list[at].like.numa_node;
    let enough = |list: &[usize]| suffices(list, &free, request.count);
    let near = |at: usize| node(at).is_some_and(|node| cells.guest.contains(&node));
    let close: Vec<usize> = list.iter().copied().filter(|at| near(*at)).collect();
    if request.numa_policy == "required" || enough(&close) {
        return close;
    }
    if request.numa_policy == "socket" {
        return list.into_iter().filter(|at| node(*at).is_some_and(|node| cells.same_socket(node))).collect();
    }
    let legacy: Vec<usize> = list.iter().copied().filter(|at| near(*at) || node(*at).is_none()).collect();
    if request.numa_policy != "preferred" || enough(&legacy) {
        return legacy;
    }
    let (mut first, rest): (Vec<_>, Vec<_>) = list.into_iter().partition(|at| near(*at) || node(*at).is_none());
    first.extend(rest);
    first
}

/// Whether the policy lets a device on `node` serve a guest on these cells at all.
pub(crate) fn policy_allows(policy: &str, node: Option<u32>, cells: &Cells) -> bool {
    if cells.guest.is_empty() || node.is_some_and(|node| cells.guest.contains(&node)) {
        return true;
    }
    match policy {
        "required" => false,
        "socket" => node.is_some_and(|node| cells.same_socket(node)),
        "preferred" => true,
        _ => node.is_none(),
    }
}
