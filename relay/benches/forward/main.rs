//! What a forwarded packet costs in the room alone: no socket, no encryption.
//!
//! `cargo bench -p clinicall-relay --bench forward`

mod load;

use std::time::{Duration, Instant};

use load::Load;

fn main() {
    println!("user time in the room, ns per forwarded packet (median of 9 runs)");
    for receivers in [1, 10, 50, 200] {
        let plain = measure(|| Load::broadcast(receivers), 0);
        let lossy = measure(|| Load::broadcast(receivers), 50);
        println!("1 -> {receivers:3}: {plain:4.0}   with 2 % loss each way {lossy:4.0}");
    }
    for receivers in [10, 50] {
        let plain = measure(|| Load::thinned(receivers), 0);
        let lossy = measure(|| Load::thinned(receivers), 50);
        println!(
            "half the frames, 1 -> {receivers:3}: {plain:4.0}   with 2 % loss each way {lossy:4.0}"
        );
    }
    let plain = measure(Load::call, 0);
    let lossy = measure(Load::call, 50);
    println!("1 <-> 1  : {plain:4.0}   with 2 % loss each way {lossy:4.0}");
}

fn measure(start: impl Fn() -> Load, loss: u32) -> f64 {
    let mut runs: Vec<_> = (0..9)
        .map(|_| {
            let mut load = start();
            load.loss = loss;
            load.run(150);
            let before = load.count.rtp;
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(150) {
                load.run(10);
            }
            begun.elapsed().as_nanos() as f64 / (load.count.rtp - before) as f64
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}
