//! Requests with a token: it is renewed once when a service refuses it, and questions are asked again when nobody answered.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::access::Access;
use super::error::{ApiError, Cause};
use super::http::{Http, Request, Response};
use super::keystone::{self, Token};
use super::version::{self, Microversion};

/// Pauses before a question is asked again that nobody answered.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];
/// A service that asks for more patience than this is told of.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Pages of one list.
const MOST_PAGES: usize = 200;

/// A cloud that has let pvm in.
#[derive(Debug)]
pub(crate) struct Session {
    access: Access,
    http: Http,
    token: Mutex<Token>,
    /// Nova's URL.
    compute: String,
    version: Microversion,
    requests: AtomicU32,
}

impl Session {
    /// Asks Keystone for a token and Nova for its version.
    pub(crate) fn open(access: Access) -> Result<Self, ApiError> {
        let http = Http::new(&access)?;
        let requests = AtomicU32::new(0);
        let token = authenticate(&http, &access, &requests)?;
        let doing = format!("cannot use {}", access.label());
        let compute = token.compute(&access).map_err(|why| ApiError::new(&doing, Cause::Unsuitable, why))?;
        // The document of a version needs no token, and lies above the projects of an old catalogue.
        let root = compute.find("/v2.1").map_or(compute.as_str(), |at| &compute[..at + "/v2.1".len()]);
        let request = Request { doing: &doing, method: "GET", url: &format!("{root}/"), body: None };
        let answer = asked_again(&requests, || http.send(&request, &[]))?;
        if !answer.is_success() {
            return Err(refused(&doing, "Nova", &answer));
        }
        let version = version::negotiate(&answer).map_err(|why| ApiError::new(&doing, Cause::Unsuitable, why))?;
        Ok(Self { access, http, token: Mutex::new(token), compute, version, requests })
    }

    /// How the cloud is reached.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// How many requests were sent so far.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks Nova; asked again when nobody answers, since a question changes nothing.
    pub(super) fn get(&self, doing: &str, path: &str) -> Result<Value, ApiError> {
        let url = format!("{}{path}", self.compute);
        let answer = asked_again(&self.requests, || self.with_token(doing, "GET", &url, None, false))?;
        if answer.is_success() { Ok(answer.body) } else { Err(refused(doing, "Nova", &answer)) }
    }

    /// Asks Nova once, for a caller that goes on asking anyway.
    pub(super) fn get_once(&self, doing: &str, path: &str) -> Result<Value, ApiError> {
        let answer = self.with_token(doing, "GET", &format!("{}{path}", self.compute), None, true)?;
        if answer.is_success() { Ok(answer.body) } else { Err(refused(doing, "Nova", &answer)) }
    }

    /// Asks Placement, as `get` asks Nova.
    pub(super) fn get_placement(&self, doing: &str, path: &str) -> Result<Value, ApiError> {
        self.get_of("Placement", "placement", doing, path)
    }

    /// Asks Neutron, as `get` asks Nova.
    pub(super) fn get_network(&self, doing: &str, path: &str) -> Result<Value, ApiError> {
        self.get_of("Neutron", "network", doing, path)
    }

    /// Asks another service by its kind in the catalogue.
    fn get_of(&self, service: &str, kind: &str, doing: &str, path: &str) -> Result<Value, ApiError> {
        let endpoint = self.token().endpoint(&self.access, kind);
        let url = endpoint.map_err(|why| ApiError::new(doing, Cause::Unsuitable, why))? + path;
        let answer = asked_again(&self.requests, || self.with_token(doing, "GET", &url, None, false))?;
        if answer.is_success() { Ok(answer.body) } else { Err(refused(doing, service, &answer)) }
    }

