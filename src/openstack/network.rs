//! Neutron's API: where the ports of a server are bound.

use serde::Deserialize;

use super::compute::{Compute, query, segment};
use super::error::{ApiError, Cause};

#[derive(Debug, Deserialize)]
struct Ports {
    ports: Vec<Port>,
}

#[derive(Debug, Deserialize)]
struct Port {
    id: String,
}

#[derive(Debug, Deserialize)]
struct Bindings {
    bindings: Vec<Binding>,
}

/// A binding of a port to a host.
#[derive(Debug, Deserialize)]
struct Binding {
    host: String,
    status: String,
}

/// A binding that is not in use: made for a migration, and in its way once that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftBinding {
    /// The port's UUID.
    pub port: String,
    /// The compute host for which it was made.
    pub host: String,
}

impl Compute<'_> {
    /// The bindings of this server's ports that are not in use; none where Neutron has no such thing as a second binding.
    pub(crate) fn inactive_bindings(self, server: &str) -> Result<Vec<LeftBinding>, ApiError> {
        let doing = format!("cannot read the port bindings of server {server}");
        let wrong =
            |error| ApiError::new(&doing, Cause::Unsuitable, format!("Neutron's answer is not as expected: {error}"));
        let ask = |path: &str| self.session.get_network(&doing, path);
        let path = format!("/v2.0/ports?device_id={}&fields=id", query(server));
        let Ports { ports } = serde_json::from_value(ask(&path)?).map_err(wrong)?;
        let mut left = Vec::new();
        for Port { id } in ports {
            let Bindings { bindings } = match ask(&format!("/v2.0/ports/{}/bindings", segment(&id))) {
                Ok(body) => serde_json::from_value(body).map_err(wrong)?,
                Err(error) if error.cause == Cause::Absent => continue,
                Err(error) => return Err(error),
            };
            let unused = bindings.into_iter().filter(|binding| binding.status == "INACTIVE");
            left.extend(unused.map(|binding| LeftBinding { port: id.clone(), host: binding.host }));
        }
        Ok(left)
    }
}
