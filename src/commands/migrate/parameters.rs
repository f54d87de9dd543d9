//! The parameters of a migration: from options, settings or a saved plan, and whether the daemons know them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cli::migrate::{MaxDowntime, Migrate, parse_bandwidth, parse_downtime};
use crate::commands::Stop;
use crate::facts::settings::{Defaults, Size};
use crate::migration::forward::{LONGEST_RAISED_MS, RAISED};
use crate::model::options::Options;
use crate::model::policy::Policies;
use crate::model::snapshot::Snapshot;
use crate::model::time::duration;
use crate::plan::document::Plan;
use crate::preflight::context::version;
use crate::preflight::terms::default_downtime;
use crate::preflight::{Downtime, Terms};

/// Least versions for the bandwidth at switchover: libvirt's parameter, and the QEMU behind it.
const SWITCHOVER: [(&str, (u64, u64, u64)); 2] = [("libvirt", (11, 1, 0)), ("QEMU", (8, 2, 0))];

/// The reason of a plan that says who limits the pause.
pub(super) const MAX_PAUSE: &str = "max_pause_ms";

/// As options and settings say. The limit of the pause is in the options only where it is fixed.
pub(in crate::commands) fn chosen(args: &Migrate, defaults: &Defaults) -> Result<(Options, Downtime), Stop> {
    let default = |what: &str, why: String| Stop::usage(format!("pvm.yaml: defaults: {what}: {why}"));
    let downtime = match (args.max_downtime, &defaults.max_downtime) {
        (Some(given), _) => given,
        (None, Some(text)) => parse_downtime(text).map_err(|why| default("max_downtime", why))?,
        (None, None) => MaxDowntime::Auto,
    };
    let bandwidth = match (args.bandwidth, &defaults.bandwidth) {
        (Some(given), _) => Some(given),
        (None, None | Some(Size::Number(0))) => None,
        (None, Some(Size::Number(mebibytes))) => Some(*mebibytes),
        (None, Some(Size::Text(text))) => Some(parse_bandwidth(text).map_err(|why| default("bandwidth", why))?),
    };
    let (limit, downtime) = match downtime {
        MaxDowntime::Auto => (None, Downtime::Auto),
        MaxDowntime::Limit(limit) => (Some(limit), Downtime::Limit(limit)),
    };
    let options = Options {
        max_downtime: limit,
        max_pause: None,
        raise_downtime: downtime == Downtime::Auto,
        bandwidth,
        switchover_bandwidth: args.switchover_bandwidth,
        timeout: args.timeout,
        direct: args.direct,
        tls: args.tls || defaults.tls,
        parallel: args.parallel_connections.or(Some(defaults.parallel_connections).filter(|n| *n > 0)),
        copy_disks: BTreeMap::new(),
        require_proof: args.require_proof,
    };
    let max_pause = max_pause(args.max_pause, defaults)?;
    Ok(max_pause.map_or((options.clone(), downtime), |most| paused_at_most(most, options, downtime)))
}

/// The longest pause that the operator allows.
pub(in crate::commands) fn max_pause(given: Option<Duration>, defaults: &Defaults) -> Result<Option<Duration>, Stop> {
    match (given, &defaults.max_pause) {
        (None, Some(text)) => {
            let wrong = |why| Stop::usage(format!("pvm.yaml: defaults: max_pause: {why}"));
            duration(text).map(Some).map_err(wrong)
        }
        (given, _) => Ok(given),
    }
}

/// The same for a guest that may not be paused longer. QEMU pauses it only when it expects no longer pause; raised, the limit
/// would allow one. A limit of the downtime that the operator named stands.
pub(super) fn paused_at_most(most: Duration, options: Options, downtime: Downtime) -> (Options, Downtime) {
    let is_named = match downtime {
        Downtime::Auto => false,
        Downtime::Limit(limit) => options.max_pause != Some(limit),
        Downtime::Hypervisor => true,
    };
    let options = Options { max_pause: Some(most), ..options };
    if is_named {
        return (options, downtime);
    }
    (Options { max_downtime: Some(most), raise_downtime: false, ..options }, Downtime::Limit(most))
}

