//! A guest whose QEMU waits at switch-over until the test lets it go on: what a test does in that moment happens in it,
//! however busy the machine is.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "shared by several tests; a test runs programs and stops at the first surprise"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::harness::{Life, TwoHosts};
use crate::program;

impl TwoHosts {
    /// The guest `demo` on host a, whose QEMU waits at a point of switch-over: `hold` says which, see `hold.c`.
    #[track_caller]
    pub fn held_guest(&self, hold: &str) -> Life {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        for host in ["a", "b"] {
            let images = self.path(&format!("host-{host}/var/lib/libvirt/images"));
            let (code, library) = (here.join("tests/two-hosts/hold.c"), images.join("hold.so"));
            // An earlier one may be mapped.
            let _ = fs::remove_file(&library);
            let mut built = Command::new("gcc");
            built.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]);
            assert!(built.args([library, code]).status().unwrap().success());
            let script = format!(
                "#!/bin/sh\ncd /var/lib/libvirt/images\nHOLD={hold} HOLD_UNTIL=$PWD/released LD_PRELOAD=$PWD/hold.so \\\n\
                 exec /usr/bin/qemu-system-x86_64 \"$@\"\n"
            );
            program::executable(&images.join("qemu-held"), &script);
        }
        self.hold_again();
        let template = fs::read_to_string(here.join("tests/guest/guest.xml")).unwrap();
        let xml = template.replace("@NAME@", "demo").replace("@WORDS@", "");
        let xml = xml.replace("/usr/bin/qemu-system-x86_64", "/var/lib/libvirt/images/qemu-held");
        let file = self.path("demo.xml");
        fs::write(&file, xml).unwrap();
        self.virsh("a", &["create", file.to_str().unwrap()]);
        self.life("a", "demo", None)
    }

    /// Lets the switch-over on host a go on.
    pub fn release(&self) {
        fs::write(self.released(), "").unwrap();
    }

    /// Has the next switch-over on host a wait.
    pub fn hold_again(&self) {
        // It is not there before the first.
        let _ = fs::remove_file(self.released());
    }

    fn released(&self) -> PathBuf {
        self.path("host-a/var/lib/libvirt/images/released")
    }
}
