//! Calls that hang, with limits of milliseconds.

#![expect(clippy::disallowed_methods, reason = "tests of deadlines look at the clock")]

use std::any::Any;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::bounded::{Bounded, Limits};
use super::worker::sign_of_life;
use super::*;

/// What hangs until it is let go.
#[derive(Debug, Default)]
struct Hangs {
    guests: Vec<String>,
    daemon: bool,
    asked: u32,
    /// For how long each of its QEMUs has owed an answer.
    unanswered: Option<Duration>,
}

/// A daemon of which guests' QEMUs, or all of it, hang.
#[derive(Debug, Clone, Default)]
struct Hanging(Arc<(Mutex<Hangs>, Condvar)>, &'static str);

impl Hanging {
    fn new(uri: &'static str, guests: &[&str]) -> Self {
        let hanging = Self(Arc::default(), uri);
        hanging.0.0.lock().unwrap().guests = guests.iter().map(ToString::to_string).collect();
        hanging
    }

    fn wait(&self, hangs: impl Fn(&Hangs) -> bool) {
        let (state, changed) = &*self.0;
        drop(changed.wait_while(state.lock().unwrap(), |state| hangs(state)).unwrap());
    }

    fn let_go(&self) {
        let mut state = self.0.0.lock().unwrap();
        (state.guests, state.daemon) = (Vec::new(), false);
        self.0.1.notify_all();
    }

    fn bounded(&self, question: u64) -> Bounded {
        let limits = Limits {
            question: Duration::from_millis(question),
            work: Duration::from_millis(2 * question),
            sign: Duration::from_millis(question),
        };
        Bounded::new(Box::new(self.clone()), |_| nothing(), limits)
    }
}

fn nothing<T>() -> Result<T> {
    Err(HypervisorError { doing: "fake".into(), message: "it has none".into(), failure: Failure::Other })
}

macro_rules! has_none {
    ($($name:ident($($argument:ty),*) -> $answer:ty;)*) => {
        $(fn $name(&self, $(_: $argument),*) -> Result<$answer> { nothing() })*
    };
}

impl Hypervisor for Hanging {
    fn uri(&self) -> &str {
        self.1
    }
    fn libvirt_version(&self) -> Result<u64> {
        self.wait(|state| state.daemon);
        Ok(9_000_000)
    }
    fn domains(&self) -> Result<Vec<DomainInfo>> {
        // Slow, but it goes on.
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(60));
            sign_of_life();
        }
        Ok(Vec::new())
    }
    fn job(&self, uuid: &str) -> Result<Option<Job>> {
        self.0.0.lock().unwrap().asked += 1;
        self.wait(|state| state.daemon || state.guests.iter().any(|guest| guest == uuid));
        Ok(None)
    }
    fn unanswered(&self, _: &str) -> Result<Option<Duration>> {
        Ok(self.0.0.lock().unwrap().unanswered)
    }
    fn suspend(&self, uuid: &str) -> Result<()> {
        self.job(uuid).map(|_| ())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn migrate(&self, _: &str, _: &MigrateRequest, _: Way<'_>) -> Result<()> {
        nothing()
    }
    has_none! {
        hostname() -> String;
        qemu_version() -> u64;
        free_memory() -> u64;
        capabilities() -> String;
        domain_capabilities(Option<&str>, Option<&str>, Option<&str>, Option<&str>) -> String;
        node_devices() -> Vec<String>;
        networks() -> Vec<String>;
        pools() -> Vec<String>;
        domain(&str) -> Option<DomainInfo>;
        domain_by_name(&str) -> Option<DomainInfo>;
        xml(&str, DomainXml) -> String;
        secret_xml(&str, DomainXml) -> SecretXml;
        snapshots(&str) -> u32;
        checkpoints(&str) -> u32;
        secrets() -> Vec<String>;
        volume_path(&str, &str) -> Option<String>;
        compare_cpu(CpuTarget<'_>, &str) -> CpuComparison;
        monitor(&str, &str) -> String;
        completed_job(&str) -> Option<Job>;
        abort_job(&str) -> ();
        max_downtime(&str) -> u64;
        set_max_downtime(&str, u64) -> ();
        resume(&str) -> ();
        destroy(&str) -> ();
        undefine(&str) -> ();
        set_autostart(&str, bool) -> ();
        attach_device(&str, &str, Affect) -> ();
        detach_device(&str, &str, Affect) -> ();
        metadata(&str, &str) -> Option<String>;
        set_metadata(&str, &str, &str, Option<&str>) -> ();
        watch(&str, Sender<Happened>) -> Box<dyn Watch>;
    }
}

fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_qemu_that_hangs_is_told_from_its_daemon_and_other_guests_answer() {
    let host = Hanging::new("fake://qemu/", &["a"]);
    let bounded = host.bounded(300);
    let error = bounded.job("a").unwrap_err();
    assert_eq!(error.failure, Failure::QemuSilent);
    assert!(error.to_string().contains("domain a on fake://qemu/: its QEMU does not answer"), "{error}");
    assert!(bounded.job("b").is_ok());
    // It is not asked again while it hangs, and answers when it does not.
    let asked = host.0.0.lock().unwrap().asked;
    assert_eq!(bounded.job("a").unwrap_err().failure, Failure::QemuSilent);
    assert_eq!(host.0.0.lock().unwrap().asked, asked);
    host.let_go();
    until(|| bounded.job("a").is_ok());
}

#[test]
fn a_daemon_that_hangs_is_waited_for_once() {
    let host = Hanging::new("fake://daemon/", &[]);
    host.0.0.lock().unwrap().daemon = true;
    let bounded = host.bounded(300);
    let error = bounded.job("a").unwrap_err();
    assert_eq!(error.failure, Failure::DaemonSilent);
    assert!(error.to_string().contains("libvirt's daemon does not answer"), "{error}");
    let begun = Instant::now();
    for call in
        [bounded.job("b").map(|_| ()), bounded.hostname().map(|_| ()), bounded.xml("c", DomainXml::Live).map(|_| ())]
    {
        assert_eq!(call.unwrap_err().failure, Failure::DaemonSilent);
    }
    assert!(begun.elapsed() < Duration::from_millis(250), "each was waited for");
    host.let_go();
    until(|| bounded.job("b").is_ok());
}

#[test]
fn a_change_is_tried_even_where_questions_are_stuck_and_ends_too() {
    let host = Hanging::new("fake://change/", &["a"]);
    let bounded = host.bounded(100);
    bounded.job("a").unwrap_err();
    let error = bounded.suspend("a").unwrap_err();
    assert_eq!(error.failure, Failure::QemuSilent);
    assert!(error.to_string().contains("it may still do what it was told"), "{error}");
    assert_eq!(host.0.0.lock().unwrap().asked, 2);
    host.let_go();
    until(|| bounded.suspend("a").is_ok());
}

#[test]
fn work_that_goes_on_is_not_cut() {
    let host = Hanging::new("fake://slow/", &[]);
    assert_eq!(host.bounded(200).domains().unwrap(), Vec::new(), "600 ms, with signs of life every 60 ms");
}

#[test]
fn more_stuck_calls_than_a_daemon_reads_move_to_another_connection() {
    let host = Hanging::new("fake://first/", &["a", "b", "c", "d"]);
    // Long enough for the one that answers, on a machine that is busy.
    let limit = Duration::from_secs(5);
    let bounded = Bounded::new(
        Box::new(host.clone()),
        |_| Ok(Box::new(Hanging::new("fake://second/", &[]))),
        Limits { question: limit, work: limit, sign: limit },
    );
    std::thread::scope(|scope| {
        for guest in ["a", "b", "c", "d"] {
            scope.spawn(|| drop(bounded.job(guest).unwrap_err()));
        }
    });
    let before = host.0.0.lock().unwrap().asked;
    bounded.job("e").unwrap();
    assert_eq!(host.0.0.lock().unwrap().asked, before, "the first connection was asked");
    host.let_go();
}

#[test]
fn a_connection_that_hangs_while_it_closes_holds_nobody_up() {
    #[derive(Debug)]
    struct Slow(mpsc::Receiver<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }
    let (gate, closing) = mpsc::channel();
    let begun = Instant::now();
    super::worker::let_go(Slow(closing), Duration::from_millis(50));
    assert!(begun.elapsed() < Duration::from_secs(5));
    drop(gate);
}

#[test]
fn a_qemu_that_owes_an_answer_already_is_not_asked() {
    let daemon = Hanging::new("fake:///owes", &[]);
    let hypervisor = daemon.bounded(1000);
    daemon.0.0.lock().unwrap().unanswered = Some(Duration::from_secs(305));
    let error = hypervisor.job("guest").unwrap_err();
    assert_eq!(error.failure, Failure::QemuSilent);
    assert_eq!(error.message, "its QEMU does not answer (libvirt has waited for 305 s)");
    assert_eq!(daemon.0.0.lock().unwrap().asked, 0);
    // A question of this moment is no sign of anything.
    daemon.0.0.lock().unwrap().unanswered = Some(Duration::from_millis(3));
    assert!(hypervisor.job("guest").is_ok());
}

#[test]
fn where_many_qemus_are_silent_no_other_is_asked_and_workers_stay_free() {
    let guests: Vec<String> = (0..12).map(|n| format!("silent-{n}")).collect();
    let daemon = Hanging::new("fake:///many", &guests.iter().map(String::as_str).collect::<Vec<_>>());
    let hypervisor = daemon.bounded(50);
    for guest in &guests {
        assert_eq!(hypervisor.job(guest).unwrap_err().failure, Failure::QemuSilent);
    }
    let error = hypervisor.job("another").unwrap_err();
    assert_eq!(error.failure, Failure::QemuSilent);
    assert_eq!(error.message, "its QEMU was not asked: libvirt there waits for 12 answers of others");
    assert_eq!(daemon.0.0.lock().unwrap().asked, 12);
    // What changes a guest is always tried.
    assert!(hypervisor.suspend("another").is_ok());
    daemon.let_go();
}
