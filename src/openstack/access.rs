//! How a cloud is reached: where its Keystone is, with which credentials, and which of its endpoints.

use std::path::PathBuf;

use super::fields::Fields;
use super::secret::Secret;

/// How a cloud is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Access {
    /// The name of its entry in clouds.yaml; none when the environment describes it.
    pub cloud: Option<String>,
    /// Keystone's URL, which ends in `/v3`.
    pub(super) auth_url: String,
    pub(super) credentials: Credentials,
    pub(super) scope: Scope,
    pub(super) region: Option<String>,
    /// `public`, `internal` or `admin`.
    pub(super) interface: String,
    /// Nova's URL, where the catalogue's is not to be used.
    pub(super) compute_endpoint: Option<String>,
    /// A file with the certificates that vouch for the services.
    pub(super) ca_file: Option<PathBuf>,
    /// Whether the services' certificates are checked.
    pub(super) verify: bool,
}

/// What Keystone is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Password {
        user: Named,
        password: Secret,
    },
    ApplicationCredential {
        id: String,
        secret: Secret,
    },
    /// A credential by its name, which is its user's.
    NamedCredential {
        name: String,
        user: Named,
        secret: Secret,
    },
    Token(Secret),
}

/// A user or a project: by its id, or by its name in a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    Id(String),
    Name { name: String, domain: Domain },
}

/// A domain of Keystone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Domain {
    Id(String),
    Name(String),
}

/// What the token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// The credentials say it.
    Implied,
    Project(Named),
    System,
}

/// Why the cloud cannot be reached as the operator described it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccessError {
    /// A file or variable is not what it should be.
    #[error("{0}")]
    Wrong(String),
    /// A file cannot be read, or has no such cloud.
    #[error("{0}")]
    Absent(String),
}

const KINDS: &[&str] = &["password", "v3password", "token", "v3token", "v3applicationcredential"];

impl Access {
    /// Reads a cloud's keys; `place` is what they were read from.
    pub(super) fn of(fields: &Fields, cloud: Option<&str>, place: &str) -> Result<Self, AccessError> {
        let wrong = |why: &str| AccessError::Wrong(format!("{place}: {why}"));
        let needed = |key: &str| fields.get(&[key]).ok_or_else(|| wrong(&format!("{key} is missing")));
        let kind = fields.get(&["auth_type"]);
        if let Some(kind) = kind.filter(|kind| !KINDS.contains(kind)) {
            return Err(wrong(&format!("auth_type {kind} is not supported (supported: {})", KINDS.join(", "))));
        }
        if fields.get(&["cert", "key"]).is_some() {
            return Err(wrong("client certificates (cert, key) are not supported"));
        }
        let credentials = match kind {
            Some("v3applicationcredential") => application_credential(fields).map_err(|key| missing(place, key))?,
            None if fields.get(&["application_credential_secret"]).is_some() => {
                application_credential(fields).map_err(|key| missing(place, key))?
            }
            Some("token" | "v3token") => Credentials::Token(Secret::new(needed("token")?)),
            _ => {
                let user = named(fields, "user").ok_or_else(|| missing(place, "username"))?;
                Credentials::Password { user, password: Secret::new(needed("password")?) }
            }
        };
        let scope = match (&credentials, named(fields, "project")) {
            (Credentials::ApplicationCredential { .. } | Credentials::NamedCredential { .. }, _) => Scope::Implied,
            (_, Some(project)) => Scope::Project(project),
            _ if fields.get(&["system_scope"]) == Some("all") => Scope::System,
            _ => Scope::Implied,
        };
        let interface = fields.get(&["interface", "endpoint_type"]).unwrap_or("public");
        let interface = interface.strip_suffix("URL").unwrap_or(interface).to_owned();
        let is_off = |key| fields.get(&[key]).is_some_and(|text| text.eq_ignore_ascii_case("false"));
        let is_on = |key| fields.get(&[key]).is_some_and(|text| text.eq_ignore_ascii_case("true"));
        Ok(Self {
            cloud: cloud.map(str::to_owned),
            auth_url: auth_url(needed("auth_url")?).map_err(|why| wrong(&why))?,
            credentials,
            scope,
            region: fields.get(&["region_name"]).map(str::to_owned),
            interface,
            compute_endpoint: fields
                .get(&["compute_endpoint_override"])
                .map(|url| url.trim_end_matches('/').to_owned()),
            ca_file: fields.get(&["cacert"]).map(PathBuf::from),
            verify: !is_off("verify") && !is_on("insecure"),
        })
    }

