//! libvirt's settings for QEMU, `etc/libvirt/qemu.conf`: lock manager, and where and how migrations may come in.

use std::collections::BTreeMap;

use super::sysfs::Tree;
use crate::model::snapshot::Unknown;
use crate::model::snapshot::host::{Host, ServerSettings};

const FILE: &str = "etc/libvirt/qemu.conf";
const MOST_BYTES: usize = 1 << 20;

/// libvirt's own default of the ports.
const PORTS: (u16, u16) = (49152, 49215);

/// libvirt's own default of the ports for consoles.
const DISPLAY_PORTS: (u16, u16) = (5900, 65535);

/// What QEMU may encrypt: the word in `NAME_tls`, the folder of its own certificates where it exists, and the files in it without
/// which QEMU does not start.
const ENCRYPTED: &[(&str, &str, &[&str])] = &[
    ("vnc", "etc/pki/libvirt-vnc", &["ca-cert.pem", "server-cert.pem", "server-key.pem"]),
    ("spice", "etc/pki/libvirt-spice", &["ca-cert.pem", "server-cert.pem", "server-key.pem"]),
    ("chardev", "etc/pki/libvirt-chardev", &["ca-cert.pem", "server-cert.pem", "server-key.pem"]),
    ("nbd", "etc/pki/libvirt-nbd", &["ca-cert.pem"]),
];

/// Reads the settings that decide on migrations. Without the file they are unknown: a modular libvirt may keep them elsewhere.
pub(super) fn read(tree: &Tree, host: &mut Host) {
    let why = match tree.read(FILE, MOST_BYTES) {
        Ok(Some(text)) => {
            let text = String::from_utf8_lossy(&text);
            return apply(tree, host, &parse(&text));
        }
        Ok(None) => format!("there is no {FILE}"),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            format!("only root may read {FILE}: run pvm as root")
        }
        Err(error) => format!("{FILE} cannot be read: {error}"),
    };
    for fact in ["lock_manager", "migration.tls", "migration.tls_force", "servers"] {
        host.unknown.push(Unknown::new(fact, &why));
    }
}

fn apply(tree: &Tree, host: &mut Host, settings: &BTreeMap<&str, String>) {
    let text = |key: &str| settings.get(key).filter(|value| !value.is_empty()).cloned();
    host.lock_manager = Some(text("lock_manager").filter(|name| name != "nop").unwrap_or_else(|| "none".to_owned()));
    host.log_handler = Some(text("stdio_handler").unwrap_or_else(|| "logd".to_owned()));
    host.migration.address = text("migration_host");
    host.migration.listen = text("migration_address");
    let port = |key: &str, default| text(key).and_then(|port| port.parse().ok()).unwrap_or(default);
    host.migration.ports = Some((port("migration_port_min", PORTS.0), port("migration_port_max", PORTS.1)));
    let display = ("remote_display_port_min", "remote_display_port_max");
    host.display_ports = Some((port(display.0, DISPLAY_PORTS.0), port(display.1, DISPLAY_PORTS.1)));
    let is_on = |key: &str| text(key).as_deref() == Some("1");
    let folder = |use_: &str, own: &str| {
        let folder = text(&format!("{use_}_tls_x509_cert_dir"))
            .or_else(|| tree.has(own).then(|| own.to_owned()))
            .or_else(|| text("default_tls_x509_cert_dir"))
            .unwrap_or_else(|| "/etc/pki/qemu".to_owned());
        folder.trim_start_matches('/').to_owned()
    };
    let has = |use_: &str, own: &str, files: &[&str]| {
        let folder = folder(use_, own);
        files.iter().all(|file| tree.has(&format!("{folder}/{file}")))
    };
    host.migration.tls_force = Some(is_on("migrate_tls_force"));
    host.migration.tls = Some(has("migrate", "etc/pki/libvirt-migrate", &["ca-cert.pem", "server-cert.pem"]));
    let encrypted: Vec<_> = ENCRYPTED.iter().filter(|(use_, ..)| is_on(&format!("{use_}_tls"))).collect();
    let servers = encrypted.iter().filter(|(.., files)| files.contains(&"server-cert.pem"));
    let refused = servers.filter(|(use_, own, files)| has(use_, own, files));
    let tls_refused =
        refused.filter_map(|(use_, own, _)| Some(((*use_).to_owned(), refuses(tree, &folder(use_, own))?)));
    let tls_refused = tls_refused.collect();
    let listen = |key: &str| text(key).unwrap_or_else(|| "127.0.0.1".to_owned());
    host.servers = Some(ServerSettings {
        vnc_listen: listen("vnc_listen"),
        spice_listen: listen("spice_listen"),
        vnc_sockets: is_on("vnc_auto_unix_socket"),
        tls: encrypted.iter().map(|(use_, own, files)| ((*use_).to_owned(), has(use_, own, files))).collect(),
        tls_refused,
    });
}

