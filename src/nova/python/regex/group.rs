//! What may follow a `(`, and how wide the parts are.

use super::syntax::{Flags, Parser, Token, WIDEST, Width};
use super::{Node, RegexError, Seq};
use crate::nova::python::words;

/// Groups Python can number.
const MOST_GROUPS: i128 = 1_073_741_823;

impl Parser {
    /// The rest of a group; none for a comment and for flags of the whole expression.
    pub(super) fn group(&mut self, at_start: bool) -> Result<Option<Node>, RegexError> {
        if !self.take('?') {
            return self.capture(None).map(Some);
        }
        let end = || RegexError::new("unexpected end of pattern");
        match self.get().ok_or_else(end)? {
            Token::Char('P') => self.extension().map(Some),
            Token::Char(':') => {
                let body = self.closed()?;
                Ok(Some(Node::Group(None, body)))
            }
            Token::Char('>') => self.closed().map(|body| Some(Node::Atomic(body))),
            Token::Char('#') => loop {
                match self.get() {
                    None => return Err(RegexError::new("missing ), unterminated comment")),
                    Some(Token::Char(')')) => return Ok(None),
                    Some(_) => {}
                }
            },
            Token::Char('=') => self.look(true, true).map(Some),
            Token::Char('!') => self.look(true, false).map(Some),
            Token::Char('<') => match self.get().ok_or_else(end)? {
                Token::Char('=') => self.look(false, true).map(Some),
                Token::Char('!') => self.look(false, false).map(Some),
                _ => Err(RegexError::new("unknown extension ?<")),
            },
            Token::Char('(') => self.conditional().map(Some),
            Token::Char(c) if c == '-' || is_flag(c) => self.flag_group(c, at_start),
            _ => Err(RegexError::new("unknown extension after (?")),
        }
    }

    /// The rest of the group's body and its `)`.
    fn closed(&mut self) -> Result<Seq, RegexError> {
        let body = self.alternatives()?;
        self.close().map(|()| body)
    }

    fn close(&mut self) -> Result<(), RegexError> {
        if self.take(')') { Ok(()) } else { Err(RegexError::new("missing ), unterminated subpattern")) }
    }

    fn capture(&mut self, name: Option<String>) -> Result<Node, RegexError> {
        let index = self.widths.len();
        self.widths.push(None);
        if let Some(name) = name {
            if self.named_group(&name).is_some() {
                return Err(RegexError::new(format!("redefinition of group name {name}")));
            }
            self.names.push((name, index));
        }
        let flags = self.flags;
        let body = self.closed()?;
        self.leave(flags);
        self.widths[index] = Some(self.width(&body));
        Ok(Node::Group(Some(index), body))
    }

    /// Flags end with their group, what was learnt about the whole expression stays.
    fn leave(&mut self, outer: Flags) {
        self.flags.ignore_case = outer.ignore_case;
        self.flags.verbose = outer.verbose;
    }

