//! How long guests were paused when they moved, and what follows for the next one like them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::snapshot::Device;

/// With fewer pauses the shortest and the longest one would not hold the next one 9 of 10 times.
pub(crate) const FEWEST: usize = 19;

/// More are not looked at: networks and programs change.
const MOST: usize = 199;

/// Between which times the next pause lies, 9 of 10 times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Not shorter, in milliseconds.
    pub from_ms: u64,
    /// Not longer, in milliseconds.
    pub to_ms: u64,
    /// How many migrations that rests on.
    pub migrations: usize,
    /// Whether all of them were between these two hosts; else they were between any.
    pub same_hosts: bool,
}

impl Pause {
    /// What it rests on, in words.
    pub(crate) fn words(&self) -> String {
        let between = if self.same_hosts { "between these hosts" } else { "of guests like it" };
        format!("9 of 10 pauses are {} to {} ms, by {} migrations {between}", self.from_ms, self.to_ms, self.migrations)
    }
}

/// The way from one host to another, by their UUIDs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    source: String,
    destination: String,
}

impl Way {
    /// The way between these two; none where one of them is not known.
    pub(crate) fn between(source: Option<&str>, destination: Option<&str>) -> Option<Self> {
        let known = |uuid: Option<&str>| uuid.filter(|uuid| !uuid.is_empty()).map(str::to_ascii_lowercase);
        Some(Self { source: known(source)?, destination: known(destination)? })
    }
}

/// What is the same for guests whose pauses are compared: which devices move with their state, and whether QEMU encrypts the data.
pub(crate) fn kind<'a>(devices: impl IntoIterator<Item = &'a Device>, tls: bool) -> String {
    let id = |id: Option<super::pci::PciId>| id.map_or_else(|| "?".to_owned(), |id| id.to_string());
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for device in devices {
        let driver = device.migration.variant_driver.as_deref().or(device.driver.as_deref()).unwrap_or("?");
        *counts.entry(format!("{}:{} {driver}", id(device.vendor_id), id(device.product_id))).or_default() += 1;
    }
    let mut words: Vec<String> = counts.into_iter().map(|(kind, count)| format!("{count} x {kind}")).collect();
    if words.is_empty() {
        words.push("no devices".to_owned());
    }
    if tls {
        words.push("tls".to_owned());
    }
    words.join(", ")
}

/// Pauses by what they have in common.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pauses {
    of_kind: BTreeMap<String, Vec<u64>>,
    of_way: BTreeMap<(String, Way), Vec<u64>>,
}

impl Pauses {
    /// Adds one that is older than those before.
    pub(crate) fn add(&mut self, kind: &str, way: Option<Way>, ms: u64) {
        let add = |list: &mut Vec<u64>| {
            if list.len() < MOST {
                list.push(ms);
            }
        };
        match self.of_kind.get_mut(kind) {
            Some(list) => add(list),
            None => add(self.of_kind.entry(kind.to_owned()).or_default()),
        }
        if let Some(way) = way {
            add(self.of_way.entry((kind.to_owned(), way)).or_default());
        }
    }

    /// The next pause of a guest of this kind on this way; none where too little is known.
    pub(crate) fn next(&self, kind: &str, way: Option<Way>) -> Option<Pause> {
        let here = way.and_then(|way| interval(self.of_way.get(&(kind.to_owned(), way))?, true));
        here.or_else(|| interval(self.of_kind.get(kind)?, false))
    }

    /// The hosts, by UUID, to which the way from this one is known by itself.
    pub(crate) fn known_from(&self, source: &str) -> BTreeSet<&str> {
        let known = self.of_way.iter().filter(|(_, list)| list.len() >= FEWEST);
        let from = known.filter(|((_, way), _)| way.source.eq_ignore_ascii_case(source));
        from.map(|((_, way), _)| &*way.destination).collect()
    }
}

