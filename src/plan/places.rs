//! All places that each device of a guest could take, for whoever plans several guests together.

use super::candidates::{Known, Planner};
use super::instance::InstancePlan;
use crate::nova::scheduler::Cells;

impl<'a> Planner<'a> {
    /// For each host device of the guest, the indexes of the destination's devices that may take its place; none for a
    /// device that nobody asked for.
    pub(crate) fn places(&self, plan: &InstancePlan<'a>, known: &mut Known) -> Vec<Vec<usize>> {
        let requests = plan.asked.as_ref().map_or(&[][..], |asked| &asked.requests);
        let host_cells = self.destination.host.numa_cells.as_deref().unwrap_or_default();
        let cells = Cells::new(plan.nodes.iter().copied().collect(), host_cells);
        let places = |held| {
            let mut found = Vec::new();
            self.ask(held, None, requests, &cells, known, |_, kind, fit, _| {
                if fit.misses == 0 {
                    found.extend(&kind.devices);
                }
            });
            found
        };
        plan.held.iter().map(places).collect()
    }
}