    fn token(&self) -> Token {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks Nova for a list, whole, however many pages it has.
    pub(super) fn list(&self, doing: &str, path: &str, key: &str) -> Result<Vec<Value>, ApiError> {
        let (mut all, mut next) = (Vec::new(), path.to_owned());
        for _ in 0..MOST_PAGES {
            let mut page = self.get(doing, &next)?;
            let Some(Value::Array(items)) = page.get_mut(key).map(Value::take) else {
                return Err(ApiError::new(doing, Cause::Unsuitable, format!("Nova's answer has no {key}")));
            };
            let is_empty = items.is_empty();
            all.extend(items);
            // The place is Nova's as this machine reaches it; behind a proxy the link may name another.
            let links = page.get(format!("{key}_links")).and_then(Value::as_array);
            let link = links.into_iter().flatten().find(|link| link.get("rel").is_some_and(|rel| rel == "next"));
            let query = link.and_then(|link| link.get("href")?.as_str()?.split_once('?')).map(|(_, query)| query);
            match query.filter(|_| !is_empty) {
                Some(query) => next = format!("{}?{query}", path.split('?').next().unwrap_or(path)),
                None => return Ok(all),
            }
        }
        Err(ApiError::new(doing, Cause::Unsuitable, format!("the list has more than {MOST_PAGES} pages")))
    }

    /// Tells Nova to do something, once; gives the id of the request, under which Nova files what became of it.
    pub(super) fn act(
        &self,
        doing: &str,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Option<String>, ApiError> {
        let answer = self.with_token(doing, method, &format!("{}{path}", self.compute), body, true)?;
        if answer.is_success() {
            Ok(answer.header("X-Openstack-Request-Id").map(str::to_owned))
        } else {
            Err(refused(doing, "Nova", &answer))
        }
    }

    /// One request. A refused token means that nothing was done: it is renewed, and the request sent again.
    fn with_token(
        &self,
        doing: &str,
        method: &'static str,
        url: &str,
        body: Option<&Value>,
        counted: bool,
    ) -> Result<Response, ApiError> {
        // Each service takes its own; Placement's is the first with trees of providers (2018), and Neutron has none.
        let version = if url.starts_with(&self.compute) {
            format!("compute {}", self.version)
        } else {
            "placement 1.14".to_owned()
        };
        let request = Request { doing, method, url, body };
        let send = |token: &Token| {
            let headers = [("X-Auth-Token", token.text.reveal()), ("OpenStack-API-Version", &version)];
            self.http.send(&request, &headers)
        };
        if counted {
            self.requests.fetch_add(1, Ordering::Relaxed);
        }
        let mut token = self.token();
        let answer = send(&token)?;
        if answer.status != 401 {
            return Ok(answer);
        }
        token = authenticate(&self.http, &self.access, &self.requests)?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token.clone();
        self.requests.fetch_add(1, Ordering::Relaxed);
        send(&token)
    }
}

fn authenticate(http: &Http, access: &Access, requests: &AtomicU32) -> Result<Token, ApiError> {
    let doing = format!("cannot log in to {}", access.label());
    let (url, body) = (format!("{}/auth/tokens", access.auth_url), keystone::request(access));
    let request = Request { doing: &doing, method: "POST", url: &url, body: Some(&body) };
    // A token too many harms nobody.
    keystone::token(&doing, &asked_again(requests, || http.send(&request, &[]))?)
}

/// Asks, and asks again when nobody answers or the service is not up to it for the moment.
fn asked_again(
    requests: &AtomicU32,
    mut ask: impl FnMut() -> Result<Response, ApiError>,
) -> Result<Response, ApiError> {
    for pause in PAUSES {
        requests.fetch_add(1, Ordering::Relaxed);
        match ask() {
            Ok(answer) if matches!(answer.status, 429 | 502..=504) => {
                let wished = answer.header("Retry-After").and_then(|text| text.parse().ok()).map(Duration::from_secs);
                if wished.is_some_and(|wished| wished > LONGEST_WAIT) {
                    return Ok(answer);
                }
                std::thread::sleep(wished.unwrap_or(pause));
            }
            Err(error) if error.cause == Cause::Silence => std::thread::sleep(pause),
            other => return other,
        }
    }
    requests.fetch_add(1, Ordering::Relaxed);
    ask()
}

fn refused(doing: &str, service: &str, answer: &Response) -> ApiError {
    let cause = match answer.status {
        401 => Cause::Credentials,
        403 => Cause::Forbidden,
        404 => Cause::Absent,
        409 => Cause::Conflict,
        300..=399 => Cause::Unsuitable,
        500.. | 429 => Cause::Failed,
        _ => Cause::Refused,
    };
    ApiError::new(doing, cause, format!("{service}: {}", answer.words()))
}
