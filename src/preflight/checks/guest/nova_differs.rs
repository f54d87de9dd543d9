//! Nova would do the same.

use super::prelude::*;
use crate::plan::requests::Origin;

check! {
    /// Nova would refuse, or take other devices.
    ///
    /// # Meaning
    /// Nova takes the first devices that fit a request, from the end of its pools, and looks neither at drivers nor at
    /// what devices answer. Where its answer is no, and pvm's is yes, Nova's migration fails nevertheless.
    /// # Check by hand
    /// pvm check-config --request ALIAS:N on the destination.
    /// # Fix
    /// Nothing for pvm; for Nova see the reason.
    "nova-differs": Info, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let nova = &instance.plan.nova;
    let is_nova =
        instance.domain.nova.is_some() || instance.plan.asked.as_ref().is_ok_and(|a| a.origin == Origin::Given);
    if !is_nova || nova.verdict == "no-requests" {
        return Vec::new();
    }
    vec![match &nova.reason {
        Some(reason) => Verdict::fail(format!("Nova would refuse: {reason}")),
        None => Verdict::pass(),
    }]
}
