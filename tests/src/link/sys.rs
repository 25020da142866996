//! The kernel: network namespaces, TUN devices, waiting by the microsecond.
//!
//! The standard library knows none of them, so this one file is allowed `unsafe`. Every pointer
//! handed to the kernel here is to a value of the caller's stack frame and is not kept after the call.
#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io,
    os::{
        fd::{AsRawFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
    ptr,
    time::Duration,
};

fn done(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Moves the calling thread, and no other, into the network behind this file.
pub fn enter(network: &File) -> io::Result<()> {
    // SAFETY: a file descriptor and a flag; the kernel checks both.
    done(unsafe { libc::setns(network.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
}

/// Makes a TUN device of this name (at most 15 bytes) in the thread's network. A read gives one IP
/// packet, a write takes one; reads do not wait. The device lives as long as the file.
pub fn tun(name: &str) -> io::Result<File> {
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")?;
    // SAFETY: all zeros is a valid `ifreq`: a nameless device with no flags.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads and writes one `ifreq`, which lives in this frame.
    done(unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
    Ok(device)
}

/// Waits until one of the files can be read, or so long; which of them can.
pub fn wait<const N: usize>(
    files: [BorrowedFd<'_>; N],
    patience: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut polled = files.map(|file| libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    });
    let patience = patience.map(|patience| libc::timespec {
        tv_sec: patience.as_secs() as libc::time_t,
        tv_nsec: libc::c_long::from(patience.subsec_nanos().cast_signed()),
    });
    let patience = patience.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: as many entries as the array has, and a time or null; both outlive the call.
    let result = unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            N as libc::nfds_t,
            patience,
            ptr::null(),
        )
    };
    match done(result) {
        Ok(_) => Ok(polled.map(|file| file.revents != 0)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok([false; N]),
        Err(error) => Err(error),
    }
}

/// Lets the calling thread go before all ordinary ones, where that is allowed: a busy machine would
/// otherwise add delays of its own.
pub fn hurry() -> io::Result<()> {
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the calling thread (0) and a value that lives in this frame.
    done(unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, &raw const priority) }).map(drop)
}
