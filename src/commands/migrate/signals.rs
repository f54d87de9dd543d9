//! What signals do to a migration.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::migrate::{Line, Note, Order};
use crate::outcome::Outcome;
use crate::output::Printer;

/// The first SIGINT or SIGTERM asks for the end, the second leaves at once. A terminal that is closed ends nothing: the
/// migration would outlive pvm anyway, and so it is finished properly.
pub(super) fn obey(line: &Line, printer: &Printer, order: &Order) -> io::Result<()> {
    signal_hook::flag::register(SIGHUP, std::sync::Arc::default())?;
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let (sender, printer, id) = (line.sender(), printer.clone(), order.id.clone());
    let rest = if order.options.direct {
        "libvirt ends the migration by itself, or leaves the guest paused if it is past switch-over"
    } else {
        "libvirt goes on with the migration by itself"
    };
    std::thread::spawn(move || {
        let mut asked = false;
        for _ in signals.forever() {
            if asked {
                printer.complain(&format!("pvm: left at once: {rest}; to see and finish it: pvm recover {id}"));
                #[expect(clippy::exit, reason = "this is what a second signal asks for")]
                std::process::exit(Outcome::Undecided.code().into());
            }
            asked = true;
            // Where nobody listens any more, the run is at its end.
            let _ = sender.send(Note::Stop);
        }
    });
    Ok(())
}
