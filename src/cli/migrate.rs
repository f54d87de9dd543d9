//! `pvm migrate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::model::pci::PciAddress;
use crate::model::time::duration;

/// Migrate a running guest to DST, with rewritten XML.
#[derive(Debug, Default, Args)]
pub(crate) struct Migrate {
    /// The guest: name, UUID, or Nova display name if unique
    #[arg(value_name = "INSTANCE", required_unless_present = "plan")]
    pub instance: Option<String>,
    /// Host to migrate to
    #[arg(value_name = "DST", required_unless_present = "plan")]
    pub destination: Option<String>,
    /// Host it runs on [default: local]
    #[arg(help_heading = "What", long, value_name = "SRC")]
    pub from: Option<String>,
    /// What the flavor asks for, when the domain does not say
    #[arg(help_heading = "What", long, value_name = "ALIAS:N,…")]
    pub request: Option<String>,
    /// What Nova stored when it booted the guest: the text of pci_requests of its row in instance_extra, as it is in
    /// the database (JSON), or the same in YAML: - {alias: NAME, count: N, spec: [{vendor_id: …, product_id: …}]}
    #[arg(help_heading = "What", long, value_name = "FILE", conflicts_with = "request", value_hint = clap::ValueHint::FilePath)]
    pub pci_requests: Option<PathBuf>,
    /// A plain hostdev that is a port: unplug it before the migration and plug one in afterwards; repeatable
    #[arg(help_heading = "What", long, value_name = "ADDRESS")]
    pub replug: Vec<PciAddress>,
    /// Continue although this check failed or its answer is unknown; all: every check whose answer is unknown; repeatable
    #[arg(help_heading = "Safety", long, value_name = "CODE,…|all", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Migrate a guest that Nova or another system owns, which will not learn of it: the guest's UUID, in full
    #[arg(help_heading = "Safety", long, value_name = "UUID", require_equals = true)]
    pub bypass_owner: Option<String>,
    /// Print the plan and change nothing
    #[arg(help_heading = "Safety", long)]
    pub dry_run: bool,
    /// Write the plan to FILE, to be reviewed and executed later with --plan, and change nothing
    #[arg(help_heading = "What", long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub save_plan: Option<PathBuf>,
    /// Execute this plan exactly, or refuse and say what has changed since. INSTANCE and DST are the plan's. Its map goes
    /// through every check again, and nothing is done that pvm would not plan by itself; the digest in it guards
    /// against accidents only
    #[arg(help_heading = "What", long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = [
        "copy_storage", "request", "pci_requests", "replug", "max_downtime", "max_pause", "bandwidth", "switchover_bandwidth", "timeout", "tls", "direct", "parallel_connections", "require_proof", "save_plan",
    ])]
    pub plan: Option<PathBuf>,
    /// Do not unplug ports, and refuse a guest with a port that cannot migrate with its state
    #[arg(help_heading = "What", long)]
    pub no_replug: bool,
    /// Copy these disks onto empty images of the same path, made before; refused unless both hosts prove them empty
    #[arg(help_heading = "What", long, value_name = "DISK,…", value_delimiter = ',')]
    pub copy_storage: Vec<String>,
    /// Show what changes in the XML
    #[arg(help_heading = "Output", long)]
    pub diff: bool,
    /// Skip the confirmation prompt
    #[arg(help_heading = "Safety", long)]
    pub yes: bool,
    /// Treat warnings as errors
    #[arg(help_heading = "Safety", long)]
    pub strict: bool,
    /// Maximum downtime at switchover, like 300ms; auto: as the devices' state needs, raised while pre-copy does not
    /// converge, up to 10 s [default: auto]
    #[arg(help_heading = "Tuning", long, value_name = "TIME|auto", value_parser = parse_downtime)]
    pub max_downtime: Option<MaxDowntime>,
    /// Refuse a guest whose device state may pause it longer, like 2s; the downtime's limit is then never raised above it
    #[arg(help_heading = "Tuning", long, value_name = "TIME", value_parser = duration)]
    pub max_pause: Option<Duration>,
    /// Maximum bandwidth per second, like 100MiB [default: no limit]
    #[arg(help_heading = "Tuning", long, value_name = "SIZE", value_parser = parse_bandwidth)]
    pub bandwidth: Option<u64>,
    /// Bandwidth that QEMU may count on at switchover, where --bandwidth does not apply, like 1GiB [default: what QEMU measures]
    #[arg(help_heading = "Tuning", long, value_name = "SIZE", value_parser = parse_bandwidth)]
    pub switchover_bandwidth: Option<u64>,
    /// Abort and undo after this time, like 10m, except during switchover [default: no limit]
    #[arg(help_heading = "Safety", long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Fail (exit code 5) when nothing proves that the device state was loaded on the destination
    #[arg(help_heading = "Safety", long)]
    pub require_proof: bool,
    /// Have pvm connect to both hosts, where libvirtd on the source cannot connect to the destination; if pvm is then
    /// killed before switchover, the migration is aborted
    #[arg(help_heading = "Tuning", long)]
    pub direct: bool,
    /// Encrypt the migration data
    #[arg(help_heading = "Tuning", long)]
    pub tls: bool,
    /// Whether it is only rehearsed, as preflight asks for it
    #[arg(skip)]
    pub rehearse: bool,
    /// Number of parallel migration connections
    #[arg(help_heading = "Tuning", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=255))]
    pub parallel_connections: Option<u32>,
}

/// Limit of the downtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MaxDowntime {
    /// As the devices' state needs.
    Auto,
    /// So long.
    Limit(Duration),
}

/// `auto`, or a time with its unit.
pub(crate) fn parse_downtime(text: &str) -> Result<MaxDowntime, String> {
    match text {
        "auto" => Ok(MaxDowntime::Auto),
        time => duration(time).map(MaxDowntime::Limit).map_err(|why| format!("{why}, or auto")),
    }
}

/// A bandwidth per second in whole MiB, which is what libvirt counts in: `100MiB`, `2GiB`.
pub(crate) fn parse_bandwidth(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let mebibytes = match unit {
        "MiB" | "MiB/s" => 1,
        "GiB" | "GiB/s" => 1024,
        _ => return Err("a bandwidth is a whole number of MiB or GiB per second, like 100MiB".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a bandwidth begins with a whole number, like 100MiB")?;
    match number.checked_mul(mebibytes) {
        None => Err("that is too much".into()),
        Some(0) => Err("a limit of nothing is no limit: leave the option out".into()),
        Some(mebibytes) => Ok(mebibytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(duration("300ms"), Ok(Duration::from_millis(300)));
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(duration("90d"), Ok(Duration::from_hours(90 * 24)));
        assert_eq!(parse_downtime("auto"), Ok(MaxDowntime::Auto));
        assert_eq!(parse_downtime("1s"), Ok(MaxDowntime::Limit(Duration::from_secs(1))));
        assert!(parse_downtime("automatic").is_err());
        assert_eq!(parse_bandwidth("2GiB"), Ok(2048));
        assert_eq!(parse_bandwidth("1MiB/s"), Ok(1));
        for bad in ["", "10", "ms", "0s", "1.5s", "99999999999999999999h", "18446744073709551615h", "-1s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for bad in ["", "10", "10MB", "0MiB", "18446744073709551615GiB"] {
            assert!(parse_bandwidth(bad).is_err(), "{bad}");
        }
    }
}
