//! `HOST` arguments: what all commands that take hosts share.

use std::io::Read as _;
use std::path::Path;

use super::{Context, Stop};
use crate::facts::{GatherOptions, HostRef, Settings, SettingsError};
use crate::model::causes::sentence;
use crate::nova::scheduler::Request;
use crate::plan::stored;

/// Hosts and how to gather their facts, from the global options.
#[derive(Debug)]
pub struct Hosts {
    /// How to gather, pvm's settings among it.
    pub options: GatherOptions,
}

impl Hosts {
    /// Reads pvm's settings.
    pub fn new(context: &Context) -> Result<Self, Stop> {
        let global = &context.global;
        // With another root, this machine's own settings are not part of the answer.
        let settings = if global.config.is_none() && global.root != Path::new("/") {
            Settings::default()
        } else {
            settings(global.config.as_deref())?
        };
        let options = GatherOptions {
            root: global.root.clone(),
            connect: connect(context),
            nova_config: global.nova_config.clone(),
            settings,
            ..GatherOptions::default()
        };
        Ok(Self { options })
    }

    /// Reads one `HOST` argument.
    pub fn parse(&self, text: &str) -> Result<HostRef, Stop> {
        HostRef::parse(text, &self.options.settings).map_err(|e| Stop::refused(e.to_string()))
    }
}

/// libvirt of the local host: with another root only when it was named, because the tree is not this machine's.
fn connect(context: &Context) -> Option<String> {
    let global = &context.global;
    let fixture = global.root != Path::new("/");
    match &global.connect {
        Some(uri) => Some(uri.clone()),
        None if fixture => None,
        None => Some(context.local_uri()),
    }
}

fn settings(path: Option<&Path>) -> Result<Settings, Stop> {
    Settings::load(path).map_err(|error| match error {
        SettingsError::Bad { .. } => Stop::usage(sentence(&error)),
        SettingsError::Read { .. } => Stop::unknown(sentence(&error)),
    })
}

/// More than Nova's database column holds.
const MOST_REQUESTS: u64 = 1 << 20;

/// Reads what Nova stored as an instance's PCI requests.
pub fn pci_requests(path: &Path) -> Result<Vec<Request>, Stop> {
    let unreadable = |error| Stop::unknown(format!("cannot read {}: {error}", path.display()));
    let mut text = String::new();
    #[expect(clippy::disallowed_methods, reason = "a file that the operator named")]
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MOST_REQUESTS).read_to_string(&mut text).map_err(unreadable)?;
    let refused = |error| Stop::refused(format!("{}:{error} (pci_requests of instance_extra)", path.display()));
    stored::read(&text).map_err(refused)
}
