//! What `pvm preflight` predicts, beside what a real `virsh migrate` of the same guest then does, between two real libvirt
//! daemons: one row per scenario, printed as a table. Needs root and the packages that `tests/two-hosts/two-hosts install`
//! installs; a missing part is a failure.
//!
//! What cannot be provoked here: KVM (the guests are emulated); too little memory, huge pages, CPUs and NUMA nodes that only
//! one host lacks (both hosts are one kernel); a TPM, virtiofs and confidential guests (programs and hardware that CI does
//! not have); an I/O error (the guest does none). Their checks have transcripts.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::harness::{self, Said, TwoHosts};

/// One row. Shell lines begin with the host they run on: `a: …` or `b: …`; `NAME` is the guest.
#[derive(Default)]
struct Scenario {
    name: &'static str,
    /// The check that must say so; none when nothing is wrong.
    check: &'static str,
    /// Edits of the guest's definition: what is replaced, and by what.
    guest: &'static [(&'static str, &'static str)],
    /// Before the guest starts.
    before: &'static [&'static str],
    /// When it runs.
    then: &'static [&'static str],
    /// Afterwards, whatever happened.
    undo: &'static [&'static str],
}

const DEVICES: &str = "</devices>";

/// A row that only adds a device.
const fn device(name: &'static str, check: &'static str, edit: &'static [(&'static str, &'static str)]) -> Scenario {
    Scenario { name, check, guest: edit, before: &[], then: &[], undo: &[] }
}

