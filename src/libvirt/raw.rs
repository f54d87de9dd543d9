//! The calls of libvirt that `virt` lacks or gets wrong: all `unsafe` code of this kind is here.
//!
//! `virt::Domain::state` drops the error of its call, and `virt::Domain::job_stats` reads a null pointer when there is no
//! job; `virt::Secret::usage_id` frees what is not its own; its migration parameters lack the bandwidth at switch-over. It has no abort, no domain events and no close callback.

#![expect(unsafe_code, reason = "libvirt's C interface")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt::secret::Secret;
use virt_sys as sys;

use super::{CpuTarget, Happened, Job, symbols};

type Result<T> = std::result::Result<T, Error>;

fn check(returned: c_int) -> Result<c_int> {
    if returned < 0 { Err(Error::last_error()) } else { Ok(returned) }
}

/// Starts libvirt's event loop in a thread of its own, once. Has to come before the first connection.
pub(super) fn start_event_loop() -> std::result::Result<(), String> {
    static STARTED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            // SAFETY: the library is loaded; called once, before any connection.
            check(unsafe { sys::virEventRegisterDefaultImpl() }).map_err(|e| e.to_string())?;
            std::thread::Builder::new()
                .name("libvirt-events".into())
                // SAFETY: the loop was registered above, and only this thread runs it.
                .spawn(|| while unsafe { sys::virEventRunDefaultImpl() } >= 0 {})
                .map(|_| ())
                .map_err(|e| e.to_string())
        })
        .clone()
}

/// State and reason in libvirt's numbers.
pub(super) fn state(domain: &Domain) -> Result<(i32, i32)> {
    let (mut state, mut reason) = (0, 0);
    // SAFETY: the domain is live, both places are ours.
    check(unsafe { sys::virDomainGetState(domain.as_ptr(), &raw mut state, &raw mut reason, 0) })?;
    Ok((state, reason))
}

