//! The assignment beside one that tries everything, and a validator that shares no code with it.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use super::*;
use crate::drain::capacity::{Need, Supply};
use crate::plan::memory::Place;

/// Memory and where it may lie.
type Part = (u64, BTreeSet<Place>);

/// The parts of its memory, and the number of devices.
type Flavor = (Vec<Part>, usize);

/// Numbers that follow from a seed alone.
struct Dice(u64);

impl Dice {
    fn up_to(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % (most + 1)
    }

    fn index(&mut self, below: usize) -> usize {
        usize::try_from(self.up_to(u64::try_from(below).unwrap() - 1)).unwrap()
    }
}

struct Fleet {
    supplies: Vec<Supply>,
    /// By host, then by guest.
    needs: Vec<Vec<Option<Need>>>,
    guests: usize,
}

impl Fleet {
    /// Hosts with little of everything, so that they are fought for; guests of a few flavors.
    fn roll(dice: &mut Dice) -> Self {
        let hosts = 1 + dice.index(8);
        let guests = 1 + dice.index(if hosts > 4 { 5 } else { 7 });
        let flavors: Vec<Flavor> = (0..3)
            .map(|_| {
                let pages = (dice.up_to(3) == 0).then_some(2);
                let places = match dice.up_to(3) {
                    0 if pages.is_none() => BTreeSet::from([(u32::MAX, None)]),
                    0 => BTreeSet::from([(0, pages), (1, pages)]),
                    node => BTreeSet::from([(u32::from(node == 1), pages)]),
                };
                let first = (1 + dice.up_to(3), places);
                // One in four has a second NUMA cell, bound to a node of its own.
                let second = (dice.up_to(3) == 0).then_some((1 + dice.up_to(1), BTreeSet::from([(1, pages)])));
                (iter::once(first).chain(second).collect(), dice.index(3))
            })
            .collect();
        let flavor_of: Vec<usize> = (0..guests).map(|_| dice.index(3)).collect();
        let (mut supplies, mut needs) = (Vec::new(), Vec::new());
        for _ in 0..hosts {
            let places = [(u32::MAX, None), (0, None), (1, None), (0, Some(2)), (1, Some(2))];
            supplies.push(Supply { free: places.into_iter().map(|place| (place, dice.up_to(6))).collect() });
            let devices = dice.index(5);
            // What a flavor may take there; a few guests differ from their flavor.
            let mut reach = || (0..devices).filter(|_| dice.up_to(3) > 0).collect::<Vec<usize>>();
            let usual: Vec<Vec<Vec<usize>>> =
                flavors.iter().map(|(_, count)| (0..*count).map(|_| reach()).collect()).collect();
            let own: Vec<Vec<Vec<usize>>> =
                flavor_of.iter().map(|flavor| (0..flavors[*flavor].1).map(|_| reach()).collect()).collect();
            let on_host = |guest: usize, dice: &mut Dice| {
                let (memory, _) = flavors[flavor_of[guest]].clone();
                let devices = if dice.up_to(3) == 0 { own[guest].clone() } else { usual[flavor_of[guest]].clone() };
                (dice.up_to(7) > 0).then_some(Need { memory, devices })
            };
            needs.push((0..guests).map(|guest| on_host(guest, dice)).collect());
        }
        Self { supplies, needs, guests }
    }

    fn assign(&self) -> Assignment {
        self.assign_within(MOST_WORK)
    }

    fn assign_within(&self, most_work: u64) -> Assignment {
        let needs: Vec<Vec<Option<&Need>>> =
            self.needs.iter().map(|host| host.iter().map(Option::as_ref).collect()).collect();
        let of_guest = |guest: usize| needs.iter().map(|host| host[guest]).collect::<Vec<_>>();
        let class = |guest| (0..self.guests).find(|other| of_guest(*other) == of_guest(guest)).unwrap();
        let problem = Problem {
            rooms: self.supplies.iter().map(Room::new).collect(),
            needs: &needs,
            class: (0..self.guests).map(class).collect(),
            takes: (0..self.guests).map(|guest| vec![self.fewest_devices(guest)]).collect(),
            supply: vec![self.devices()],
        };
        super::assign_within(problem, most_work)
    }

    fn fewest_devices(&self, guest: usize) -> u64 {
        let needs = self.needs.iter().filter_map(|host| host[guest].as_ref());
        u64::try_from(needs.map(|need| need.devices.len()).min().unwrap_or(0)).unwrap()
    }

    fn devices(&self) -> u64 {
        let on_host = |host: &Vec<Option<Need>>| {
            host.iter().flatten().flat_map(|need| need.devices.iter().flatten()).collect::<BTreeSet<_>>().len()
        };
        u64::try_from(self.needs.iter().map(on_host).sum::<usize>()).unwrap()
    }

    fn guests_that_may_leave(&self) -> usize {
        let goes = |guest: &usize| (0..self.needs.len()).any(|host| self.is_valid(host, &[*guest]));
        (0..self.guests).filter(goes).count()
    }

    /// The most guests that can leave, by trying everything.
    fn most(&self, guest: usize, on: &mut Vec<Vec<usize>>) -> usize {
        if guest == self.guests {
            return 0;
        }
        let mut best = self.most(guest + 1, on);
        for host in 0..self.needs.len() {
            if best == self.guests - guest {
                break;
            }
            on[host].push(guest);
            if self.is_valid(host, &on[host]) {
                best = best.max(1 + self.most(guest + 1, on));
            }
            on[host].pop();
        }
        best
    }

