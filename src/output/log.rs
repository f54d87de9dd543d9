//! What `-v` tells on stderr: the calls to libvirt, QEMU and other hosts with their times; with `-vv` the command lines of ssh.

use log::{LevelFilter, Log, Metadata, Record};

use super::Printer;
use super::text::printable;

struct Told(Printer);

impl Log for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Crates may log as well; what they say is for their authors.
        metadata.target().starts_with("pvm::")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.complain(&printable(&record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// Begins to tell, as far as `-v` asks for it.
pub(crate) fn begin(printer: &Printer) {
    let level = match printer.verbose {
        0 => return,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    // In a process that has one already, that one tells.
    if log::set_boxed_logger(Box::new(Told(printer.clone()))).is_ok() {
        log::set_max_level(level);
    }
}
