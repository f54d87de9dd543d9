//! Nova's `[pci]` configuration: text in, typed specs and aliases out, with every error at its place. Knows nothing of
//! files and hosts: [`load()`] takes texts, and asks about the host through [`machine::PciLookup`].
//!
//! ```text
//! bytes ─► ini / yaml ─► options in Nova's order ─► $substitution ─► json ─► Node ─► DeviceSpec, AliasEntry ─► Matcher, requests
//! ```

pub(crate) mod address;
pub(crate) mod alias;
pub(crate) mod allow;
pub(crate) mod compare;
pub(crate) mod device_spec;
pub(crate) mod fix;
pub(crate) mod input;
pub(crate) mod json_error;
pub(crate) mod load;
pub(crate) mod machine;
pub(crate) mod matching;
pub(crate) mod options;
pub(crate) mod parsed;
pub(crate) mod placement_names;
pub(crate) mod request;
pub(crate) mod request_report;
pub(crate) mod shapes;
pub(crate) mod trace;
mod visible;
pub(crate) mod yaml;

pub(crate) use crate::nova::oslo::substitute::Machine;
pub(crate) use device_spec::DeviceSpec;
pub(crate) use input::Input;
pub(crate) use load::load;
pub(crate) use machine::{Devices, NoHost};
pub(crate) use matching::{Matcher, View};
pub(crate) use parsed::ParsedConfig;
pub(crate) use request::{Request, requests};
