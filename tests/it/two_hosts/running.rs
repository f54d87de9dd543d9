//! A `pvm migrate` under way, and what it says meanwhile.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "shared by several tests; a test runs programs and stops at the first surprise"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Stdio};

use rustix::process::Signal;

use super::harness::{Said, TwoHosts};

/// A migration of the guest `demo` away from host a.
pub struct Running {
    pub pvm: Child,
    pub events: BufReader<ChildStdout>,
}

impl Running {
    /// With these arguments besides.
    pub fn start(hosts: &TwoHosts, destination: &str, more: &[&str]) -> Self {
        let mut pvm = hosts.pvm("a", &[&["migrate", "demo", destination, "--yes", "-o", "ndjson"], more].concat());
        let mut pvm = pvm.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let events = BufReader::new(pvm.stdout.take().unwrap());
        Self { pvm, events }
    }

    /// Waits until memory flows.
    #[track_caller]
    pub fn flows(self) -> Self {
        self.until(|event| event["event"] == "progress" && event["memory_processed"].as_u64() > Some(0))
    }

    /// Waits for the point of no return.
    #[track_caller]
    pub fn switched(self) -> Self {
        self.until(|event| event["event"] == "switched")
    }

    /// Waits for an event.
    #[track_caller]
    pub fn until(mut self, wanted: impl Fn(&serde_json::Value) -> bool) -> Self {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(self.events.read_line(&mut seen).unwrap(), 0, "pvm ended: {seen}{:#?}", self.ended());
            if wanted(&serde_json::from_str(&seen[start..]).unwrap()) {
                return self;
            }
        }
    }

    /// A signal. It is not reaped yet: the number is still its own.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.pvm), signal).unwrap();
    }

    /// Ends it without a word.
    pub fn kill(mut self) {
        self.pvm.kill().unwrap();
        self.pvm.wait().unwrap();
    }

    /// Everything it said from here on.
    pub fn ended(&mut self) -> Said {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.events.read_to_string(&mut stdout).unwrap();
        self.pvm.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Said { code: self.pvm.wait().unwrap().code(), stdout, stderr }
    }
}

/// Fails unless the last event is the result, with this exit code and this place.
#[track_caller]
pub fn said_so(said: &Said, code: i32, runs_on: Option<&str>) {
    let last = said.events().pop().unwrap_or_default();
    assert_eq!((&last["event"], last["runs_on"].as_str()), (&"result".into(), runs_on), "{said:#?}");
    assert_eq!((said.code, last["exit_code"].as_i64()), (Some(code), Some(code.into())), "{said:#?}");
}
