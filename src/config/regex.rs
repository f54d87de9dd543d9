//! Python's regular expressions on the few hex digits of an address field.

/// A compiled expression, matched at the start of the text only (`re.match`).
#[derive(Debug, Clone)]
pub struct Regex(fancy_regex::Regex);

/// Why Python refuses an expression.
#[derive(Debug, Clone)]
pub struct RegexError {
    /// What is wrong.
    pub message: String,
    /// Class of Python's exception: `error` is `re.error`.
    pub class: &'static str,
}

impl Regex {
    /// Compiles an expression.
    pub fn new(text: &str) -> Result<Self, RegexError> {
        fancy_regex::Regex::new(&format!("^(?:{text})"))
            .map(Self)
            .map_err(|_| RegexError { message: "not a regular expression".to_owned(), class: "error" })
    }

    /// Whether it matches the number printed with `width` digits.
    pub fn matches_number(&self, value: u32, width: usize) -> bool {
        self.0.is_match(&format!("{value:0width$x}")).unwrap_or(false)
    }
}
