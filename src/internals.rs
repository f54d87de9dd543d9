//! What the tests, benchmarks and examples of this repository reach beside the program; others are promised nothing.
#![allow(missing_docs, reason = "the items say what they are at home")]

pub mod cli {
    pub use crate::cli::command;
}
pub mod commands {
    pub mod explain {
        pub use crate::commands::explain::rules;
    }
}
pub mod domain {
    pub mod guest {
        pub use crate::domain::guest::read;
    }
    pub mod read {
        pub use crate::domain::read::read;
    }
    pub mod rewrite {
        pub use crate::domain::rewrite::{Interfaces, rewrite};
    }
}
pub mod drain {
    pub use crate::drain::plan::{Limits, plan};
}
pub mod facts {
    pub use crate::facts::reference::HostRef;
    pub use crate::facts::settings::Settings;
    pub use crate::facts::{GatherOptions, gather, gather_all};
    pub mod compact {
        pub use crate::facts::compact::Compact;
    }
    pub mod nova_files {
        pub use crate::facts::nova_files::counts_in_directory;
    }
    pub mod remote {
        pub mod file {
            pub use crate::facts::remote::file::parse;
        }
    }
    pub mod settings {
        pub use crate::facts::settings::{Defaults, GuestSettings, HostSettings, Settings};
    }
}
pub mod journal {
    pub use crate::journal::lock::{Lock, Subject};
    pub use crate::journal::record::{Entry, Host, Plan, Receipt};
    pub use crate::journal::store::{Journal, Store};
    pub use crate::model::device_move::{Action, DeviceMove, Instance};
    pub mod text {
        pub use crate::journal::text::parse;
    }
}
pub mod model {
    pub mod device_move {
        pub use crate::model::device_move::{Action, DeviceMove};
    }
    pub mod finding {
        pub use crate::model::finding::{Finding, NovaError, Rule, Severity};
    }
    pub mod outcome {
        pub use crate::model::outcome::Outcome;
    }
    pub mod pci {
        pub use crate::model::pci::address::PciAddress;
        pub use crate::model::pci::ids::PciId;
    }
    pub mod snapshot {
        pub use crate::model::snapshot::Snapshot;
        pub use crate::model::snapshot::config::AliasDoc;
        pub use crate::model::snapshot::device::{DevType, Device};
        pub use crate::model::snapshot::domain::{Domain, HostdevKind};
        pub use crate::model::snapshot::tags::Tags;
        pub mod device {
            pub use crate::model::snapshot::device::{UsedBy, Vpd};
        }
    }
}
pub mod nova {
    pub use crate::nova::RULES;
    pub mod config {
        pub mod address {
            pub use crate::nova::config::address::AddressPattern;
        }
        pub use crate::nova::config::input::Input;
        pub use crate::nova::config::load::load;
        pub use crate::nova::config::machine::NoHost;
        pub use crate::nova::config::matching::{Matcher, View};
        pub use crate::nova::config::parsed::{Entry, ParsedConfig};
        pub use crate::nova::config::request::requests;
        pub use crate::nova::oslo::substitute::Machine;
        pub mod fix {
            pub use crate::nova::config::fix::corrected;
        }
        pub mod machine {
            pub use crate::nova::config::machine::{Netdev, PciLookup};
        }
        pub mod options {
            pub use crate::nova::config::options::{PCI_IN_PLACEMENT, REPORT_IN_PLACEMENT};
        }
        pub mod placement_names {
            pub use crate::nova::config::placement_names::{resource_class, traits};
        }
        pub mod request {
            pub use crate::nova::config::request::{Groups, affinity_policy, api_accepts_extra_spec, placement_groups};
        }
    }
    pub mod lints {
        pub use crate::nova::lints::{LINTS, Subject, run};
    }
    pub mod oslo {
        pub mod substitute {
            pub use crate::nova::oslo::substitute::SUBSTITUTION;
        }
    }
    pub mod placement {
        pub use crate::nova::placement::providers;
    }
    pub mod scheduler {
        pub use crate::nova::scheduler::claim::{Claimed, Tracker};
        pub use crate::nova::scheduler::filters::{Cells, Request};
        pub use crate::nova::scheduler::pools::Tracked;
        pub mod precheck {
            pub use crate::nova::scheduler::precheck::{Refused, Services, check};
        }
    }
    pub mod tagging {
        pub use crate::nova::tagging::tag;
    }
}
pub mod output {
    pub mod findings {
        pub use crate::output::findings::render;
    }
}
pub mod openstack {
    pub fn reads_server(answer: &[u8]) -> bool {
        serde_json::from_slice::<crate::openstack::Server>(answer).is_ok()
    }
}
pub mod plan {
    pub use crate::plan::candidates::{Known, Planner};
    pub use crate::plan::instance::Wishes;
    pub mod document {
        pub use crate::plan::document::Plan;
    }
    pub mod stored {
        pub use crate::plan::stored::read;
    }
}
pub mod preflight {
    pub use crate::preflight::checks::checks;
    pub use crate::preflight::report::Report;
    pub use crate::preflight::run::{Question, run};
    pub use crate::preflight::terms::Terms;
    pub mod matrix {
        pub use crate::preflight::matrix::{Named, Seen, matrix};
    }
}
