//! Ports: network devices that are unplugged from the guest before it moves and plugged in again afterwards.
//!
//! libvirt's answer to an unplug means only that the guest was asked. The port is gone when the device-removed event says
//! so; until then the guest may obey at any time.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::recheck::still_locked;
use super::{Forward, Note, Stopped};
use crate::journal::{Entry, Port, Side, Step};
use crate::libvirt::{Affect, Happened};
use crate::migration::answer::Seen;
use crate::migration::ending::Failed;
use crate::migration::event::moment;
use crate::model::outcome::Outcome;

/// How long a guest may take to let go of a port.
const UNPLUG_LIMIT: Duration = Duration::from_secs(30);

impl Forward<'_, '_> {
    /// Asks the guest for a port and waits until it has let go of it.
    pub(super) fn detach(&mut self, port: &Port) -> Result<(), Failed> {
        still_locked(self.ground, self.plan)?;
        self.announce(&Entry::UnplugRequested { port: port.clone() })?;
        let source = self.host(Side::Source)?;
        if let Err(e) = source.detach_device(&self.plan.instance.uuid, &port.source_xml, Affect::Live) {
            return Err(match e.failure {
                // The request may have arrived.
                failure if failure.is_silence() => Failed::of(Outcome::Undone, e),
                _ => self.keeps(port, format!("port {} cannot be unplugged: {e}", port.source)),
            });
        }
        let until = moment() + UNPLUG_LIMIT;
        loop {
            match self.line.receiver.recv_timeout(until.saturating_duration_since(moment())) {
                Ok(Note::Happened(Happened::DeviceRemoved(alias))) if is_alias(port, &alias) => break,
                Ok(Note::Happened(Happened::DeviceRemovalFailed(alias))) if is_alias(port, &alias) => {
                    return Err(self.keeps(port, format!("the guest refuses to let go of port {}", port.source)));
                }
                Ok(Note::Happened(Happened::ConnectionLost)) => {
                    let why = "the connection to the source broke during an unplug";
                    return Err(Failed::new(Outcome::Undone, why));
                }
                Ok(Note::Stop) => self.stopped = self.stopped.or(Some(Stopped::Operator)),
                Ok(Note::Happened(_) | Note::Returned(_) | Note::Answered(_)) => {}
                Err(RecvTimeoutError::Timeout) if self.has_let_go(port) => break,
                Err(_) => {
                    let (port, limit) = (port.source, UNPLUG_LIMIT.as_secs());
                    let why = format!("the guest has not let go of port {port} within {limit} s and may still do so");
                    return Err(Failed::new(Outcome::Undone, why));
                }
            }
        }
        // The guest is without it, whether that can be written or not.
        let _ = self.ground.note_down(&Entry::Detached { source: port.source });
        Ok(())
    }

    /// The guest keeps the port for certain: nothing of this unplug is still to come.
    fn keeps(&mut self, port: &Port, why: String) -> Failed {
        let step = Step::ReattachOnSource { source: port.source };
        // Without the record recovery looks whether it is there.
        let _ = self.ground.note_down(&Entry::UndoDone { step });
        Failed::new(Outcome::Undone, why)
    }

    /// Looks whether the port is gone from the guest: an event can be missed, the guest's XML is what counts.
    fn has_let_go(&mut self, port: &Port) -> bool {
        match self.ground.look(Side::Source) {
            Seen::Present { devices, .. } => !devices.contains(&port.source),
            Seen::Absent | Seen::Unreachable(_) => false,
        }
    }
}

fn is_alias(port: &Port, alias: &str) -> bool {
    port.alias.as_deref() == Some(alias)
}
