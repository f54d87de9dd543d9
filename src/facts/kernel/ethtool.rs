//! The firmware version that a network driver tells of itself: what `ethtool -i` shows (`ETHTOOL_GDRVINFO`). Reads only,
//! needs no rights. Netlink has no such question.

#![expect(unsafe_code, reason = "an ioctl is the only way to ask")]

use std::ffi::c_void;
use std::os::fd::OwnedFd;

use rustix::ioctl::{self, Ioctl, IoctlOutput, Opcode};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::model::snapshot::device::{DevType, Device, Firmware};

const SIOCETHTOOL: Opcode = 0x8946;
const ETHTOOL_GDRVINFO: u32 = 3;
/// `IFNAMSIZ`, with the NUL.
const NAME: usize = 16;
/// `struct ethtool_drvinfo` (`include/uapi/linux/ethtool.h`): the question, then texts of 32 bytes: driver, version, firmware.
const DRVINFO: usize = 196;
const FIRMWARE: std::ops::Range<usize> = 68..100;

/// Adds the firmware of functions with a network interface that nobody else told. VFs run their PF's firmware.
pub(crate) fn add(devices: &mut [Device]) {
    let wanted = devices.iter_mut().filter(|d| d.dev_type != DevType::Vf && d.firmware.is_none() && d.netdev.is_some());
    let mut socket = None;
    for device in wanted {
        if socket.is_none() {
            socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok();
        }
        let (Some(socket), Some(name)) = (&socket, &device.netdev) else { return };
        if let Some(version) = driver_info(socket, name).and_then(|info| firmware(&info)) {
            device.unknown.retain(|unknown| unknown.fact != "firmware");
            device.firmware =
                Some(Firmware { version: Some(version), source: Some("ethtool".to_owned()), ..Firmware::default() });
        }
    }
}

/// Drivers that know none write nothing or `N/A`.
fn firmware(info: &[u8; DRVINFO]) -> Option<String> {
    let text = info[FIRMWARE].split(|byte| *byte == 0).next()?;
    let text = String::from_utf8_lossy(text).trim().to_owned();
    (!text.is_empty() && text != "N/A").then_some(text)
}

fn driver_info(socket: &OwnedFd, interface: &str) -> Option<[u8; DRVINFO]> {
    let mut info = [0; DRVINFO];
    info[..4].copy_from_slice(&ETHTOOL_GDRVINFO.to_ne_bytes());
    let mut name = [0; NAME];
    name.get_mut(..interface.len()).filter(|place| place.len() < NAME)?.copy_from_slice(interface.as_bytes());
    let question = Question { request: Request { name, data: info.as_mut_ptr().cast(), rest: [0; 16] } };
    // SAFETY: the kernel reads the name and writes `struct ethtool_drvinfo` at `data`, which is `info`, alive and as long.
    unsafe { ioctl::ioctl(socket, question) }.ok()?;
    Some(info)
}

/// `struct ifreq`, with `ifr_data`.
#[repr(C)]
struct Request {
    name: [u8; NAME],
    data: *mut c_void,
    rest: [u8; 16],
}

struct Question {
    request: Request,
}

// SAFETY: the pointer is to a `struct ifreq` that lives as long as the call.
unsafe impl Ioctl for Question {
    type Output = ();

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        SIOCETHTOOL
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut self.request).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::facts::kernel::sysfs::Tree;

    #[test]
    fn the_kernel_answers_for_an_interface_with_a_driver() {
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).unwrap();
        assert_eq!(driver_info(&socket, "no-such-netdev"), None);
        assert_eq!(driver_info(&socket, "a name that is too long"), None);
        let tree = Tree::open(Path::new("/")).unwrap();
        for name in tree.names("sys/class/net") {
            let Ok(device) = tree.node(&format!("sys/class/net/{name}/device")) else { continue };
            let Ok(Some(driver)) = device.link("driver") else { continue };
            let info = driver_info(&socket, &name).unwrap();
            let said = info[4..36].split(|byte| *byte == 0).next().unwrap();
            assert_eq!(String::from_utf8_lossy(said), driver);
        }
    }

    #[test]
    fn the_firmware_stands_between_version_and_bus() {
        let mut info = [0; DRVINFO];
        info[36..40].copy_from_slice(b"6.12");
        info[68..80].copy_from_slice(b"4.40 0x8001c");
        info[100..104].copy_from_slice(b"0000");
        assert_eq!(firmware(&info).as_deref(), Some("4.40 0x8001c"));
        info[68..100].fill(0);
        info[68..71].copy_from_slice(b"N/A");
        assert_eq!(firmware(&info), None);
    }
}
