//! `pvm verify`.

use clap::Args;

use crate::time::Timestamp;

/// Say whether the state of a guest's devices arrived, after a migration that anybody made.
///
/// libvirt reports success even when the destination's driver failed to load the state: the device is then reset and the
/// guest goes on without it.
#[derive(Debug, Args)]
pub struct Verify {
    /// The guest: name, UUID, or Nova display name if unique
    #[arg(value_name = "INSTANCE")]
    pub instance: String,
    /// Where it runs now
    #[arg(long, value_name = "HOST", default_value = "local")]
    pub on: String,
    /// When the migration began, like 2026-11-23T06:24:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Timestamp,
    /// Bytes of device state the source sent, when pvm did not make the migration (`vfio_data_transferred` of virsh
    /// domjobinfo --completed --rawstats, on the source)
    #[arg(long, value_name = "BYTES")]
    pub sent: Option<u64>,
}
