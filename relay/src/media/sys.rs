//! The kernel: batches of datagrams, readiness, a wake-up for another thread.
//!
//! The standard library has no recvmmsg, sendmmsg, UDP_SEGMENT, epoll or eventfd, and the send call
//! is two thirds of a forwarded packet's cost; so this one file is allowed `unsafe`. Every pointer
//! handed to the kernel here lives in the caller's stack frame or borrows from its arguments and
//! is not kept after the call.
#![allow(unsafe_code)]

use std::{
    io,
    mem::{size_of, zeroed},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

/// Datagrams taken in one call.
pub const BATCH: usize = 64;
/// Longer datagrams are dropped: no browser sends them (the path MTU is at most 1,500 where
/// browsers live) and a fixed size keeps the buffers flat.
pub const LONGEST: usize = 2048;
/// Segments of one send call; the kernel takes 64 at least since 4.18.
pub const SEGMENTS: usize = 48;
/// Bytes of one segmented send: below what an IPv6 UDP datagram may hold.
pub const SEGMENTED: usize = 60_000;
/// Messages in one sendmmsg.
const MESSAGES: usize = 64;
/// Pieces over all messages in one sendmmsg.
const PIECES: usize = 512;
/// The socket's queues. 4 MiB is 30 ms of a saturated core; `net.core.[rw]mem_max` may cap it.
const QUEUE: libc::c_int = 4 << 20;

/// A buffer for one batch in.
pub struct Inbox {
    bytes: Box<[u8]>,
    from: [SocketAddr; BATCH],
    len: [usize; BATCH],
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inbox")
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            bytes: vec![0; BATCH * LONGEST].into_boxed_slice(),
            from: [SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0); BATCH],
            len: [0; BATCH],
        }
    }
}

impl Inbox {
    /// The `i`th datagram of the last batch; empty when it was longer than [`LONGEST`].
    pub fn datagram(&mut self, i: usize) -> (SocketAddr, &mut [u8]) {
        (
            self.from[i],
            &mut self.bytes[i * LONGEST..i * LONGEST + self.len[i]],
        )
    }
}

/// A run of bytes in a slab.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub start: u32,
    pub len: u32,
}

/// `pieces[first..first + count]` to one address. More than one piece: all are as long as the
/// first, only the last may be shorter, and the kernel cuts them apart again.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    pub to: SocketAddr,
    pub first: u32,
    pub count: u32,
}

/// What became of a batch out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent {
    pub datagrams: u64,
    pub dropped: u64,
}

#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    v6: bool,
    /// Cleared when the device or the kernel refuses it.
    segmentation: bool,
}

