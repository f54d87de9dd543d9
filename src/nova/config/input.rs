//! A text that is read as configuration, and how it is written.

/// One file's content.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name for messages.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// nova.conf.
    Ini,
    /// YAML, or JSON, which is YAML too.
    Yaml,
}

impl Format {
    /// Guesses by name, and where the name does not say, by content.
    pub(crate) fn guess(name: &str, text: &str) -> Self {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        match extension.as_deref() {
            Some("yaml" | "yml" | "json") => return Self::Yaml,
            Some("conf" | "ini") => return Self::Ini,
            _ => {}
        }
        let first = text.lines().map(str::trim_end).find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
        match first {
            Some(line) if line.starts_with("---") || line.starts_with('{') => Self::Yaml,
            Some(line) if ["pci:", "device_spec:", "alias:", "hosts:", "defaults:"].contains(&line) => Self::Yaml,
            _ => Self::Ini,
        }
    }
}

/// UTF-8, with `?` for each byte that is not, so that offsets stay those of the file; and the first such byte.
pub(super) fn decode(bytes: Vec<u8>) -> (String, Option<usize>) {
    let mut bytes = match String::from_utf8(bytes) {
        Ok(text) => return (text, None),
        Err(error) => error.into_bytes(),
    };
    let mut first = None;
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&bytes[at..]) {
        let bad = at + error.valid_up_to();
        first.get_or_insert(bad);
        let len = error.error_len().unwrap_or(bytes.len() - bad);
        bytes[bad..bad + len].fill(b'?');
        at = bad + len;
    }
    (String::from_utf8(bytes).unwrap_or_default(), first)
}
