//! Address patterns of a device spec (`nova/pci/devspec.py`): glob text, regex objects, and the exact address of a `devname`.

use super::machine::PciLookup;
use crate::model::finding::NovaError;
use crate::model::pci::PciAddress;
use crate::model::snapshot::AddressDoc;
use crate::nova::python::node::{Node, Value};
use crate::nova::python::regex::{Regex, RegexError};
use crate::nova::python::words;
use crate::text::Span;

/// Which of Nova's three matchers it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text with `*`.
    Glob,
    /// An object of expressions.
    Regex,
    /// The PF behind a `devname`.
    Physical,
}

/// Names of the four fields, in order.
pub(crate) const FIELDS: [&str; 4] = ["domain", "bus", "slot", "function"];

/// Nova's own names of them in its errors.
const NOVA_FIELDS: [&str; 4] = ["domain", "bus", "slot", "func"];

/// The largest value of each field.
const MAXIMA: [i128; 4] = [0xffff, 0xff, 0x1f, 7];

/// Digits of each field.
pub(crate) const WIDTHS: [usize; 4] = [4, 2, 2, 1];

/// One field's matcher.
#[derive(Debug, Clone)]
pub enum Field {
    /// `*`.
    Any,
    /// One value.
    Is(u32),
    /// A value no device has (a negative number).
    Never,
    /// A Python expression, matched at the start.
    Regex(Regex),
}

/// An address matcher.
#[derive(Debug, Clone)]
pub struct AddressPattern {
    /// Which matcher.
    pub style: Style,
    /// The four fields as Nova keeps them.
    pub text: [String; 4],
    /// The four matchers.
    pub fields: [Field; 4],
    /// Whether it names a PF exactly: then it covers the PF's VFs too.
    pub is_pf: bool,
}

/// Why an address is refused.
#[derive(Debug, Clone)]
pub struct AddressError {
    /// What is wrong.
    pub message: String,
    /// The exact place, where it is not the whole value.
    pub span: Option<Span>,
    /// What was found there.
    pub found: String,
    /// What to write instead.
    pub remedy: &'static str,
    /// What Nova says.
    pub nova: NovaError,
}

impl AddressPattern {
    /// `*:*:*.*`.
    pub fn any() -> Self {
        Self {
            style: Style::Glob,
            text: std::array::from_fn(|_| "*".to_owned()),
            fields: [Field::Any, Field::Any, Field::Any, Field::Any],
            is_pf: false,
        }
    }

    /// Reads the `address` of a spec. The caller has dealt with values that Python takes for false.
    pub fn read(node: &Node, host: &dyn PciLookup) -> Result<Self, Box<AddressError>> {
        let mut pattern = match &node.value {
            Value::String(text) => Self::glob(text)?,
            Value::Object(_) => Self::expressions(node)?,
            _ => {
                return Err(Box::new(AddressError {
                    message: format!("address must be text or an object of expressions, not {}", node.kind()),
                    span: None,
                    found: node.kind().to_owned(),
                    remedy: "\"address\": \"DOMAIN:BUS:SLOT.FUNCTION\", with * for any field",
                    nova: wrong_format(&node.python_str()),
                }));
            }
        };
        pattern.is_pf = pattern.is_single() && host.is_physical_function(&pattern.name());
        Ok(pattern)
    }

    /// The device of a network interface: exact for a PF, else read like text.
    pub fn of_netdev(device: &str, is_pf: bool, host: &dyn PciLookup) -> Result<Self, Box<AddressError>> {
        let mut pattern = Self::glob(device)?;
        if is_pf {
            pattern.style = Style::Physical;
            pattern.is_pf = true;
        } else {
            pattern.is_pf = pattern.is_single() && host.is_physical_function(&pattern.name());
        }
        Ok(pattern)
    }

    fn glob(text: &str) -> Result<Self, Box<AddressError>> {
        let mut pattern = Self::any();
        let (left, function) = text.split_once('.').unwrap_or((text, ""));
        if !function.is_empty() {
            pattern.set(3, words::strip(function))?;
        }
        if !left.is_empty() {
            let parts: Vec<&str> = left.split(':').collect();
            if parts.len() > 3 {
                return Err(Box::new(AddressError {
                    message: "an address has at most three fields before the dot".to_owned(),
                    span: None,
                    found: format!("{} fields", parts.len()),
                    remedy: "write it as domain:bus:slot.function",
                    nova: wrong_format(text),
                }));
            }
            let missing = 3 - parts.len();
            for (i, part) in parts.iter().enumerate() {
                let part = words::strip(part);
                pattern.set(missing + i, if part.is_empty() { "*" } else { part })?;
            }
        }
        Ok(pattern)
    }

