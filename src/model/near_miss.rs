//! "Did you mean": the known word that a misspelt one stands for.

/// Longer words are not compared: the time grows with the square of their length.
const LONGEST: usize = 64;

/// The one of `known` that is close enough to be meant.
pub(crate) fn near_miss<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', ' ', '.'], "_");
    let word = plain(word);
    let squeezed = word.replace('_', "");
    known
        .iter()
        .filter(|candidate| word.len().max(candidate.len()) <= LONGEST)
        .map(|candidate| {
            let target = plain(candidate);
            let distance = if target.replace('_', "") == squeezed { 0 } else { strsim::osa_distance(&word, &target) };
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| *candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_far_from_it() {
        let known = ["live_migratable", "managed", "vendor_id"];
        for (word, meant) in [
            ("live-migratable", Some("live_migratable")),
            ("LiveMigratable", Some("live_migratable")),
            ("vednor_id", Some("vendor_id")),
            ("mangd", None),
            ("colour", None),
            (&"x".repeat(1 << 20), None),
        ] {
            assert_eq!(near_miss(word, &known), meant, "{word:.20}");
        }
    }
}
