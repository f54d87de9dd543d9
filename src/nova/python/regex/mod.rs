//! Python's regular expressions (`re` of 3.11) on the few hex digits of an address field. Own, because whether an
//! expression is accepted at all decides whether Nova starts, and no other dialect refuses and accepts the same ones.

mod escape;
mod group;
mod run;
mod syntax;

/// A compiled expression, matched at the start of the text only (`re.match`).
#[derive(Debug, Clone)]
pub struct Regex {
    body: Seq,
    groups: usize,
}

/// Why Python refuses an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegexError {
    /// What is wrong.
    pub message: String,
    /// Class of Python's exception: `error` is `re.error`.
    pub class: &'static str,
}

impl RegexError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), class: "error" }
    }
}

/// Hex digits as a set: bit n is the digit of value n. The fields hold nothing else, so nothing else need be told apart.
type Digits = u16;
const ALL: Digits = 0xffff;
const DECIMAL: Digits = 0x03ff;

type Seq = Vec<Node>;

#[derive(Debug, Clone)]
enum Node {
    /// One character.
    One(Digits),
    At(Place),
    Branch(Vec<Seq>),
    Group(Option<usize>, Seq),
    Repeat {
        least: u32,
        most: Option<u32>,
        greed: Greed,
        body: Seq,
    },
    Atomic(Seq),
    Look {
        ahead: bool,
        wanted: bool,
        /// Characters to step back before looking.
        back: usize,
        body: Seq,
    },
    /// What a group matched, again.
    Again(usize),
    IfGroup {
        group: usize,
        yes: Seq,
        no: Seq,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    End,
    Boundary,
    NotBoundary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Greed {
    Greedy,
    Lazy,
    Possessive,
}

impl Regex {
    /// Compiles an expression.
    pub fn new(text: &str) -> Result<Self, RegexError> {
        syntax::parse(text)
    }

    /// Whether it matches the number printed with `width` digits.
    pub fn matches_number(&self, value: u32, width: usize) -> bool {
        run::matches(&self.body, self.groups, &digits(value, width), false)
    }

    /// Whether it can match all of these digits (`re.fullmatch`).
    pub fn matches_fully(&self, value: u32, width: usize) -> bool {
        run::matches(&self.body, self.groups, &digits(value, width), true)
    }
}

/// The digits of a number, at least `width` of them.
fn digits(value: u32, width: usize) -> Vec<u8> {
    value
        .to_be_bytes()
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 0xf])
        .enumerate()
        .skip_while(|&(place, digit)| digit == 0 && 8 - place > width.max(1))
        .map(|(_, digit)| digit)
        .collect()
}

/// One item of a `[…]`.
#[derive(Debug, Clone, Copy)]
enum Item {
    /// A character, by its number: `\ud800` is none of Rust's.
    Char(u32),
    /// `\d` and the like.
    Class(Digits),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(expression: &str, value: u32, width: usize) -> bool {
        Regex::new(expression).unwrap_or_else(|e| panic!("{expression}: {}", e.message)).matches_number(value, width)
    }