impl Udp {
    /// A non-blocking socket. `::` also takes IPv4.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        for option in [libc::SO_RCVBUF, libc::SO_SNDBUF] {
            // as much as the system lets us have; less is no error
            set_option(socket.as_raw_fd(), libc::SOL_SOCKET, option, QUEUE);
        }
        Ok(Self {
            v6: socket.local_addr()?.is_ipv6(),
            socket,
            segmentation: true,
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Fills `inbox`; 0 when nothing waits.
    pub fn receive(&self, inbox: &mut Inbox) -> usize {
        // SAFETY: all-zero is a valid value of these C structures; the buffers they point to
        // outlive the call and do not overlap.
        unsafe {
            let mut names: [libc::sockaddr_storage; BATCH] = zeroed();
            let mut vectors: [libc::iovec; BATCH] = zeroed();
            let mut headers: [libc::mmsghdr; BATCH] = zeroed();
            for (i, chunk) in inbox.bytes.chunks_exact_mut(LONGEST).enumerate() {
                vectors[i] = libc::iovec {
                    iov_base: chunk.as_mut_ptr().cast(),
                    iov_len: LONGEST,
                };
                let header = &mut headers[i].msg_hdr;
                header.msg_name = ptr::from_mut(&mut names[i]).cast();
                header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
                header.msg_iov = &raw mut vectors[i];
                header.msg_iovlen = 1;
            }
            let got = libc::recvmmsg(
                self.socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            );
            let got = usize::try_from(got).unwrap_or(0);
            for i in 0..got {
                let truncated = headers[i].msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
                let from = read_name(&names[i]);
                inbox.len[i] = if truncated || from.is_none() {
                    0
                } else {
                    headers[i].msg_len as usize
                };
                if let Some(from) = from {
                    inbox.from[i] = from;
                }
            }
            got
        }
    }

    /// Sends everything; what the kernel does not take now is lost, as on any full link.
    pub fn send(&mut self, slab: &[u8], pieces: &[Piece], messages: &[Message]) -> Sent {
        let mut sent = Sent::default();
        let mut rest = messages;
        while !rest.is_empty() {
            let (mut count, mut used) = (0, 0);
            while count < rest.len().min(MESSAGES) {
                let more = rest[count].count as usize;
                if count > 0 && used + more > PIECES {
                    break;
                }
                used += more;
                count += 1;
            }
            let batch;
            (batch, rest) = rest.split_at(count);
            self.send_batch(slab, pieces, batch, &mut sent);
        }
        sent
    }

    fn send_batch(&mut self, slab: &[u8], pieces: &[Piece], batch: &[Message], sent: &mut Sent) {
        let mut done = 0;
        while done < batch.len() {
            if !self.segmentation && batch[done].count > 1 {
                self.send_one_by_one(slab, pieces, batch[done], sent);
                done += 1;
                continue;
            }
            match self.call(slab, pieces, &batch[done..]) {
                Ok(taken) => {
                    let taken = taken.clamp(1, batch.len() - done);
                    for message in &batch[done..done + taken] {
                        sent.datagrams += u64::from(message.count);
                    }
                    done += taken;
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::EAGAIN | libc::ENOBUFS) => {
                        for message in &batch[done..] {
                            sent.dropped += u64::from(message.count);
                        }
                        return;
                    }
                    Some(libc::EIO | libc::EINVAL) if batch[done].count > 1 => {
                        tracing::warn!("no UDP segmentation here, sending one by one");
                        self.segmentation = false;
                    }
                    // unreachable, forbidden: the next one may be fine
                    _ => {
                        sent.dropped += u64::from(batch[done].count);
                        done += 1;
                    }
                },
            }
        }
    }

    fn send_one_by_one(&mut self, slab: &[u8], pieces: &[Piece], group: Message, sent: &mut Sent) {
        for at in group.first..group.first + group.count {
            let single = Message {
                first: at,
                count: 1,
                ..group
            };
            match self.call(slab, pieces, &[single]) {
                Ok(_) => sent.datagrams += 1,
                Err(_) => sent.dropped += 1,
            }
        }
    }

    /// One sendmmsg of at most [`MESSAGES`] messages and as many pieces as fit.
    fn call(&self, slab: &[u8], pieces: &[Piece], batch: &[Message]) -> io::Result<usize> {
        // SAFETY: as in `receive`; every iovec is cut out of `slab` with bounds checked, the
        // control buffers are large enough for one `u16` (CMSG_SPACE(2) is 24 bytes) and aligned.
        unsafe {
            let mut names: [libc::sockaddr_storage; MESSAGES] = zeroed();
            let mut controls: [[u64; 3]; MESSAGES] = zeroed();
            let mut vectors: [libc::iovec; PIECES] = zeroed();
            let mut headers: [libc::mmsghdr; MESSAGES] = zeroed();
            let (mut used, mut count) = (0, 0);
            for message in batch.iter().take(MESSAGES) {
                let range = message.first as usize..(message.first + message.count) as usize;
                let group = &pieces[range];
                if used + group.len() > PIECES {
                    break;
                }
                let header = &mut headers[count].msg_hdr;
                header.msg_name = ptr::from_mut(&mut names[count]).cast();
                header.msg_namelen = write_name(&mut names[count], message.to, self.v6);
                header.msg_iov = &raw mut vectors[used];
                header.msg_iovlen = group.len() as _;
                for piece in group {
                    let bytes = &slab[piece.start as usize..(piece.start + piece.len) as usize];
                    vectors[used] = libc::iovec {
                        iov_base: bytes.as_ptr().cast_mut().cast(),
                        iov_len: bytes.len(),
                    };
                    used += 1;
                }
                if group.len() > 1 {
                    let segment = group[0].len as u16;
                    header.msg_control = controls[count].as_mut_ptr().cast();
                    header.msg_controllen = libc::CMSG_SPACE(size_of::<u16>() as u32) as _;
                    let control = libc::CMSG_FIRSTHDR(header);
                    (*control).cmsg_level = libc::SOL_UDP;
                    (*control).cmsg_type = libc::UDP_SEGMENT;
                    (*control).cmsg_len = libc::CMSG_LEN(size_of::<u16>() as u32) as _;
                    ptr::write_unaligned(libc::CMSG_DATA(control).cast::<u16>(), segment);
                }
                count += 1;
            }
            let taken = libc::sendmmsg(
                self.socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_DONTWAIT,
            );
            usize::try_from(taken).map_err(|_| io::Error::last_os_error())
        }
    }
}

