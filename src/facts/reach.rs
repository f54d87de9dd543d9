//! How this machine reaches another one that guests would go to: its daemon as this machine's daemon opens it, and a port for
//! the data. And the other side of that: listening until somebody came.

#![expect(clippy::disallowed_methods, reason = "an edge: connects to other hosts")]

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::libvirt;
use crate::model::snapshot::reach::{Attempt, Listened, Reach};

/// How long the other daemon may take to answer: a connection by ssh with a slow name service.
const LIBVIRT: Duration = Duration::from_secs(20);
/// How long a packet may be without an answer: TCP sends it again after one and after three seconds.
const CONNECT: Duration = Duration::from_secs(4);
/// How long one waits for the other side to listen.
const REFUSED: Duration = Duration::from_secs(4);
/// How long one listens for the other.
const LISTEN: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(50);
/// No token is longer.
const MOST_TOKEN: usize = 64;
/// A guest's disks have no more servers.
const MOST_SERVERS: usize = 32;
/// How long all of them may take: a name service that does not answer is no answer.
const SERVERS: Duration = Duration::from_secs(6);
/// What follows a token: many packets of full size, as a migration sends them.
const LOAD: usize = 64 << 10;

/// What the daemon of this machine does not have: the agent and the settings of whoever runs pvm.
const OF_A_LOGIN: [&str; 2] = ["SSH_AUTH_SOCK", "SSH_CONNECTION"];

/// Tries the daemon at `uri`, the name for the data, and a port of it.
pub(crate) fn look(uri: Option<&str>, data: Option<(&str, Option<u16>)>, token: &str) -> Reach {
    as_the_daemon();
    std::thread::scope(|scope| {
        let daemon = uri.map(|uri| scope.spawn(move || daemon(uri)));
        let mut reach = Reach::default();
        if let Some((name, port)) = data {
            let found = resolve(name);
            reach.name = Some(match &found {
                Ok(_) => Attempt::new(name, Some(true), ""),
                Err(why) => Attempt::new(name, Some(false), why.to_string()),
            });
            if let (Ok(addresses), Some(port)) = (found, port) {
                reach.data = Some(connect(&addresses, port, token));
            }
        }
        let given_up = Instant::now();
        reach.libvirt = daemon.and_then(|daemon| daemon.join().ok());
        reach.data_over_ms =
            reach.data.is_some().then(|| u64::try_from(given_up.elapsed().as_millis()).unwrap_or(u64::MAX));
        reach
    })
}

/// Runs this program again without what a login has and a daemon has not, if there is any of it.
fn as_the_daemon() {
    if OF_A_LOGIN.iter().any(|name| std::env::var_os(name).is_some()) {
        let mut own = Command::new("/proc/self/exe");
        own.args(std::env::args_os().skip(1)).env_clear();
        own.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        // It comes back only where that failed; then the answer is that of a login.
        let _ = own.exec();
    }
}

fn daemon(uri: &str) -> Attempt {
    if !rustix::process::geteuid().is_root() {
        return Attempt::new(uri, None, "only root can try it as libvirtd does");
    }
    let (sender, receiver) = mpsc::channel();
    let own = uri.to_owned();
    std::thread::spawn(move || {
        // Nobody listens any more after the time limit.
        let _ = sender.send(libvirt::open(&own).and_then(|daemon| daemon.hostname()).map_err(|error| error.message));
    });
    match receiver.recv_timeout(LIBVIRT) {
        Ok(Ok(_)) => Attempt::new(uri, Some(true), ""),
        Ok(Err(why)) => Attempt::new(uri, Some(false), why),
        Err(_) => Attempt::new(uri, Some(false), format!("no answer within {} s", LIBVIRT.as_secs())),
    }
}