const SCENARIOS: &[Scenario] = &[
    device("nothing special", "", &[]),
    Scenario { name: "paused", then: &["a: virsh suspend NAME"], ..NONE },
    Scenario { name: "shut off", check: "guest-running", then: &["a: virsh destroy NAME"], ..NONE },
    Scenario {
        name: "a snapshot's metadata",
        check: "guest-snapshots",
        then: &[
            "a: (echo '<domainsnapshot><name>s1</name><state>disk-snapshot</state><creationTime>1</creationTime>'; \
             virsh dumpxml NAME; echo '</domainsnapshot>') >/run/s.xml; virsh snapshot-create NAME /run/s.xml --redefine",
        ],
        undo: &["a: virsh snapshot-delete NAME s1 --metadata"],
        ..NONE
    },
    Scenario {
        name: "a job is running",
        check: "guest-job",
        then: &[
            "a: setsid virsh migrate --live --p2p --bandwidth 1 NAME qemu+tcp://host-b/system >/dev/null 2>&1 &",
            "a: for i in $(seq 600); do virsh domjobinfo NAME | grep -q Outgoing && exit; sleep 0.1; done; exit 1",
        ],
        undo: &[
            "a: virsh domjobabort NAME; for i in $(seq 600); do virsh domjobinfo NAME | grep -q Outgoing || exit; sleep 0.1; done",
        ],
        ..NONE
    },
    Scenario {
        name: "another guest of this name there",
        check: "guest-already-there",
        before: &["b: virsh define DIR/other.xml"],
        undo: &["b: virsh undefine NAME"],
        ..NONE
    },
    Scenario {
        name: "its UUID under another name there",
        check: "guest-defined-there",
        then: &["b: sed 's/<name>[^<]*</<name>twin</' DIR/same.xml >/run/twin.xml; virsh define /run/twin.xml"],
        undo: &["b: virsh undefine twin"],
        ..NONE
    },
    Scenario {
        name: "its UUID runs there",
        check: "guest-already-there",
        then: &["b: sed 's/<name>[^<]*</<name>twin</' DIR/same.xml >/run/twin.xml; virsh create /run/twin.xml"],
        undo: &["b: virsh destroy twin"],
        ..NONE
    },
    Scenario {
        name: "an old definition of it there",
        check: "guest-defined-there",
        then: &["b: virsh define DIR/same.xml"],
        ..NONE
    },
    // What QEMU of the destination opens.
    Scenario {
        name: "kernel missing there",
        check: "host-paths",
        guest: &[("images/guest.elf", "images/own.elf")],
        before: &["a: cp /var/lib/libvirt/images/guest.elf /var/lib/libvirt/images/own.elf"],
        ..NONE
    },
    Scenario {
        name: "folder of a log missing there",
        check: "host-paths",
        guest: &[(DEVICES, "<serial type='file'><source path='/var/log/own/NAME.log'/></serial></devices>")],
        before: &["a: mkdir -p /var/log/own"],
        ..NONE
    },
    Scenario {
        name: "emulator missing there",
        check: "host-paths",
        guest: &[("/usr/bin/qemu-system-x86_64", "/var/lib/own-qemu")],
        before: &["a: ln -sf /usr/bin/qemu-system-x86_64 /var/lib/own-qemu"],
        ..NONE
    },
    device("serial on a pty", "", &[("<serial type='file'>", "<serial type='pty'/><serial type='file'>")]),
    Scenario {
        name: "CD-ROM image on both hosts",
        // Each host has a file of its own: which one the guest reads from then on is for the operator to know.
        check: "cdrom-media",
        guest: &[(DEVICES, CDROM)],
        before: &["a: truncate -s 1M /var/lib/both.iso", "b: truncate -s 1M /var/lib/both.iso"],
        ..NONE
    },
    Scenario {
        name: "CD-ROM image missing there",
        check: "cdrom-media",
        guest: &[(DEVICES, CDROM), ("both.iso", "own.iso")],
        before: &["a: truncate -s 1M /var/lib/own.iso"],
        ..NONE
    },
    Scenario {
        name: "CD-ROM image missing, may be dropped",
        check: "cdrom-media",
        guest: &[(DEVICES, CDROM), ("file='/var/lib/both.iso'", "file='/var/lib/own.iso' startupPolicy='optional'")],
        before: &["a: truncate -s 1M /var/lib/own.iso"],
        ..NONE
    },
    Scenario {
        name: "read-only disk on both hosts",
        // Each host has a file of its own: which one the guest reads from then on is for the operator to know.
        check: "cdrom-media",
        guest: &[(DEVICES, DISK), ("<target", "<readonly/><target")],
        before: &["a: truncate -s 1M /var/lib/disk.img", "b: truncate -s 1M /var/lib/disk.img"],
        ..NONE
    },
    Scenario {
        name: "local disk",
        check: "disk-storage",
        guest: &[(DEVICES, DISK)],
        before: &["a: truncate -s 1M /var/lib/disk.img", "b: truncate -s 1M /var/lib/disk.img"],
        ..NONE
    },
    Scenario {
        name: "local disk with a host cache",
        check: "disk-storage",
        guest: &[(DEVICES, DISK), ("cache='none'", "cache='writeback'")],
        before: &["a: truncate -s 1M /var/lib/disk.img", "b: truncate -s 1M /var/lib/disk.img"],
        ..NONE
    },
    Scenario {
        name: "local disk missing there",
        check: "disk-storage",
        guest: &[(DEVICES, DISK)],
        before: &["a: truncate -s 1M /var/lib/disk.img", "b: rm -f /var/lib/disk.img"],
        ..NONE
    },
    Scenario {
        name: "writable vvfat, by QEMU's own word",
        check: "qemu-blocked",
        guest: &[
            ("<domain type='qemu'>", "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"),
            (
                "</domain>",
                "<qemu:commandline><qemu:arg value='-drive'/><qemu:arg value='file=fat:rw:/var/lib/fat,if=none,id=v,format=raw'/>\
                 </qemu:commandline></domain>",
            ),
        ],
        before: &["a: mkdir -p /var/lib/fat", "b: mkdir -p /var/lib/fat"],
        ..NONE
    },
    device(
        "shared memory",
        "shared-memory",
        &[(DEVICES, "<shmem name='NAME'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem></devices>")],
    ),
    Scenario {
        name: "9p directory on both hosts, not mounted",
        check: "shared-directory",
        guest: &[(
            DEVICES,
            "<filesystem type='mount'><source dir='/var/lib/nine'/><target dir='t'/></filesystem></devices>",
        )],
        before: &["a: mkdir -p /var/lib/nine", "b: mkdir -p /var/lib/nine"],
        ..NONE
    },
    Scenario {
        name: "9p directory missing there",
        check: "host-paths",
        guest: &[(
            DEVICES,
            "<filesystem type='mount'><source dir='/var/lib/nine-a'/><target dir='t'/></filesystem></devices>",
        )],
        before: &["a: mkdir -p /var/lib/nine-a"],
        ..NONE
    },
    // The network.
    Scenario {
        name: "bridge on both hosts",
        guest: &[(DEVICES, BRIDGE)],
        before: &["a: ip link add br-g type bridge", "b: ip link add br-g type bridge"],
        undo: &["a: ip link del br-g", "b: ip link del br-g"],
        ..NONE
    },
    Scenario {
        name: "network filter missing there",
        check: "host-paths",
        guest: &[(DEVICES, FILTERED)],
        before: &["a: ip link add br-g type bridge", "b: ip link add br-g type bridge", FILTER],
        undo: &["a: ip link del br-g", "b: ip link del br-g", "a: virsh nwfilter-undefine own"],
        ..NONE
    },
    device("a generation id, which libvirt makes a device of", "", &[("<devices>", "<genid/><devices>")]),
    Scenario {
        name: "bridge missing there",
        check: "guest-networks",
        guest: &[(DEVICES, BRIDGE)],
        before: &["a: ip link add br-g type bridge"],
        undo: &["a: ip link del br-g"],
        ..NONE
    },
    Scenario {
        name: "network active on both hosts",
        guest: &[(DEVICES, NETWORK)],
        before: &[NET_A, NET_B],
        undo: &["a: virsh net-destroy guests; ip link del br-g", "b: virsh net-destroy guests; ip link del br-g"],
        ..NONE
    },
    Scenario {
        name: "network missing there",
        check: "guest-networks",
        guest: &[(DEVICES, NETWORK)],
        before: &[NET_A],
        undo: &["a: virsh net-destroy guests; ip link del br-g"],
        ..NONE
    },
    Scenario {
        name: "macvtap interface missing there",
        check: "guest-networks",
        guest: &[(DEVICES, "<interface type='direct'><source dev='own0' mode='bridge'/></interface></devices>")],
        before: &["a: ip link add own0 type veth peer name own1 && ip link set own0 up"],
        undo: &["a: ip link del own0"],
        ..NONE
    },
    device(
        "VNC on every address",
        "",
        &[(DEVICES, "<graphics type='vnc' autoport='yes' listen='0.0.0.0'/></devices>")],
    ),
    device(
        "VNC on an address of the source",
        "graphics-listen",
        &[(DEVICES, "<graphics type='vnc' autoport='yes' listen='10.77.0.1'/></devices>")],
    ),
    // CPU and machine.
    device("CPU maximum", "", &[("<cpu mode='custom'><model>qemu64</model></cpu>", "<cpu mode='maximum'/>")]),
    device(
        "virtual IOMMU without host devices",
        "",
        &[
            ("machine='pc'", "machine='q35'"),
            ("<controller type='usb' model='none'/>", "<controller type='usb' model='none'/><iommu model='intel'/>"),
        ],
    ),
    Scenario {
        name: "CPU model unknown there",
        check: "guest-cpu",
        guest: &[("<model>qemu64</model>", "<model>Westmere</model>"), ("mode='custom'", "mode='custom' check='none'")],
        before: &[OTHER_QEMU, "b: sed -i 's/Westmere/Westmore/g' /var/lib/other-qemu", USE_OTHER_QEMU, RESTART_B],
        undo: &[USE_OWN_QEMU, RESTART_B],
        ..NONE
    },
    Scenario {
        name: "machine type unknown there",
        check: "machine-type",
        guest: &[("machine='pc'", "machine='pc-i440fx-6.2'")],
        before: &[
            OTHER_QEMU,
            "b: sed -i 's/pc-i440fx-6\\.2/pc-i440fx-6.9/g' /var/lib/other-qemu",
            USE_OTHER_QEMU,
            RESTART_B,
        ],
        undo: &[USE_OWN_QEMU, RESTART_B],
        ..NONE
    },
    // The hosts.
    Scenario {
        name: "destination calls itself localhost",
        check: "migration-address",
        before: &["b: hostname localhost"],
        undo: &["b: hostname host-b"],
        ..NONE
    },
    Scenario {
        name: "destination demands TLS",
        check: "migration-tls",
        before: &["b: echo 'migrate_tls_force = 1' >>/etc/libvirt/qemu.conf", RESTART_B],
        undo: &["b: sed -i '/^migrate_tls_force/d' /etc/libvirt/qemu.conf", RESTART_B],
        ..NONE
    },
    Scenario {
        name: "source demands TLS",
        check: "migration-tls",
        before: &["a: echo 'migrate_tls_force = 1' >>/etc/libvirt/qemu.conf", RESTART_A],
        undo: &["a: sed -i '/^migrate_tls_force/d' /etc/libvirt/qemu.conf", RESTART_A],
        ..NONE
    },
    Scenario {
        name: "both hosts have the same UUID",
        check: "same-host",
        before: &["b: sed -i.own 's/^host_uuid.*/host_uuid = \"UUID-OF-A\"/' /etc/libvirt/libvirtd.conf", RESTART_B],
        undo: &["b: mv /etc/libvirt/libvirtd.conf.own /etc/libvirt/libvirtd.conf", RESTART_B],
        ..NONE
    },
];

