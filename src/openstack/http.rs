//! One request over HTTP, with limits on its time and on the size of its answer. No redirect is followed: a token goes to the
//! service it is for and nowhere else.

use serde_json::Value;

use super::access::Access;
use super::error::{ApiError, Cause};

/// A request.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "openstack"), expect(dead_code, reason = "nothing is sent then"))]
pub(super) struct Request<'a> {
    /// What it is for, in words that errors begin with.
    pub(super) doing: &'a str,
    pub(super) method: &'static str,
    pub(super) url: &'a str,
    pub(super) body: Option<&'a Value>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, Default)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(super) const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// What the service says of a failure, in its own words.
    pub(super) fn words(&self) -> String {
        let inner = self.body.as_object().and_then(|object| object.values().find_map(|value| value.get("message")));
        let message = inner.or_else(|| self.body.get("message")).and_then(Value::as_str);
        message.map_or_else(
            || format!("HTTP status {}", self.status),
            |text| format!("{} (HTTP {})", text.trim(), self.status),
        )
    }
}

/// The connections to the services of one cloud.
#[derive(Debug)]
pub(super) struct Http {
    #[cfg(feature = "openstack")]
    agent: ureq::Agent,
}

#[cfg(feature = "openstack")]
impl Http {
    pub(super) fn new(access: &Access) -> Result<Self, ApiError> {
        use std::time::Duration;

        use ureq::tls::{RootCerts, TlsConfig};

        /// A service that cannot be reached is given up after this time.
        const CONNECT: Duration = Duration::from_secs(10);
        /// A whole request takes no longer.
        const WHOLE: Duration = Duration::from_secs(30);

        let roots = if access.verify { roots(access)? } else { Vec::new() };
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::Specific(std::sync::Arc::new(roots)))
            .disable_verification(!access.verify)
            .build();
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .user_agent(concat!("pvm/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Ok(Self { agent: config.new_agent() })
    }

    pub(super) fn send(&self, request: &Request<'_>, headers: &[(&str, &str)]) -> Result<Response, ApiError> {
        /// More than a page of the largest list.
        const MOST_BYTES: u64 = 16 << 20;

        let failed = |error: &dyn std::fmt::Display| {
            ApiError::new(request.doing, Cause::Unsuitable, format!("{}: {error}", request.url))
        };
        let silent = |error: &ureq::Error| {
            ApiError::new(request.doing, Cause::Silence, format!("{}: {}", request.url, words(error)))
        };
        let mut built = ureq::http::Request::builder().method(request.method).uri(request.url);
        built = built.header("Accept", "application/json");
        for (name, value) in headers {
            built = built.header(*name, *value);
        }
        #[expect(clippy::disallowed_methods, reason = "requests are timed")]
        let begun = std::time::Instant::now();
        let answer = match request.body {
            Some(body) => {
                let built = built.header("Content-Type", "application/json").body(body.to_string());
                self.agent.run(built.map_err(|error| failed(&error))?)
            }
            None => self.agent.run(built.body(()).map_err(|error| failed(&error))?),
        };
        let told = match &answer {
            Ok(answer) => answer.status().as_u16().to_string(),
            Err(error) => words(error),
        };
        log::info!("{} ms  {} {}: {told}", begun.elapsed().as_millis(), request.method, request.url);
        let mut answer = answer.map_err(|error| silent(&error))?;
        let status = answer.status().as_u16();
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let bytes = answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec().map_err(|error| silent(&error))?;
        // A proxy's page is no JSON: the status says enough.
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Response { status, headers, body })
    }
}

/// The certificates that vouch for the services: those of the file, else the machine's.
#[cfg(feature = "openstack")]
fn roots(access: &Access) -> Result<Vec<ureq::tls::Certificate<'static>>, ApiError> {
    use ureq::tls::{Certificate, PemItem, parse_pem};

    const MOST: u64 = 4 << 20;
    let Some(path) = &access.ca_file else {
        let found = rustls_native_certs::load_native_certs();
        return Ok(found.certs.iter().map(|one| Certificate::from_der(one).to_owned()).collect());
    };
    let doing = format!("cannot read the certificates of {}", path.display());
    let failed = |why: String| ApiError::new(&doing, Cause::Unsuitable, why);
    let text = crate::model::regular::read_regular_text(path, MOST).map_err(|error| failed(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(text.as_bytes()) {
        if let PemItem::Certificate(one) = item.map_err(|error| failed(words(&error)))? {
            certificates.push(one);
        }
    }
    if certificates.is_empty() { Err(failed("it holds no certificate".to_owned())) } else { Ok(certificates) }
}

#[cfg(feature = "openstack")]
fn words(error: &ureq::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("io: ").unwrap_or(&text);
    if text.contains("UnknownIssuer") {
        return "its certificate is of an authority that is not known here: name its CA file (cacert, OS_CACERT)"
            .into();
    }
    if text.contains("CaUsedAsEndEntity") {
        return "its certificate is an authority's own (CA:TRUE), which is not accepted for a server".into();
    }
    text.to_owned()
}

#[cfg(not(feature = "openstack"))]
impl Http {
    pub(super) fn new(access: &Access) -> Result<Self, ApiError> {
        let why = "this pvm was built without the feature openstack";
        Err(ApiError::new(&format!("cannot reach {}", access.label()), Cause::Unsuitable, why))
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(super) fn send(&self, request: &Request<'_>, _: &[(&str, &str)]) -> Result<Response, ApiError> {
        Err(ApiError::new(request.doing, Cause::Unsuitable, "this pvm was built without the feature openstack"))
    }
}
