//! Reads an expression as Python does: which are refused, and how the rest is divided.

use super::{ALL, Digits, Greed, Item, Node, Place, Regex, RegexError, Seq};

/// Groups within groups. Python's stack ends at a few hundred, how many depends on where Nova stands when it reads.
const DEEPEST: usize = 200;

/// A character, or a backslash and the character after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Char(char),
    Escape(char),
}

/// Characters an expression matches, at least and at most.
pub(super) type Width = (u128, u128);
/// Where Python stops counting them.
pub(super) const WIDEST: u128 = 1 << 64;

/// An expression being read.
#[derive(Debug)]
pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// By number, from 1; none while the group is open.
    pub(super) widths: Vec<Option<Width>>,
    pub(super) names: Vec<(String, usize)>,
    /// Groups known before the look-behind being read; those in it may not be referred to.
    pub(super) lookbehind: Option<usize>,
    /// Highest group a `(?(1)…)` asks for; it may come later.
    pub(super) asked: usize,
    pub(super) flags: Flags,
    pub(super) depth: usize,
}

/// Flags in force. The others make no difference for hex digits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub ignore_case: bool,
    pub verbose: bool,
    pub ascii: bool,
    pub unicode: bool,
    pub template: bool,
    pub repeats: bool,
}

pub(super) fn parse(text: &str) -> Result<Regex, RegexError> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '\\' => Token::Escape(chars.next().ok_or_else(|| RegexError::new("bad escape (end of pattern)"))?),
            c => Token::Char(c),
        });
    }
    let mut parser = Parser {
        tokens,
        at: 0,
        widths: vec![None],
        names: Vec::new(),
        lookbehind: None,
        asked: 0,
        flags: Flags::default(),
        depth: 0,
    };
    let body = parser.alternatives()?;
    if parser.flags.ascii && parser.flags.unicode {
        return Err(RegexError { message: "ASCII and UNICODE flags are incompatible".to_owned(), class: "ValueError" });
    }
    if parser.at < parser.tokens.len() {
        return Err(RegexError::new("unbalanced parenthesis"));
    }
    if parser.asked >= parser.widths.len() {
        return Err(RegexError::new(format!("invalid group reference {}", parser.asked)));
    }
    if parser.flags.template && parser.flags.repeats {
        return Err(RegexError::new("unsupported template operator"));
    }
    Ok(Regex { body, groups: parser.widths.len() })
}

