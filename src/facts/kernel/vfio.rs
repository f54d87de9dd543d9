//! Asks a device itself, by the kernel's VFIO interface (`include/uapi/linux/vfio.h`).
//!
//! Opening the first and closing the last handle of a device resets it: only a device that nobody uses may come here.

#![expect(unsafe_code, reason = "VFIO is an interface of ioctls")]

use std::ffi::{CStr, CString, c_void};
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::ioctl::{self, Ioctl, IoctlOutput, Opcode};
use vfio_bindings::bindings::vfio::{
    VFIO_BASE, VFIO_DEVICE_FEATURE_DMA_LOGGING_START, VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
    VFIO_DEVICE_FEATURE_MIGRATION, VFIO_DEVICE_FEATURE_PROBE, VFIO_GROUP_FLAGS_VIABLE, VFIO_TYPE, VFIO_TYPE1v2_IOMMU,
};

use crate::model::pci::PciAddress;

/// What the device said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    /// Flags of migration; `None`: it cannot migrate.
    pub flags: Option<Vec<String>>,
    /// Whether it tracks dirty pages itself.
    pub dirty_tracking: bool,
    /// Estimated bytes of its state.
    pub state_size: Option<u64>,
}

/// Why it could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {errno}")]
pub(crate) struct NotAsked {
    /// What was tried, on which file.
    pub what: String,
    /// The kernel's answer.
    pub errno: Errno,
}

/// Where the device is reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'a> {
    /// Its address.
    pub address: PciAddress,
    /// Its group.
    pub group: Option<u32>,
    /// Its character device, when the kernel has such.
    pub cdev: Option<&'a str>,
}

const fn opcode(number: u8) -> Opcode {
    const BASE: u8 = 100;
    const { assert!(BASE as u32 == VFIO_BASE) };
    ioctl::opcode::none(VFIO_TYPE, BASE + number)
}

const GROUP_GET_STATUS: Opcode = opcode(3);
const SET_IOMMU: Opcode = opcode(2);
const GROUP_SET_CONTAINER: Opcode = opcode(4);
const GROUP_GET_DEVICE_FD: Opcode = opcode(6);
const DEVICE_FEATURE: Opcode = opcode(17);
const DEVICE_BIND_IOMMUFD: Opcode = opcode(18);

/// Opens the device, asks, and closes it again.
pub(crate) fn ask(way: Way<'_>) -> Result<Answer, NotAsked> {
    // Closed in reverse order: the device before what it was opened through.
    let (_through, device) = match way.cdev {
        // sysfs can name a device file that nobody made in /dev.
        Some(path) if [path, "/dev/iommu"].iter().all(|file| std::path::Path::new(file).exists()) => by_cdev(path)?,
        _ => by_group(way)?,
    };
    let mut answer = Answer::default();
    match feature(&device, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION) {
        Ok(flags) => {
            let names = ["stop-copy", "p2p", "pre-copy"];
            let set = names.iter().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1);
            answer.flags = Some(set.map(|(_, name)| (*name).to_owned()).collect());
        }
        // No such feature: the driver has no migration.
        Err(Errno::NOTTY) => return Ok(answer),
        Err(errno) => return Err(NotAsked { what: format!("{} does not answer about migration", way.address), errno }),
    }
    // The same question as QEMU's.
    answer.dirty_tracking = feature(&device, VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_DMA_LOGGING_START).is_ok();
    answer.state_size = feature(&device, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DATA_SIZE).ok();
    Ok(answer)
}

fn open(path: &str) -> Result<File, NotAsked> {
    File::options().read(true).write(true).open(path).map_err(|error| {
        let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
        NotAsked { what: format!("{path} cannot be opened"), errno }
    })
}

fn by_cdev(path: &str) -> Result<(Vec<File>, OwnedFd), NotAsked> {
    #[repr(C)]
    struct Bind {
        argsz: u32,
        flags: u32,
        iommufd: i32,
        out_devid: u32,
    }

    let iommu = open("/dev/iommu")?;
    let device = open(path)?;
    let mut bind = Bind { argsz: 16, flags: 0, iommufd: iommu.as_raw_fd(), out_devid: 0 };
    // SAFETY: `Bind` is the kernel's `vfio_device_bind_iommufd` up to `out_devid`, and `argsz` says so.
    let call = unsafe { ioctl::Updater::<DEVICE_BIND_IOMMUFD, Bind>::new(&mut bind) };
    // SAFETY: the argument is a live, exclusively borrowed value of the type the opcode takes.
    unsafe { ioctl::ioctl(&device, call) }
        .map_err(|errno| NotAsked { what: format!("{path} cannot be bound"), errno })?;
    Ok((vec![iommu], device.into()))
}