/// What a secret is for.
pub(super) fn secret_usage(secret: &Secret) -> Result<String> {
    // SAFETY: the secret is live.
    let text = unsafe { sys::virSecretGetUsageID(secret.as_ptr()) };
    if text.is_null() {
        return Err(Error::last_error());
    }
    // SAFETY: libvirt's text ends with a null and lives as long as the secret, whose it stays.
    Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Snapshots of a domain.
pub(super) fn snapshots(domain: &Domain) -> Result<u32> {
    // SAFETY: the domain is live.
    check(unsafe { sys::virDomainSnapshotNum(domain.as_ptr(), 0) }).map(c_int::unsigned_abs)
}

/// Checkpoints of a domain.
pub(super) fn checkpoints(domain: &Domain) -> Result<u32> {
    // SAFETY: the domain is live; with a null place libvirt only counts.
    check(unsafe { sys::virDomainListAllCheckpoints(domain.as_ptr(), ptr::null_mut(), 0) }).map(c_int::unsigned_abs)
}

/// The arguments of a comparison of CPUs, as C texts.
pub(super) struct CpuTexts {
    target: [Option<CString>; 4],
    cpu: CString,
}

impl CpuTexts {
    pub(super) fn new(on: CpuTarget<'_>, cpu: &str) -> std::result::Result<Self, String> {
        let text = |text: Option<&str>| text.map(c_text).transpose();
        Ok(Self {
            target: [text(on.emulator)?, text(on.arch)?, text(on.machine)?, text(on.virt_type)?],
            cpu: c_text(cpu)?,
        })
    }
}

/// Compares a CPU with what a hypervisor of the host can give; an error says why it is not enough.
pub(super) fn compare_cpu(connect: &Connect, texts: &CpuTexts) -> Result<()> {
    let [emulator, arch, machine, virt_type] =
        texts.target.each_ref().map(|text| text.as_ref().map_or(ptr::null(), |text| text.as_ptr()));
    let flags = sys::VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE;
    // SAFETY: the connection is live, every text is NUL-terminated or null, which stands for libvirt's default.
    let returned = unsafe {
        let cpu = texts.cpu.as_ptr();
        sys::virConnectCompareHypervisorCPU(connect.as_ptr(), emulator, arch, machine, virt_type, cpu, flags)
    };
    check(returned).map(|_| ())
}

/// A QMP command's answer.
pub(super) fn monitor(domain: &Domain, ask: symbols::MonitorCommand, command: &CStr) -> Result<String> {
    let mut answer: *mut c_char = ptr::null_mut();
    // SAFETY: the domain is live, the command is NUL-terminated, the place is ours; libvirt allocates the answer, freed below.
    check(unsafe { ask(domain.as_ptr(), command.as_ptr(), &raw mut answer, 0) })?;
    if answer.is_null() {
        return Ok(String::new());
    }
    // SAFETY: a NUL-terminated text from libvirt.
    let text = unsafe { CStr::from_ptr(answer) }.to_string_lossy().into_owned();
    // SAFETY: allocated by libvirt with malloc, not used after this.
    unsafe { symbols::free(answer.cast()) };
    Ok(text)
}

/// The job's kind and numbers; `None` when there is no job.
pub(super) fn job(domain: &Domain, flags: sys::virDomainGetJobStatsFlags) -> Result<Option<Job>> {
    let (mut kind, mut params, mut count) = (0, ptr::null_mut(), 0);
    // SAFETY: the domain is live, the places are ours; libvirt allocates the parameters, freed below.
    check(unsafe {
        sys::virDomainGetJobStats(domain.as_ptr(), &raw mut kind, &raw mut params, &raw mut count, flags)
    })?;
    // SAFETY: as libvirt returned them.
    let (numbers, error) = unsafe { read_parameters(params, count) };
    // SAFETY: allocated by libvirt, not used after this; null is allowed.
    unsafe { sys::virTypedParamsFree(params, count) };
    Ok(Job::from_parts(kind, numbers, error))
}

/// The numbers among typed parameters, and the text of `errmsg`.
///
/// # Safety
/// `params` is null or points to `count` parameters of libvirt.
unsafe fn read_parameters(params: sys::virTypedParameterPtr, count: c_int) -> (BTreeMap<String, u64>, Option<String>) {
    let (mut numbers, mut error) = (BTreeMap::new(), None);
    let count = usize::try_from(count).unwrap_or(0);
    if params.is_null() || count == 0 {
        return (numbers, error);
    }
    // SAFETY: the caller's promise.
    for parameter in unsafe { std::slice::from_raw_parts(params, count) } {
        // SAFETY: a field is a NUL-terminated array.
        let name = unsafe { CStr::from_ptr(parameter.field.as_ptr()) }.to_string_lossy().into_owned();
        // SAFETY: each arm reads the member that the type says is set.
        let value = unsafe {
            match c_uint::try_from(parameter.type_).unwrap_or(0) {
                sys::VIR_TYPED_PARAM_INT => u64::try_from(parameter.value.i).ok(),
                sys::VIR_TYPED_PARAM_UINT => Some(u64::from(parameter.value.ui)),
                sys::VIR_TYPED_PARAM_LLONG => u64::try_from(parameter.value.l).ok(),
                sys::VIR_TYPED_PARAM_ULLONG => Some(parameter.value.ul),
                sys::VIR_TYPED_PARAM_BOOLEAN => Some(u64::from(parameter.value.b != 0)),
                sys::VIR_TYPED_PARAM_STRING if name == "errmsg" && !parameter.value.s.is_null() => {
                    error = Some(CStr::from_ptr(parameter.value.s).to_string_lossy().into_owned());
                    None
                }
                _ => None,
            }
        };
        numbers.extend(value.map(|value| (name, value)));
    }
    (numbers, error)
}

/// Asks for the running job's end.
pub(super) fn abort_job(domain: &Domain) -> Result<()> {
    // SAFETY: the domain is live.
    check(unsafe { sys::virDomainAbortJob(domain.as_ptr()) }).map(|_| ())
}

unsafe extern "C" {
    /// `virt` and its declarations lack this one.
    fn virDomainMigrateGetMaxDowntime(domain: sys::virDomainPtr, downtime: *mut c_ulonglong, flags: c_uint) -> c_int;
}

/// For how long QEMU has owed the answer to a question.
pub(super) fn unanswered(domain: &Domain) -> Result<Option<Duration>> {
    let mut info = sys::virDomainControlInfo { state: 0, details: 0, stateTime: 0 };
    // SAFETY: the domain is live, the place is ours.
    check(unsafe { sys::virDomainGetControlInfo(domain.as_ptr(), &raw mut info, 0) })?;
    Ok((info.state == sys::VIR_DOMAIN_CONTROL_OCCUPIED).then(|| Duration::from_millis(info.stateTime)))
}

/// The limit of the downtime in milliseconds.
pub(super) fn max_downtime(domain: &Domain) -> Result<u64> {
    let mut milliseconds: c_ulonglong = 0;
    // SAFETY: the domain is live, the place is ours.
    check(unsafe { virDomainMigrateGetMaxDowntime(domain.as_ptr(), &raw mut milliseconds, 0) })?;
    Ok(milliseconds)
}

/// Parameters of a migration.
pub(super) struct Parameters {
    params: sys::virTypedParameterPtr,
    count: c_int,
    space: c_int,
}

impl Parameters {
    pub(super) fn new() -> Self {
        Self { params: ptr::null_mut(), count: 0, space: 0 }
    }

    pub(super) fn text(&mut self, name: &CStr, value: &CStr) -> Result<()> {
        // SAFETY: the three places belong together and are libvirt's own; both strings are NUL-terminated and copied.
        check(unsafe {
            sys::virTypedParamsAddString(
                &raw mut self.params,
                &raw mut self.count,
                &raw mut self.space,
                name.as_ptr(),
                value.as_ptr(),
            )
        })
        .map(|_| ())
    }

    pub(super) fn long(&mut self, name: &CStr, value: u64) -> Result<()> {
        // SAFETY: as in `text`.
        check(unsafe {
            sys::virTypedParamsAddULLong(
                &raw mut self.params,
                &raw mut self.count,
                &raw mut self.space,
                name.as_ptr(),
                value,
            )
        })
        .map(|_| ())
    }

    pub(super) fn int(&mut self, name: &CStr, value: i32) -> Result<()> {
        // SAFETY: as in `text`.
        check(unsafe {
            sys::virTypedParamsAddInt(
                &raw mut self.params,
                &raw mut self.count,
                &raw mut self.space,
                name.as_ptr(),
                value,
            )
        })
        .map(|_| ())
    }
}

impl Drop for Parameters {
    fn drop(&mut self) {
        // SAFETY: filled by libvirt only; null is allowed.
        unsafe { sys::virTypedParamsFree(self.params, self.count) };
    }
}

/// Migrates over two connections of this process; blocks until it ended.
pub(super) fn migrate_direct(
    domain: &Domain,
    destination: &Connect,
    parameters: &Parameters,
    flags: c_uint,
) -> Result<()> {
    let count = c_uint::try_from(parameters.count).unwrap_or(0);
    // SAFETY: domain, connection and parameters are live during the call.
    let moved =
        unsafe { sys::virDomainMigrate3(domain.as_ptr(), destination.as_ptr(), parameters.params, count, flags) };
    if moved.is_null() {
        return Err(Error::last_error());
    }
    // SAFETY: a new reference that is ours, dropped here: the domain is looked up again where it is needed.
    drop(unsafe { Domain::from_ptr(moved) });
    Ok(())
}

/// Migrates peer to peer; blocks until it ended.
pub(super) fn migrate(domain: &Domain, uri: &CStr, parameters: &Parameters, flags: c_uint) -> Result<()> {
    let count = c_uint::try_from(parameters.count).unwrap_or(0);
    // SAFETY: domain and parameters are live during the call, the URI is NUL-terminated.
    check(unsafe { sys::virDomainMigrateToURI3(domain.as_ptr(), uri.as_ptr(), parameters.params, count, flags) })
        .map(|_| ())
}

/// Who is told when the connection breaks.
pub(super) type Listeners = Arc<Mutex<Vec<Sender<Happened>>>>;

unsafe extern "C" fn on_close(_: sys::virConnectPtr, _: c_int, data: *mut c_void) {
    // SAFETY: the data given at registration, alive until `free_listeners`.
    let listeners = unsafe { &*data.cast::<Listeners>() };
    for listener in listeners.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        // A listener that has gone away needs no news.
        let _ = listener.send(Happened::ConnectionLost);
    }
}

