//! Ports: network devices that are unplugged from the guest before it moves and plugged in again afterwards.
//!
//! libvirt's answer to an unplug means only that the guest was asked. The port is gone when the device-removed event says
//! so; until then the guest may obey at any time.

use std::convert::Infallible;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::engine::{Engine, Note, now};
use super::event::What;
use super::step::{News, Phase, Stopped};
use crate::journal::{Entry, Port, Side, Step};
use crate::libvirt::{Affect, Happened};
use crate::migration::recover::Seen;
use crate::migration::recover::look::look;
use crate::migration::recover::port::{Plugged, plug_in};
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;

/// How long a guest may take to let go of a port.
const UNPLUG_LIMIT: Duration = Duration::from_secs(30);

impl Engine<'_> {
    /// Asks the guest for a port and waits until it has let go of it.
    pub(super) fn detach(&mut self, index: usize) -> News {
        let port = self.order.ports[index].clone();
        if let Err(why) = self.still_locked() {
            return News::Failed { why, outcome: Outcome::Findings };
        }
        if let Err(why) = self.announce(&Entry::UnplugRequested { port: port.clone() }) {
            return News::Failed { why, outcome: Outcome::Unknown };
        }
        if let Err(e) = self.hosts.source.detach_device(&self.order.instance.uuid, &port.source_xml, Affect::Live) {
            return match e.failure {
                // The request may have arrived.
                failure if failure.is_silence() => News::Pending { why: e.to_string() },
                _ => News::Failed {
                    why: format!("port {} cannot be unplugged: {e}", port.source),
                    outcome: Outcome::Undone,
                },
            };
        }
        let until = now() + UNPLUG_LIMIT;
        loop {
            match self.line.receiver.recv_timeout(until.saturating_duration_since(now())) {
                Ok(Note::Happened(Happened::DeviceRemoved(alias))) if is_alias(&port, &alias) => break,
                Ok(Note::Happened(Happened::DeviceRemovalFailed(alias))) if is_alias(&port, &alias) => {
                    let why = format!("the guest refuses to let go of port {}", port.source);
                    return News::Failed { why, outcome: Outcome::Undone };
                }
                Ok(Note::Happened(Happened::ConnectionLost)) => {
                    return News::Pending { why: "the connection to the source broke during an unplug".into() };
                }
                Ok(Note::Stop) => self.news(News::Stop(Stopped::Operator)),
                Ok(Note::Happened(_) | Note::Returned(_)) => {}
                Err(RecvTimeoutError::Timeout) if self.has_let_go(&port) => break,
                Err(_) => {
                    let (port, limit) = (port.source, UNPLUG_LIMIT.as_secs());
                    let why = format!("the guest has not let go of port {port} within {limit} s and may still do so");
                    return News::Pending { why };
                }
            }
        }
        self.note_down(&Entry::Detached { source: port.source });
        self.missing.push(port.source);
        News::Detached
    }

    /// The guest has the port again, or whether it has is not known.
    fn not_missing(&mut self, port: PciAddress) {
        self.missing.retain(|missing| *missing != port);
    }

    /// Looks whether the port is gone from the guest: an event can be missed, the guest's XML is what counts.
    fn has_let_go(&self, port: &Port) -> bool {
        match look(self.hosts.source, &self.order.instance.uuid) {
            Seen::Present { devices, .. } => !devices.contains(&port.source),
            Seen::Absent | Seen::Unreachable(_) => false,
        }
    }

    /// Plugs a port in on the destination.
    pub(super) fn attach(&mut self, index: usize) -> News {
        let port = self.order.ports[index].clone();
        if index == 0 {
            self.mark_phase(Side::Destination, Phase::Attach);
        }
        let (host, map) = (self.hosts.destination, self.recorded.map.clone());
        let uuid = self.order.instance.uuid.clone();
        let plugged = plug_in(host, &uuid, &port, &map, Affect::Live, |entry| {
            // The guest is on the destination and without its port: it is plugged in also when that cannot be recorded.
            self.note_down(entry);
            Ok::<(), Infallible>(())
        });
        match plugged {
            Ok(Plugged::In(device)) => {
                let taken = map.iter().any(|moved| moved.source == port.source && moved.destination != device);
                if taken {
                    let message = format!("port {} got {device}: the planned device is taken", port.source);
                    self.say(What::Note { message });
                }
                self.not_missing(port.source);
                News::Attached { done: true }
            }
            Ok(Plugged::Missing(why)) => {
                self.say(What::Note { message: format!("port {} could not be plugged in: {why}", port.source) });
                News::Attached { done: false }
            }
            Ok(Plugged::Unanswered(why)) => {
                self.not_missing(port.source);
                News::Pending { why: format!("whether port {} is plugged in is not known: {why}", port.source) }
            }
        }
    }

    /// Plugs a port in on the source again.
    pub(super) fn reattach(&mut self, index: usize) -> News {
        let port = self.order.ports[index].clone();
        let step = Step::ReattachOnSource { source: port.source };
        self.note_down(&Entry::UndoIntent { step: step.clone() });
        self.say(What::Undoing { step: format!("plugging port {} in again", port.source) });
        match self.hosts.source.attach_device(&self.order.instance.uuid, &port.source_xml, Affect::Live) {
            Ok(()) => {
                self.note_down(&Entry::UndoDone { step });
                self.not_missing(port.source);
                News::Undone { done: true }
            }
            Err(e) => {
                self.say(What::Note { message: format!("port {} could not be plugged in again: {e}", port.source) });
                News::Undone { done: false }
            }
        }
    }
}

fn is_alias(port: &Port, alias: &str) -> bool {
    port.alias.as_deref() == Some(alias)
}