fn by_group(way: Way<'_>) -> Result<(Vec<File>, OwnedFd), NotAsked> {
    #[repr(C)]
    struct Status {
        argsz: u32,
        flags: u32,
    }

    let number = way
        .group
        .ok_or_else(|| NotAsked { what: format!("{} has no IOMMU group", way.address), errno: Errno::NODEV })?;
    let path = format!("/dev/vfio/{number}");
    let failed = |what: &str| {
        let what = format!("{path} {what}");
        move |errno| NotAsked { what, errno }
    };
    let group = open(&path)?;
    let mut status = Status { argsz: 8, flags: 0 };
    // SAFETY: `Status` is the kernel's `vfio_group_status`.
    let call = unsafe { ioctl::Updater::<GROUP_GET_STATUS, Status>::new(&mut status) };
    // SAFETY: the argument is a live, exclusively borrowed value of the type the opcode takes.
    unsafe { ioctl::ioctl(&group, call) }.map_err(failed("does not tell its status"))?;
    if status.flags & VFIO_GROUP_FLAGS_VIABLE == 0 {
        return Err(NotAsked {
            what: format!("{path} is not viable: a member is bound to another driver"),
            errno: Errno::PERM,
        });
    }
    let container = open("/dev/vfio/vfio")?;
    let mut handle = container.as_raw_fd();
    // SAFETY: the kernel takes a pointer to an `int` with the container's descriptor.
    let call = unsafe { ioctl::Updater::<GROUP_SET_CONTAINER, i32>::new(&mut handle) };
    // SAFETY: the argument is a live, exclusively borrowed value of the type the opcode takes.
    unsafe { ioctl::ioctl(&group, call) }.map_err(failed("does not take a container"))?;
    // SAFETY: the opcode takes the number of an IOMMU model.
    let call = unsafe { ioctl::IntegerSetter::<SET_IOMMU>::new_usize(VFIO_TYPE1v2_IOMMU as usize) };
    // SAFETY: no memory is passed.
    unsafe { ioctl::ioctl(&container, call) }.map_err(failed("has no type 1 IOMMU"))?;
    let name = CString::new(way.address.to_string()).expect("an address has no NUL");
    // SAFETY: the opcode takes a NUL-terminated name, reads it only, and returns a new descriptor.
    let device = unsafe { ioctl::ioctl(&group, DeviceFd(&name)) }.map_err(failed("does not give the device"))?;
    Ok((vec![group, container], device))
}

/// `VFIO_GROUP_GET_DEVICE_FD`: its result is a descriptor.
struct DeviceFd<'a>(&'a CStr);

// SAFETY: the pointer is to a string that lives as long as the call, and the kernel only reads it.
unsafe impl Ioctl for DeviceFd<'_> {
    type Output = OwnedFd;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        GROUP_GET_DEVICE_FD
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.0.as_ptr().cast_mut().cast()
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> rustix::io::Result<OwnedFd> {
        // SAFETY: a non-negative result is a descriptor that the kernel made for us alone.
        Ok(unsafe { OwnedFd::from_raw_fd(output) })
    }
}

/// One question with an answer of at most eight bytes.
fn feature(device: &OwnedFd, flags: u32) -> rustix::io::Result<u64> {
    /// Room for the largest argument of the questions asked here (`vfio_device_feature_dma_logging_control`).
    #[repr(C)]
    struct Feature {
        argsz: u32,
        flags: u32,
        data: [u64; 4],
    }

    let size = u32::try_from(size_of::<Feature>()).expect("40 bytes");
    let mut question = Feature { argsz: size, flags, data: [0; 4] };
    // SAFETY: `Feature` is the kernel's `vfio_device_feature` with `argsz` bytes in all.
    let call = unsafe { ioctl::Updater::<DEVICE_FEATURE, Feature>::new(&mut question) };
    // SAFETY: the argument is a live, exclusively borrowed value of the type the opcode takes.
    unsafe { ioctl::ioctl(device, call) }?;
    Ok(question.data[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_are_the_kernels() {
        assert_eq!(DEVICE_FEATURE, 0x3b75);
        assert_eq!(GROUP_GET_DEVICE_FD, 0x3b6a);
    }

    #[test]
    fn what_is_no_vfio_device_says_so() {
        let null = OwnedFd::from(File::options().read(true).write(true).open("/dev/null").unwrap());
        assert_eq!(feature(&null, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION), Err(Errno::NOTTY));
        let way = Way { address: "0000:ff:1f.7".parse().unwrap(), group: Some(4_000_000_000), cdev: None };
        assert_eq!(ask(way).unwrap_err().errno, Errno::NOENT);
        assert_eq!(ask(Way { group: None, ..way }).unwrap_err().errno, Errno::NODEV);
    }
}