const NONE: Scenario = Scenario { name: "", check: "", guest: &[], before: &[], then: &[], undo: &[] };

const CDROM: &str = "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/var/lib/both.iso'/>\
                     <target dev='hda' bus='ide'/><readonly/></disk></devices>";
const DISK: &str = "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/>\
                    <source file='/var/lib/disk.img'/><target dev='vda' bus='virtio'/></disk></devices>";
const BRIDGE: &str = "<interface type='bridge'><source bridge='br-g'/><model type='virtio'/></interface></devices>";
const NETWORK: &str =
    "<interface type='network'><source network='guests'/><model type='virtio'/></interface></devices>";
const FILTERED: &str = "<interface type='bridge'><source bridge='br-g'/><model type='virtio'/><filterref filter='own'/>\
                        </interface></devices>";
const FILTER: &str = "a: echo '<filter name=\"own\" chain=\"root\"><rule action=\"accept\" direction=\"out\"/></filter>' \
                      >/run/f.xml; virsh nwfilter-define /run/f.xml";
const NET_A: &str = "a: ip link add br-g type bridge; echo '<network><name>guests</name><forward mode=\"bridge\"/>\
                     <bridge name=\"br-g\"/></network>' >/run/net.xml; virsh net-create /run/net.xml";
const NET_B: &str = "b: ip link add br-g type bridge; echo '<network><name>guests</name><forward mode=\"bridge\"/>\
                     <bridge name=\"br-g\"/></network>' >/run/net.xml; virsh net-create /run/net.xml";
