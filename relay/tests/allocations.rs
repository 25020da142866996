//! Memory: none is taken for a packet, and a call needs little of it.

// a counting allocator cannot be written without: it passes everything on to the system's
#![allow(unsafe_code)]

#[path = "../benches/forward/load.rs"]
mod load;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use load::Load;

struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size() as i64));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.with(|bytes| bytes.set(bytes.get() - layout.size() as i64));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations while ten seconds of media pass, after twenty in which buffers grew.
fn steady(mut load: Load, loss: u32) -> u64 {
    load.loss = loss;
    load.run(325);
    let (calls, packets) = (CALLS.get(), load.count.rtp);
    load.run(162);
    assert!(load.count.rtp > packets + 1_000);
    CALLS.get() - calls
}

#[test]
fn a_call_allocates_nothing_while_it_flows() {
    assert_eq!(steady(Load::call(), 0), 0);
    assert_eq!(steady(Load::call(), 20), 0, "with losses and repairs");
}

#[test]
fn a_broadcast_allocates_nothing_while_it_flows() {
    assert_eq!(steady(Load::broadcast(200), 50), 0);
}

#[test]
fn leaving_out_every_other_picture_allocates_nothing() {
    let thinned = |load: &mut Load| {
        load.run(200);
        let before = load.count.rtp;
        load.run(100);
        load.count.rtp - before
    };
    // 4 of the 8 packets of pictures, and 3 words a turn, to each
    let sent = thinned(&mut Load::thinned(50));
    assert_eq!(sent, 50 * 7 * 100);
    assert_eq!(steady(Load::thinned(50), 50), 0);
}

#[test]
fn a_hd_call_takes_less_than_64_kib_a_member() {
    let before = BYTES.get();
    let mut load = Load::call();
    load.loss = 50;
    load.run(500);
    let member = (BYTES.get() - before) / 2;
    println!("{member} bytes a member");
    assert!(member < 64 * 1_024, "{member}");
}

#[test]
fn a_receiver_of_a_broadcast_takes_a_few_kib() {
    let before = BYTES.get();
    let mut load = Load::broadcast(200);
    load.loss = 50;
    load.run(300);
    let member = (BYTES.get() - before) / 200;
    println!("{member} bytes a receiver");
    assert!(member < 12 * 1_024, "{member}");
}