impl Parser {
    pub(super) fn peek(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn get(&mut self) -> Option<Token> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    /// Steps over this character if it is next.
    pub(super) fn take(&mut self, c: char) -> bool {
        let is = self.peek() == Some(Token::Char(c));
        self.at += usize::from(is);
        is
    }

    /// Steps over a digit.
    pub(super) fn next_digit(&mut self, radix: u32) -> Option<u32> {
        let Some(Token::Char(c)) = self.peek() else { return None };
        let digit = c.to_digit(radix)?;
        self.at += 1;
        Some(digit)
    }

    /// The text up to a character, which is stepped over.
    pub(super) fn until(&mut self, end: char, what: &str) -> Result<String, RegexError> {
        let mut text = String::new();
        loop {
            match self.get() {
                Some(Token::Char(c)) if c == end && !text.is_empty() => return Ok(text),
                Some(Token::Char(c)) if c == end => return Err(RegexError::new(format!("missing {what}"))),
                Some(Token::Char(c)) => text.push(c),
                Some(Token::Escape(c)) => text.extend(['\\', c]),
                None => return Err(RegexError::new(format!("missing {end}, unterminated name"))),
            }
        }
    }

    /// The digits a character stands for: one or none, for case too.
    pub(super) fn literal(&self, c: u32) -> Digits {
        self.range(c, c)
    }

    fn range(&self, low: u32, high: u32) -> Digits {
        (0..16).fold(0, |digits, value| {
            let Some(digit) = char::from_digit(value, 16) else { return digits };
            let within = |c: char| (low..=high).contains(&u32::from(c));
            let is = within(digit) || (self.flags.ignore_case && within(digit.to_ascii_uppercase()));
            digits | (Digits::from(is) << value)
        })
    }

    /// `a|b|c`, as far as the `)` or the end.
    pub(super) fn alternatives(&mut self) -> Result<Seq, RegexError> {
        if self.depth > DEEPEST {
            return Err(RegexError { message: "too many groups within groups".to_owned(), class: "RecursionError" });
        }
        self.depth += 1;
        let mut branches = vec![self.sequence(self.depth == 1)?];
        while self.take('|') {
            branches.push(self.sequence(false)?);
        }
        self.depth -= 1;
        Ok(match branches.len() {
            1 => branches.remove(0),
            _ => vec![Node::Branch(branches)],
        })
    }

    /// One alternative. Flags for the whole expression may stand only in front of `first`.
    pub(super) fn sequence(&mut self, first: bool) -> Result<Seq, RegexError> {
        let mut seq = Seq::new();
        loop {
            let token = match self.peek() {
                None | Some(Token::Char('|' | ')')) => return Ok(seq),
                Some(token) => token,
            };
            self.at += 1;
            let c = match token {
                Token::Escape(c) => {
                    let node = self.escape(c)?;
                    seq.push(node);
                    continue;
                }
                Token::Char(c) => c,
            };
            match c {
                ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' if self.flags.verbose => {}
                '#' if self.flags.verbose => while !matches!(self.get(), None | Some(Token::Char('\n'))) {},
                '[' => seq.push(Node::One(self.set()?)),
                '?' => self.repeat(&mut seq, 0, Some(1))?,
                '*' => self.repeat(&mut seq, 0, None)?,
                '+' => self.repeat(&mut seq, 1, None)?,
                '{' => match self.counts()? {
                    Some((least, most)) => self.repeat(&mut seq, least, most)?,
                    None => seq.push(Node::One(0)),
                },
                '.' => seq.push(Node::One(ALL)),
                '(' => {
                    let at_start = first && seq.is_empty();
                    seq.extend(self.group(at_start)?);
                }
                '^' => seq.push(Node::At(Place::Start)),
                '$' => seq.push(Node::At(Place::End)),
                c => seq.push(Node::One(self.literal(u32::from(c)))),
            }
        }
    }

    /// The rest of `{2,3}`; none where it is no repetition but text.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>, RegexError> {
        let start = self.at;
        if self.peek() == Some(Token::Char('}')) {
            return Ok(None);
        }
        let low = self.digits();
        let high = if self.take(',') { self.digits() } else { low.clone() };
        if !self.take('}') {
            self.at = start;
            return Ok(None);
        }
        let number = |digits: &str| match digits.parse::<u32>() {
            Ok(number) if number < u32::MAX => Ok(number),
            _ => Err(RegexError { message: "the repetition number is too large".to_owned(), class: "OverflowError" }),
        };
        let least = if low.is_empty() { 0 } else { number(&low)? };
        let most = if high.is_empty() { None } else { Some(number(&high)?) };
        if most.is_some_and(|most| most < least) {
            return Err(RegexError::new("min repeat greater than max repeat"));
        }
        Ok(Some((least, most)))
    }

    fn digits(&mut self) -> String {
        std::iter::from_fn(|| self.next_digit(10)).filter_map(|digit| char::from_digit(digit, 10)).collect()
    }

    /// Repeats what came last.
    fn repeat(&mut self, seq: &mut Seq, least: u32, most: Option<u32>) -> Result<(), RegexError> {
        let body = match seq.last() {
            None | Some(Node::At(_)) => return Err(RegexError::new("nothing to repeat")),
            Some(Node::Repeat { .. }) => return Err(RegexError::new("multiple repeat")),
            Some(_) => seq.split_off(seq.len() - 1),
        };
        let greed = if self.take('?') {
            Greed::Lazy
        } else if self.take('+') {
            Greed::Possessive
        } else {
            Greed::Greedy
        };
        self.flags.repeats = true;
        seq.push(Node::Repeat { least, most, greed, body });
        Ok(())
    }

    /// The rest of `[…]`.
    fn set(&mut self) -> Result<Digits, RegexError> {
        let unterminated = || RegexError::new("unterminated character set");
        let negated = self.take('^');
        let (mut digits, mut empty) = (0, true);
        loop {
            let token = self.get().ok_or_else(unterminated)?;
            if token == Token::Char(']') && !empty {
                break;
            }
            empty = false;
            let low = self.set_item(token)?;
            if !self.take('-') {
                digits |= self.item_digits(low);
                continue;
            }
            let token = self.get().ok_or_else(unterminated)?;
            if token == Token::Char(']') {
                digits |= self.item_digits(low);
                break;
            }
            let high = self.set_item(token)?;
            match (low, high) {
                (Item::Char(low), Item::Char(high)) if low <= high => digits |= self.range(low, high),
                _ => return Err(RegexError::new("bad character range")),
            }
        }
        Ok(if negated { !digits } else { digits })
    }

    fn set_item(&mut self, token: Token) -> Result<Item, RegexError> {
        match token {
            Token::Char(c) => Ok(Item::Char(u32::from(c))),
            Token::Escape(c) => self.class_escape(c),
        }
    }

    fn item_digits(&self, item: Item) -> Digits {
        match item {
            Item::Char(c) => self.literal(c),
            Item::Class(digits) => digits,
        }
    }
}
