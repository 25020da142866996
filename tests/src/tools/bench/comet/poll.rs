//! Which of many sockets have something to read.
//!
//! The standard library cannot ask, so this one file is allowed `unsafe`: one call, with a slice
//! that lives as long as the call.

#![allow(unsafe_code)]

use std::os::fd::RawFd;

/// Indices of the sockets that are readable or closed, after at most so many milliseconds.
pub fn readable(sockets: &[RawFd], milliseconds: i32) -> Vec<usize> {
    let mut wanted: Vec<libc::pollfd> = sockets
        .iter()
        .map(|&fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let count = libc::nfds_t::try_from(wanted.len()).unwrap_or(0);
    // SAFETY: `wanted` is a live, writable array of exactly `count` entries
    unsafe { libc::poll(wanted.as_mut_ptr(), count, milliseconds) };
    let ready = wanted.iter().enumerate().filter(|(_, fd)| fd.revents != 0);
    ready.map(|(at, _)| at).collect()
}
