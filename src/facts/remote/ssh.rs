//! Another host's own pvm, by ssh or by a program of the user's choice. No shell is built here: ssh gets `--` before the host,
//! and the words of the remote command are fixed or checked.

#![expect(clippy::disallowed_methods, reason = "an edge: runs ssh")]

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Pid;
use sha2::{Digest as _, Sha256};

use super::file;
use crate::facts::GatherOptions;
use crate::facts::HostError;
use crate::facts::kernel::Probe;
use crate::model::paste::quoted;
use crate::model::snapshot::{Snapshot, Via};

const MOST_BYTES: u64 = file::MOST_BYTES + 1;
/// How long a program may take to end after it has closed its output.
const AFTERWARDS: Duration = Duration::from_secs(5);
/// Seconds that ssh waits for a connection.
pub(super) const CONNECT_TIMEOUT: u64 = 10;
const MOST_NOTES: u64 = 16 << 10;

/// Asks the pvm on `target` (`[user@]host`), which reads Nova's configuration at `config` over there.
pub(crate) fn by_ssh(target: &str, config: &[PathBuf], options: &GatherOptions) -> Result<Snapshot, HostError> {
    let unreachable = |why: String| HostError::Unreachable { host: target.to_owned(), why };
    let mut command = Command::new("ssh");
    let timeout = format!("ConnectTimeout={CONNECT_TIMEOUT}");
    command.args(["-o", "BatchMode=yes", "-o", &timeout, "--", target]);
    let mut words = ["inventory", "-o", "json"].map(str::to_owned).to_vec();
    if options.probe != Probe::Passive {
        words.extend(["--probe", options.probe.word()].map(str::to_owned));
        // Not wanted for its table, but as a bound: only these devices may be opened.
        if let Some(only) = options.only.filter(|_| options.probe == Probe::Active) {
            words.extend(["--pf".to_owned(), only.to_string()]);
        }
    }
    let paths = if options.nova_config.is_empty() { config } else { &options.nova_config };
    for path in paths.iter().map(|path| path.display().to_string()) {
        // The remote side has a shell, whatever we do: only words it cannot misread are sent.
        if path.starts_with('-') || !path.chars().all(|c| c.is_ascii_alphanumeric() || "._/+-".contains(c)) {
            return Err(unreachable(format!("the path '{path}' has characters that are not sent to another host")));
        }
        words.extend(["--nova-config".to_owned(), path]);
    }
    if !options.bootstrap {
        command.arg("pvm").args(words);
        return run(command, Stdio::null(), target, options.time_limit);
    }
    let unread = |e: io::Error| unreachable(format!("this pvm cannot be read: {e}"));
    let own = File::open("/proc/self/exe").map_err(unread)?;
    command.arg(brought_along(&digest(&own).map_err(unread)?, &words));
    run(command, own.into(), target, options.time_limit)
}

/// Runs a program that prints a snapshot.
pub(crate) fn by_command(name: &str, argv: &[String], options: &GatherOptions) -> Result<Snapshot, HostError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(HostError::Unreachable { host: name.to_owned(), why: "the command is empty".to_owned() });
    };
    let mut command = Command::new(program);
    command.args(arguments);
    run(command, Stdio::null(), name, options.time_limit)
}

/// The command that takes a pvm from its standard input, runs it with these words, and leaves nothing. Neither the digest nor
/// a word has a character that a shell could misread; whatever the login shell is, one that all know reads it.
fn brought_along(digest: &str, words: &[String]) -> String {
    let words = words.join(" ");
    format!(
        "exec sh -c 'umask 077; t=$(mktemp) || exit 126; gone() {{ rm -f -- \"$t\"; }}; trap gone EXIT; \
         trap \"exit 126\" HUP INT TERM; cat >\"$t\" && chmod 700 -- \"$t\" && s=$(sha256sum <\"$t\") && \
         test \"${{s%% *}}\" = {digest} || {{ echo its copy did not arrive whole >&2; exit 126; }}; \
         \"$t\" {words} </dev/null'"
    )
}

/// The SHA-256 of a file, from its beginning to its end.
fn digest(file: &File) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut at = 0;
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read_at(&mut buffer, at)?;
        if read == 0 {
            return Ok(hash.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}")));
        }
        hash.update(&buffer[..read]);
        at += read as u64;
    }
}

