//! A packet's way through the relay allocates nothing once it is trodden.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]
// A counting allocator is unsafe by its trait; it hands every call to the system's unchanged.
#![allow(unsafe_code)]

#[path = "media_support/caller.rs"]
mod caller;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use caller::{Caller, Papers, offer};
use clinicall_relay::media::{Config, Media, srtp::Profile};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: as the system's allocator, which does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The doctor speaks and shows for `count` rounds; how many packets all listeners got.
fn talk(doctor: &mut Caller, listeners: &mut [Caller], sequence: &mut u16, count: u32) -> u64 {
    let mut picture = [7; 1_000];
    let mut heard = 0;
    let mut buffer = [0; 2048];
    for round in 0..count {
        *sequence = sequence.wrapping_add(1);
        picture[..11].copy_from_slice(&[0x10, 0, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2, 0xe0, 1]);
        picture[1] = u8::from(round % 30 != 0);
        doctor.say(true, *sequence, &picture);
        doctor.say(false, *sequence, &[0x78; 60]);
        std::thread::sleep(Duration::from_millis(2));
        for listener in listeners.iter_mut() {
            while let Ok(len) = listener.socket.recv(&mut buffer) {
                heard += u64::from(listener.open(&mut buffer[..len]).is_some());
            }
        }
    }
    heard
}

#[test]
fn a_long_visit_allocates_nothing_per_packet() {
    for profile in [Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80] {
        let (media, _events) = Media::start(Config {
            bind: [127, 0, 0, 1].into(),
            port: 0,
            public: vec![[127, 0, 0, 1].into()],
            tcp_port: None,
            udp: true,
            workers: 1,
        })
        .unwrap();
        let room = media.open_room();
        let papers = Arc::new(Papers::new(profile));
        let mut callers: Vec<Caller> = (1..=5)
            .map(|number| {
                let offer = offer(&papers.fingerprint, "sendrecv", number * 100);
                let (member, answer) = media.join_by_offer(room, &offer).unwrap();
                media.admit(member);
                let mut caller = Caller::new(&papers, &answer, number * 100);
                assert!(caller.connect(Duration::from_secs(10)));
                caller.socket.set_nonblocking(true).unwrap();
                caller
            })
            .collect();
        let mut doctor = callers.remove(0);
        let mut sequence = 0;
        talk(&mut doctor, &mut callers, &mut sequence, 300);
        let before = ALLOCATIONS.load(Relaxed);
        let heard = talk(&mut doctor, &mut callers, &mut sequence, 500);
        let allocations = ALLOCATIONS.load(Relaxed) - before;
        assert!(heard > 2_000, "{heard} packets were heard");
        // not one in a hundred packets: what is left are reports, a few a second
        assert!(
            allocations * 100 < heard,
            "{allocations} allocations for {heard} packets"
        );
        println!("{profile:?}: {allocations} allocations, {heard} packets");
        media.stop();
    }
}
