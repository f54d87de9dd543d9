//! The flavor asks for live-migratable devices.

use super::prelude::*;

pub(super) const CHECK: Check = Check::new(
    Rule {
        code: "alias-migratable",
        severity: Severity::Error,
        summary: "the flavor does not ask for live-migratable devices",
        page: "Nova migrates an instance only when each alias of its flavor says live_migratable: yes (\"does not \
               explicitly request live-migratable devices\"); what the devices can do does not matter.\n\nBy hand, on controllers and computes: grep -rn alias /etc/nova.\n\nRemedy: add \"live_migratable\": \"yes\" to the alias \
               everywhere, then resize the instance; a NIC can be detached and attached instead.",
    },
    Run::Instance(run),
);

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