unsafe extern "C" fn free_listeners(data: *mut c_void) {
    // SAFETY: made by Box::into_raw at registration; libvirt calls this once.
    drop(unsafe { Box::from_raw(data.cast::<Listeners>()) });
}

/// Has `listeners` told when this connection breaks.
pub(super) fn tell_close(connect: &Connect, listeners: &Listeners) -> Result<()> {
    let data = Box::into_raw(Box::new(Arc::clone(listeners))).cast();
    // SAFETY: the connection is live; libvirt owns the data from here and frees it with the function given.
    check(unsafe { sys::virConnectRegisterCloseCallback(connect.as_ptr(), Some(on_close), data, Some(free_listeners)) })
        .map(|_| ())
        .inspect_err(|_| {
            // SAFETY: libvirt did not take it.
            unsafe { free_listeners(data) };
        })
}

/// Ends [`tell_close`].
pub(super) fn stop_telling_close(connect: &Connect) {
    // SAFETY: the connection is live. Where nothing was registered it fails, which is as good.
    unsafe { sys::virConnectUnregisterCloseCallback(connect.as_ptr(), Some(on_close)) };
}

unsafe extern "C" fn free_sender(data: *mut c_void) {
    // SAFETY: made by Box::into_raw at registration; libvirt calls this once.
    drop(unsafe { Box::from_raw(data.cast::<Sender<Happened>>()) });
}

