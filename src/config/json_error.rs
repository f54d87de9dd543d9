//! Why a value is not JSON, in the operator's words.

use super::ini::{End, Ini};
use super::json::JsonError;
use super::options::OptionDef;
use super::{Entry, rules};
use crate::source::Diagnostic;

/// The diagnostic for a value that `json::parse` refused.
pub(super) fn explain(error: &JsonError, entry: &Entry, def: &OptionDef, _files: &[Ini]) -> Diagnostic {
    let Some(mapped) = &entry.text else {
        return Diagnostic::new(&rules::JSON_SYNTAX, "the value is not JSON");
    };
    let text = mapped.text.as_str();
    let rest = &text[error.offset..];
    let found_len = rest.chars().next().map_or(0, char::len_utf8);
    let span = mapped.span(error.offset..error.offset + found_len);
    let python = rest.starts_with('\'') || ["True", "False", "None"].iter().any(|word| rest.starts_with(word));
    let before = text[..error.offset].trim_end();
    let trailing_comma = rest.starts_with(['}', ']']) && before.ends_with(',');
    let diagnostic = if python || trailing_comma {
        Diagnostic::new(&rules::PYTHON_NOT_JSON, format!("this {} is written as Python, not as JSON", def.name))
            .at(span, if trailing_comma { "no comma behind the last member" } else { "not JSON" })
    } else {
        let cut = error.offset >= text.len() && !matches!(entry.ended_by, End::Next);
        let found = if cut { "the value ends here" } else { error.message };
        Diagnostic::new(&rules::JSON_SYNTAX, format!("this {} is not JSON", def.name)).at(span, found)
    };
    let nova = error.python_message(text);
    let diagnostic = diagnostic.remedy("names and text in double quotes; true, false, null in lower case");
    if error.too_deep {
        diagnostic.nova("RecursionError", "maximum recursion depth exceeded while decoding a JSON array")
    } else if def.name == "alias" {
        diagnostic.nova("PciInvalidAlias", format!("Invalid PCI alias definition: {nova}"))
    } else {
        diagnostic.nova("PciConfigInvalidSpec", format!("Invalid [pci]device_spec config: Invalid entry: '{text}'"))
    }
}
