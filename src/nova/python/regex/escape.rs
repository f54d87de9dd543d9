//! What a backslash means, outside and inside of `[…]`.

use super::syntax::Parser;
use super::{ALL, DECIMAL, Item, Node, Place, RegexError};

impl Parser {
    /// An escape outside of `[…]`.
    pub(super) fn escape(&mut self, c: char) -> Result<Node, RegexError> {
        let place = match c {
            'A' => Some(Place::Start),
            'Z' => Some(Place::End),
            'b' => Some(Place::Boundary),
            'B' => Some(Place::NotBoundary),
            _ => None,
        };
        if let Some(place) = place {
            return Ok(Node::At(place));
        }
        if matches!(c, '1'..='9') {
            return self.number(c);
        }
        Ok(match self.item(c)? {
            Item::Char(c) => Node::One(self.literal(c)),
            Item::Class(digits) => Node::One(digits),
        })
    }

    /// An escape inside of `[…]`.
    pub(super) fn class_escape(&mut self, c: char) -> Result<Item, RegexError> {
        match c {
            'b' => Ok(Item::Char(8)),
            '1'..='7' => {
                let octal = self.octal(c, 2);
                Self::small(octal)
            }
            '8' | '9' => Err(bad(c)),
            _ => self.item(c),
        }
    }

    /// What means the same in both.
    fn item(&mut self, c: char) -> Result<Item, RegexError> {
        Ok(match c {
            'd' => Item::Class(DECIMAL),
            'D' => Item::Class(ALL & !DECIMAL),
            'w' | 'S' => Item::Class(ALL),
            'W' | 's' => Item::Class(0),
            'a' => Item::Char(7),
            'f' => Item::Char(12),
            'n' => Item::Char(10),
            'r' => Item::Char(13),
            't' => Item::Char(9),
            'v' => Item::Char(11),
            'x' => Item::Char(self.hex(c, 2)?),
            'u' => Item::Char(self.hex(c, 4)?),
            'U' => match self.hex(c, 8)? {
                number @ 0..=0x0010_ffff => Item::Char(number),
                _ => return Err(bad(c)),
            },
            'N' => Item::Char(self.named()?),
            '0' => Item::Char(self.octal(c, 2)),
            c if c.is_ascii_alphabetic() => return Err(bad(c)),
            c => Item::Char(u32::from(c)),
        })
    }

    /// `\1` to `\99` is a group's text again, three octal digits are a character.
    fn number(&mut self, first: char) -> Result<Node, RegexError> {
        let mut number = first.to_digit(10).unwrap_or_default();
        if let Some(second) = self.next_digit(10) {
            let octal = first.is_digit(8) && second < 8;
            if let (true, Some(third)) = (octal, self.next_digit(8)) {
                return match Self::small(number * 64 + second * 8 + third)? {
                    Item::Char(c) => Ok(Node::One(self.literal(c))),
                    Item::Class(digits) => Ok(Node::One(digits)),
                };
            }
            number = number * 10 + second;
        }
        self.again(number as usize)
    }

    /// A character written in octal, up to 0o377.
    fn small(number: u32) -> Result<Item, RegexError> {
        if number > 0o377 {
            return Err(RegexError::new(format!("octal escape value {number:o} outside of range 0-377")));
        }
        Ok(Item::Char(number))
    }

    fn octal(&mut self, first: char, more: usize) -> u32 {
        let mut number = first.to_digit(8).unwrap_or_default();
        for _ in 0..more {
            let Some(digit) = self.next_digit(8) else { break };
            number = number * 8 + digit;
        }
        number
    }

    fn hex(&mut self, kind: char, digits: usize) -> Result<u32, RegexError> {
        let mut number = 0u32;
        for _ in 0..digits {
            let Some(digit) = self.next_digit(16) else {
                return Err(RegexError::new(format!("incomplete escape \\{kind}")));
            };
            number = number.wrapping_mul(16).wrapping_add(digit);
        }
        Ok(number)
    }

    /// `\N{DIGIT EIGHT}`. Only names of what can occur in an address are known.
    fn named(&mut self) -> Result<u32, RegexError> {
        if !self.take('{') {
            return Err(RegexError::new("missing {"));
        }
        let name = self.until('}', "character name")?.to_ascii_uppercase();
        let words = ["ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE"];
        if let Some(word) = name.strip_prefix("DIGIT ") {
            let found = words.into_iter().zip('0'..='9').find(|(known, _)| *known == word);
            return found.map(|(_, digit)| u32::from(digit)).ok_or_else(|| unknown(&name));
        }
        let letter = |prefix: &str| match name.strip_prefix(prefix)?.as_bytes() {
            [letter @ b'A'..=b'Z'] => Some(*letter),
            _ => None,
        };
        letter("LATIN CAPITAL LETTER ")
            .or_else(|| letter("LATIN SMALL LETTER ").map(|c| c.to_ascii_lowercase()))
            .map(u32::from)
            .ok_or_else(|| unknown(&name))
    }
}

fn bad(c: char) -> RegexError {
    RegexError::new(format!("bad escape \\{c}"))
}

fn unknown(name: &str) -> RegexError {
    RegexError::new(format!("undefined character name {name}"))
}