/// Sends to the sender behind `data`.
///
/// # Safety
/// `data` was given at registration and is not freed yet.
unsafe fn tell(data: *mut c_void, happened: Happened) {
    // SAFETY: the caller's promise. A receiver that has gone away needs no news.
    let _ = unsafe { &*data.cast::<Sender<Happened>>() }.send(happened);
}

unsafe extern "C" fn on_lifecycle(
    _: sys::virConnectPtr,
    _: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    data: *mut c_void,
) -> c_int {
    let happened = match (c_uint::try_from(event), c_uint::try_from(detail)) {
        (Ok(sys::VIR_DOMAIN_EVENT_SUSPENDED), Ok(sys::VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED)) => Happened::Switched,
        (Ok(sys::VIR_DOMAIN_EVENT_RESUMED), _) => Happened::Resumed,
        (Ok(sys::VIR_DOMAIN_EVENT_STOPPED), _) => Happened::Stopped,
        _ => return 0,
    };
    // SAFETY: libvirt passes the data given at registration.
    unsafe { tell(data, happened) };
    0
}

unsafe extern "C" fn on_removed(_: sys::virConnectPtr, _: sys::virDomainPtr, alias: *const c_char, data: *mut c_void) {
    // SAFETY: libvirt passes a NUL-terminated alias and the data given at registration.
    unsafe { tell(data, Happened::DeviceRemoved(CStr::from_ptr(alias).to_string_lossy().into_owned())) };
}

unsafe extern "C" fn on_removal_failed(
    _: sys::virConnectPtr,
    _: sys::virDomainPtr,
    alias: *const c_char,
    data: *mut c_void,
) {
    // SAFETY: as in `on_removed`.
    unsafe { tell(data, Happened::DeviceRemovalFailed(CStr::from_ptr(alias).to_string_lossy().into_owned())) };
}

unsafe extern "C" fn on_job_completed(
    _: sys::virConnectPtr,
    _: sys::virDomainPtr,
    params: sys::virTypedParameterPtr,
    count: c_int,
    data: *mut c_void,
) {
    // SAFETY: libvirt's own parameters, which it frees after this call.
    let (numbers, error) = unsafe { read_parameters(params, count) };
    // 3: the event tells of completed jobs.
    if let Some(job) = Job::from_parts(3, numbers, error) {
        // SAFETY: libvirt passes the data given at registration.
        unsafe { tell(data, Happened::JobCompleted(job)) };
    }
}

/// Registers for everything in [`Happened`] that concerns this domain. Returns the numbers to deregister with.
pub(super) fn watch(connect: &Connect, domain: &Domain, to: &Sender<Happened>) -> Result<Vec<c_int>> {
    // libvirt takes callbacks of every kind as one type and calls each by the kind of its event.
    let callbacks: [(sys::virDomainEventID, *const c_void); 4] = [
        (sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_lifecycle as *const c_void),
        (sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, on_removed as *const c_void),
        (sys::VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, on_removal_failed as *const c_void),
        (sys::VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, on_job_completed as *const c_void),
    ];
    let mut ids = Vec::new();
    for (event, callback) in callbacks {
        let data = Box::into_raw(Box::new(to.clone())).cast();
        // SAFETY: a function pointer has the size of a pointer; libvirt casts it back by `event`.
        let callback =
            unsafe { std::mem::transmute::<*const c_void, sys::virConnectDomainEventGenericCallback>(callback) };
        let event = c_int::try_from(event).expect("event numbers are small");
        // SAFETY: connection and domain are live; libvirt owns the data from here and frees it with the function given.
        let id = unsafe {
            sys::virConnectDomainEventRegisterAny(
                connect.as_ptr(),
                domain.as_ptr(),
                event,
                callback,
                data,
                Some(free_sender),
            )
        };
        match check(id) {
            Ok(id) => ids.push(id),
            Err(e) => {
                // SAFETY: libvirt did not take it.
                unsafe { free_sender(data) };
                unwatch(connect, &ids);
                return Err(e);
            }
        }
    }
    Ok(ids)
}

/// Ends [`watch`].
pub(super) fn unwatch(connect: &Connect, ids: &[c_int]) {
    for id in ids {
        // SAFETY: the connection is live. On a broken one it fails, and then nothing is delivered any more anyway.
        unsafe { sys::virConnectDomainEventDeregisterAny(connect.as_ptr(), *id) };
    }
}

/// `text` for libvirt; what holds a NUL cannot be the name of anything libvirt knows.
pub(super) fn c_text(text: &str) -> std::result::Result<CString, String> {
    CString::new(text).map_err(|_| "it contains a NUL character".to_owned())
}