/// What checks depend on of it.
pub(in crate::commands) fn terms(options: &Options, downtime: Downtime, policies: Policies) -> Terms {
    Terms {
        downtime,
        max_pause: options.max_pause,
        policies,
        bandwidth: options.bandwidth,
        switchover_bandwidth: options.switchover_bandwidth,
        tls: options.tls,
        parallel: options.parallel,
        ..Terms::default()
    }
}

/// As a saved plan says: what it does not fix stays the hypervisor's. What no command line could ask for is refused.
pub(super) fn of(plan: &Plan) -> Result<(Options, Downtime), Stop> {
    let options = possible(&plan.parameters)?;
    let downtime = options.max_downtime.map_or(Downtime::Hypervisor, Downtime::Limit);
    Ok((options, downtime))
}

/// The options of a saved plan, if a command line could ask for them.
pub(in crate::commands) fn possible(options: &Options) -> Result<Options, Stop> {
    let some = |time: Option<Duration>| time.is_none_or(|time| !time.is_zero());
    let is_possible = some(options.max_downtime)
        && some(options.max_pause)
        && some(options.timeout)
        && options.bandwidth != Some(0)
        && options.switchover_bandwidth != Some(0)
        && options.parallel.is_none_or(|connections| (1..=255).contains(&connections));
    if !is_possible {
        return Err(Stop::refused("the plan has parameters that no option of pvm gives"));
    }
    Ok(options.clone())
}

/// Refuses what a daemon would refuse, or leave unheard, in the middle of the run.
pub(super) fn known_by(options: &Options, source: &Snapshot, destination: &Snapshot) -> Result<(), Stop> {
    if options.switchover_bandwidth.is_none() {
        return Ok(());
    }
    for host in [&source.host, &destination.host] {
        for ((what, least), has) in SWITCHOVER.into_iter().zip([&host.libvirt, &host.qemu]) {
            let has = has.as_deref();
            if has.and_then(version).is_none_or(|version| version < least) {
                let (has, (major, minor, _)) = (has.unwrap_or("unknown"), least);
                return Err(Stop::refused(format!(
                    "--switchover-bandwidth needs {what} {major}.{minor} on both hosts; that of {} is {has}",
                    host.name
                )));
            }
        }
    }
    Ok(())
}

