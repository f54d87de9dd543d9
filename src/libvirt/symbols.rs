//! The libvirt functions pvm uses, each a forwarder that finds the real one in libvirt.so.0 on its first call.
//!
//! The linker resolves the calls of `virt` and of this crate here, so the binary starts where libvirt is not installed, and
//! a call without a forwarder is a link error. [`load`] must have succeeded before any value of `virt` exists.

#![expect(unsafe_code, reason = "the dynamic loader's interface")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_ulonglong, c_void};
use std::sync::OnceLock;

use virt_sys as sys;

unsafe extern "C" {
    fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
    /// What libvirt allocates for its callers.
    pub(super) fn free(memory: *mut c_void);
}

const RTLD_NOW: c_int = 2;

struct Library(*mut c_void);
// SAFETY: a dlopen handle may be used from any thread.
unsafe impl Send for Library {}
// SAFETY: as above; dlsym takes no lock of ours.
unsafe impl Sync for Library {}

static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();

fn handle() -> Result<*mut c_void, &'static str> {
    LIBRARY
        .get_or_init(|| {
            // SAFETY: the name is NUL-terminated.
            let handle = unsafe { dlopen(c"libvirt.so.0".as_ptr(), RTLD_NOW) };
            if handle.is_null() {
                // SAFETY: dlopen failed in this thread just now, so dlerror returns a message.
                return Err(unsafe { CStr::from_ptr(dlerror()) }.to_string_lossy().into_owned());
            }
            Ok(Library(handle))
        })
        .as_ref()
        .map(|library| library.0)
        .map_err(String::as_str)
}

/// Loads libvirt, or says why it cannot be loaded.
pub(super) fn load() -> Result<(), &'static str> {
    handle().map(|_| ())
}

/// `virDomainQemuMonitorCommand` of libvirt-qemu.so.0.
pub(super) type MonitorCommand =
    unsafe extern "C" fn(sys::virDomainPtr, *const c_char, *mut *mut c_char, c_uint) -> c_int;

/// Finds the one function pvm uses of the library beside libvirt, or says why it cannot.
pub(super) fn monitor_command() -> Result<MonitorCommand, &'static str> {
    static FOUND: OnceLock<Option<MonitorCommand>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            // SAFETY: the name is NUL-terminated.
            let handle = unsafe { dlopen(c"libvirt-qemu.so.0".as_ptr(), RTLD_NOW) };
            if handle.is_null() {
                return None;
            }
            // SAFETY: the handle is never closed, the name is NUL-terminated.
            let found = unsafe { dlsym(handle, c"virDomainQemuMonitorCommand".as_ptr()) };
            // SAFETY: the symbol has this signature in libvirt's stable ABI.
            (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, MonitorCommand>(found) })
        })
        .ok_or("libvirt-qemu.so.0 cannot be loaded")
}

fn symbol(name: &CStr) -> *mut c_void {
    let handle = handle().expect("load() succeeded before any libvirt call");
    // SAFETY: the handle stays valid for the whole process, the name is NUL-terminated.
    let found = unsafe { dlsym(handle, name.as_ptr()) };
    assert!(!found.is_null(), "libvirt.so.0 lacks {}", name.to_string_lossy());
    found
}

macro_rules! forward {
    ($(fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($($arg: $ty),*) $(-> $ret)? {
            static REAL: OnceLock<usize> = OnceLock::new();
            let real = *REAL.get_or_init(|| {
                let name = CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes());
                symbol(name.expect("the macro puts exactly one NUL at the end")) as usize
            });
            // SAFETY: the symbol has this signature in libvirt's stable ABI; virt-sys declares it alike.
            let real = unsafe { std::mem::transmute::<usize, unsafe extern "C" fn($($ty),*) $(-> $ret)?>(real) };
            // SAFETY: the caller's arguments are passed on unchanged.
            unsafe { real($($arg),*) }
        }
    )*};
}

type Params = sys::virTypedParameterPtr;