const OTHER_QEMU: &str = "b: cp /usr/bin/qemu-system-x86_64 /var/lib/other-qemu";
const USE_OTHER_QEMU: &str = "b: mount --bind /var/lib/other-qemu /usr/bin/qemu-system-x86_64";
const USE_OWN_QEMU: &str = "b: umount /usr/bin/qemu-system-x86_64";
const RESTART_A: &str = "a: restart";
const RESTART_B: &str = "b: restart";

/// What happened in one row.
struct Row {
    scenario: &'static str,
    check: &'static str,
    /// The verdict, and the codes of what is neither ok nor a remark.
    predicted: String,
    complaints: Vec<String>,
    /// `moves`, or what libvirt said.
    happened: String,
    agrees: bool,
}

/// The hosts, and host a's way to ask host b's own pvm.
fn up() -> TwoHosts {
    let hosts = TwoHosts::up();
    let words = [harness::script().to_str().unwrap(), "exec", hosts.path("").to_str().unwrap(), "b"].map(str::to_owned);
    let command = [&words[..], &[crate::program::PVM, "inventory", "local", "-o", "json"].map(str::to_owned)];
    let settings = serde_json::json!({
        "hosts": {"host-b": {"libvirt": "qemu+tcp://host-b/system", "facts": {"command": command.concat()}}}
    });
    fs::write(hosts.path("host-a/etc/pvm/pvm.yaml"), settings.to_string()).unwrap();
    hosts
}

