//! How the source of a migration reaches the destination: asked on both at once, through the channels to their own pvm.

#![expect(clippy::disallowed_methods, reason = "an edge: measures who waited for whom")]

use std::time::{Duration, Instant};

use super::channel::{self, Channel, channel, is_plain};
use crate::facts::{GatherOptions, HostRef};
use crate::journal::now;
use crate::model::snapshot::reach::{Attempt, Listened, Reach};
use crate::model::snapshot::{Host, Via};

/// What listened so long before the other side gave up was there when it tried.
const MEANWHILE: Duration = Duration::from_millis(500);

/// libvirt's own default of the first port.
const FIRST_PORT: u16 = 49152;

/// What goes from one host to the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Between<'a> {
    /// Where the guests run.
    pub source: &'a HostRef,
    /// How the facts of both came: a host whose own pvm did not answer once is not asked again.
    pub via: [Via; 2],
    /// Where they would go.
    pub destination: &'a HostRef,
    /// The URI that the source's daemon would open; none: it would open none.
    pub uri: Option<&'a str>,
}

/// Asks how the source reaches the destination, whose facts these are; the source's name is not in the answer. None: there is
/// nobody on the source to ask.
pub(crate) fn ask(between: Between<'_>, there: &Host, options: &GatherOptions) -> Option<Reach> {
    if channel(between.source) == channel(between.destination) {
        return None;
    }
    let source = program(between.source).filter(|_| between.via[0] != Via::Libvirt)?;
    let (name, port) = endpoint(between.destination, there)?;
    let uri = between.uri.filter(|uri| !uri.contains(":///") && is_plain(uri));
    if !is_plain(&name) {
        return None;
    }
    let there_too = program(between.destination).filter(|_| between.via[1] != Via::Libvirt);
    let token = match there_too {
        Some(_) => format!("pvm-{:x}-{:x}", now().0.unsigned_abs(), std::process::id()),
        None => String::new(),
    };
    let (port, at) = (port.to_string(), there.migration.listen.as_deref().filter(|at| is_plain(at)));
    let (mut reach, given_up, listened) = std::thread::scope(|scope| {
        let listener = there_too.map(|argv| {
            let mut words = vec!["reach", "-o", "json", "--token", &token, "--listen", &port];
            words.extend(at.iter().flat_map(|at| ["--at", at]));
            scope.spawn(move || {
                let (bytes, _) = channel::ask(&argv, &words, between.destination, options).ok()?;
                let listened: Listened = serde_json::from_slice(&bytes).ok()?;
                Instant::now().checked_sub(Duration::from_millis(listened.for_ms?))
            })
        });
        let mut words = vec!["reach", "-o", "json", "--name", &name, "--data-port", &port];
        words.extend((!token.is_empty()).then_some(["--token", &token]).into_iter().flatten());
        words.extend(uri.iter().flat_map(|uri| ["--libvirt", uri]));
        let (bytes, _) = channel::ask(&source, &words, between.source, options).ok()?;
        let answered = Instant::now();
        let mut reach: Reach = serde_json::from_slice(&bytes).ok()?;
        let over = Duration::from_millis(reach.data_over_ms.take().unwrap_or_default());
        let given_up = answered.checked_sub(over)?;
        Some((reach, given_up, listener.and_then(|listener| listener.join().ok()?)))
    })?;
    if let Some(data) = &mut reach.data {
        judge(data, listened.is_some_and(|since| since + MEANWHILE < given_up));
    }
    Some(reach)
}

/// A refused connection tells something only when somebody listened.
fn judge(data: &mut Attempt, listened: bool) {
    if data.works.is_none() && listened {
        data.works = Some(false);
    }
}

/// Whether this machine is the source, which needs no answer of its own before it is asked for the way.
pub(crate) fn is_here(source: &HostRef) -> bool {
    channel(source) == Channel::Here
}

/// The words in front of those for a host's own pvm; this machine is asked by a program of its own, which has no login.
fn program(host: &HostRef) -> Option<Vec<String>> {
    match channel(host) {
        Channel::Here => Some(vec!["/proc/self/exe".to_owned()]),
        Channel::Program(argv) => Some(argv),
        Channel::None(_) => None,
    }
}

/// Where the data of a migration would go: as pvm.yaml says, else as the destination's daemon says.
fn endpoint(destination: &HostRef, there: &Host) -> Option<(String, u16)> {
    let (first, last) = there.migration.ports.unwrap_or((FIRST_PORT, FIRST_PORT));
    let taken = |port: &u16| there.listening.iter().flatten().any(|one| one.port() == *port);
    let free = (first..=last).find(|port| !taken(port));
    if let Some(uri) = destination.migrate_uri() {
        let (address, port) = split(uri.strip_prefix("tcp://")?);
        return Some((address.to_owned(), port.or(free)?));
    }
    let name = there.migration.address.as_deref().or(there.migration.hostname.as_deref())?;
    let (address, port) = split(name);
    Some((address.to_owned(), port.or(free)?))
}

/// `ADDRESS` and the port behind it, if any; IPv6 is in brackets where there is one.
fn split(text: &str) -> (&str, Option<u16>) {
    let text = text.trim_end_matches('/');
    match text.rsplit_once(':') {
        Some((address, port)) if !address.contains(':') || address.ends_with(']') => (address, port.parse().ok()),
        Some(_) | None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Settings;

    #[test]
    fn data_goes_where_the_settings_say_else_where_the_daemon_says() {
        let settings = Settings::parse("hosts: {b: {migrate_uri: 'tcp://10.0.0.2'}, c: {migrate_uri: 'rdma://c'}}");
        let settings = settings.unwrap();
        let mut there = Host { listening: Some(vec!["0.0.0.0:49152".parse().unwrap()]), ..Host::default() };
        there.migration.ports = Some((49152, 49215));
        there.migration.hostname = Some("b.example".to_owned());
        let of = |name: &str, there: &Host| endpoint(&HostRef::parse(name, &settings).unwrap(), there);
        assert_eq!(of("b", &there), Some(("10.0.0.2".to_owned(), 49153)));
        assert_eq!(of("c", &there), None, "no port of TCP");
        assert_eq!(of("d", &there), Some(("b.example".to_owned(), 49153)));
        there.migration.address = Some("[fd00::2]:50000".to_owned());
        assert_eq!(of("d", &there), Some(("[fd00::2]".to_owned(), 50000)));
        there.migration.address = Some("fd00::2".to_owned());
        there.migration.ports = Some((49152, 49152));
        assert_eq!(of("d", &there), None, "no port is left");
    }

    #[test]
    fn a_refusal_counts_when_somebody_listened() {
        for (works, listened, expected) in
            [(None, true, Some(false)), (None, false, None), (Some(true), false, Some(true))]
        {
            let mut data = Attempt::new("b:1", works, "");
            judge(&mut data, listened);
            assert_eq!(data.works, expected);
        }
    }
}