/// Why QEMU refuses a server's certificates in this folder, now.
#[cfg(feature = "openstack")]
fn refuses(tree: &Tree, folder: &str) -> Option<String> {
    use super::certificates::{Files, refused};
    let read = |name: &str| match tree.read(&format!("{folder}/{name}"), MOST_BYTES) {
        Ok(Some(text)) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(None),
        _ => Err(Some(format!("{name} cannot be read"))),
    };
    let files = || Ok([read("ca-cert.pem")?, read("server-cert.pem")?, read("server-key.pem")?]);
    match files() {
        Ok([authorities, own, key]) => {
            refused(Files { authorities: &authorities, own: &own, key: &key }, rustls::pki_types::UnixTime::now())
        }
        Err(why) => why,
    }
}

/// A pvm without TLS of its own reads no certificates.
#[cfg(not(feature = "openstack"))]
fn refuses(_: &Tree, _: &str) -> Option<String> {
    None
}

/// `key = value` with quoted text or a number; `#` begins a comment. Lists, which span lines, are left out.
fn parse(text: &str) -> BTreeMap<&str, String> {
    let mut settings = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        let value = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split(quote).next().unwrap_or_default(),
            Some('[') | None => continue,
            Some(_) => value.split(['#', ' ', '\t']).next().unwrap_or_default(),
        };
        settings.insert(key.trim(), value.to_owned());
    }
    settings
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes the files it reads")]
mod tests {
    use super::*;

    #[test]
    fn what_qemu_encrypts_is_told_with_its_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let read_servers = || {
            let mut host = Host::default();
            read(&Tree::open(dir.path()).unwrap(), &mut host);
            host.servers.unwrap()
        };
        put(FILE, "user = 'root'\n");
        let plain = read_servers();
        assert_eq!((plain.vnc_listen.as_str(), plain.vnc_sockets, plain.tls.len()), ("127.0.0.1", false, 0));
        put(FILE, "vnc_listen = \"0.0.0.0\"\nvnc_tls = 1\nchardev_tls = 1\nchardev_tls_x509_cert_dir = \"/etc/own\"\n");
        for name in ["ca-cert", "server-cert", "server-key"] {
            put(&format!("etc/own/{name}.pem"), "");
        }
        let set = read_servers();
        if cfg!(feature = "openstack") {
            assert_eq!(set.tls_refused["chardev"], "ca-cert.pem has no certificate");
        }
        let tls: Vec<_> = set.tls.iter().map(|(what, has)| (what.as_str(), *has)).collect();
        assert_eq!((set.vnc_listen.as_str(), &tls[..]), ("0.0.0.0", &[("chardev", true), ("vnc", false)][..]));
        // A folder of its own comes before the one of all.
        put("etc/pki/qemu/ca-cert.pem", "");
        std::fs::create_dir_all(dir.path().join("etc/pki/libvirt-vnc")).unwrap();
        assert!(!read_servers().tls["vnc"]);
    }

    #[test]
    fn reads_settings() {
        let text = "# lock_manager = \"sanlock\"\nlock_manager = \"lockd\" # x\nmigrate_tls_force=1\nnamespaces = []\n\
                    migration_port_min = 50000\nuser = 'root'\nbroken\n";
        let settings = parse(text);
        assert_eq!((settings["lock_manager"].as_str(), settings["migrate_tls_force"].as_str()), ("lockd", "1"));
        assert_eq!((settings["migration_port_min"].as_str(), settings["user"].as_str()), ("50000", "root"));
        assert_eq!(settings.len(), 4);
    }
}
