//! A spec that an earlier one takes the devices of.

use super::Subject;
use crate::model::finding::{Finding, Severity};
use crate::nova::config::matching::Overlap;

lint! {
    /// An earlier device_spec takes all or some of the devices this one is for.
    ///
    /// # Meaning
    /// Nova walks the list from the top; the first spec that matches a device applies, with all its tags. There is no
    /// ranking by how exact a spec is. A spec whose devices an earlier one matches too never counts for them.
    /// # Check by hand
    /// pvm check-config --host HOST --trace ADDRESS shows the walk for one device.
    /// # Fix
    /// Put the exact specs above the general ones. Old names of the option come first within a file, whatever the order
    /// of lines.
    "shadowed-spec": Warning, run
}

fn run(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let specs = &subject.config.device_specs;
    for (later, spec) in specs.iter().enumerate() {
        let hit = (0..later).find_map(|earlier| match subject.matcher.overlap(earlier, later) {
            Overlap::Covers => Some((earlier, true)),
            Overlap::Crosses => Some((earlier, false)),
            Overlap::None | Overlap::Inside => None,
        });
        let Some((earlier, fully)) = hit else { continue };
        let same = specs[earlier].tags == spec.tags;
        let message = if fully {
            "this device_spec never counts: an earlier one takes all its devices"
        } else {
            "an earlier device_spec takes some devices of this one"
        };
        let mut finding = Finding::new(&RULE, message)
            .at(spec.span(), if fully { "never reached" } else { "reached for the others only" })
            .also(specs[earlier].span(), "the first match applies")
            .remedy(match (same, fully) {
                (true, true) => "remove one of them: their tags are the same",
                (true, false) => "nothing to do: their tags are the same",
                (false, _) => "put the more exact one first",
            });
        if same || !fully {
            finding = finding.severity(Severity::Info);
        }
        found.push(finding);
    }
}
