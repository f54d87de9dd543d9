use super::*;
use crate::model::snapshot::Unknown;
use crate::proof::evidence::KernelLine;

const DEVICE: &str = "0000:02:10.2";
const LOST: &str = "0000:02:10.2: Failed setting device state to RUNNING_P2P. Recover state is ERROR. Resetting device: Input/output error";

/// The destination's clock is an hour ahead.
const AHEAD: i64 = 3_600_000;

fn devices() -> [Device; 1] {
    [Device { address: DEVICE.parse().unwrap(), alias: Some("ua-vf5".to_owned()) }]
}

/// Evidence with nothing wrong in it: asked for at 9,000, of a migration from 1,000 to 8,000.
fn good() -> Received {
    let log = Log {
        path: "x.log".into(),
        started: Some(Timestamp(AHEAD + 1500)),
        qemu: Some("10.0.2Debian".into()),
        lines: vec!["char device redirected to /dev/pts/0".into()],
    };
    let evidence = Evidence {
        host: "host-b".into(),
        taken_at: Timestamp(AHEAD + 9050),
        log: Some(log),
        kernel: Some(Vec::new()),
        ..Evidence::default()
    };
    Received { asked: Timestamp(9000), answered: Timestamp(9100), content: Ok(evidence) }
}

fn with(change: impl FnOnce(&mut Evidence)) -> Received {
    let mut received = good();
    change(received.content.as_mut().unwrap());
    received
}

fn ask(received: &Received) -> Verdict {
    ask_with(received, |_| {})
}

fn ask_with(received: &Received, change: impl FnOnce(&mut Question)) -> Verdict {
    let devices = devices();
    let mut question =
        Question { devices: &devices, since: Timestamp(1000), running: Timestamp(8000), vfio_bytes: Some(262_336) };
    change(&mut question);
    arrived(received, &question)
}