fn run(command: Command, input: Stdio, host: &str, limit: Duration) -> Result<Snapshot, HostError> {
    let answer = answer(command, input, host, limit)?;
    let mut snapshot = match (file::parse(&answer.bytes, false, &format!("the answer of {host}")), answer.failed) {
        (Ok(snapshot), _) => snapshot,
        // A connection that broke in the middle of the answer, rather than a program that answers something else.
        (Err(_), Some(why)) => {
            let why = format!("its answer is not whole: {why}");
            return Err(HostError::Unreachable { host: host.to_owned(), why });
        }
        (Err(HostError::Malformed { origin, .. }), None) if !answer.bytes.trim_ascii_start().starts_with(b"{") => {
            let begin: String = String::from_utf8_lossy(&answer.bytes).trim_start().chars().take(60).collect();
            let why = format!("it begins with {:?}", begin.lines().next().unwrap_or_default());
            return Err(HostError::Malformed { origin, why });
        }
        (Err(error), None) => return Err(error),
    };
    snapshot.via = Via::Ssh;
    Ok(snapshot)
}

/// What a program printed.
pub(super) struct Printed {
    /// Its output, not empty.
    pub(super) bytes: Vec<u8>,
    /// How it ended, if not well: a program may print an answer and end with the exit code of what it found.
    failed: Option<String>,
}

/// What a program prints, or why it printed nothing in time.
pub(super) fn answer(mut command: Command, input: Stdio, host: &str, limit: Duration) -> Result<Printed, HostError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let unreachable = |why: String| HostError::Unreachable { host: host.to_owned(), why };
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(|word| quoted(&word.to_string_lossy()).into_owned()).collect();
    log::debug!("{}", line.join(" "));
    let begun = Instant::now();
    // In a group of its own, so that what it started ends with it.
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().map_err(|e| unreachable(format!("{program} cannot be started: {e}")))?;
    let mut child = Group(child);
    let output = collect(child.0.stdout.take(), MOST_BYTES);
    let notes = collect(child.0.stderr.take(), MOST_NOTES);
    let Ok(bytes) = output.recv_timeout(limit) else {
        return Err(unreachable(format!("no answer within {} s", limit.as_secs())));
    };
    log::info!("{} ms  {host}  {program}: {} bytes", begun.elapsed().as_millis(), bytes.len());
    let too_much = bytes.len() as u64 >= MOST_BYTES;
    let wait = if too_much { Duration::ZERO } else { AFTERWARDS };
    let ended = child.wait(wait).map_err(|e| unreachable(format!("{program} was lost: {e}")))?;
    let Some(status) = ended else {
        let why = format!("{program} closed its output and did not end");
        if bytes.is_empty() {
            return Err(unreachable(why));
        }
        return Ok(Printed { bytes, failed: (!too_much).then_some(why) });
    };
    let failed = (!status.success() && !too_much).then(|| {
        let said = notes.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim();
        match status.code() {
            Some(127) => format!("there is no pvm on it ({last})"),
            Some(255) if program == "ssh" => format!("ssh failed: {last}"),
            _ => format!("{program} ended with {status}: {last}"),
        }
    });
    if bytes.is_empty() {
        let why = failed.unwrap_or_else(|| format!("{program} ended well and said nothing"));
        let is_silent = is_silent(&program, status.code(), begun.elapsed());
        return Err(if is_silent { HostError::Silent { host: host.to_owned(), why } } else { unreachable(why) });
    }
    Ok(Printed { bytes, failed })
}

/// Whether ssh itself failed, and only after it had waited for a connection as long as it does.
fn is_silent(program: &str, code: Option<i32>, after: Duration) -> bool {
    program == "ssh" && code == Some(255) && after >= Duration::from_secs(CONNECT_TIMEOUT)
}

/// A program with all that it started; they end with this value.
struct Group(Child);

