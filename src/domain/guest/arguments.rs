//! What reaches QEMU past libvirt: `<qemu:commandline>`, `-set` in it, and `<qemu:override>`.
//!
//! A migration hands all of it on unchanged, so that an address, a path or a port in it means the destination's own.

use roxmltree::Node;
use serde_json::Value;

use super::paths::{HostPath, Need};
use crate::model::pci::PciAddress;

/// libvirt's namespace for it.
pub(super) const QEMU: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// Options that change nothing a migration depends on.
const HARMLESS: &[&str] =
    &["-smbios", "-name", "-msg", "-d", "-D", "-trace", "-pidfile", "-no-user-config", "-nodefaults"];

/// Virtual IOMMUs by QEMU's names.
const VIOMMUS: &[&str] = &["intel-iommu", "amd-iommu", "virtio-iommu-pci", "virtio-iommu", "arm-smmuv3"];

/// What a definition hands to QEMU past libvirt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arguments {
    /// Overridden properties as `(alias, property, value)`: those of `<qemu:override>`, and of `-set device.ALIAS.PROPERTY=VALUE`.
    pub overrides: Vec<(String, String, String)>,
    /// Host devices: each argument that gives one, with the address where it names one.
    pub host_devices: Vec<(String, Option<PciAddress>)>,
    /// Virtual IOMMU.
    pub viommu: Option<String>,
    /// Paths of the host.
    pub paths: Vec<HostPath>,
    /// Whether an argument switches migration off for a device.
    pub migration_off: bool,
    /// Arguments whose effect on a migration pvm does not know, as they stand.
    pub unknown: Vec<String>,
}

/// Reads the elements of libvirt's QEMU namespace below the domain's root element.
pub(super) fn read(root: Node<'_, '_>) -> Arguments {
    let mut found = Arguments::default();
    let mut words = Vec::new();
    let text = |node: Node<'_, '_>, name: &str| node.attribute(name).unwrap_or_default().to_owned();
    let own = |node: &Node<'_, '_>| node.tag_name().namespace() == Some(QEMU);
    for element in root.children().filter(own).flat_map(|node| node.descendants()).filter(own) {
        match element.tag_name().name() {
            "arg" => words.push(text(element, "value")),
            "property" => {
                let device = element.ancestors().find(|above| above.tag_name().name() == "device");
                let alias = device.map(|device| text(device, "alias")).unwrap_or_default();
                found.add_override(alias, text(element, "name"), text(element, "value"));
            }
            "env" => {
                let value = text(element, "value");
                let paths = value.split(':').filter(|path| path.starts_with('/'));
                let what = "QEMU's environment".to_owned();
                found.paths.extend(paths.map(|path| HostPath {
                    path: path.to_owned(),
                    what: what.clone(),
                    need: Need::Exists,
                }));
            }
            _ => {}
        }
    }
    let mut rest = words.as_slice();
    while let [option, after @ ..] = rest {
        let (value, next) = match after {
            [value, next @ ..] if option.starts_with('-') && !value.starts_with('-') => (Some(value.as_str()), next),
            next => (None, next),
        };
        found.add(option, value);
        rest = next;
    }
    found
}

impl Arguments {
    fn add_override(&mut self, alias: String, property: String, value: String) {
        if matches!(property.as_str(), "host" | "sysfsdev") {
            self.host_devices.push((format!("{alias}.{property}={value}"), address(&value)));
        }
        self.overrides.push((alias, property, value));
    }

    fn add(&mut self, option: &str, value: Option<&str>) {
        let shown = value.map_or_else(|| option.to_owned(), |value| format!("{option} {value}"));
        // QEMU takes one or two dashes.
        let option = option.strip_prefix('-').filter(|rest| rest.starts_with('-')).unwrap_or(option);
        let value = value.unwrap_or_default();
        if option == "-set" {
            self.add_set(value, shown);
            return;
        }
        let fields = Fields::read(value);
        self.migration_off |= fields.switches_migration_off();
        self.paths.extend(fields.paths(option));
        let kind = fields.kind.as_str();
        if kind.starts_with("vfio-") || fields.get("sysfsdev").is_some() || fields.get("hostaddr").is_some() {
            let named = fields.get("host").or(fields.get("sysfsdev"));
            self.host_devices.push((shown, named.and_then(address)));
        } else if let Some(controller) = fields.nvme() {
            self.host_devices.push((shown, address(controller)));
        } else if kind == "usb-host" {
            self.host_devices.push((shown, None));
        } else if VIOMMUS.contains(&kind) || fields.get("iommu").is_some_and(|model| model == "smmuv3") {
            self.viommu = Some(kind.to_owned());
        } else if !HARMLESS.contains(&option) {
            self.unknown.push(shown);
        }
    }