    /// Whether these guests can be on this host, unit of memory by unit of memory and device by device.
    fn is_valid(&self, host: usize, guests: &[usize]) -> bool {
        let needs: Option<Vec<&Need>> = guests.iter().map(|guest| self.needs[host][*guest].as_ref()).collect();
        let Some(needs) = needs else { return false };
        let mut free = self.supplies[host].free.clone();
        let whole = free[&(u32::MAX, None)];
        let plain: u64 =
            parts(&needs).filter(|(_, places)| places.iter().all(|p| p.1.is_none())).map(|(bytes, _)| bytes).sum();
        let devices: Vec<&Vec<usize>> = needs.iter().flat_map(|need| &need.devices).collect();
        plain <= whole
            && spread(&parts(&needs).collect::<Vec<_>>(), 0, 0, &mut free)
            && serve(&devices, &mut BTreeSet::new())
    }
}

fn parts<'n>(needs: &'n [&Need]) -> impl Iterator<Item = &'n Part> {
    needs.iter().flat_map(|need| &need.memory)
}

/// Gives each unit of memory a place.
fn spread(parts: &[&Part], at: usize, given: u64, free: &mut BTreeMap<Place, u64>) -> bool {
    let Some((bytes, places)) = parts.get(at) else { return true };
    if given == *bytes {
        return spread(parts, at + 1, 0, free);
    }
    places.iter().any(|place| {
        let Some(left) = free.get_mut(place).filter(|left| **left > 0) else { return false };
        *left -= 1;
        let done = spread(parts, at, given + 1, free);
        *free.get_mut(place).unwrap() += 1;
        done
    })
}

/// Gives each device of the guests one of its own.
fn serve(devices: &[&Vec<usize>], taken: &mut BTreeSet<usize>) -> bool {
    let Some((first, rest)) = devices.split_first() else { return true };
    first.iter().any(|device| {
        taken.insert(*device) && {
            let done = serve(rest, taken);
            taken.remove(device);
            done
        }
    })
}

/// `PVM_DRAIN_FLEETS` says how many fleets.
#[test]
fn as_many_guests_leave_as_can_and_every_plan_is_valid() {
    #[expect(clippy::disallowed_methods, reason = "the number of cases of a test")]
    let fleets = std::env::var("PVM_DRAIN_FLEETS").map_or(500, |count| count.parse::<u64>().unwrap());
    let (mut short, mut left, mut worse) = (0, 0, 0);
    for seed in 0..fleets {
        let fleet = Fleet::roll(&mut Dice(seed));
        let found = fleet.assign();
        assert!(found.is_proved, "fleet {seed}");
        for host in 0..fleet.needs.len() {
            let there: Vec<usize> = (0..fleet.guests).filter(|guest| found.to[*guest] == Some(host)).collect();
            assert!(fleet.is_valid(host, &there), "fleet {seed}: {there:?} on host {host}");
        }
        let moved = found.to.iter().flatten().count();
        let most = fleet.most(0, &mut vec![Vec::new(); fleet.needs.len()]);
        assert_eq!(moved, most, "fleet {seed}: {found:?}");
        // Without time to search the plan is valid, and does not say that it is the best unless all leave.
        let hasty = fleet.assign_within(0);
        let moved = hasty.to.iter().flatten().count();
        assert_eq!(hasty.is_proved, moved == fleet.guests_that_may_leave(), "fleet {seed}: {hasty:?}");
        worse += usize::from(moved < most);
        for host in 0..fleet.needs.len() {
            let there: Vec<usize> = (0..fleet.guests).filter(|guest| hasty.to[*guest] == Some(host)).collect();
            assert!(fleet.is_valid(host, &there), "fleet {seed}: {there:?} on host {host}");
        }
        short += usize::from(most < fleet.guests);
        left += most;
    }
    assert!(short > 0 && left > 0, "fleets in which all or nobody can leave prove little");
    assert!(worse > 0, "the search is never needed");
}

#[test]
fn hosts_get_about_equally_many() {
    let place = BTreeSet::from([(0, None)]);
    let supply = Supply { free: BTreeMap::from([((0, None), 5)]) };
    let need = Need { memory: vec![(1, place)], devices: Vec::new() };
    let found = assign(Problem {
        rooms: vec![Room::new(&supply); 3],
        needs: &vec![vec![Some(&need); 6]; 3],
        class: vec![0; 6],
        takes: vec![Vec::new(); 6],
        supply: Vec::new(),
    });
    for host in 0..3 {
        assert_eq!(found.to.iter().filter(|to| **to == Some(host)).count(), 2, "{found:?}");
    }
}

/// Each device in a ring of guests that may have one of two, with one free at the end: the last guest makes all others move on.
#[test]
fn a_thousand_guests_are_planned_at_once() {
    let guests = 1000;
    let place = BTreeSet::from([(0, None)]);
    let supply = Supply { free: BTreeMap::from([((0, None), 1 << 40)]) };
    let need = |guest: usize| Need {
        memory: vec![(1 << 20, place.clone())],
        devices: vec![vec![guest, (guest + 1) % guests]],
    };
    let mut needs: Vec<Need> = (0..guests).map(need).collect();
    needs.push(need(0));
    let row: Vec<Option<&Need>> = needs.iter().map(Some).collect();
    let problem = Problem {
        rooms: vec![Room::new(&supply)],
        needs: &[row],
        class: (0..=guests).map(|guest| guest % guests).collect(),
        takes: vec![vec![1]; guests + 1],
        supply: vec![u64::try_from(guests).unwrap()],
    };
    let found = assign(problem);
    assert_eq!((found.to.iter().flatten().count(), found.is_proved), (guests, true));
}
