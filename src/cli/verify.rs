//! `pvm verify`.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::model::time::{Timestamp, duration};

/// Check that the device state was loaded on the destination, after any migration.
///
/// libvirt reports success even when the destination's driver failed to load the state: the device is then reset and the
/// guest goes on without it.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The guest: name, UUID, or Nova display name if unique
    #[arg(value_name = "INSTANCE")]
    pub instance: String,
    /// Host it runs on now
    #[arg(long, value_name = "HOST", default_value = "local")]
    pub host: String,
    /// When the migration began, like 2026-11-23T06:24:00Z, or how long ago at the most, like 10m [default: when this
    /// machine's pvm last moved the guest]
    #[arg(long, value_name = "TIME")]
    pub since: Option<Since>,
    /// Bytes of device state the source sent, when pvm did not make the migration (`vfio_data_transferred` of virsh
    /// domjobinfo --completed --rawstats, on the source)
    #[arg(long, value_name = "BYTES")]
    pub sent: Option<u64>,
}

/// A moment, or a time before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// Then.
    At(Timestamp),
    /// So long ago.
    Ago(Duration),
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text.parse(), duration(text)) {
            (Ok(at), _) => Ok(Self::At(at)),
            (_, Ok(ago)) => Ok(Self::Ago(ago)),
            _ => Err("not a time (2026-11-23T06:24:00Z, or 10m ago: 10m)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_or_so_long_ago() {
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Since::At(Timestamp(1000))));
        assert_eq!("10m".parse(), Ok(Since::Ago(Duration::from_secs(600))));
        assert!("yesterday".parse::<Since>().is_err());
    }
}
