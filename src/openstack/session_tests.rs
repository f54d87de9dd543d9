//! A session against a server in the test that does what a real one cannot be made to do.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::access::Access;
use super::error::Cause;
use super::fields::Fields;
use super::network::LeftBinding;
use super::stand::{Answer, Asked, Stand, usual};
use super::{Compute, Session};

fn access(url: &str) -> Access {
    let mut fields = Fields::default();
    let auth = json!({"auth_url": url, "username": "u", "password": "hush", "project_name": "p"});
    fields.add_entry(&json!({"auth": auth})).unwrap();
    Access::of(&fields, Some("c"), "test").unwrap()
}

/// A session whose requests after the usual ones are answered by this function; the number counts them from 1.
fn session(answer: impl Fn(u32, &Asked) -> Answer + Send + Sync + 'static) -> (Stand, Session) {
    let count = AtomicU32::new(0);
    let stand = Stand::new(move |asked, url| {
        usual(asked, url).unwrap_or_else(|| answer(count.fetch_add(1, Ordering::SeqCst) + 1, asked))
    });
    let session = Session::open(access(&stand.url)).unwrap();
    (stand, session)
}

fn ok(body: serde_json::Value) -> Answer {
    (200, Vec::new(), body)
}

#[test]
fn a_question_that_is_cut_or_meets_a_busy_service_is_asked_again_and_an_order_is_not() {
    let (stand, session) = session(|count, asked| match (asked.method.as_str(), count) {
        ("GET", 1) => (0, Vec::new(), json!(null)),
        ("GET", 2) => (503, vec![("Retry-After", "0".to_owned())], json!(null)),
        ("GET", _) => ok(json!({"server": {"id": "s", "status": "ACTIVE"}})),
        _ => (0, Vec::new(), json!(null)),
    });
    let nova = Compute::new(&session);
    assert_eq!(nova.server("s").unwrap().unwrap().status, "ACTIVE");
    let error = nova.migrate("s", "host-b").unwrap_err();
    assert!(error.cause == Cause::Silence && error.may_have_acted(), "{error}");
    let orders = stand.asked().iter().filter(|asked| asked.path.ends_with("/action")).count();
    assert_eq!((orders, session.requests()), (1, 6));
}

#[test]
fn a_token_that_has_expired_is_renewed_once_also_for_an_order() {
    let (stand, fresh) = session(|count, _| match count {
        1 => (401, Vec::new(), json!({"error": {"message": "expired"}})),
        _ => (202, vec![("X-Openstack-Request-Id", "req-1".to_owned())], json!(null)),
    });
    assert_eq!(Compute::new(&fresh).migrate("s", "b").unwrap().as_deref(), Some("req-1"));
    let logins = stand.asked().iter().filter(|asked| asked.path == "/v3/auth/tokens").count();
    assert_eq!(logins, 2);
    let (_stand, refused) = session(|_, _| (401, Vec::new(), json!({"error": {"message": "expired"}})));
    let error = Compute::new(&refused).server("s").unwrap_err();
    assert_eq!(error.cause, Cause::Credentials);
}

#[test]
fn every_page_of_a_list_is_read_from_the_place_that_was_asked() {
    let (stand, session) = session(|count, _| {
        let host = |n: u32| json!({"hypervisor_hostname": format!("h{n}"), "service": {"host": format!("s{n}")}});
        // Nova behind a proxy names itself as it knows itself.
        let links = json!([{"rel": "next", "href": "http://inside.invalid/v2.1/os-hypervisors/detail?marker=1"}]);
        match count {
            1 => ok(json!({"hypervisors": [host(1)], "hypervisors_links": links})),
            _ => ok(json!({"hypervisors": [host(2)]})),
        }
    });
    let names: Vec<String> =
        Compute::new(&session).hypervisors().unwrap().into_iter().map(|h| h.service.host).collect();
    assert_eq!(names, ["s1", "s2"]);
    assert_eq!(stand.asked().last().unwrap().path, "/v2.1/os-hypervisors/detail?marker=1");
}

#[test]
fn a_redirect_is_not_followed_and_no_secret_is_shown() {
    let (stand, session) =
        session(|_, _| (302, vec![("Location", "http://elsewhere.invalid/".to_owned())], json!(null)));
    let error = Compute::new(&session).server("s").unwrap_err();
    assert_eq!(error.cause, Cause::Unsuitable, "{error}");
    assert_eq!(stand.asked().last().unwrap().token.as_deref(), Some("token-1"));
    let shown = format!("{session:?} {error}");
    assert!(!shown.contains("hush") && !shown.contains("token-1"), "{shown}");
}

#[test]
fn nova_words_and_causes_are_kept() {
    let (_stand, session) = session(|count, _| match count {
        1 => (404, Vec::new(), json!({"itemNotFound": {"message": "Instance s could not be found.", "code": 404}})),
        2 => (409, Vec::new(), json!({"conflictingRequest": {"message": "it is busy", "code": 409}})),
        3 => (403, Vec::new(), json!({"forbidden": {"message": "Policy doesn't allow it", "code": 403}})),
        _ => (500, Vec::new(), json!("<html>")),
    });
    let nova = Compute::new(&session);
    assert_eq!(nova.server("s"), Ok(None));
    let error = nova.migrate("s", "b").unwrap_err();
    assert!(error.cause == Cause::Conflict && error.to_string().contains("it is busy"), "{error}");
    assert_eq!(nova.migrate("s", "b").unwrap_err().cause, Cause::Forbidden);
    assert!(nova.abort("s", 1).unwrap_err().may_have_acted());
}

#[test]
fn bindings_that_are_not_in_use_are_told_apart() {
    let (stand, session) = session(|count, _| match count {
        1 => ok(json!({"ports": [{"id": "p-1"}, {"id": "p-2"}]})),
        2 => ok(json!({"bindings": [{"host": "a", "status": "ACTIVE"}, {"host": "b", "status": "INACTIVE"}]})),
        _ => (404, Vec::new(), json!({"NeutronError": {"message": "no such thing"}})),
    });
    let left = Compute::new(&session).inactive_bindings("s").unwrap();
    assert_eq!(left, [LeftBinding { port: "p-1".into(), host: "b".into() }]);
    let asked = stand.asked();
    assert_eq!(asked[asked.len() - 3].path, "/v2.0/ports?device_id=s&fields=id");
}

#[test]
fn a_name_is_sifted_and_means_itself() {
    let (stand, session) =
        session(|_, _| ok(json!({"servers": [{"id": "1", "name": "db.7"}, {"id": "2", "name": "dbx7"}]})));
    let found = Compute::new(&session).servers_named("db.7").unwrap();
    assert_eq!(found.len(), 1);
    assert!(stand.asked().last().unwrap().path.contains("name=%5Edb%5C%2E7%24"));
}
