//! The variables by which OpenStack clients are told of a cloud.

#![expect(clippy::disallowed_methods, reason = "the edge that reads the environment")]

use std::env;
use std::path::PathBuf;

use super::access::{Access, AccessError};
use super::clouds::{self, Places};
use super::fields::Fields;

/// The keys that `OS_*` may set; other variables of that prefix belong to other programs.
const KEYS: &[&str] = &[
    "auth_type",
    "auth_url",
    "username",
    "user_id",
    "password",
    "project_name",
    "project_id",
    "user_domain_name",
    "user_domain_id",
    "project_domain_name",
    "project_domain_id",
    "default_domain",
    "default_domain_id",
    "domain_id",
    "domain_name",
    "application_credential_id",
    "application_credential_name",
    "application_credential_secret",
    "token",
    "system_scope",
    "region_name",
    "interface",
    "endpoint_type",
    "compute_endpoint_override",
    "cacert",
    "cert",
    "key",
    "insecure",
];

/// How the operator's cloud is reached: the cloud that is named, else the one of `OS_CLOUD`, else that of the other `OS_*`;
/// none where nothing describes one.
pub(crate) fn find(named: Option<&str>) -> Result<Option<Access>, AccessError> {
    let from_environment = variable("OS_CLOUD");
    if let Some(name) = named.map(str::to_owned).or(from_environment) {
        return clouds::read(&name, &places()).map(Some);
    }
    let mut fields = Fields::default();
    for key in KEYS {
        if let Some(value) = variable(&format!("OS_{}", key.to_ascii_uppercase())) {
            fields.set(key, &value);
        }
    }
    // The names that keystoneauth took before projects were called so.
    for (old, key) in [("OS_TENANT_NAME", "project_name"), ("OS_TENANT_ID", "project_id"), ("OS_AUTH_TOKEN", "token")] {
        if let Some(value) = variable(old).filter(|_| fields.get(&[key]).is_none()) {
            fields.set(key, &value);
        }
    }
    // One of them alone, like a region, describes no cloud.
    if fields.is_empty() || fields.get(&["auth_url"]).is_none() {
        return Ok(None);
    }
    Access::of(&fields, None, "the environment (OS_*)").map(Some)
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn places() -> Places {
    let home = variable("HOME").map(PathBuf::from);
    let settings = variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| home.map(|home| home.join(".config")));
    let mut directories = vec![PathBuf::from(".")];
    directories.extend(settings.map(|settings| settings.join("openstack")));
    directories.push(PathBuf::from("/etc/openstack"));
    Places {
        clouds: variable("OS_CLIENT_CONFIG_FILE").map(PathBuf::from),
        secure: variable("OS_CLIENT_SECURE_FILE").map(PathBuf::from),
        directories,
    }
}
