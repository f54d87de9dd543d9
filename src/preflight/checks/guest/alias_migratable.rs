//! The flavor asks for live-migratable devices.

use super::prelude::*;

check! {
    /// The flavor does not ask for live-migratable devices.
    ///
    /// # Meaning
    /// Nova migrates an instance only when each alias of its flavor says live_migratable: yes ("does not explicitly
    /// request live-migratable devices"); what the devices can do does not matter.
    /// # Check by hand
    /// On controllers and computes: grep -rn alias /etc/nova.
    /// # Fix
    /// Add "live_migratable": "yes" to the alias everywhere, then resize the instance; a NIC can be detached and
    /// attached instead.
    "alias-migratable": Error, Instance(run)
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let Ok(asked) = &instance.plan.asked else { return Vec::new() };
    let not: Vec<&str> = asked
        .requests
        .iter()
        .filter(|request| !request.alias.is_empty() && !request.is_live_migratable())
        .map(|request| request.alias.as_str())
        .collect();
    vec![if not.is_empty() {
        Verdict::pass()
    } else {
        Verdict::fail(format!("the alias {} does not ask for live-migratable devices", not.join(", ")))
            .remedy("\"live_migratable\": \"yes\" in the alias on all hosts, then resize the instance (a NIC: detach and attach)")
    }]
}