fn uuid_of_a(hosts: &TwoHosts) -> String {
    let xml = hosts.virsh("a", &["capabilities"]);
    xml.split("<uuid>").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

fn on(hosts: &TwoHosts, host: &str, words: &[&str]) -> Said {
    let dir = hosts.path("");
    let output =
        Command::new(harness::script()).args(["exec", dir.to_str().unwrap(), host]).args(words).output().unwrap();
    Said::of(&output)
}

/// Runs the lines of a scenario; one that fails is the test's failure, except when undoing.
fn shell(hosts: &TwoHosts, lines: &[&str], name: &str, must: bool) {
    let dir = hosts.path("");
    for line in lines {
        let (host, text) = line.split_once(": ").unwrap();
        if text == "restart" {
            hosts.command("stop", &[host]);
            hosts.command("start", &[host]);
            continue;
        }
        let text = text.replace("NAME", name).replace("DIR", dir.to_str().unwrap().trim_end_matches('/'));
        let text = if text.contains("UUID-OF-A") { text.replace("UUID-OF-A", &uuid_of_a(hosts)) } else { text };
        let said = on(hosts, host, &["sh", "-c", &text]);
        assert!(!must || said.code == Some(0), "{name}: {line}: {said:#?}");
    }
}

fn play(hosts: &TwoHosts, number: usize, scenario: &'static Scenario) -> Row {
    let name = &format!("guest-{number}");
    let uuid = format!("<uuid>00000000-0000-4000-8000-{number:012}</uuid>");
    let template = include_str!("../../guest/guest.xml").replace("@WORDS@", "");
    let template = scenario.guest.iter().fold(template, |xml, (old, new)| {
        assert!(xml.contains(old), "{}: no {old}", scenario.name);
        xml.replace(old, new)
    });
    let xml = template.replace("@NAME@", name).replace("NAME", name);
    fs::write(hosts.path("other.xml"), &xml).unwrap();
    let xml = xml.replacen("</name>", &format!("</name>{uuid}"), 1);
    let file = hosts.path("same.xml");
    fs::write(&file, xml).unwrap();
    shell(hosts, scenario.before, name, true);
    hosts.virsh("a", &["define", file.to_str().unwrap()]);
    hosts.virsh("a", &["start", name]);
    shell(hosts, scenario.then, name, true);

    let said = hosts.run("a", &["-q", "preflight", "local", "host-b", "--instance", name, "-o", "json"]);
    let report: Value =
        serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{}: {e}: {said:#?}", scenario.name));
    let predicted = report["verdict"].as_str().unwrap().to_owned();
    let rows = [&report["checks"], &report["instances"][0]["checks"]];
    let mut complaints: Vec<String> = rows
        .iter()
        .flat_map(|rows| rows.as_array().unwrap())
        .filter(|row| !matches!(row["result"].as_str(), Some("ok" | "info")))
        .map(|row| row["code"].as_str().unwrap().to_owned())
        .collect();
    complaints.dedup();

    let uri = "qemu+tcp://host-b/system";
    let flags = ["--live", "--p2p", "--abort-on-error", "--persistent", "--undefinesource"];
    let migrate = [&["timeout", "180", "virsh", "-q", "migrate", name, uri][..], &flags].concat();
    let mut said = on(hosts, "a", &migrate);
    if scenario.check.is_empty() && said.is_timed_out() {
        said = on(hosts, "a", &migrate);
    }
    let there = |host: &str| on(hosts, host, &["virsh", "-q", "domstate", name]).stdout.trim().to_owned();
    let moved =
        matches!(there("b").as_str(), "running" | "paused") && !matches!(there("a").as_str(), "running" | "paused");
    assert_eq!(moved, said.code == Some(0), "{}: on a {}, on b {}: {said:#?}", scenario.name, there("a"), there("b"));
    let happened = if moved { "moves".to_owned() } else { said.stderr.trim().replace("error: ", "") };

    for host in ["a", "b"] {
        on(hosts, host, &["virsh", "-q", "destroy", name]);
    }
    shell(hosts, scenario.undo, name, false);
    for host in ["a", "b"] {
        on(hosts, host, &["virsh", "-q", "destroy", name]);
        on(hosts, host, &["virsh", "-q", "undefine", name]);
    }
    let named = if scenario.check.is_empty() {
        predicted == "compatible"
    } else {
        complaints.iter().any(|code| code == scenario.check)
    };
    let verdict =
        if moved { matches!(predicted.as_str(), "compatible" | "warnings") } else { predicted == "incompatible" };
    Row { scenario: scenario.name, check: scenario.check, predicted, complaints, happened, agrees: named && verdict }
}

fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "\n| {:<38} | {:<12} | {:<60} | agree |\n| --- | --- | --- | --- |\n",
        "scenario", "predicted", "happened"
    );
    for row in rows {
        let happened: String = row.happened.lines().last().unwrap_or_default().chars().take(60).collect();
        let agree = if row.agrees { "yes" } else { "NO" };
        let _ = writeln!(text, "| {:<38} | {:<12} | {happened:<60} | {agree:<5} |", row.scenario, row.predicted);
        if !row.agrees {
            let _ = writeln!(text, "  expected {:?}, complaints are {:?}; {}", row.check, row.complaints, row.happened);
        }
    }
    text
}

