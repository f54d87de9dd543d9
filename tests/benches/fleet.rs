//! Times of a fleet beside the budgets of the design: loading compact snapshots, the matrix, a drain plan. Nothing is asserted but
//! that the work was done.
//!
//! `cargo bench --bench fleet` measures 20 hosts; `PVM_BENCH_HOSTS=20,200,2000` says how many, each with 508 VFs and up to 30 guests.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads the clock and prints")]
#![allow(clippy::unwrap_used, reason = "a benchmark ends where something fails")]

use std::borrow::Cow;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use pvm::internals::drain::{self, Limits};
use pvm::internals::facts::compact::Compact;
use pvm::internals::facts::{self, GatherOptions, HostRef};
use pvm::internals::model::snapshot::Snapshot;
use pvm::internals::preflight::Terms;
use pvm::internals::preflight::matrix::{Named, Seen, matrix};

#[path = "../fleet/mod.rs"]
mod fleet;

const FLEET: fleet::Fleet = fleet::Fleet { seed: 1, vfs: 254, guests: 30 };

fn main() {
    let counts = std::env::var("PVM_BENCH_HOSTS").unwrap_or("20".to_owned());
    println!("seed {}; budgets are for 2,000 hosts, 60,000 guests", FLEET.seed);
    println!("{:>6} {:>7}  {:<40} {:>10} {:>10}", "hosts", "guests", "what", "measured", "budget");
    for hosts in counts.split(',').map(|count| count.trim().parse().unwrap()) {
        measure(hosts);
    }
}

fn measure(hosts: usize) {
    let place = tempfile::tempdir().unwrap();
    let bytes: u64 = (0..hosts).map(|number| save(place.path(), &FLEET.host(number))).sum();
    let asked: Vec<HostRef> =
        (0..hosts).map(|number| HostRef::Snapshot(place.path().join(format!("{number}.json.gz")))).collect();
    let line = |guests: usize, what: &str, measured: String, budget: &str| {
        println!("{hosts:>6} {guests:>7}  {what:<40} {measured:>10} {budget:>10}");
    };
    let options = GatherOptions::default();
    let open = |at: usize| facts::gather(&asked[at], &options).ok().map(Cow::Owned);
    let before = resident();
    let start = Instant::now();
    let seen = look(&asked, &options);
    let took = start.elapsed();
    let start = Instant::now();
    let found = black_box(matrix(&seen, &open, &Terms::default()));
    let matrix_took = start.elapsed();
    let guests: usize = found.hosts.iter().filter_map(|host| host.guests).sum();
    assert!(!found.rows.is_empty());
    line(
        guests,
        "compact and compressed, bytes a VF",
        format!("{}", bytes / 508 / u64::try_from(hosts).unwrap()),
        "64",
    );
    line(guests, "loaded for the matrix", seconds(took), "5 s");
    line(guests, &format!("matrix, {} rows", found.rows.len()), seconds(matrix_took), "10 s");
    line(guests, "memory of both", format!("{} MiB", (resident() - before) >> 20), "1024 MiB");
    drop((found, seen));
    let before = resident();
    let start = Instant::now();
    let snapshots = facts::gather_all(&asked, &options);
    let took = start.elapsed();
    let snapshots: Vec<Snapshot> = snapshots.into_iter().map(Result::unwrap).collect();
    line(guests, "loaded for the drain", seconds(took), "5 s");
    line(guests, "memory", format!("{} MiB", resident().saturating_sub(before) >> 20), "1024 MiB");
    let all: Vec<usize> = (0..snapshots[0].domains.len()).collect();
    let start = Instant::now();
    let plan = drain::plan(&snapshots[0], &snapshots[1..], &all, &Terms::default(), Limits { per_host: 2 });
    let took = start.elapsed();
    assert!(!plan.moves.is_empty());
    line(guests, &format!("plan of a drain, {} of {} leave", plan.moves.len(), all.len()), seconds(took), "1 s");
}

/// Looks at each host, and closes it again.
fn look(asked: &[HostRef], options: &GatherOptions) -> Vec<Named> {
    let threads = std::thread::available_parallelism().unwrap().get();
    let one = |host: &HostRef| (host.label(), Ok(Seen::of(&facts::gather(host, options).unwrap(), &[])));
    let parts = asked.chunks(asked.len().div_ceil(threads));
    std::thread::scope(|scope| {
        let parts: Vec<_> = parts.map(|part| scope.spawn(move || part.iter().map(one).collect::<Vec<_>>())).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

/// Writes the snapshot as a collection does; how many bytes.
fn save(place: &Path, snapshot: &Snapshot) -> u64 {
    let number: usize = snapshot.host.name.trim_start_matches("cmp-").parse().unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&serde_json::to_vec(&Compact::of(snapshot).unwrap()).unwrap()).unwrap();
    let bytes = packed.finish().unwrap();
    std::fs::write(place.join(format!("{number}.json.gz")), &bytes).unwrap();
    bytes.len().try_into().unwrap()
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}