/// Which of these servers, `HOST:PORT` each, this host can connect to. Nothing is said to them.
pub(crate) fn servers(wanted: &[String]) -> BTreeMap<String, Attempt> {
    let (sender, receiver) = mpsc::channel();
    for server in wanted.iter().take(MOST_SERVERS).cloned() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let tried = server_at(&server);
            // Nobody listens any more after the time limit.
            let _ = sender.send((server, tried));
        });
    }
    drop(sender);
    let until = Instant::now() + SERVERS;
    let mut found = BTreeMap::new();
    while let Ok((server, tried)) = receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        found.insert(server, tried);
    }
    found
}

fn server_at(server: &str) -> Attempt {
    let answer = |works, why: String| Attempt::new(server, Some(works), why);
    let Some((name, port)) = server.rsplit_once(':').and_then(|(name, port)| Some((name, port.parse().ok()?))) else {
        return Attempt::new(server, None, "no host with a port");
    };
    let addresses = match resolve(name) {
        Ok(addresses) => addresses,
        Err(error) => return answer(false, error.to_string()),
    };
    let mut last = "the name has no address".to_owned();
    for ip in addresses {
        match TcpStream::connect_timeout(&SocketAddr::new(ip, port), CONNECT) {
            Ok(_) => return answer(true, String::new()),
            Err(error) => last = why(&error),
        }
    }
    answer(false, last)
}

/// The addresses of a name or of an address in or without brackets.
fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let mut found: Vec<IpAddr> = (bare, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    found.dedup();
    Ok(found)
}

/// Whether one of these addresses answers with the token: another program may listen there, on another machine. Without a
/// token nobody is known to listen, and a refusal is not waited for.
fn connect(addresses: &[IpAddr], port: u16, token: &str) -> Attempt {
    let until = Instant::now() + if token.is_empty() { Duration::ZERO } else { REFUSED };
    loop {
        let mut last = None;
        for ip in addresses {
            let to = SocketAddr::new(*ip, port);
            match meet(to, token) {
                Ok(Met::Host) => return Attempt::new(to.to_string(), Some(true), ""),
                Ok(Met::Stranger) => last = Some((to, false, "another program answers there".to_owned())),
                Ok(Met::SmallPacketsOnly) => {
                    let why = "it answers, and packets of full size do not pass: the MTU on the way is too small";
                    return Attempt::new(to.to_string(), Some(false), why);
                }
                Err(e) => last = Some((to, e.kind() == ErrorKind::ConnectionRefused, why(&e))),
            }
        }
        match last {
            // The other side may not listen yet, or a firewall rejects.
            Some((_, true, _)) if Instant::now() < until => std::thread::sleep(PAUSE),
            Some((to, refused, why)) => return Attempt::new(to.to_string(), (!refused).then_some(false), why),
            None => return Attempt::new(port.to_string(), None, "the name has no address"),
        }
    }
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => format!("no answer within {} s", CONNECT.as_secs()),
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}

/// Who answered.
enum Met {
    /// The other side.
    Host,
    /// It, and what is larger than its answer did not arrive.
    SmallPacketsOnly,
    /// Somebody else.
    Stranger,
}

fn meet(to: SocketAddr, token: &str) -> io::Result<Met> {
    let mut stream = TcpStream::connect_timeout(&to, CONNECT)?;
    stream.set_read_timeout(Some(CONNECT))?;
    stream.set_write_timeout(Some(CONNECT))?;
    stream.write_all(token.as_bytes())?;
    let mut answer = vec![0; token.len()];
    if stream.read_exact(&mut answer).is_err() || answer != token.as_bytes() {
        return Ok(Met::Stranger);
    }
    if token.is_empty() {
        return Ok(Met::Host);
    }
    // An older pvm hangs up here, which says nothing; silence does.
    let load = vec![0; LOAD];
    let loaded = stream.write_all(&load).and_then(|()| stream.read_exact(&mut answer));
    let is_silent = |e: io::Error| matches!(e.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock);
    Ok(if loaded.is_err_and(is_silent) { Met::SmallPacketsOnly } else { Met::Host })
}