    /// What to call the cloud.
    pub(crate) fn label(&self) -> String {
        match &self.cloud {
            Some(name) => format!("cloud {name}"),
            None => format!("the cloud of {}", self.auth_url),
        }
    }
}

fn missing(place: &str, key: &str) -> AccessError {
    AccessError::Wrong(format!("{place}: {key} is missing"))
}

/// An application credential; `Err` is the key that is missing.
fn application_credential(fields: &Fields) -> Result<Credentials, &'static str> {
    let secret = Secret::new(fields.get(&["application_credential_secret"]).ok_or("application_credential_secret")?);
    if let Some(id) = fields.get(&["application_credential_id"]) {
        return Ok(Credentials::ApplicationCredential { id: id.to_owned(), secret });
    }
    let name = fields.get(&["application_credential_name"]).ok_or("application_credential_id")?.to_owned();
    Ok(Credentials::NamedCredential { name, user: named(fields, "user").ok_or("username")?, secret })
}

/// A user or project with its domain, by the keys of the clients.
fn named(fields: &Fields, what: &str) -> Option<Named> {
    let name_key = if what == "user" { "username".to_owned() } else { format!("{what}_name") };
    if let Some(id) = fields.get(&[&format!("{what}_id")]) {
        return Some(Named::Id(id.to_owned()));
    }
    let name = fields.get(&[&name_key])?.to_owned();
    let domain_id = fields.get(&[&format!("{what}_domain_id"), "domain_id", "default_domain_id"]);
    let domain_name = fields.get(&[&format!("{what}_domain_name"), "domain_name", "default_domain"]);
    let domain = match (domain_id, domain_name) {
        (_, Some(name)) => Domain::Name(name.to_owned()),
        (Some(id), None) => Domain::Id(id.to_owned()),
        (None, None) => Domain::Id("default".to_owned()),
    };
    Some(Named::Name { name, domain })
}

/// Keystone's URL with its version, as the clients take it with or without.
fn auth_url(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Err("auth_url is not an http or https URL".to_owned());
    }
    if text.contains('@') {
        return Err("auth_url may hold no user or password".to_owned());
    }
    match text.rsplit('/').next() {
        Some("v3") => Ok(text.to_owned()),
        Some("v2.0") => Err("auth_url names version 2 of Keystone's API, which is gone: use /v3".to_owned()),
        _ => Ok(format!("{text}/v3")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(entry: &serde_json::Value) -> Result<Access, AccessError> {
        let mut fields = Fields::default();
        fields.add_entry(entry).unwrap();
        Access::of(&fields, Some("c"), "clouds.yaml: cloud c")
    }

    #[test]
    fn all_three_kinds_of_credentials_are_read_and_never_shown() {
        let url = "https://keystone:5000";
        for (auth, kind) in [
            (json!({"auth_url": url, "username": "u", "password": "hush", "project_name": "p"}), "password"),
            (
                json!({"auth_url": url, "application_credential_id": "i", "application_credential_secret": "hush"}),
                "v3applicationcredential",
            ),
            (json!({"auth_url": url, "token": "hush", "project_id": "p"}), "v3token"),
        ] {
            let access =
                read(&json!({"auth": auth, "auth_type": kind, "verify": false, "interface": "internalURL"})).unwrap();
            assert_eq!(
                (access.auth_url.as_str(), access.interface.as_str(), access.verify),
                ("https://keystone:5000/v3", "internal", false)
            );
            assert!(!format!("{access:?}").contains("hush"));
        }
    }

    #[test]
    fn what_is_missing_or_not_supported_is_named() {
        let said = |entry: serde_json::Value| read(&entry).unwrap_err().to_string();
        let base = |more: &str, value: &str| json!({"auth": {"auth_url": "http://k/v3", "username": "u", more: value}});
        assert!(said(base("x", "y")).contains("password is missing"));
        assert!(said(json!({"auth": {"password": "p", "username": "u"}})).contains("auth_url is missing"));
        assert!(said(json!({"auth_type": "v3oidcpassword"})).contains("v3oidcpassword"));
        let v2 = json!({"auth": {"auth_url": "http://k/v2.0", "username": "u", "password": "p"}});
        assert!(said(v2).contains("version 2"));
        assert_eq!(Fields::default().add_entry(&json!({"auth": {"password": 123}})), Err("password".to_owned()));
    }
}
