//! The guide's playbook, played by a real Ansible on the two hosts: looked at, played, and played again.

use std::path::Path;
use std::process::Command;

use super::harness::{Said, TwoHosts, script};
use crate::program::PVM;

/// The playbook, as the guide prints it.
fn playbook() -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/text/pvm-guide.md");
    let text = std::fs::read_to_string(guide).unwrap();
    let (_, section) = text.split_once("## Ansible\n").unwrap();
    section.split_once("```yaml\n").unwrap().1.split_once("```").unwrap().0.to_owned()
}

fn ansible() -> String {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packaging/install-ansible");
    let said = Said::of(&Command::new(install).output().unwrap()).ends(0);
    said.stdout.trim().to_owned()
}

#[test]
fn the_playbook_of_the_guide_moves_guests_once() {
    let hosts = TwoHosts::up();
    let lives = ["one", "two"].map(|name| hosts.guest("a", name, &[]));
    let file = hosts.path("playbook.yaml");
    std::fs::write(&file, playbook()).unwrap();
    let (program, directory) = (ansible(), Path::new(PVM).parent().unwrap());
    let play = |more: &[&str]| {
        let mut command = Command::new(script());
        command.args(["exec", hosts.path("").to_str().unwrap(), "a", "env"]);
        command.arg(format!("PATH={}:{}", directory.display(), std::env::var("PATH").unwrap()));
        command.args([format!("HOME={}", hosts.path("").display()), program.clone()]);
        let python = program.replace("ansible-playbook", "python");
        command.args(["-i", "cmp-a1,", "-c", "local", "-e", &format!("ansible_python_interpreter={python}")]);
        command.args(["-e", "guest=one destination=host-b"]).arg(&file).args(more);
        let said = Said::of(&command.output().unwrap()).ends(0);
        let recap = said.stdout.lines().rfind(|line| line.contains("changed=")).unwrap();
        let changed = recap.split("changed=").nth(1).unwrap().split_whitespace().next().unwrap();
        changed.parse::<usize>().unwrap()
    };
    assert_eq!(play(&["--check"]), 0);
    assert_eq!(hosts.virsh("a", &["list", "--name"]).split_whitespace().count(), 2, "it was only looked at");
    assert_eq!(play(&[]), 2, "one guest is moved, the host is emptied of the other");
    for (name, life) in ["one", "two"].iter().zip(&lives) {
        hosts.life("b", name, Some(life));
    }
    assert_eq!(hosts.virsh("a", &["list", "--name"]).trim(), "");
    assert_eq!(play(&[]), 0, "the second time changes nothing");
}
