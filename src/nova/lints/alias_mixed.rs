//! Same-named aliases that disagree about migration.

use super::Subject;
use crate::model::finding::Finding;
use crate::model::snapshot::Declared;

lint! {
    /// Of several aliases with one name not all say live_migratable yes.
    ///
    /// # Meaning
    /// Aliases of one name are alternatives, and a request may be migrated only if every alternative says yes. One that
    /// says no or nothing makes all guests of that name immovable.
    /// # Check by hand
    /// grep -n '^alias' FILE
    /// # Fix
    /// The same live_migratable in each of them.
    "alias-mixed-answer": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let aliases = &subject.config.aliases;
    let yes = |i: usize| aliases[i].spec.live_migratable == Declared::Yes;
    for i in 0..aliases.len() {
        let same = || (0..aliases.len()).filter(|j| aliases[*j].name.value == aliases[i].name.value);
        if let Some(other) = same().find(|j| yes(*j)).filter(|_| !yes(i)) {
            found.push(
                Finding::new(
                    &RULE,
                    format!(
                        "alias '{}' can never be migrated: this alternative does not say yes",
                        aliases[i].name.value
                    ),
                )
                .at(aliases[i].place("live_migratable"), "not yes")
                .also(aliases[other].place("live_migratable"), "yes")
                .remedy("\"live_migratable\": \"yes\" in each of them, or another name for this one"),
            );
        }
    }
}
