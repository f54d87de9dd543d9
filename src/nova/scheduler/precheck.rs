//! Nova's pre-check of a live migration (`nova/conductor/tasks/live_migrate.py`, `_check_can_migrate_pci`).

use super::filters::Request;

/// First compute service version that can claim PCI devices for a migration.
pub(crate) const SERVICE_VERSION: u32 = 36;

/// Why Nova refuses (`MigrationPreCheckError`).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A flavor request without `live_migratable: yes`.
    #[error("the request of alias '{0}' does not explicitly ask for live-migratable devices")]
    NotLiveMigratable(String),
    /// Neutron cannot bind a port twice.
    #[error("Neutron has no multiple port bindings")]
    NoPortBindings,
    /// A compute service is too old.
    #[error("a compute service is older than version {SERVICE_VERSION}")]
    OldService,
}

/// What the pre-check looks at besides the requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Services {
    /// Whether Neutron has the multiple-port-binding extension.
    pub port_bindings: bool,
    /// Version of the source's compute service.
    pub source: u32,
    /// Version of the destination's.
    pub destination: u32,
}

impl Default for Services {
    /// A cloud in which nothing but the requests stands in the way.
    fn default() -> Self {
        Self { port_bindings: true, source: SERVICE_VERSION, destination: SERVICE_VERSION }
    }
}

/// The pre-check for these flavor requests and so many ports with a PCI device.
pub fn check(flavor: &[Request], ports: usize, services: Services) -> Result<(), Refused> {
    if flavor.is_empty() && ports == 0 {
        return Ok(());
    }
    if let Some(request) = flavor.iter().find(|request| !request.is_live_migratable()) {
        return Err(Refused::NotLiveMigratable(request.alias.clone()));
    }
    // Meant for ports only, but Nova's test for them is always true.
    if !services.port_bindings {
        return Err(Refused::NoPortBindings);
    }
    if services.source.min(services.destination) < SERVICE_VERSION {
        return Err(Refused::OldService);
    }
    Ok(())
}