forward! {
    fn virConnSetErrorFunc(conn: sys::virConnectPtr, data: *mut c_void, f: sys::virErrorFunc);
    fn virConnectClose(conn: sys::virConnectPtr) -> c_int;
    fn virConnectDomainEventDeregisterAny(conn: sys::virConnectPtr, id: c_int) -> c_int;
    fn virConnectDomainEventRegisterAny(
        conn: sys::virConnectPtr,
        domain: sys::virDomainPtr,
        event: c_int,
        callback: sys::virConnectDomainEventGenericCallback,
        data: *mut c_void,
        free: sys::virFreeCallback,
    ) -> c_int;
    fn virConnectCompareHypervisorCPU(
        conn: sys::virConnectPtr,
        emulator: *const c_char,
        arch: *const c_char,
        machine: *const c_char,
        virt_type: *const c_char,
        cpu: *const c_char,
        flags: c_uint,
    ) -> c_int;
    fn virConnectGetCapabilities(conn: sys::virConnectPtr) -> *mut c_char;
    fn virConnectGetDomainCapabilities(
        conn: sys::virConnectPtr,
        emulator: *const c_char,
        arch: *const c_char,
        machine: *const c_char,
        virt_type: *const c_char,
        flags: c_uint,
    ) -> *mut c_char;
    fn virConnectGetHostname(conn: sys::virConnectPtr) -> *mut c_char;
    fn virConnectGetLibVersion(conn: sys::virConnectPtr, version: *mut c_ulong) -> c_int;
    fn virConnectGetVersion(conn: sys::virConnectPtr, version: *mut c_ulong) -> c_int;
    fn virConnectIsAlive(conn: sys::virConnectPtr) -> c_int;
    fn virConnectListAllDomains(conn: sys::virConnectPtr, domains: *mut *mut sys::virDomainPtr, flags: c_uint) -> c_int;
    fn virConnectListAllNodeDevices(
        conn: sys::virConnectPtr,
        devices: *mut *mut sys::virNodeDevicePtr,
        flags: c_uint,
    ) -> c_int;
    fn virConnectListAllNetworks(
        conn: sys::virConnectPtr,
        networks: *mut *mut sys::virNetworkPtr,
        flags: c_uint,
    ) -> c_int;
    fn virConnectListAllSecrets(
        conn: sys::virConnectPtr,
        secrets: *mut *mut sys::virSecretPtr,
        flags: c_uint,
    ) -> c_int;
    fn virConnectListAllStoragePools(
        conn: sys::virConnectPtr,
        pools: *mut *mut sys::virStoragePoolPtr,
        flags: c_uint,
    ) -> c_int;
    fn virConnectOpen(name: *const c_char) -> sys::virConnectPtr;
    fn virConnectRegisterCloseCallback(
        conn: sys::virConnectPtr,
        callback: sys::virConnectCloseFunc,
        data: *mut c_void,
        free: sys::virFreeCallback,
    ) -> c_int;
    fn virConnectSetKeepAlive(conn: sys::virConnectPtr, interval: c_int, count: c_uint) -> c_int;
    fn virConnectUnregisterCloseCallback(conn: sys::virConnectPtr, callback: sys::virConnectCloseFunc) -> c_int;
    fn virDomainAbortJob(domain: sys::virDomainPtr) -> c_int;
    fn virDomainAttachDeviceFlags(domain: sys::virDomainPtr, xml: *const c_char, flags: c_uint) -> c_int;
    fn virDomainDestroy(domain: sys::virDomainPtr) -> c_int;
    fn virDomainDetachDeviceFlags(domain: sys::virDomainPtr, xml: *const c_char, flags: c_uint) -> c_int;
    fn virDomainFree(domain: sys::virDomainPtr) -> c_int;
    fn virDomainGetAutostart(domain: sys::virDomainPtr, autostart: *mut c_int) -> c_int;
    fn virDomainGetControlInfo(domain: sys::virDomainPtr, info: *mut sys::virDomainControlInfo, flags: c_uint) -> c_int;
    fn virDomainGetID(domain: sys::virDomainPtr) -> c_uint;
    fn virDomainGetJobStats(
        domain: sys::virDomainPtr,
        kind: *mut c_int,
        params: *mut Params,
        count: *mut c_int,
        flags: c_uint,
    ) -> c_int;
    fn virDomainGetMetadata(domain: sys::virDomainPtr, kind: c_int, uri: *const c_char, flags: c_uint) -> *mut c_char;
    fn virDomainGetName(domain: sys::virDomainPtr) -> *const c_char;
    fn virDomainGetState(domain: sys::virDomainPtr, state: *mut c_int, reason: *mut c_int, flags: c_uint) -> c_int;
    fn virDomainGetUUIDString(domain: sys::virDomainPtr, text: *mut c_char) -> c_int;
    fn virDomainGetXMLDesc(domain: sys::virDomainPtr, flags: c_uint) -> *mut c_char;
    fn virDomainIsPersistent(domain: sys::virDomainPtr) -> c_int;
    fn virDomainListAllCheckpoints(
        domain: sys::virDomainPtr,
        checkpoints: *mut *mut sys::virDomainCheckpointPtr,
        flags: c_uint,
    ) -> c_int;
    fn virDomainLookupByName(conn: sys::virConnectPtr, name: *const c_char) -> sys::virDomainPtr;
    fn virDomainLookupByUUIDString(conn: sys::virConnectPtr, uuid: *const c_char) -> sys::virDomainPtr;
    fn virDomainMigrate3(
        domain: sys::virDomainPtr,
        destination: sys::virConnectPtr,
        params: Params,
        count: c_uint,
        flags: c_uint,
    ) -> sys::virDomainPtr;
    fn virDomainMigrateGetMaxDowntime(domain: sys::virDomainPtr, downtime: *mut c_ulonglong, flags: c_uint) -> c_int;
    fn virDomainMigrateSetMaxDowntime(domain: sys::virDomainPtr, downtime: c_ulonglong, flags: c_uint) -> c_int;
    fn virDomainMigrateToURI3(
        domain: sys::virDomainPtr,
        uri: *const c_char,
        params: Params,
        count: c_uint,
        flags: c_uint,
    ) -> c_int;
    fn virDomainResume(domain: sys::virDomainPtr) -> c_int;
    fn virDomainSetAutostart(domain: sys::virDomainPtr, autostart: c_int) -> c_int;
    fn virDomainSetMetadata(
        domain: sys::virDomainPtr,
        kind: c_int,
        metadata: *const c_char,
        key: *const c_char,
        uri: *const c_char,
        flags: c_uint,
    ) -> c_int;
    fn virDomainSnapshotNum(domain: sys::virDomainPtr, flags: c_uint) -> c_int;
    fn virDomainSuspend(domain: sys::virDomainPtr) -> c_int;
    fn virDomainUndefineFlags(domain: sys::virDomainPtr, flags: c_uint) -> c_int;
    fn virEventRegisterDefaultImpl() -> c_int;
    fn virEventRunDefaultImpl() -> c_int;
    fn virGetLastError() -> sys::virErrorPtr;
    fn virNetworkFree(network: sys::virNetworkPtr) -> c_int;
    fn virNetworkGetName(network: sys::virNetworkPtr) -> *const c_char;
    fn virNodeDeviceFree(device: sys::virNodeDevicePtr) -> c_int;
    fn virNodeDeviceGetXMLDesc(device: sys::virNodeDevicePtr, flags: c_uint) -> *mut c_char;
    fn virNodeGetFreeMemory(conn: sys::virConnectPtr) -> c_ulonglong;
    fn virResetLastError();
    fn virSecretFree(secret: sys::virSecretPtr) -> c_int;
    fn virSecretGetUUIDString(secret: sys::virSecretPtr, text: *mut c_char) -> c_int;
    fn virSecretGetUsageID(secret: sys::virSecretPtr) -> *const c_char;
    fn virSetErrorFunc(data: *mut c_void, f: sys::virErrorFunc);
    fn virStoragePoolFree(pool: sys::virStoragePoolPtr) -> c_int;
    fn virStoragePoolGetName(pool: sys::virStoragePoolPtr) -> *const c_char;
    fn virStoragePoolLookupByName(conn: sys::virConnectPtr, name: *const c_char) -> sys::virStoragePoolPtr;
    fn virStorageVolFree(volume: sys::virStorageVolPtr) -> c_int;
    fn virStorageVolGetPath(volume: sys::virStorageVolPtr) -> *mut c_char;
    fn virStorageVolLookupByName(pool: sys::virStoragePoolPtr, name: *const c_char) -> sys::virStorageVolPtr;
    fn virTypedParamsAddInt(
        params: *mut Params,
        count: *mut c_int,
        space: *mut c_int,
        name: *const c_char,
        value: c_int,
    ) -> c_int;
    fn virTypedParamsAddString(
        params: *mut Params,
        count: *mut c_int,
        space: *mut c_int,
        name: *const c_char,
        value: *const c_char,
    ) -> c_int;
    fn virTypedParamsAddULLong(
        params: *mut Params,
        count: *mut c_int,
        space: *mut c_int,
        name: *const c_char,
        value: c_ulonglong,
    ) -> c_int;
    fn virTypedParamsFree(params: Params, count: c_int);
}
