//! Races for the migration lock of one guest.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::journal::Host;
use crate::libvirt::scripted::{Has, Scripted};
use crate::libvirt::{RunReason, State};

fn guest() -> Scripted {
    let host = Scripted::default();
    *host.0.lock().unwrap() = Has { state: Some(State::Running(RunReason::Other(1))), ..Has::default() };
    host
}

fn mark(id: &str) -> Mark {
    let host = |name: &str| Host { name: name.into(), uri: "qemu:///system".into(), uuid: None };
    Mark {
        id: id.into(),
        phase: "perform".into(),
        machine: format!("ops-{id}"),
        source: host("a"),
        destination: host("b"),
        ports: Vec::new(),
        policy: Vec::new(),
    }
}

fn on_guest(host: &Scripted) -> Option<String> {
    match read(host, "u").unwrap() {
        Found::Mark(mark) => Some(mark.id),
        Found::None | Found::Unreadable => None,
    }
}

/// Hundreds of races of three takers, each call as slow as chance will have it.
#[test]
fn of_takers_at_the_same_instant_exactly_one_goes_on_and_the_others_say_who() {
    for race in 0..300_u64 {
        let host = guest();
        let won = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for taker in 0..3_u64 {
                let (host, won) = (host.clone(), &won);
                scope.spawn(move || {
                    let id = format!("m-{}", (taker + race) % 3);
                    let noise = std::time::Duration::from_micros((race * 7919 + taker * 104_729) % 400);
                    std::thread::sleep(noise);
                    host.0.lock().unwrap().slow = noise;
                    match take(&host, "u", &mark(&id), |_| false, |_| std::thread::sleep(noise)).unwrap() {
                        Ok(()) => {
                            won.fetch_add(1, Ordering::SeqCst);
                            assert_eq!(on_guest(&host), Some(id), "written over");
                        }
                        Err(why) => {
                            assert!(why.contains("pvm on ops-m-") && !why.contains(&format!(" {id} ")), "{why}");
                        }
                    }
                });
            }
        });
        assert_eq!(won.load(Ordering::SeqCst), 1, "race {race}");
        assert!(host.0.lock().unwrap().requests.is_empty(), "nothing is left of those who gave way");
    }
}

#[test]
fn a_taker_that_died_between_its_request_and_its_mark_is_named_until_it_is_recovered() {
    // Whether it comes before or after by its id, and no clock ends it.
    for (mine, dead) in [("m-1", "m-2"), ("m-2", "m-1")] {
        let host = guest();
        host.set_metadata("u", REQUEST_PREFIX, &request_namespace(dead), Some(&mark(dead).element())).unwrap();
        let why = take(&host, "u", &mark(mine), |_| false, |_| {}).unwrap().unwrap_err();
        assert!(why.contains(&format!("migration {dead}")) && why.contains(&format!("ops-{dead}")), "{why}");
        assert_eq!(on_guest(&host), None);
        remove(&host, "u", dead).unwrap();
        assert_eq!(take(&host, "u", &mark(mine), |_| false, |_| {}).unwrap(), Ok(()));
    }
}

#[test]
fn who_may_go_first_waits_for_the_others_to_give_way() {
    let host = guest();
    host.set_metadata("u", REQUEST_PREFIX, &request_namespace("m-2"), Some(&mark("m-2").element())).unwrap();
    let mut pauses = 0;
    let taken = take(
        &host,
        "u",
        &mark("m-1"),
        |_| false,
        |_| {
            pauses += 1;
            if pauses == 3 {
                remove(&host, "u", "m-2").unwrap();
            }
        },
    );
    assert_eq!((taken.unwrap(), pauses), (Ok(()), 3));
}

#[test]
fn a_mark_is_never_set_over_another_and_a_lost_lock_is_noticed() {
    let host = guest();
    assert_eq!(take(&host, "u", &mark("m-1"), |_| false, |_| {}).unwrap(), Ok(()));
    let why = take(&host, "u", &mark("m-2"), |_| false, |_| {}).unwrap().unwrap_err();
    assert!(why.contains("migration m-1") && why.contains("ops-m-1"), "{why}");
    assert!(set(&host, "u", &mark("m-2")).unwrap_err().message.contains("migration m-1"));
    assert_eq!(on_guest(&host).as_deref(), Some("m-1"));
    // A closed migration of this machine holds nothing.
    assert_eq!(take(&host, "u", &mark("m-3"), |id| id == "m-1", |_| {}).unwrap(), Ok(()));
    assert!(holds(&host, "u", "m-1").unwrap().unwrap_err().contains("migration m-3"));
    remove(&host, "u", "m-1").unwrap();
    assert_eq!(on_guest(&host).as_deref(), Some("m-3"), "another's is left alone");
    remove(&host, "u", "m-3").unwrap();
    assert!(holds(&host, "u", "m-3").unwrap().unwrap_err().contains("lost its migration lock"));
    assert!(set(&host, "u", &mark("m-3")).is_err());
}

/// libvirt keeps one element of a namespace: the mark takes the place of the guest's policy, and gives it back.
#[test]
fn the_guests_policy_outlives_the_mark() {
    let host = guest();
    let of_guest = "<policy max_pause=\"2s\" drain=\"no\"/>";
    host.set_metadata("u", PREFIX, NAMESPACE, Some(of_guest)).unwrap();
    assert_eq!(read(&host, "u").unwrap(), Found::None, "a policy holds nobody up");
    assert_eq!(take(&host, "u", &mark("m-1"), |_| false, |_| {}).unwrap(), Ok(()));
    set(&host, "u", &Mark { phase: "verify".into(), ..mark("m-1") }).unwrap();
    assert_eq!(on_guest(&host).as_deref(), Some("m-1"));
    // Another migration takes over from a closed one of this machine.
    assert_eq!(take(&host, "u", &mark("m-2"), |id| id == "m-1", |_| {}).unwrap(), Ok(()));
    remove(&host, "u", "m-2").unwrap();
    assert_eq!(host.metadata("u", NAMESPACE).unwrap().as_deref(), Some(of_guest));
}
