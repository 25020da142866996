//! Durable writes a second, beside what the same disk does with a bare `fdatasync`, in turns.
//!
//! `cargo bench -p clinicall-relay --bench store` (with `-- --json` the last line is one object)
//!
//! A write is what a private message costs: it is queued, the one before it is forgotten, and whoever
//! sent it hears of it when both are on the disk.

use std::{
    io::{Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use clinicall_relay::store::{Store, messages};

const RUN: Duration = Duration::from_secs(2);
const RUNS: usize = 5;
const WRITERS: [usize; 3] = [1, 4, 64];
/// A message of the size of an invitation.
const BODY: &[u8] = &[b'x'; 200];

fn main() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut bare = Vec::new();
    let mut writes = vec![Vec::new(); WRITERS.len()];
    for _ in 0..RUNS {
        bare.push(fdatasyncs(&directory.join("bare")));
        for (writers, rates) in WRITERS.iter().zip(&mut writes) {
            rates.push(store(&directory.join("bench.redb"), *writers));
        }
    }
    let bare = median(&mut bare);
    println!("bare fdatasync of 4 KiB: {bare:.0}/s");
    let mut rows = Vec::new();
    for (writers, rates) in WRITERS.iter().zip(&mut writes) {
        let rate = median(rates);
        let share = rate / bare;
        println!("{writers:2} writers: {rate:.0} durable writes/s, {share:.2} of the bare limit");
        rows.push(format!(
            "{{\"row\":\"durable writes, {writers} writers\",\"unit\":\"1/s\",\
             \"better\":\"higher\",\"ours\":{rate:.0},\"beside\":{{\"fdatasync\":{bare:.0}}}}}"
        ));
    }
    if std::env::args().any(|argument| argument == "--json") {
        println!("{{\"bench\":\"store\",\"rows\":[{}]}}", rows.join(","));
    }
}

/// One 4 KiB page after the other, each followed by a `fdatasync`, in a file that does not grow.
fn fdatasyncs(path: &Path) -> f64 {
    let mut file = std::fs::File::create(path).expect("the target directory can be written");
    let pages = 256;
    file.write_all(&vec![0; pages * 4096])
        .expect("there is room for a megabyte");
    file.sync_all().expect("the disk takes a megabyte");
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < RUN {
        let at = SeekFrom::Start((count % pages) as u64 * 4096);
        file.seek(at).expect("a position within the file");
        file.write_all(&[count as u8; 4096])
            .expect("the page is there already");
        file.sync_data().expect("the disk takes a page");
        count += 1;
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    let _ = std::fs::remove_file(path);
    rate
}

fn store(path: &Path, writers: usize) -> f64 {
    let _ = std::fs::remove_file(path);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("two threads");
    let rate = runtime.block_on(async {
        let store = Store::open(Some(path)).expect("a new file");
        let (count, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let tasks: Vec<_> = (0..writers)
            .map(|n| {
                let (store, count, stop) = (store.clone(), count.clone(), stop.clone());
                tokio::spawn(async move {
                    while !stop.load(Relaxed) {
                        let write = store.write(move |changes| {
                            let user = format!("patient-{n}");
                            let sent = messages::push(changes, &user, "note", BODY, 0, 10)?;
                            messages::forget_through(changes, &user, sent.offset - 1)
                        });
                        write.await.expect("a durable write");
                        count.fetch_add(1, Relaxed);
                    }
                })
            })
            .collect();
        let (begun, before) = (Instant::now(), count.load(Relaxed));
        tokio::time::sleep(RUN).await;
        let rate = (count.load(Relaxed) - before) as f64 / begun.elapsed().as_secs_f64();
        stop.store(true, Relaxed);
        for task in tasks {
            task.await.expect("a writer ends well");
        }
        rate
    });
    let _ = std::fs::remove_file(path);
    rate
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
