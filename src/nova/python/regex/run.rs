//! Backtracking over the parsed expression: each node is told what comes after it, and tries until that succeeds.

use super::{Greed, Node, Place, Seq};

/// Steps after which an expression is held not to match. Sensible ones need dozens; an expression that needs more
/// keeps Nova busy for as long as it takes.
const MOST_STEPS: u32 = 200_000;
/// Steps within steps, for the stack.
const DEEPEST: u32 = 500;

/// What the groups hold: first digit, and the one after the last.
type Marks = Vec<Option<(usize, usize)>>;
type Then<'a> = &'a mut dyn FnMut(&mut Run<'_>, usize) -> bool;

struct Run<'t> {
    text: &'t [u8],
    marks: Marks,
    steps: u32,
    depth: u32,
}

/// Whether the expression matches a beginning of the digits, or all of them.
pub(super) fn matches(body: &Seq, groups: usize, text: &[u8], whole: bool) -> bool {
    let mut run = Run { text, marks: vec![None; groups], steps: 0, depth: 0 };
    run.seq(body, 0, &mut |run, at| !whole || at == run.text.len())
}

/// A repetition under way.
#[derive(Clone, Copy)]
struct Loop<'n> {
    least: u32,
    most: Option<u32>,
    greed: Greed,
    body: &'n [Node],
}

impl Run<'_> {
    fn seq(&mut self, nodes: &[Node], at: usize, then: Then<'_>) -> bool {
        let Some((first, rest)) = nodes.split_first() else {
            return then(self, at);
        };
        self.steps += 1;
        if self.steps > MOST_STEPS || self.depth > DEEPEST {
            return false;
        }
        self.depth += 1;
        let matched = self.node(first, at, &mut |run, at| run.seq(rest, at, then));
        self.depth -= 1;
        matched
    }

    fn node(&mut self, node: &Node, at: usize, then: Then<'_>) -> bool {
        match node {
            Node::One(digits) => self.text.get(at).is_some_and(|digit| digits >> digit & 1 == 1) && then(self, at + 1),
            Node::At(place) => self.is_at(*place, at) && then(self, at),
            Node::Branch(branches) => branches.iter().any(|branch| self.seq(branch, at, then)),
            Node::Group(None, body) => self.seq(body, at, then),
            Node::Group(Some(index), body) => self.seq(body, at, &mut |run, end| {
                let before = run.marks[*index].replace((at, end));
                then(run, end) || {
                    run.marks[*index] = before;
                    false
                }
            }),
            Node::Repeat { least, most, greed: Greed::Possessive, body } => {
                let before = self.marks.clone();
                let turns = Loop { least: *least, most: *most, greed: Greed::Greedy, body };
                let end = self.once(&mut |run, found| run.repeat(turns, 0, None, at, found));
                end.is_some_and(|end| then(self, end)) || self.restore(before)
            }
            Node::Repeat { least, most, greed, body } => {
                self.repeat(Loop { least: *least, most: *most, greed: *greed, body }, 0, None, at, then)
            }
            Node::Atomic(body) => {
                let before = self.marks.clone();
                let end = self.once(&mut |run, found| run.seq(body, at, found));
                end.is_some_and(|end| then(self, end)) || self.restore(before)
            }
            Node::Look { ahead, wanted, back, body } => {
                let Some(from) = (if *ahead { Some(at) } else { at.checked_sub(*back) }) else {
                    return !wanted && then(self, at);
                };
                let before = self.marks.clone();
                let found = self.once(&mut |run, found| run.seq(body, from, found)).is_some();
                if !wanted {
                    self.marks.clone_from(&before);
                }
                (found == *wanted && then(self, at)) || self.restore(before)
            }
            Node::Again(group) => {
                let Some((from, to)) = self.marks[*group] else {
                    return false;
                };
                let end = at + (to - from);
                self.text.get(at..end) == Some(&self.text[from..to]) && then(self, end)
            }
            Node::IfGroup { group, yes, no } => {
                let branch = if self.marks[*group].is_some() { yes } else { no };
                self.seq(branch, at, then)
            }
        }
    }

    /// One more turn of a repetition, or what comes after it; `last` is where the turn before began. A turn that would
    /// begin where the one before did is not tried: it would go on for ever.
    fn repeat(&mut self, turns: Loop<'_>, done: u32, last: Option<usize>, at: usize, then: Then<'_>) -> bool {
        if done < turns.least {
            // Turns that match nothing are all alike: the last of them stands for the rest.
            return self.seq(turns.body, at, &mut |run, end| {
                run.repeat(turns, if end == at { turns.least } else { done + 1 }, None, end, then)
            });
        }
        let more = turns.most.is_none_or(|most| done < most) && last != Some(at);
        if turns.greed == Greed::Lazy && then(self, at) {
            return true;
        }
        let next = done.saturating_add(1);
        if more && self.seq(turns.body, at, &mut |run, end| run.repeat(turns, next, Some(at), end, then)) {
            return true;
        }
        turns.greed != Greed::Lazy && then(self, at)
    }

    /// Where the first way to match ends; the ways after it are given up.
    fn once(&mut self, attempt: &mut dyn FnMut(&mut Self, Then<'_>) -> bool) -> Option<usize> {
        let mut end = None;
        attempt(self, &mut |_, at| {
            end = Some(at);
            true
        });
        end
    }

    fn restore(&mut self, marks: Marks) -> bool {
        self.marks = marks;
        false
    }

    fn is_at(&self, place: Place, at: usize) -> bool {
        let edge = at == 0 || at == self.text.len();
        match place {
            Place::Start => at == 0,
            Place::End => at == self.text.len(),
            Place::Boundary => edge,
            Place::NotBoundary => !edge,
        }
    }
}
