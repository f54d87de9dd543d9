//! VFIO drivers: their names, and which of them libvirt would choose for a device.

use crate::model::pattern::matches;
use crate::model::snapshot::host::VfioAlias;
pub(crate) use crate::model::vfio_drivers::{for_ids, known};

/// Whether a driver's name is that of a VFIO driver.
pub(crate) fn is_vfio(driver: &str) -> bool {
    driver.replace('-', "_").ends_with("vfio_pci")
}

/// Whether this is the driver without device knowledge.
pub(crate) fn is_plain(driver: &str) -> bool {
    driver == "vfio-pci" || driver == "vfio_pci"
}

/// Whether this can be the name of a module or driver: names stand in commands that people paste.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// The `vfio_pci:` lines of `modules.alias`.
pub(crate) fn aliases(modules_alias: &str) -> Vec<VfioAlias> {
    modules_alias
        .lines()
        .filter_map(|line| {
            let (pattern, module) = line.strip_prefix("alias vfio_pci:")?.split_once(' ')?;
            let module = module.trim();
            is_name(module).then(|| VfioAlias { pattern: pattern.to_owned(), module: module.to_owned() })
        })
        .collect()
}

/// The module libvirt would choose for a device with this modalias: the match with the fewest wildcards
/// (libvirt: `virPCIDeviceFindBestVFIOVariant`).
pub(crate) fn candidate<'a>(aliases: &'a [VfioAlias], modalias: &str) -> Option<&'a str> {
    let device = modalias.strip_prefix("pci:")?;
    aliases
        .iter()
        .filter(|alias| matches(&alias.pattern, device))
        .min_by_key(|alias| alias.pattern.bytes().filter(|b| *b == b'*').count())
        .map(|alias| alias.module.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::vfio_drivers::{KNOWN, KnownDriver, READ_TO};

    const FILE: &str = "# Aliases extracted from modules themselves.\n\
        alias pci:v00008086d000010CAsv*sd*bc*sc*i* igbvf\n\
        alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n\
        alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n\
        alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i00 x;reboot\n";

    #[test]
    fn the_most_exact_line_wins() {
        let aliases = aliases(FILE);
        assert_eq!(aliases.len(), 2);
        let mlx5 = "pci:v000015B3d0000101Esv000015B3sd00000001bc02sc00i00";
        assert_eq!(candidate(&aliases, mlx5), Some("mlx5_vfio_pci"));
        assert_eq!(candidate(&aliases, "pci:v00008086d000010CAsv1sd1bc02sc00i00"), Some("vfio_pci"));
        assert_eq!(candidate(&aliases, "usb:v1"), None);
        assert_eq!(candidate(&aliases[1..], "pci:v00008086d000010CAsv1sd1bc02sc00i00"), None);
    }

    #[test]
    fn dashes_and_underscores_are_one_name() {
        assert_eq!(known("xe-vfio-pci").unwrap().name, "xe_vfio_pci");
        assert!(is_plain("vfio-pci") && !known("vfio-pci").unwrap().migrates);
        assert_eq!(known("igbvf_vfio_pci"), None);
    }

    #[test]
    fn the_table_has_exactly_the_ids_of_the_newest_kernel_that_was_read() {
        let of_kernel = aliases(include_str!("../../../tests/fixtures/modules/linux-7.3.4.alias"));
        let id = |pattern: &str, at: usize| u16::from_str_radix(&pattern[at..at + 4], 16);
        let mut of_kernel: Vec<(u16, u16, &str)> = of_kernel
            .iter()
            .filter(|alias| !is_plain(&alias.module))
            .map(|alias| (id(&alias.pattern, 5).unwrap(), id(&alias.pattern, 14).unwrap(), alias.module.as_str()))
            .collect();
        of_kernel.sort_unstable();
        let of_driver = |known: &'static KnownDriver| {
            let devices = known.families.iter().flat_map(|family| family.devices);
            devices.map(|device| (known.vendor, *device, known.name))
        };
        let mut table: Vec<_> = KNOWN.iter().flat_map(of_driver).collect();
        table.sort_unstable();
        assert_eq!(table, of_kernel);
        assert!(READ_TO == "7.3" && table.len() == 45);
    }
}