    fn refused(expression: &str) -> &'static str {
        Regex::new(expression).map_or_else(|error| error.class, |_| "accepted")
    }

    #[test]
    fn matches_at_the_start_only() {
        assert!(takes("8", 0x81, 2) && takes("", 0x81, 2) && takes("8|9", 0x9f, 2));
        assert!(!takes("1", 0x81, 2) && !takes("8$", 0x81, 2) && !takes("8A", 0x8a, 2));
        assert!(takes("0{4}", 0, 4) && takes("^0001$", 1, 4) && takes("12345", 0x12345, 4));
    }

    #[test]
    fn tells_all_of_the_digits_from_a_beginning() {
        let fully = |expression: &str, value| Regex::new(expression).unwrap().matches_fully(value, 2);
        assert!(fully("8|81", 0x81) && fully("81$", 0x81) && fully(".*", 0x81));
        assert!(!fully("8", 0x81) && !fully("", 0x81));
    }

    #[test]
    fn knows_every_construct_of_python() {
        for (expression, value) in [
            ("(?i)8A", 0x8a),
            ("(?i:8A)", 0x8a),
            ("(?x) 8 1 # one", 0x81),
            ("(.)\\1", 0x88),
            ("(?P<d>8)(?P=d)", 0x88),
            ("(8)?(?(1)1|a)", 0x81),
            ("(8)?(?(1)1|a)", 0xab),
            ("8(?=1)", 0x81),
            (".(?<=8)1", 0x81),
            ("(?!0)..\\Z", 0x81),
            ("8(?#comment)1", 0x81),
            ("[]8]", 0x81),
            ("[^]9]", 0x81),
            ("[[:xdigit:]", 0xd1),
            ("\\x38\\u0031", 0x81),
            ("\\070", 0x81),
            ("\\N{DIGIT EIGHT}", 0x81),
            ("(?>8|81)", 0x81),
            ("8{,2}1", 0x81),
            ("8??8$", 0x88),
            ("\\b8\\B1\\b", 0x81),
            ("(8*)*1", 0x81),
        ] {
            assert!(takes(expression, value, 2), "{expression} on {value:02x}");
        }
        for (expression, value) in [
            ("(?>8|81)$", 0x81),
            ("8*+8", 0x88),
            ("(?i:8)A", 0x8a),
            ("8(?!1)", 0x81),
            ("(?<!0)x|9", 0x81),
            ("\\s", 0x81),
            ("8{", 0x81),
            ("(8)?(?(1)1|a)", 0x8a),
        ] {
            assert!(!takes(expression, value, 2), "{expression} on {value:02x}");
        }
    }

    #[test]
    fn refuses_what_python_refuses() {
        for expression in [
            "*",
            "(",
            ")",
            "[",
            "[]",
            "8**",
            "8*{2}",
            "^*",
            "\\q",
            "\\",
            "[8-1]",
            "[a-\\d]",
            "(?<n>8)",
            "(?P<1>8)",
            "8{2,1}",
            "(?P<n>8)(?P<n>1)",
            "(?P=n)",
            "\\1",
            "(\\1)",
            "8(?i)",
            "(?L)8",
            "(?i-i:8)",
            "(?<=8*)1",
            "(?<=a|bc)",
            "(?(1)8)",
            "(?(0)8)",
            "(8)(?(1)1|2|3)",
            "\\z",
            "\\p{L}",
            "[\\B]",
            "\\400",
            "\\x8",
            "(?R)",
            "(?#",
            "(?i",
            "(?t)8*",
            "\\U00110000",
        ] {
            assert_eq!(refused(expression), "error", "{expression}");
        }
        assert_eq!(refused("8{4294967295}"), "OverflowError");
        assert_eq!(refused("(?a)(?u)8"), "ValueError");
        assert_eq!(refused(&format!("{}8{}", "(".repeat(600), ")".repeat(600))), "RecursionError");
        for expression in
            ["{", "8{", "8{}", "8{a}", "]", "}", "x*", "\\_", "\\é", "[a&&b]", "(?:^)*", "()", "|", "(?i)", "8{65536}"]
        {
            assert_eq!(refused(expression), "accepted", "{expression}");
        }
    }

    #[test]
    fn ends_on_expressions_that_explode() {
        assert!(takes(&format!("{}8{}1", "(".repeat(150), ")".repeat(150)), 0x81, 2));
        assert!(takes("(?:(?:8?){1000}){1000}", 0x81, 2));
        assert!(!takes("(?:8?){60}(?:8?){60}(?:8?){60}(?:8?){60}z", 0x8888, 4));
        assert!(!takes("(((x*)*)*)*z", 0x81, 2));
        assert!(takes("(){4294967294}8", 0x81, 2));
    }
}
