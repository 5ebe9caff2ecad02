//! Where the arithmetic is done, and what it takes there.
//!
//! libtorch's CUDA half registers itself when it is loaded, and nothing loads it: it has to be opened before the first
//! question about CUDA, from the folder that the other half came from.

use std::{ffi::CString, fs, os::unix::ffi::OsStrExt, path::PathBuf, process::Command, sync::Once};

use tch::{Cuda, Device};

use crate::{fault::Fault, settings::Place};

/// Opens `libtorch_cuda.so` beside the `libtorch_cpu.so` that this process has, where there is one. Says why not otherwise.
fn open_cuda() -> Result<(), String> {
    static ONCE: Once = Once::new();
    let library = folder().map(|folder| folder.join("libtorch_cuda.so")).filter(|library| library.exists());
    let library = library.ok_or("this libtorch is for processors only; set LIBTORCH to one with CUDA")?;
    let path = CString::new(library.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    let mut told = Ok(());
    ONCE.call_once(|| {
        // SAFETY: opening runs the library's constructors, which is what is wanted; it is never closed.
        let opened = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if opened.is_null() {
            told = Err(format!("{} cannot be opened", library.display()));
        }
    });
    told
}

/// The folder of the libtorch in this process, as the kernel lists it.
fn folder() -> Option<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps
        .lines()
        .find(|line| line.ends_with("/libtorch_cpu.so"))
        .and_then(|line| line.find('/').map(|at| &line[at..]))?;
    PathBuf::from(path).parent().map(std::path::Path::to_path_buf)
}

/// The device to work on.
///
/// # Errors
/// A GPU was asked for and is not to be had; why, and what to do.
pub fn choose(place: Place) -> Result<Device, Fault> {
    if place == Place::Cpu {
        return Ok(Device::Cpu);
    }
    let opened = open_cuda();
    if opened.is_ok() && Cuda::is_available() && Cuda::device_count() > 0 {
        return Ok(Device::Cuda(0));
    }
    match (place, opened) {
        (Place::Cuda, Err(reason)) => Err(Fault::new(format!("no CUDA: {reason}; or take `--set device=cpu`"))),
        (Place::Cuda, Ok(())) => Err(Fault::new(
            "no CUDA: the driver or the GPU is missing or too old (`nvidia-smi` says which); or take `--set device=cpu`",
        )),
        _ => Ok(Device::Cpu),
    }
}

/// Resident memory of this process, in bytes.
#[must_use]
pub fn memory() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Memory in use on the first GPU, in bytes, as its driver's tool tells; libtorch's own figure is not to be had from here.
#[must_use]
pub fn gpu_memory() -> Option<u64> {
    let mut command = Command::new("nvidia-smi");
    let output = command.args(["--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]).output().ok()?;
    let megabytes: u64 = String::from_utf8_lossy(&output.stdout).trim().parse().ok()?;
    Some(megabytes << 20)
}