    fn named_group(&self, name: &str) -> Option<usize> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, index)| *index)
    }

    /// `(?P<name>…)` and `(?P=name)`.
    fn extension(&mut self) -> Result<Node, RegexError> {
        if self.take('<') {
            let name = self.until('>', "group name")?;
            if !is_identifier(&name) {
                return Err(RegexError::new(format!("bad character in group name {name}")));
            }
            return self.capture(Some(name));
        }
        if self.take('=') {
            let name = self.until(')', "group name")?;
            let index = self
                .named_group(&name)
                .filter(|_| is_identifier(&name))
                .ok_or_else(|| RegexError::new(format!("unknown group name {name}")))?;
            return self.again(index);
        }
        Err(RegexError::new("unknown extension after (?P"))
    }

    /// A group's text again. The group must be closed.
    pub(super) fn again(&mut self, index: usize) -> Result<Node, RegexError> {
        if index >= self.widths.len() {
            return Err(RegexError::new(format!("invalid group reference {index}")));
        }
        if self.widths[index].is_none() {
            return Err(RegexError::new("cannot refer to an open group"));
        }
        self.outside_lookbehind(index)?;
        Ok(Node::Again(index))
    }

    fn outside_lookbehind(&self, index: usize) -> Result<(), RegexError> {
        let Some(known) = self.lookbehind else { return Ok(()) };
        if self.widths.get(index).is_none_or(Option::is_none) || index >= known {
            return Err(RegexError::new("cannot refer to a group of the same look-behind"));
        }
        Ok(())
    }

    fn look(&mut self, ahead: bool, wanted: bool) -> Result<Node, RegexError> {
        let outer = self.lookbehind;
        if !ahead && outer.is_none() {
            self.lookbehind = Some(self.widths.len());
        }
        let body = self.alternatives()?;
        if !ahead {
            self.lookbehind = outer;
        }
        self.close()?;
        let mut back = 0;
        if !ahead {
            let (least, most) = self.width(&body);
            back = usize::try_from(least).unwrap_or(usize::MAX);
            if least != most || back > u32::MAX as usize {
                return Err(RegexError::new("look-behind requires fixed-width pattern"));
            }
        }
        Ok(Node::Look { ahead, wanted, back, body })
    }

    /// `(?(1)…|…)` and `(?(name)…|…)`.
    fn conditional(&mut self) -> Result<Node, RegexError> {
        let name = self.until(')', "group name")?;
        let group = if is_identifier(&name) {
            self.named_group(&name).ok_or_else(|| RegexError::new(format!("unknown group name {name}")))?
        } else {
            match words::int(&name, 10) {
                Some(number @ 1..MOST_GROUPS) => usize::try_from(number).unwrap_or(usize::MAX),
                _ => return Err(RegexError::new(format!("bad group {name}"))),
            }
        };
        self.asked = self.asked.max(group);
        self.outside_lookbehind(group)?;
        let yes = self.sequence(false)?;
        let no = if self.take('|') { self.sequence(false)? } else { Seq::new() };
        if self.peek() == Some(Token::Char('|')) {
            return Err(RegexError::new("conditional backref with more than two branches"));
        }
        self.close()?;
        Ok(Node::IfGroup { group, yes, no })
    }

    /// `(?i)` for the whole expression, `(?i-x:…)` for a part.
    fn flag_group(&mut self, first: char, at_start: bool) -> Result<Option<Node>, RegexError> {
        let (mut on, mut off) = (String::new(), String::new());
        let mut c = first;
        while is_flag(c) {
            on.push(c);
            let types = ['a', 'u', 'L'].iter().filter(|flag| on.contains(**flag)).count();
            if c == 'L' || types > 1 {
                return Err(RegexError::new("bad inline flags: flags a, u and L are incompatible"));
            }
            c = match self.get() {
                Some(Token::Char(c)) if is_flag(c) || matches!(c, ')' | '-' | ':') => c,
                _ => return Err(RegexError::new("missing -, : or )")),
            };
        }
        if c == ')' {
            self.flags.set(&on, true);
            self.flags.ascii |= on.contains('a');
            self.flags.unicode |= on.contains('u');
            self.flags.template |= on.contains('t');
            return if at_start {
                Ok(None)
            } else {
                Err(RegexError::new("global flags not at the start of the expression"))
            };
        }
        if c == '-' {
            c = self.flag("missing flag")?;
            while c != ':' {
                off.push(c);
                c = if self.take(':') { ':' } else { self.flag("missing :")? };
            }
        }
        if on.contains('t') || off.contains(['t', 'a', 'u', 'L']) || off.chars().any(|flag| on.contains(flag)) {
            return Err(RegexError::new("bad inline flags"));
        }
        let outer = self.flags;
        self.flags.set(&on, true);
        self.flags.set(&off, false);
        let body = self.closed()?;
        self.leave(outer);
        Ok(Some(Node::Group(None, body)))
    }

    fn flag(&mut self, missing: &str) -> Result<char, RegexError> {
        match self.get() {
            Some(Token::Char(c)) if is_flag(c) => Ok(c),
            _ => Err(RegexError::new(missing)),
        }
    }

    /// Characters a sequence matches, at least and at most.
    fn width(&self, seq: &[Node]) -> Width {
        let (mut least, mut most) = (0u128, 0u128);
        for node in seq {
            let (low, high) = match node {
                Node::One(_) => (1, 1),
                Node::At(_) | Node::Look { .. } => (0, 0),
                Node::Branch(branches) => branches
                    .iter()
                    .map(|branch| self.width(branch))
                    .fold((WIDEST, 0), |(low, high), (l, h)| (low.min(l), high.max(h))),
                Node::Group(_, body) | Node::Atomic(body) => self.width(body),
                Node::Repeat { least, most, body, .. } => {
                    let (low, high) = self.width(body);
                    let high = match most {
                        Some(most) => high * u128::from(*most),
                        None if high == 0 => 0,
                        None => WIDEST,
                    };
                    (low * u128::from(*least), high)
                }
                Node::Again(index) => self.widths.get(*index).copied().flatten().unwrap_or((0, 0)),
                Node::IfGroup { yes, no, .. } => {
                    let ((low, high), (l, h)) = (self.width(yes), self.width(no));
                    (low.min(l), high.max(h))
                }
            };
            least += low;
            most += high;
        }
        (least.min(WIDEST), most.min(WIDEST))
    }
}

impl Flags {
    fn set(&mut self, flags: &str, on: bool) {
        if flags.contains('i') {
            self.ignore_case = on;
        }
        if flags.contains('x') {
            self.verbose = on;
        }
    }
}

fn is_flag(c: char) -> bool {
    "iLmsxatu".contains(c)
}

fn is_identifier(name: &str) -> bool {
    name.chars().enumerate().all(|(i, c)| c == '_' || c.is_alphabetic() || (i > 0 && c.is_alphanumeric()))
        && !name.is_empty()
}