/// What is said of a plan's parameters, a line each.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let options = &plan.parameters;
    let limit = options.max_downtime.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let why = plan.reasons.get("max_downtime_ms");
    let raised = options.raise_downtime && limit.is_none_or(|ms| ms < LONGEST_RAISED_MS);
    let raised = if raised { format!("; {RAISED}") } else { String::new() };
    let pause = match (limit, why) {
        (Some(ms), Some(why)) => Some(format!("Max downtime: {ms} ms, {why}{raised}.")),
        (Some(ms), None) => Some(format!("Max downtime: {ms} ms{raised}.")),
        (None, Some(why)) => Some(format!("Max downtime: {why}{raised}.")),
        (None, None) => options.raise_downtime.then(|| format!("Max downtime: {}{raised}.", default_downtime())),
    };
    let others = [
        options.max_pause.map(|time| {
            let by = plan.reasons.get(MAX_PAUSE).map(|by| format!(", by {by}")).unwrap_or_default();
            format!("Max pause by the estimate: {} ms{by}.", time.as_millis())
        }),
        options.bandwidth.map(|mebibytes| format!("Bandwidth: {mebibytes} MiB/s.")),
        options.switchover_bandwidth.map(|mebibytes| format!("Switchover bandwidth: {mebibytes} MiB/s.")),
        options.timeout.map(|time| format!("Timeout: {} ms, then aborted and rolled back.", time.as_millis())),
        options.parallel.map(|connections| format!("Parallel connections: {connections}.")),
        options.require_proof.then(|| "Fails if nothing proves that the device state was loaded.".to_owned()),
    ];
    let copies = options.copy_disks.iter().map(|(disk, path)| format!("Disk {disk} is copied: {path}."));
    pause.into_iter().chain(others.into_iter().flatten()).chain(copies).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::facts::Settings;

    fn snapshot(libvirt: Option<&str>, qemu: &str) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.host.name = "h".into();
        snapshot.host.libvirt = libvirt.map(str::to_owned);
        snapshot.host.qemu = Some(qemu.into());
        snapshot
    }

    #[test]
    fn options_come_before_settings_and_auto_is_the_default() {
        let args =
            |more: &[&str]| match Cli::try_parse_from([&["pvm", "migrate", "vm", "b"], more].concat()).unwrap().command
            {
                Command::Migrate(args) => args,
                other => panic!("{other:?}"),
            };
        let settings = |text: &str| Settings::parse(&format!("defaults: {text}")).unwrap().defaults;
        let (options, downtime) = chosen(&args(&[]), &Defaults::default()).unwrap();
        let auto = Options { raise_downtime: true, ..Options::default() };
        assert_eq!((options, downtime), (auto, Downtime::Auto));

        let defaults = settings("{max_downtime: 2s, bandwidth: 2GiB, parallel_connections: 4, tls: true}");
        let (options, downtime) = chosen(&args(&[]), &defaults).unwrap();
        let two = Duration::from_secs(2);
        assert_eq!((options.max_downtime, downtime), (Some(two), Downtime::Limit(two)));
        assert!(!options.raise_downtime, "a limit that is named stands");
        assert_eq!((options.bandwidth, options.parallel, options.tls), (Some(2048), Some(4), true));
        let (options, downtime) = chosen(&args(&["--max-downtime", "auto", "--bandwidth", "1MiB"]), &defaults).unwrap();
        assert_eq!((options.max_downtime, downtime, options.bandwidth), (None, Downtime::Auto, Some(1)));
        assert_eq!(chosen(&args(&[]), &settings("{bandwidth: 0}")).unwrap().0.bandwidth, None);

        let pause = settings("{max_pause: 2s}");
        let (options, downtime) = chosen(&args(&[]), &pause).unwrap();
        assert_eq!((options.max_pause, options.max_downtime, downtime), (Some(two), Some(two), Downtime::Limit(two)));
        assert!(!options.raise_downtime, "raised, it would allow a longer pause");
        let (options, downtime) = chosen(&args(&["--max-pause", "5s", "--max-downtime", "2s"]), &pause).unwrap();
        assert_eq!((options.max_pause, downtime), (Some(Duration::from_secs(5)), Downtime::Limit(two)));

        // A guest's policy lowers a limit that follows from what all may, and leaves one that was named.
        let (all, derived) = chosen(&args(&[]), &settings("{max_pause: 1h}")).unwrap();
        let (options, downtime) = paused_at_most(two, all, derived);
        assert_eq!((options.max_downtime, downtime), (Some(two), Downtime::Limit(two)));
        let (named, limit) = chosen(&args(&["--max-downtime", "5s"]), &Defaults::default()).unwrap();
        let (options, downtime) = paused_at_most(two, named, limit);
        assert_eq!((options.max_pause, downtime), (Some(two), Downtime::Limit(Duration::from_secs(5))));

        for (text, said) in [
            ("{max_pause: soon}", "max_pause: a time is"),
            ("{max_downtime: soon}", "max_downtime: a time is"),
            ("{bandwidth: 5MB}", "bandwidth: a bandwidth is"),
        ] {
            let refused = chosen(&args(&[]), &settings(text)).unwrap_err();
            assert!(
                refused.to_string().starts_with("pvm.yaml: defaults: ") && refused.to_string().contains(said),
                "{refused}"
            );
        }
    }

    #[test]
    fn the_bandwidth_at_switch_over_is_for_daemons_that_know_it() {
        let options = Options { switchover_bandwidth: Some(1024), ..Options::default() };
        let new = snapshot(Some("11.3.0"), "10.0.2");
        let refused = |other: &Snapshot| known_by(&options, &new, other).unwrap_err().to_string();
        assert!(known_by(&options, &new, &new).is_ok());
        assert!(
            refused(&snapshot(Some("9.0.0"), "10.0.2"))
                .contains("needs libvirt 11.1 on both hosts; that of h is 9.0.0")
        );
        assert!(refused(&snapshot(Some("11.1.0"), "8.1.5")).contains("needs QEMU 8.2"));
        assert!(refused(&snapshot(None, "10.0.2")).contains("unknown"));
        assert!(known_by(&Options::default(), &new, &snapshot(None, "1.0")).is_ok());
    }
}
