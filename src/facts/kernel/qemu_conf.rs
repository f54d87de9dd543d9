//! libvirt's settings for QEMU, `etc/libvirt/qemu.conf`: lock manager, and where and how migrations may come in.

use std::collections::BTreeMap;

use super::sysfs::Tree;
use crate::model::snapshot::Unknown;
use crate::model::snapshot::host::Host;

const FILE: &str = "etc/libvirt/qemu.conf";
const MOST_BYTES: usize = 1 << 20;

/// libvirt's own default of the ports.
const PORTS: (u16, u16) = (49152, 49215);

/// libvirt's own default of the ports for consoles.
const DISPLAY_PORTS: (u16, u16) = (5900, 65535);

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
    for fact in ["lock_manager", "migration.tls", "migration.tls_force"] {
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
    host.migration.tls_force = Some(text("migrate_tls_force").as_deref() == Some("1"));
    let folder = text("migrate_tls_x509_cert_dir")
        .or_else(|| text("default_tls_x509_cert_dir"))
        .unwrap_or_else(|| "/etc/pki/qemu".to_owned());
    let folder = folder.trim_start_matches('/');
    let has = |name: &str| tree.has(&format!("{folder}/{name}"));
    host.migration.tls = Some(has("ca-cert.pem") && has("server-cert.pem"));
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
mod tests {
    use super::*;

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