    fn set(&mut self, i: usize, part: &str) -> Result<(), Box<AddressError>> {
        if part == "*" {
            return Ok(());
        }
        let name = NOVA_FIELDS[i];
        let Some(value) = words::int(part, 16) else {
            let partial = part.contains(['*', '?', '[']);
            return Err(Box::new(AddressError {
                message: if partial {
                    format!("a field is * or one hex number: '{part}' is neither")
                } else {
                    format!("{} '{part}' is not a hex number", FIELDS[i])
                },
                span: None,
                found: if partial {
                    "no partial wildcards".to_owned()
                } else {
                    format!("{}: not a hex number", FIELDS[i])
                },
                remedy: if partial {
                    "for part of a field write an object of expressions: \"address\": {\"bus\": EXPRESSION}"
                } else {
                    "write it as domain:bus:slot.function in hex"
                },
                nova: invalid_spec(&format!("property {name} ('{part}') does not parse as a hex number.")),
            }));
        };
        if value > MAXIMA[i] {
            return Err(Box::new(AddressError {
                message: format!("{} '{part}' is too large: at most {:x}", FIELDS[i], MAXIMA[i]),
                span: None,
                found: format!("{} ends at {:x}", FIELDS[i], MAXIMA[i]),
                remedy: "fields count from the right: domain:bus:slot.function",
                nova: invalid_spec(&format!(
                    "property {name} ({part}) is greater than the maximum allowable value ({:X}).",
                    MAXIMA[i]
                )),
            }));
        }
        self.text[i] = words::hex(value, WIDTHS[i]);
        self.fields[i] = u32::try_from(value).map_or(Field::Never, Field::Is);
        Ok(())
    }

    fn expressions(node: &Node) -> Result<Self, Box<AddressError>> {
        let mut pattern = Self::any();
        pattern.style = Style::Regex;
        for (i, name) in FIELDS.iter().enumerate() {
            let Some(member) = node.get(name) else {
                ".*".clone_into(&mut pattern.text[i]);
                continue;
            };
            let Some(text) = member.value.as_str() else {
                return Err(Box::new(AddressError {
                    message: format!("an expression for {name} must be text, not {}", member.value.kind()),
                    span: Some(member.value.span),
                    found: member.value.kind().to_owned(),
                    remedy: "put the expression in double quotes",
                    nova: NovaError::new("TypeError", "first argument must be string or compiled pattern"),
                }));
            };
            match Regex::new(text) {
                Ok(regex) => pattern.fields[i] = Field::Regex(regex),
                Err(RegexError { message, class }) => {
                    return Err(Box::new(AddressError {
                        message: format!("the expression for {name} is not one Python accepts: {message}"),
                        span: Some(member.value.span),
                        found: message,
                        remedy: "write a Python regular expression, for example \"bus\": \"8[0-3]$\"",
                        nova: if class == "error" {
                            wrong_format(&node.python_str())
                        } else {
                            NovaError::new(class, "the expression could not be compiled")
                        },
                    }));
                }
            }
            text.clone_into(&mut pattern.text[i]);
        }
        Ok(pattern)
    }

    /// Whether all four fields consist of hex digits alone. An empty expression does too.
    fn is_single(&self) -> bool {
        self.text.iter().all(|t| t.bytes().all(|b| b.is_ascii_hexdigit()))
    }

    fn name(&self) -> String {
        let [domain, bus, slot, function] = &self.text;
        format!("{domain}:{bus}:{slot}.{function}")
    }

    /// Whether the pattern itself matches this address, parents aside.
    pub fn matches(&self, address: PciAddress) -> bool {
        let values = [address.domain, address.bus.into(), address.slot.into(), address.function.into()];
        self.fields.iter().zip(values).zip(WIDTHS).all(|((field, value), width)| field.matches(value, width))
    }

    /// The document's form.
    pub fn document(&self) -> AddressDoc {
        let [domain, bus, slot, function] = self.text.clone();
        let style = match self.style {
            Style::Glob => "glob",
            Style::Regex => "regex",
            Style::Physical => "physical",
        };
        AddressDoc { style: style.to_owned(), domain, bus, slot, function, is_pf: self.is_pf }
    }
}

impl Field {
    /// Whether the field's matcher takes this value, printed with `width` digits.
    pub fn matches(&self, value: u32, width: usize) -> bool {
        match self {
            Self::Any => true,
            Self::Is(wanted) => *wanted == value,
            Self::Never => false,
            Self::Regex(regex) => regex.matches_number(value, width),
        }
    }
}

fn invalid_spec(reason: &str) -> NovaError {
    NovaError::new("PciConfigInvalidSpec", format!("Invalid [pci]device_spec config: {reason}"))
}

fn wrong_format(address: &str) -> NovaError {
    NovaError::new("PciDeviceWrongAddressFormat", format!("The PCI address {address} has an incorrect format."))
}