/// Both halves run at the same time, each on two hosts of its own.
#[test]
fn what_preflight_says_is_what_happens() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let numbered: Vec<(usize, &Scenario)> =
        SCENARIOS.iter().enumerate().filter(|(_, scenario)| scenario.name.contains(&only)).collect();
    let half = numbered.len().div_ceil(2);
    let mut rows = Vec::new();
    std::thread::scope(|scope| {
        let play_all = |part: &[(usize, &'static Scenario)]| {
            let hosts = up();
            part.iter().map(|(number, scenario)| play(&hosts, *number, scenario)).collect::<Vec<_>>()
        };
        let parts: Vec<_> = numbered.chunks(half.max(1)).map(|part| scope.spawn(move || play_all(part))).collect();
        for part in parts {
            rows.extend(part.join().unwrap());
        }
    });
    let table = table(&rows);
    println!("{table}");
    assert!(rows.iter().all(|row| row.agrees), "{table}");
}

/// libvirt's text of what a secret is for stays libvirt's: a host with secrets is asked for them, and pvm goes on.
#[test]
fn secrets_of_the_destination_are_listed() {
    const UUID: &str = "5ec2e7aa-0000-4000-8000-0000000000aa";
    let hosts = up();
    let disk = format!(
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/none.img'>\
         <encryption format='luks'><secret type='passphrase' uuid='{UUID}'/></encryption></source>\
         <target dev='vdz' bus='virtio'/></disk></devices>"
    );
    let template = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/guest.xml")).unwrap();
    let guest = template.replace("@NAME@", "luks").replace("@WORDS@", "").replace(DEVICES, &disk);
    fs::write(hosts.path("luks.xml"), guest).unwrap();
    fs::write(
        hosts.path("secret.xml"),
        format!(
            "<secret ephemeral='no' private='yes'><uuid>{UUID}</uuid><usage type='volume'>\
                 <volume>/none.img</volume></usage></secret>"
        ),
    )
    .unwrap();
    hosts.virsh("a", &["define", hosts.path("luks.xml").to_str().unwrap()]);
    let asked = || hosts.run("a", &["preflight", "local", "host-b", "--instance", "luks"]).ends(1).stdout;
    assert!(asked().contains(" secrets: "), "host b has no secret");
    hosts.virsh("b", &["secret-define", hosts.path("secret.xml").to_str().unwrap()]);
    assert!(asked().contains(" has no value on"), "host b has the secret, which is empty");
    hosts.virsh("b", &["secret-set-value", UUID, "--base64", "c2VjcmV0"]);
    let said = asked();
    assert!(!said.contains(" secrets: "), "{said}");
}