/// Of n + 1 pauses in any order the last is as likely to be the shortest as any other, whatever makes them long: so the one
/// to come lies between the k-th and the k-th last of n with a probability of 1 - 2k / (n + 1).
fn interval(pauses: &[u64], same_hosts: bool) -> Option<Pause> {
    let most_outside = (pauses.len() + 1) / 20;
    let mut sorted = pauses.to_vec();
    sorted.sort_unstable();
    Some(Pause {
        from_ms: *sorted.get(most_outside.checked_sub(1)?)?,
        to_ms: *sorted.get(sorted.len() - most_outside)?,
        migrations: sorted.len(),
        same_hosts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from 0 to 1 that follow from a seed.
    struct Random(u64);

    impl Random {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        fn next(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1u64 << 53) as f64
        }

        fn normal(&mut self) -> f64 {
            (0..12).map(|_| self.next()).sum::<f64>() - 6.0
        }
    }

    /// Pauses as networks and devices make them.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds")]
    fn pause(random: &mut Random, shape: usize) -> u64 {
        let ms = match shape {
            0 => 40.0 + 5.0 * random.normal(),
            1 => 30.0 * (0.5 * random.normal()).exp(),
            // Most are short, and some wait for a busy link.
            2 if random.next() < 0.1 => 900.0 + 100.0 * random.normal(),
            2 => 50.0 + 10.0 * random.normal(),
            // The more state a device has, the longer.
            3 => 20.0 + random.next() * 400.0 / 1.25 + random.normal(),
            _ => 15.0 - 100.0 * random.next().max(1e-9).ln(),
        };
        (ms.max(0.0) * 16.0) as u64
    }

    #[test]
    fn nine_of_ten_fall_into_the_interval() {
        for shape in 0..5 {
            let (mut inside, mut all) = (0u32, 0u32);
            for seed in 0..200 {
                let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed * 0x1000_0001 + shape as u64));
                let mut receipts: Vec<u64> = Vec::new();
                for nth in 0..120 {
                    let next = pause(&mut random, shape);
                    if nth >= 20 {
                        let mut known = Pauses::default();
                        receipts.iter().rev().for_each(|ms| known.add("k", None, *ms));
                        let Pause { from_ms, to_ms, migrations, same_hosts } = known.next("k", None).unwrap();
                        assert_eq!((migrations, same_hosts), (nth, false));
                        inside += u32::from((from_ms..=to_ms).contains(&next));
                        all += 1;
                    }
                    receipts.push(next);
                }
            }
            let part = f64::from(inside) / f64::from(all);
            assert!((0.85..=0.95).contains(&part), "shape {shape}: {part}");
        }
    }

    #[test]
    fn where_little_is_known_nothing_is_said() {
        let way = |to: &str| Way::between(Some("A"), Some(to));
        let mut known = Pauses::default();
        assert_eq!(known.next("k", way("b")), None);
        for ms in 0..FEWEST as u64 {
            assert_eq!(known.next("k", way("b")), None, "{ms}");
            known.add("k", way(if ms == 0 { "c" } else { "b" }), 100 + ms);
        }
        let all = Pause { from_ms: 100, to_ms: 118, migrations: FEWEST, same_hosts: false };
        assert_eq!(known.next("k", way("b")), Some(all));
        assert_eq!((known.next("k", None), known.next("other", way("b"))), (Some(all), None));
        assert_eq!(known.known_from("a"), BTreeSet::new());
        known.add("k", way("B"), 50);
        let here = known.next("k", way("b")).unwrap();
        assert_eq!((here.from_ms, here.to_ms, here.migrations, here.same_hosts), (50, 118, FEWEST, true));
        assert_eq!((known.known_from("a"), known.known_from("b")), (BTreeSet::from(["b"]), BTreeSet::new()));
        // Old ones are not looked at.
        (0..1000).for_each(|_| known.add("k", way("b"), 7));
        assert_eq!(known.next("k", way("b")).unwrap().migrations, MOST);
        assert_eq!(Way::between(Some(""), Some("b")), None);
    }

    #[test]
    fn a_kind_counts_what_moves_with_its_state() {
        let device = |id: &str, driver: &str| Device {
            vendor_id: "15b3".parse().ok(),
            product_id: id.parse().ok(),
            driver: Some(driver.to_owned()),
            ..Device::default()
        };
        let [a, b] = [device("101e", "mlx5_vfio_pci"), device("1018", "mlx5_vfio_pci")];
        assert_eq!(kind([&a, &b, &a], true), "1 x 15b3:1018 mlx5_vfio_pci, 2 x 15b3:101e mlx5_vfio_pci, tls");
        assert_eq!((kind([], false), kind([&Device::default()], false)), ("no devices".into(), "1 x ?:? ?".into()));
    }
}