    /// `-set device.hostdev0.property=value`.
    fn add_set(&mut self, value: &str, shown: String) {
        let parts = value.split_once('=').map(|(name, value)| (name.splitn(3, '.').collect::<Vec<_>>(), value));
        match parts {
            Some((name, value)) if name.len() == 3 && name[0] == "device" => {
                self.add_override(name[1].to_owned(), name[2].to_owned(), value.to_owned());
            }
            _ => self.unknown.push(shown),
        }
    }
}

/// The address in `0000:3b:00.2`, `3b:00.2` or a path of sysfs.
fn address(text: &str) -> Option<PciAddress> {
    text.rsplit('/').next()?.parse().ok()
}

/// The word in a value of JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What the members of an object hold, and those of the objects in it.
fn leaves(object: &serde_json::Map<String, Value>, found: &mut Vec<(String, String)>) {
    for (key, value) in object {
        match value {
            Value::Object(inner) => leaves(inner, found),
            value => found.push((key.clone(), text(value))),
        }
    }
}

/// `kind,key=value,…`, or the same as JSON.
#[derive(Debug, Default)]
struct Fields {
    kind: String,
    pairs: Vec<(String, String)>,
}

impl Fields {
    fn read(value: &str) -> Self {
        if let Ok(Value::Object(object)) = serde_json::from_str(value) {
            let kind = ["driver", "qom-type"].iter().find_map(|key| object.get(*key)).map(text).unwrap_or_default();
            let mut pairs = Vec::new();
            leaves(&object, &mut pairs);
            return Self { kind, pairs };
        }
        let mut fields = Self::default();
        for (at, part) in value.split(',').enumerate() {
            match part.split_once('=') {
                Some((key, value)) => fields.pairs.push((key.to_owned(), value.to_owned())),
                None if at == 0 => part.clone_into(&mut fields.kind),
                None => fields.pairs.push((part.to_owned(), String::new())),
            }
        }
        if let Some(driver) = fields.get("driver").filter(|_| fields.kind.is_empty()).map(str::to_owned) {
            fields.kind = driver;
        }
        fields
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether it says `enable-migration=off`, by itself, for a kind (`vfio-pci.enable-migration=off`), or in three parts.
    fn switches_migration_off(&self) -> bool {
        const OFF: &[&str] = &["off", "false", "no"];
        let is_it = |name: &str| name.rsplit('.').next() == Some("enable-migration");
        let direct = self.pairs.iter().any(|(name, value)| is_it(name) && OFF.contains(&value.as_str()));
        direct || (self.get("property") == Some("enable-migration") && self.any("value", OFF))
    }

    /// The NVMe controller of the host that QEMU drives by itself: `nvme://ADDRESS/1`, or a block device of that kind.
    fn nvme(&self) -> Option<&str> {
        let by_url = self.pairs.iter().find_map(|(_, value)| value.strip_prefix("nvme://"));
        let is_kind = |(name, value): &&(String, String)| name.rsplit('.').next() == Some("driver") && value == "nvme";
        let by_kind = || {
            self.pairs.iter().find(is_kind)?;
            self.pairs
                .iter()
                .find(|(name, _)| name.rsplit('.').next() == Some("device"))
                .map(|(_, value)| value.as_str())
        };
        by_url.map(|rest| rest.split('/').next().unwrap_or(rest)).or_else(by_kind)
    }

    fn any(&self, key: &str, values: &[&str]) -> bool {
        self.pairs.iter().any(|(name, value)| name == key && values.contains(&value.as_str()))
    }

    /// Paths of the host among the values. A socket or a file that QEMU makes needs a folder only.
    fn paths(&self, option: &str) -> Vec<HostPath> {
        let made = self.any("server", &["on", "true", "yes", ""])
            || (option == "-chardev" && self.kind == "file")
            || (self.kind == "pty");
        let values = self.pairs.iter().filter(|(key, _)| key != "sysfsdev").map(|(key, value)| (key.as_str(), value));
        let alone = std::iter::once(("", &self.kind));
        alone
            .chain(values)
            .filter_map(|(key, value)| {
                // `unix:/run/x`, `host_device:/dev/sdb`; a URL is no path.
                let path = match value.split_once(":/") {
                    Some((_, rest)) if !rest.starts_with('/') => &value[value.len() - rest.len() - 1..],
                    _ => value,
                };
                let need = if made || key == "logfile" { Need::Folder } else { Need::Exists };
                path.starts_with('/').then(|| HostPath {
                    path: path.to_owned(),
                    what: format!("QEMU argument {option}"),
                    need,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn guest(words: &[&str]) -> super::super::Guest {
        let args: Vec<_> = words.iter().map(|word| format!("<qemu:arg value='{word}'/>")).collect();
        let args = format!("<qemu:commandline>{}</qemu:commandline>", args.concat());
        read(&format!("<domain xmlns:qemu='{QEMU}'>{args}</domain>")).unwrap()
    }

    fn of(words: &[&str]) -> Arguments {
        guest(words).arguments
    }

    #[test]
    fn host_devices_are_found_in_every_spelling() {
        for words in [
            &["-device", "vfio-pci,host=0000:3b:00.2"][..],
            &["--device", "vfio-pci,host=3b:00.2,id=x"],
            &["-device", "vfio-pci-nohotplug,sysfsdev=/sys/bus/pci/devices/0000:3b:00.2"],
            &["-device", "driver=vfio-pci,host=0000:3b:00.2"],
            &["-device", "{\"driver\":\"vfio-pci\",\"host\":\"0000:3b:00.2\"}"],
            &["-set", "device.hostdev0.host=0000:3b:00.2"],
            &["-drive", "file=nvme://0000:3b:00.2/1,if=none,id=n"],
            &["-blockdev", "driver=nvme,node-name=n,device=0000:3b:00.2,namespace=1"],
            &[
                "-blockdev",
                "{\"driver\":\"raw\",\"file\":{\"driver\":\"nvme\",\"device\":\"0000:3b:00.2\",\"namespace\":1}}",
            ],
        ] {
            let words: Vec<String> = words.iter().map(|word| word.replace('"', "&quot;")).collect();
            let found = of(&words.iter().map(String::as_str).collect::<Vec<_>>());
            let addresses: Vec<_> = found.host_devices.iter().map(|(_, address)| *address).collect();
            assert_eq!(addresses, ["0000:3b:00.2".parse().ok()], "{words:?}");
            assert!(found.unknown.is_empty(), "{words:?}");
        }
    }

    #[test]
    fn migration_is_off_in_every_spelling() {
        for (words, off) in [
            (["-global", "vfio-pci.enable-migration=off"], true),
            (["-global", "driver=vfio-pci,property=enable-migration,value=off"], true),
            (["-device", "edu,enable-migration=no"], true),
            (["-global", "vfio-pci.enable-migration=on"], false),
            (["-global", "vfio-pci.x-no-mmap=off"], false),
        ] {
            assert_eq!(of(&words).migration_off, off, "{words:?}");
        }
        assert_eq!(of(&["-device", "usb-host,vendorid=1"]).host_devices.len(), 1);
    }

    #[test]
    fn an_argument_that_is_not_known_is_kept_as_it_stands() {
        let found = of(&["-device", "edu,addr=0x1d", "-snapshot", "-smbios", "type=1", "-device", "amd-iommu"]);
        assert_eq!(found.unknown, ["-device edu,addr=0x1d", "-snapshot"]);
        assert_eq!(found.viommu.as_deref(), Some("amd-iommu"));
    }

    #[test]
    fn paths_and_overrides_are_read() {
        let guest = guest(&[
            "-fw_cfg",
            "name=opt/own,file=/fw",
            "-chardev",
            "socket,id=own,path=/run/own.sock,server=on,wait=off",
            "-set",
            "device.hostdev0.enable-migration=off",
            "-blockdev",
            "{&quot;driver&quot;:&quot;raw&quot;,&quot;file&quot;:{&quot;driver&quot;:&quot;file&quot;,&quot;filename&quot;:&quot;/srv/x&quot;}}",
            "-monitor",
            "unix:/run/mon",
            "-drive",
            "file=nbd://host/x",
        ]);
        let paths: Vec<_> = guest.paths.iter().map(|path| (path.path.as_str(), path.need)).collect();
        let there = Need::Exists;
        assert_eq!(paths, [("/fw", there), ("/run/own.sock", Need::Folder), ("/srv/x", there), ("/run/mon", there)]);
        assert_eq!(guest.arguments.overrides, [("hostdev0".into(), "enable-migration".into(), "off".into())]);
    }
}
