//! One budget of the design beside what was measured: a line for people, and one in the file that `tests/benches/run` draws.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    dead_code,
    reason = "a benchmark prints, for each that uses it"
)]

use std::io::Write as _;

/// Tells a budget and the measured quartiles: below it is better.
pub(crate) fn budget(what: &str, measured: [f64; 3], limit: f64, unit: &str) {
    let [low, middle, high] = measured;
    let used = middle / limit * 100.0;
    println!("{what:<60} {middle:>9.3} {unit} ({low:.3} to {high:.3}; budget {limit} {unit}, {used:.0} % of it)");
    if let Ok(path) = std::env::var("PVM_BENCH_BUDGETS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).expect("the file of budgets");
        writeln!(file, "{what}\t{low}\t{middle}\t{high}\t{limit}\t{unit}").expect("the file of budgets");
    }
}

/// The quartiles.
pub(crate) fn quartiles(values: impl IntoIterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|part| values[(values.len() - 1) * part / 4])
}