/// Listens on a port, where QEMU would, until somebody comes with the token.
pub(crate) fn listen(port: u16, at: Option<&str>, token: &str) -> Listened {
    let Ok(listener) = bind(port, at) else { return Listened { for_ms: None } };
    let since = Instant::now();
    while since.elapsed() < LISTEN {
        match listener.accept() {
            Ok((stream, _)) => {
                if answer(stream, token).unwrap_or(false) {
                    break;
                }
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
    Listened { for_ms: u64::try_from(since.elapsed().as_millis()).ok() }
}

fn bind(port: u16, at: Option<&str>) -> io::Result<TcpListener> {
    let named = at.and_then(|at| at.trim_start_matches('[').trim_end_matches(']').parse().ok());
    let any = [IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv4Addr::UNSPECIFIED.into()];
    let addresses: Vec<SocketAddr> = match named {
        Some(ip) => vec![SocketAddr::new(ip, port)],
        None => any.map(|ip| SocketAddr::new(ip, port)).to_vec(),
    };
    let listener = TcpListener::bind(&addresses[..])?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn answer(mut stream: TcpStream, token: &str) -> io::Result<bool> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut said = vec![0; token.len().min(MOST_TOKEN)];
    stream.read_exact(&mut said)?;
    let known = said == token.as_bytes();
    if known {
        stream.write_all(&said)?;
        stream.set_read_timeout(Some(CONNECT))?;
        // Whether this arrives is for the other side to say.
        let mut load = vec![0; LOAD];
        if stream.read_exact(&mut load).is_ok() {
            let _ = stream.write_all(&said);
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::LOCALHOST)];

    fn free_port() -> u16 {
        TcpListener::bind((HERE[0], 0)).unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn who_listens_is_met_by_whoever_has_the_token() {
        let port = free_port();
        let listener = std::thread::spawn(move || listen(port, Some("127.0.0.1"), "one"));
        assert_eq!(connect(&HERE, port, "one").works, Some(true));
        assert!(listener.join().unwrap().for_ms.is_some());
    }

    #[test]
    fn another_program_is_not_the_other_host() {
        let other = TcpListener::bind((HERE[0], 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let answers = std::thread::spawn(move || drop(other.accept()));
        let met = connect(&HERE, port, "one");
        assert_eq!((met.works, met.why.as_str()), (Some(false), "another program answers there"));
        answers.join().unwrap();
        let taken = TcpListener::bind((HERE[0], 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_eq!(listen(port, Some("127.0.0.1"), "one").for_ms, None);
    }

    #[test]
    fn a_path_that_loses_large_packets_is_told() {
        let listener = TcpListener::bind((HERE[0], 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut said = [0; 3];
            stream.read_exact(&mut said).unwrap();
            stream.write_all(&said).unwrap();
            stream // open, and silent
        });
        let met = connect(&HERE, port, "one");
        assert!(met.works == Some(false) && met.why.contains("MTU"), "{}", met.why);
        drop(answers.join().unwrap());
    }

    #[test]
    fn servers_are_told_apart_by_who_answers() {
        let open = TcpListener::bind((HERE[0], 0)).unwrap();
        let at = |port: u16| format!("127.0.0.1:{port}");
        let asked = [at(open.local_addr().unwrap().port()), at(free_port()), "no-such-host.invalid:1".to_owned()];
        let found = servers(&asked);
        assert_eq!(found[&asked[0]].works, Some(true));
        assert_eq!((found[&asked[1]].works, found[&asked[1]].why.as_str()), (Some(false), "connection refused"));
        assert!(found.get(&asked[2]).is_none_or(|tried| tried.works == Some(false)));
        assert_eq!(servers(&["x".to_owned()])["x"].works, None);
    }

    #[test]
    fn a_closed_port_alone_tells_nothing() {
        let met = connect(&HERE, free_port(), "one");
        assert_eq!((met.works, met.why.as_str()), (None, "connection refused"));
    }
}
