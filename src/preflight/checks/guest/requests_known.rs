//! What the guest asks for can be said.

use super::prelude::*;
use crate::plan::requests::{Origin, RequestError};

check! {
    /// What the guest's flavor asks for cannot be told.
    ///
    /// # Meaning
    /// The devices of a guest belong to the PCI aliases of its flavor. pvm takes them from --request, else from the
    /// extra specs in Nova's metadata (there since Nova 32), else it infers them from the aliases of the source. Where
    /// several aliases describe a device it does not guess.
    /// # Check by hand
    /// openstack flavor show FLAVOR, property pci_passthrough:alias.
    /// # Fix
    /// pvm preflight SRC DST --instance NAME --request ALIAS:N,..., with what the flavor asks for.
    "requests-known": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    match &instance.plan.asked {
        Ok(asked) => {
            let origin = match asked.origin {
                Origin::Stored => "what Nova stored",
                Origin::Given => "--request",
                Origin::Flavor => "the flavor in Nova's metadata",
                Origin::Inferred => "the source's aliases",
                Origin::Implicit => "the guest's own devices",
            };
            vec![Verdict::pass().facts(&origin, &"")]
        }
        Err(error) => {
            let verdict = match error {
                RequestError::Ambiguous { .. } => Verdict::unknown(error.to_string()),
                _ => Verdict::fail(error.to_string()),
            };
            vec![verdict.remedy("--request ALIAS:N,… with what the flavor asks for")]
        }
    }
}
