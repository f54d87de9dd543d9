//! Consoles and character devices can listen on the destination.

use std::collections::BTreeSet;

use super::prelude::*;
use crate::domain::guest::{self, Graphics};

check! {
    /// A console or character device needs an address or port that the destination does not have.
    ///
    /// # Meaning
    /// A VNC or SPICE server, or a serial port over TCP, that is bound to an address of one host cannot start on another.
    /// Addresses such as 0.0.0.0 and 127.0.0.1 exist everywhere; a listen network is resolved anew. A console whose
    /// definition names no address gets the destination's vnc_listen or spice_listen of qemu.conf. A port that the
    /// definition fixes must not be in use by another guest there. A device that connects to a loopback address finds the
    /// destination's own.
    /// # Check by hand
    /// virsh dumpxml DOMAIN, elements graphics, serial, console, rng; on the destination ss -ltn.
    /// # Fix
    /// <listen type='address' address='0.0.0.0'/>, a listen network, or autoport='yes'.
    "graphics-listen": Error, Instance(run), rechecked
}

fn run(instance: &Instance<'_>) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (at, graphics) in instance.guest.graphics.iter().enumerate() {
        verdicts.extend(console_address(instance, at, graphics));
        verdicts.extend(graphics.bus.as_deref().map(|bus| on_bus(instance, bus)));
        verdicts.extend(graphics.networks.iter().filter_map(|network| network_there(instance, network)));
        verdicts.extend(ports_free(instance, graphics));
        let addresses: Vec<&str> = graphics.addresses.iter().map(String::as_str).collect();
        let ports = graphics.ports.iter();
        verdicts.extend(ports.filter_map(|port| taken(instance, "a graphics server", &addresses, (true, *port))));
    }
    for endpoint in &instance.guest.endpoints {
        let Some(host) = endpoint.host.as_deref() else { continue };
        if endpoint.listens {
            let what = format!("the {}", endpoint.what);
            verdicts.extend(address_there(instance, &what, host));
            verdicts.extend(endpoint.port.and_then(|port| taken(instance, &what, &[host], (endpoint.is_tcp, port))));
        } else if let Some(tried) = unreached(instance, endpoint) {
            verdicts.push(tried);
        } else if is_loopback(host) {
            let verdict = Verdict::fail(format!("the {} connects to {host}, which is each host's own", endpoint.what))
                .remedy("an address that both hosts reach");
            // A datagram needs nobody there, and a connection somebody: perhaps another one.
            let starts = !endpoint.is_tcp || answers(instance.destination(), endpoint.port);
            verdicts.push(if starts { verdict.weighing(Severity::Warning) } else { verdict });
        }
    }
    verdicts.extend(display_port(instance));
    if verdicts.is_empty() {
        verdicts.push(Verdict::pass());
    }
    verdicts
}

/// Where a device connects to, and the destination cannot.
fn unreached(instance: &Instance<'_>, endpoint: &guest::Endpoint) -> Option<Verdict> {
    let host = instance.destination();
    let place = endpoint.place().filter(|_| endpoint.is_tcp && !endpoint.host.as_deref().is_some_and(is_loopback))?;
    let tried = host.reached.get(&place).filter(|tried| tried.works == Some(false))?;
    let message =
        format!("the {} connects to {place}, which {} does not reach: {}", endpoint.what, name(host), tried.why);
    let verdict = Verdict::fail(message).remedy(try_from(host, &place));
    Some(if endpoint.retries { verdict.weighing(Severity::Warning) } else { verdict })
}

/// Whether somebody there listens where a connection to loopback would go.
fn answers(host: &crate::model::snapshot::Host, port: Option<u16>) -> bool {
    let here = |there: &std::net::SocketAddr| {
        Some(there.port()) == port && (there.ip().is_loopback() || there.ip().is_unspecified())
    };
    host.listening.iter().flatten().any(here)
}

/// Consoles whose ports libvirt chooses, and no port is left for them.
fn display_port(instance: &Instance<'_>) -> Option<Verdict> {
    let host = instance.destination();
    let wanted = instance.guest.graphics.iter().filter(|graphics| graphics.autoport).count();
    let ((first, last), listening) = (host.display_ports?, host.listening.as_ref()?);
    let is_free = |port: &u16| !listening.iter().any(|there| there.port() == *port);
    let left = (first..=last).filter(is_free).take(wanted).count();
    (left < wanted).then(|| {
        Verdict::fail(format!("of the ports for consoles on {}, {first} to {last}, {left} are left", name(host)))
            .remedy(format!("remote_display_port_max in qemu.conf of {}, or ss -ltnp there", name(host)))
    })
}

/// libvirt 9.0 passes on the address of the bus that it started for the guest on the source, and QEMU does not find it.
fn on_bus(instance: &Instance<'_>, bus: &str) -> Verdict {
    let host = name(instance.destination());
    Verdict::unknown(format!("whether QEMU on {host} finds the D-Bus of the guest's display, {bus}, is not known"))
        .remedy("<graphics type='dbus' p2p='yes'/>, which needs no bus, at the next start of the guest")
}