/// The reason of a verdict that must be "not verified".
fn why(verdict: Verdict) -> String {
    match verdict {
        Verdict::NotVerified { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_four_conditions_make_it_verified() {
    assert_eq!(ask(&good()), Verdict::Verified);
}

#[test]
fn no_device_is_nothing_to_prove_even_without_evidence() {
    let none = Received { content: Err("no ssh".into()), ..good() };
    assert_eq!(ask_with(&none, |q| q.devices = &[]), Verdict::NothingToProve);
    assert!(why(ask(&none)).contains("no ssh"));
}

#[test]
fn a_reset_device_is_lost_whatever_else_is_missing() {
    let lost = with(|e| e.log.as_mut().unwrap().lines.push(LOST.into()));
    let verdict = ask(&lost);
    assert!(verdict.is_lost());
    assert!(verdict.to_string().contains("host-b") && verdict.to_string().contains("Input/output error"));
    assert!(ask_with(&lost, |q| q.vfio_bytes = None).is_lost());
    let no_kernel = with(|e| {
        e.kernel = None;
        e.log.as_mut().unwrap().lines.push(LOST.into());
    });
    assert!(ask(&no_kernel).is_lost());
}

/// libvirt hands the device to QEMU as a descriptor, so that QEMU knows it by its alias alone (11.1.3 in the lab).
#[test]
fn with_iommufd_a_loss_is_found_by_the_alias() {
    let line = |line: &str| ask(&with(|e| e.log.as_mut().unwrap().lines.push(line.to_owned())));
    let loss = "qemu-system-x86_64: ua-vf5: Failed setting device state to RUNNING_P2P. Recover state is ERROR. Resetting device: Input/output error";
    assert!(line(loss).is_lost());
    assert!(line("qemu-system-x86_64: Failed setting device state to RUNNING. Resetting device").is_lost());
    assert!(
        why(line("qemu-system-x86_64: ua-vf5: Final precopy reinit check failed (err: -5)")).contains("does not know")
    );
    let harmless = "qemu-system-x86_64: warning: ua-vf5: PCI peer-to-peer transactions on BARs are not supported.";
    assert_eq!(line(harmless), Verdict::Verified);
    assert_eq!(ask(&with(|e| e.log.as_mut().unwrap().qemu = Some("11.1.3".into()))), Verdict::Verified);
}

#[test]
fn a_log_of_another_start_proves_nothing_either_way() {
    let old = with(|e| {
        let log = e.log.as_mut().unwrap();
        log.started = Some(Timestamp(AHEAD - 5000));
        log.lines.push(LOST.into());
    });
    assert!(why(ask(&old)).contains("before this migration"));
}

#[test]
fn each_missing_condition_is_named() {
    let cases: [(&str, Received); 7] = [
        // Lines of the migration's beginning may have been left out over there.
        ("too far behind", with(|e| e.since = Timestamp(AHEAD + 1000))),
        ("does not reach back", with(|e| e.log.as_mut().unwrap().started = None)),
        (
            "Permission denied",
            with(|e| {
                e.log = None;
                e.unknown.push(Unknown::new("log", "Permission denied"));
            }),
        ),
        ("QEMU 10.1.0", with(|e| e.log.as_mut().unwrap().qemu = Some("10.1.0".into()))),
        ("version is not in its log", with(|e| e.log.as_mut().unwrap().qemu = None)),
        ("does not know", with(|e| e.log.as_mut().unwrap().lines.push(format!("{DEVICE}: hm")))),
        ("before the guest ran", Received { asked: Timestamp(7999), ..good() }),
    ];
    for (expected, received) in cases {
        let why = why(ask(&received));
        assert!(why.contains(expected), "{why}");
    }
    assert!(why(ask_with(&good(), |q| q.vfio_bytes = None)).contains("did not say"));
    assert!(why(ask_with(&good(), |q| q.vfio_bytes = Some(0))).contains("sent no device state"));
}

#[test]
fn a_kernel_error_for_the_device_or_its_physical_function_counts() {
    let line = |time, level, text: &str| KernelLine { time: Timestamp(AHEAD + time), level, text: text.into() };
    let complaint = |kernel: Vec<KernelLine>| {
        ask(&with(|e| {
            e.physical_functions.insert(DEVICE.parse().unwrap(), "0000:02:00.0".parse().unwrap());
            e.kernel = Some(kernel);
        }))
    };
    assert!(why(complaint(vec![line(2000, 3, "igbvf 0000:02:10.2: load failed")])).contains("load failed"));
    assert!(why(complaint(vec![line(2000, 2, "mlx5_core 0000:02:00.0: command failed")])).contains("command failed"));
    assert_eq!(complaint(vec![line(2000, 4, "igbvf 0000:02:10.2: slow")]), Verdict::Verified);
    assert_eq!(complaint(vec![line(2000, 3, "igbvf 0000:02:10.4: load failed")]), Verdict::Verified);
    assert_eq!(complaint(vec![line(-9000, 3, "igbvf 0000:02:10.2: load failed")]), Verdict::Verified);
    let unreadable = with(|e| {
        e.kernel = None;
        e.unknown.push(Unknown::new("kernel", "Operation not permitted"));
    });
    assert!(why(ask(&unreadable)).contains("Operation not permitted"));
}

#[test]
fn on_the_source_the_log_counts_from_this_migrations_beginning() {
    let devices = devices();
    let question = Question { devices: &devices, since: Timestamp(1000), running: Timestamp(8000), vfio_bytes: None };
    let beginning = |ms| format!("{}: initiating migration", Timestamp(AHEAD + ms));
    let source = |lines: Vec<String>| {
        let received = with(|e| {
            let log = e.log.as_mut().unwrap();
            log.started = Some(Timestamp(AHEAD - 9_000_000));
            log.lines = lines;
        });
        stayed(&received, &question)
    };
    assert_eq!(source(vec![beginning(1200)]), Verdict::Verified);
    // The loss is of an earlier migration, which had its own verdict.
    assert_eq!(source(vec![LOST.into(), beginning(1200)]), Verdict::Verified);
    assert!(source(vec![beginning(1200), LOST.into()]).is_lost());
    assert!(why(source(vec![beginning(-9000)])).contains("does not show"));
    assert!(why(source(Vec::new())).contains("does not show"));
}

#[test]
fn only_a_failure_of_this_migrations_process_proves_that_it_never_ran() {
    let ended = |started, reason: &str| {
        let line = format!("2026-11-23 06:24:00.000+0000: shutting down, reason={reason}");
        let received = with(|e| {
            let log = e.log.as_mut().unwrap();
            log.started = Some(Timestamp(AHEAD + started));
            log.lines.push(line);
        });
        never_ran(&received, Timestamp(1000))
    };
    assert!(ended(1500, "failed"));
    for other in ["destroyed", "crashed", "shutdown", "failed-over"] {
        assert!(!ended(1500, other), "{other}");
    }
    assert!(!ended(-9000, "failed"));
    assert!(!never_ran(&good(), Timestamp(1000)));
    assert!(!never_ran(&Received { content: Err(String::new()), ..good() }, Timestamp(1000)));
    assert!(!never_ran(&with(|e| e.log = None), Timestamp(1000)));
}