impl AsRawFd for Udp {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Keeps at most 16 KiB unsent in the kernel: what waits longer is better dropped by us, who can
/// tell speech from video.
pub fn prefer_fresh(stream: &impl AsRawFd) {
    set_option(
        stream.as_raw_fd(),
        libc::IPPROTO_TCP,
        libc::TCP_NOTSENT_LOWAT,
        16 * 1024,
    );
}

fn set_option(fd: RawFd, level: libc::c_int, option: libc::c_int, value: libc::c_int) {
    // SAFETY: the option's value is an int that outlives the call.
    unsafe {
        libc::setsockopt(
            fd,
            level,
            option,
            ptr::from_ref(&value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}

fn read_name(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    // SAFETY: the kernel wrote an address of the family it names; the storage is large enough for
    // both.
    unsafe {
        match libc::c_int::from(name.ss_family) {
            libc::AF_INET => {
                let v4 = &*ptr::from_ref(name).cast::<libc::sockaddr_in>();
                let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddr::new(ip.into(), u16::from_be(v4.sin_port)))
            }
            libc::AF_INET6 => {
                let v6 = &*ptr::from_ref(name).cast::<libc::sockaddr_in6>();
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(SocketAddr::new(
                    IpAddr::V6(ip).to_canonical(),
                    u16::from_be(v6.sin6_port),
                ))
            }
            _ => None,
        }
    }
}

fn write_name(name: &mut libc::sockaddr_storage, address: SocketAddr, v6: bool) -> libc::socklen_t {
    // SAFETY: the storage is larger than and aligned for both kinds of address.
    unsafe {
        match (address.ip(), v6) {
            (IpAddr::V4(ip), false) => {
                let v4 = &mut *ptr::from_mut(name).cast::<libc::sockaddr_in>();
                v4.sin_family = libc::AF_INET as libc::sa_family_t;
                v4.sin_port = address.port().to_be();
                v4.sin_addr.s_addr = u32::from(ip).to_be();
                size_of::<libc::sockaddr_in>() as libc::socklen_t
            }
            (ip, _) => {
                let ip = match ip {
                    IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                    IpAddr::V6(ip) => ip,
                };
                let v6 = &mut *ptr::from_mut(name).cast::<libc::sockaddr_in6>();
                v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                v6.sin6_port = address.port().to_be();
                v6.sin6_addr.s6_addr = ip.octets();
                size_of::<libc::sockaddr_in6>() as libc::socklen_t
            }
        }
    }
}

/// Wakes a worker from another thread.
#[derive(Debug)]
pub struct Waker(OwnedFd);

impl Waker {
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new descriptor, owned by nobody else.
        unsafe {
            let fd = libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
            if fd < 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(Self(OwnedFd::from_raw_fd(fd)))
            }
        }
    }
    pub fn wake(&self) {
        let one = 1_u64;
        // SAFETY: eight bytes that outlive the call. It fails only when already signalled.
        unsafe { libc::write(self.0.as_raw_fd(), ptr::from_ref(&one).cast(), 8) };
    }
    pub fn clear(&self) {
        let mut count = 0_u64;
        // SAFETY: as above.
        unsafe { libc::read(self.0.as_raw_fd(), ptr::from_mut(&mut count).cast(), 8) };
    }
}

impl AsRawFd for Waker {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// What is ready, by the token it was added with.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub token: u64,
    pub readable: bool,
    pub writable: bool,
}

/// Level-triggered epoll.
#[derive(Debug)]
pub struct Poll(OwnedFd);

impl Poll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: a new descriptor, owned by nobody else.
        unsafe {
            let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if fd < 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(Self(OwnedFd::from_raw_fd(fd)))
            }
        }
    }

    /// Descriptors leave by being closed, or by [`Poll::remove`].
    pub fn add(&self, fd: &impl AsRawFd, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, false)
    }

    pub fn remove(&self, fd: &impl AsRawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, false)
    }

    /// Whether to hear of room to write as well.
    pub fn watch_writable(&self, fd: &impl AsRawFd, token: u64, on: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, on)
    }

    fn control(
        &self,
        what: libc::c_int,
        fd: &impl AsRawFd,
        token: u64,
        write: bool,
    ) -> io::Result<()> {
        let events = libc::EPOLLIN | if write { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event {
            events: events as u32,
            u64: token,
        };
        // SAFETY: the event outlives the call.
        let result =
            unsafe { libc::epoll_ctl(self.0.as_raw_fd(), what, fd.as_raw_fd(), &raw mut event) };
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Waits at most `millis`; fills and returns a part of `ready`.
    pub fn wait<'a>(&self, ready: &'a mut [Ready; BATCH], millis: u64) -> &'a [Ready] {
        let millis = libc::c_int::try_from(millis).unwrap_or(libc::c_int::MAX);
        // SAFETY: the events outlive the call, and the kernel writes at most BATCH of them.
        let (events, count) = unsafe {
            let mut events: [libc::epoll_event; BATCH] = zeroed();
            let count = libc::epoll_wait(
                self.0.as_raw_fd(),
                events.as_mut_ptr(),
                BATCH as libc::c_int,
                millis,
            );
            (events, usize::try_from(count).unwrap_or(0))
        };
        for (slot, event) in ready.iter_mut().zip(&events[..count]) {
            let flags = event.events as libc::c_int;
            *slot = Ready {
                token: event.u64,
                readable: flags & !libc::EPOLLOUT != 0,
                writable: flags & libc::EPOLLOUT != 0,
            };
        }
        &ready[..count]
    }
}

#[cfg(test)]
mod tests;
