//! Completion as a shell asks for it.

use std::path::Path;
use std::process::Command;

use crate::program;

/// What bash offers after `line`.
fn offered(line: &str, place: &Path) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions/pvm.bash");
    let ask = "source \"$1\"; COMP_WORDS=($2); [[ $2 == *' ' ]] && COMP_WORDS+=(''); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_TYPE=9; \
        _clap_complete_pvm pvm \"${COMP_WORDS[COMP_CWORD]}\" \"\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let directory = Path::new(program::PVM).parent().unwrap();
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-c", ask, "bash"]).arg(script).arg(line).current_dir(place);
    let output = bash.env("PATH", path).env("STATE_DIRECTORY", place.join("state")).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_offers_commands_codes_hosts_and_snapshots() {
    let place = tempfile::tempdir().unwrap();
    for name in ["cmp-a1.json", "notes.txt"] {
        std::fs::write(place.path().join(name), "").unwrap();
    }
    assert_eq!(offered("pvm exp", place.path()), ["explain"]);
    assert_eq!(offered("pvm explain clock", place.path()), ["clock-skew"]);
    assert_eq!(offered("pvm preflight cmp", place.path()), ["cmp-a1.json"]);
    assert!(offered("pvm migrate g ", place.path()).contains(&"local".to_owned()));
    assert!(!offered("pvm ", place.path()).contains(&"evidence".to_owned()));
}
