//! What Keystone is asked for a token, and what of its answer counts. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{Access, Credentials, Domain, Named, Scope};
use super::error::{ApiError, Cause};
use super::http::Response;
use super::secret::Secret;

/// A token and where the services are.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) text: Secret,
    catalogue: Vec<Service>,
}

#[derive(Debug, Clone, Deserialize)]
struct Service {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, Deserialize)]
struct Endpoint {
    #[serde(default)]
    interface: String,
    #[serde(default)]
    region: Option<String>,
    url: String,
}

/// The body of the request for a token.
pub(super) fn request(access: &Access) -> Value {
    let identity = match &access.credentials {
        Credentials::Password { user, password } => {
            let mut user = name(user);
            user["password"] = password.reveal().into();
            json!({"methods": ["password"], "password": {"user": user}})
        }
        Credentials::ApplicationCredential { id, secret } => credential(&json!({"id": id, "secret": secret.reveal()})),
        Credentials::NamedCredential { name: own, user, secret } => {
            credential(&json!({"name": own, "user": name(user), "secret": secret.reveal()}))
        }
        Credentials::Token(token) => json!({"methods": ["token"], "token": {"id": token.reveal()}}),
    };
    let mut auth = json!({"identity": identity});
    match &access.scope {
        Scope::Implied => {}
        Scope::Project(project) => auth["scope"] = json!({"project": name(project)}),
        Scope::System => auth["scope"] = json!({"system": {"all": true}}),
    }
    json!({"auth": auth})
}

fn credential(what: &Value) -> Value {
    json!({"methods": ["application_credential"], "application_credential": what})
}

fn name(named: &Named) -> Value {
    match named {
        Named::Id(id) => json!({"id": id}),
        Named::Name { name, domain: Domain::Id(id) } => json!({"name": name, "domain": {"id": id}}),
        Named::Name { name, domain: Domain::Name(domain) } => json!({"name": name, "domain": {"name": domain}}),
    }
}

/// Reads Keystone's answer.
pub(super) fn token(doing: &str, answer: &Response) -> Result<Token, ApiError> {
    if !answer.is_success() {
        let cause = match answer.status {
            401 | 403 => Cause::Credentials,
            500.. => Cause::Failed,
            _ => Cause::Refused,
        };
        return Err(ApiError::new(doing, cause, format!("Keystone: {}", answer.words())));
    }
    let unsuitable = |why: &str| ApiError::new(doing, Cause::Unsuitable, why);
    let text = answer.header("X-Subject-Token").ok_or_else(|| unsuitable("Keystone gave no token"))?;
    let catalogue = answer.body.pointer("/token/catalog").cloned().unwrap_or_default();
    let catalogue = serde_json::from_value(catalogue).unwrap_or_default();
    Ok(Token { text: Secret::new(text), catalogue })
}

impl Token {
    /// The URL of Nova in this region and interface; `Err` says what there is instead.
    pub(super) fn compute(&self, access: &Access) -> Result<String, String> {
        match &access.compute_endpoint {
            Some(url) => Ok(url.clone()),
            None => self.endpoint(access, "compute"),
        }
    }

    /// The URL of a kind of service in this region and interface; `Err` says what there is instead.
    pub(super) fn endpoint(&self, access: &Access, kind: &str) -> Result<String, String> {
        let all: Vec<&Endpoint> =
            self.catalogue.iter().filter(|service| service.kind == kind).flat_map(|s| &s.endpoints).collect();
        let fits = |endpoint: &&&Endpoint| {
            endpoint.interface == access.interface
                && access.region.as_ref().is_none_or(|region| endpoint.region.as_ref() == Some(region))
        };
        let found: Vec<&&Endpoint> = all.iter().filter(fits).collect();
        let list = |endpoints: &[&Endpoint]| {
            let text = |e: &&Endpoint| format!("{} in {}", e.interface, e.region.as_deref().unwrap_or("no region"));
            endpoints.iter().map(text).collect::<Vec<_>>().join(", ")
        };
        match found.as_slice() {
            [only] => Ok(only.url.trim_end_matches('/').to_owned()),
            [] if all.is_empty() => Err(format!("the catalogue has no {kind} service")),
            [] => {
                let region = access.region.as_ref().map_or(String::new(), |region| format!(" in {region}"));
                Err(format!(
                    "the catalogue has no {} endpoint of {kind}{region}; it has: {}",
                    access.interface,
                    list(&all)
                ))
            }
            [first, rest @ ..] if rest.iter().all(|other| other.url == first.url) => {
                Ok(first.url.trim_end_matches('/').to_owned())
            }
            _ => Err(format!("the catalogue has {kind} in several regions; name one (region_name): {}", list(&all))),
        }
    }
}