/// Where a console will listen: as its definition says, or as the destination's qemu.conf does.
fn console_address(instance: &Instance<'_>, at: usize, graphics: &Graphics) -> Vec<Verdict> {
    let there = |address: &str| address_there(instance, "a graphics server", address);
    let kept = || graphics.addresses.iter().filter_map(|address| there(address)).collect::<Vec<_>>();
    let is_open = graphics.networks.is_empty() && (graphics.socket || !graphics.addresses.is_empty());
    let by_default = if is_open { listens_by_default(instance, at, graphics) } else { Some(false) };
    if by_default == Some(false) {
        return kept();
    }
    let host = instance.destination();
    let Some(settings) = &host.servers else {
        return vec![missing(host, "servers", "where its consoles listen")];
    };
    let own = match graphics.kind.as_str() {
        "vnc" if settings.vnc_sockets => return Vec::new(),
        "vnc" => &settings.vnc_listen,
        _ => &settings.spice_listen,
    };
    let mut verdicts: Vec<_> = there(own).into_iter().collect();
    if by_default.is_none() && verdicts != kept() {
        return vec![
            Verdict::unknown(format!(
                "whether a graphics server listens on {} by its definition, or on {own} of {}, is not known",
                graphics.addresses.join(", "),
                name(host)
            ))
            .remedy(format!("virsh dumpxml --migratable {}, element graphics", quoted(&instance.domain.name))),
        ];
    }
    let is_private = graphics.socket || graphics.addresses.iter().all(|address| is_loopback(address));
    if verdicts.is_empty() && is_private && !is_loopback(own) {
        verdicts.push(
            Verdict::fail(format!("the console listens on {own} of {}, and only locally here", name(host)))
                .weighing(Severity::Warning)
                .remedy(format!("vnc_listen or spice_listen in qemu.conf of {}", name(host))),
        );
    }
    verdicts
}

/// Whether a console listens where qemu.conf says, for its definition does not: what the running guest shows may be either.
fn listens_by_default(instance: &Instance<'_>, at: usize, graphics: &Graphics) -> Option<bool> {
    let here = instance.source().servers.as_ref();
    let (default, sockets) = match graphics.kind.as_str() {
        "vnc" => (here.map(|own| own.vnc_listen.as_str()), here.map(|own| own.vnc_sockets)),
        "spice" => (here.map(|own| own.spice_listen.as_str()), Some(false)),
        _ => return Some(false),
    };
    let may_be = match default {
        Some(_) if graphics.socket => sockets == Some(true),
        Some(default) => graphics.addresses.iter().all(|address| address == default),
        None => true,
    };
    if !may_be {
        return Some(false);
    }
    let definition = guest::read(instance.domain.inactive_xml.as_deref()?).ok()?;
    let same = definition.graphics.get(at).filter(|same| same.kind == graphics.kind)?;
    Some(same.addresses.is_empty() && same.networks.is_empty() && !same.socket)
}

fn address_there(instance: &Instance<'_>, what: &str, address: &str) -> Option<Verdict> {
    if matches!(address, "0.0.0.0" | "::" | "") || is_loopback(address) {
        return None;
    }
    let (source, host) = (instance.source(), instance.destination());
    let endpoint = &source.migration;
    let own =
        |host: &crate::model::snapshot::Host| host.addresses.as_ref().map(|own| own.iter().any(|one| one == address));
    let of_source = own(source) == Some(true)
        || endpoint.address.as_deref() == Some(address)
        || endpoint.hostname.as_deref() == Some(address);
    match own(host) {
        Some(true) => None,
        Some(false) if address.parse::<std::net::IpAddr>().is_ok() => {
            Some(Verdict::fail(format!("{what} listens on {address}, which is no address of {}", name(host))))
        }
        _ if of_source => Some(Verdict::fail(format!("{what} listens on {address}, which is the source's"))),
        _ => Some(
            Verdict::unknown(format!("cannot tell whether {address} of {what} is an address of {}", name(host)))
                .remedy(format!("ip addr show to {}, on {}", quoted(address), name(host))),
        ),
    }
}

fn network_there(instance: &Instance<'_>, network: &str) -> Option<Verdict> {
    let host = instance.destination();
    match &host.networks {
        Some(all) if all.iter().any(|one| one == network) => None,
        Some(_) => {
            Some(Verdict::fail(format!("a graphics server listens on network {network}, which {} lacks", name(host))))
        }
        None => Some(missing(host, "networks", "its networks")),
    }
}

/// A fixed port that somebody listens on already, at one of these addresses.
fn taken(instance: &Instance<'_>, what: &str, addresses: &[&str], (tcp, port): (bool, u16)) -> Option<Verdict> {
    let host = instance.destination();
    let meets = |there: &std::net::SocketAddr| {
        there.port() == port
            && addresses.iter().any(|wanted| {
                let wanted = wanted.parse::<std::net::IpAddr>();
                there.ip().is_unspecified() || wanted.is_ok_and(|own| own.is_unspecified() || own == there.ip())
            })
    };
    let (sockets, option) = if tcp { (&host.listening, "-ltnp") } else { (&host.udp, "-lunp") };
    let found = sockets.as_ref()?.iter().find(|there| meets(there))?;
    Some(
        Verdict::fail(format!("{what} wants port {port}, and somebody on {} has {found}", name(host)))
            .remedy(format!("ss {option} sport = :{port}, on {}", name(host))),
    )
}

/// Fixed ports that a guest of the destination has.
fn ports_free(instance: &Instance<'_>, graphics: &Graphics) -> Vec<Verdict> {
    let wanted: BTreeSet<u16> = graphics.ports.iter().copied().collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let others = instance.hosts.destination.domains.iter().filter(|domain| domain.is_active());
    let mut verdicts = Vec::new();
    for other in others {
        let Some(there) = other.xml.as_deref().and_then(|xml| guest::read(xml).ok()) else { continue };
        for port in there.graphics.iter().flat_map(|graphics| &graphics.taken).filter(|port| wanted.contains(port)) {
            verdicts.push(Verdict::fail(format!(
                "the graphics port {port} is in use on {} by {}",
                name(instance.destination()),
                other.name
            )));
        }
    }
    verdicts
}