impl Group {
    /// How it ended; `None`: it has not, within this time.
    fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let until = Instant::now() + limit;
        loop {
            let ended = self.0.try_wait()?;
            if ended.is_some() || Instant::now() >= until {
                return Ok(ended);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.0.try_wait() {
            return;
        }
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // It may have ended in between; then there is nothing to kill.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

fn collect(stream: Option<impl Read + Send + 'static>, limit: u64) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What came before the stream broke is judged as it is.
            let _ = stream.take(limit).read_to_end(&mut bytes);
        }
        // Nobody listens any more after the time limit.
        let _ = sender.send(bytes);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_that_ssh_waited_for_in_vain_is_silent() {
        let of = |program, code, seconds| is_silent(program, Some(code), Duration::from_secs(seconds));
        assert!(of("ssh", 255, 10));
        assert!(!of("ssh", 255, 1), "refused, or the login failed");
        assert!(!of("ssh", 127, 30), "it answered");
        assert!(!of("facts", 255, 30));
    }

    fn ask(script: &str, seconds: u64) -> Result<Snapshot, HostError> {
        let options = GatherOptions { time_limit: Duration::from_secs(seconds), ..GatherOptions::default() };
        by_command("peer", &["sh".into(), "-c".into(), script.into()], &options)
    }

    #[test]
    fn takes_a_snapshot() {
        let snapshot = ask("echo '{\"schema\": \"pvm.inventory/1\", \"host\": {\"name\": \"b\"}}'", 20).unwrap();
        assert_eq!((snapshot.host.name.as_str(), snapshot.via), ("b", Via::Ssh));
    }

    #[test]
    fn an_exit_code_of_findings_is_no_failure() {
        assert!(ask("echo '{\"schema\": \"pvm.inventory/1\"}'; exit 1", 20).is_ok());
    }

    #[test]
    fn a_program_that_goes_on_after_its_answer_is_ended_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let pids = dir.path().join("pids");
        let script = format!(
            "sleep 1000 >&- 2>&- & echo $! $$ >{}; echo '{{\"schema\": \"pvm.inventory/1\"}}'; exec >&- 2>&-; wait",
            pids.display()
        );
        let begun = Instant::now();
        assert!(ask(&script, 60).is_ok(), "a whole answer counts");
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
        let alive = |pid: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let pids = std::fs::read_to_string(&pids).unwrap();
        let limit = Instant::now() + Duration::from_secs(10);
        while pids.split_whitespace().any(alive) {
            assert!(Instant::now() < limit, "{pids} are alive");
            std::thread::sleep(Duration::from_millis(10));
        }
        let silent = ask("exec >&- 2>&-; sleep 1000", 60).unwrap_err().to_string();
        assert!(silent.contains("closed its output and did not end"), "{silent}");
    }

    #[test]
    fn says_why_there_is_none() {
        for (script, seconds, expected) in [
            ("echo denied >&2; exit 3", 20, "denied"),
            ("exit 127", 20, "no pvm on it"),
            ("sleep 60", 0, "no answer within 0 s"),
            ("echo hello", 20, "is not a snapshot (pvm inventory -o json): it begins with \"hello\""),
            ("echo '{\"schema\": \"pvm.inventory/9\"}'", 20, "this pvm reads pvm.inventory/1"),
            (
                "printf '{\"schema\"'; echo 'connection lost' >&2; exit 255",
                20,
                "is not whole: sh ended with exit status: 255",
            ),
            ("exit 0", 20, "ended well and said nothing"),
        ] {
            let message = ask(script, seconds).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let missing = by_command("peer", &["/nonexistent/x".into()], &GatherOptions::default()).unwrap_err();
        assert!(missing.to_string().contains("cannot be started"));
    }

    #[test]
    fn a_pvm_that_is_brought_along_leaves_nothing_and_runs_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (copies, pvm) = (dir.path().join("the; \"copies\" \\ $HOME"), dir.path().join("pvm"));
        std::fs::create_dir(&copies).unwrap();
        std::fs::write(
            &pvm,
            "#!/bin/sh\nls -l \"$0\" >&2; echo '{\"schema\": \"pvm.inventory/1\", \"host\": {\"name\": \"'$3'\"}}'\n",
        )
        .unwrap();
        let own = || File::open(&pvm).unwrap();
        let ask = |digest: &str| {
            let mut command = Command::new("sh");
            let words = ["inventory", "-o", "json"].map(str::to_owned);
            command.args(["-c", &brought_along(digest, &words)]).env("TMPDIR", &copies);
            run(command, own().into(), "peer", Duration::from_secs(20))
        };
        let whole = digest(&own()).unwrap();
        assert_eq!(ask(&whole).unwrap().host.name, "json");
        let other = ask(&whole.replace(|c: char| c.is_ascii_digit(), "a")).unwrap_err().to_string();
        assert!(other.contains("its copy did not arrive whole"), "{other}");
        assert_eq!(std::fs::read_dir(&copies).unwrap().count(), 0, "it is left over there");
    }

    #[test]
    fn sends_no_word_that_a_shell_could_misread() {
        let options = GatherOptions { nova_config: vec!["/etc/nova;id".into()], ..GatherOptions::default() };
        assert!(by_ssh("peer", &[], &options).unwrap_err().to_string().contains("not sent"));
    }
}
