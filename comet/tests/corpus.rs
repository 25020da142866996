//! Every input that once was interesting, and its neighbours.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "../fuzz/checks.rs"]
mod checks;

use std::{fs, path::Path};

#[test]
fn no_frame_of_the_corpus_nor_its_neighbours_breaks_an_end() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, check) in checks::ALL {
        let mut seen = 0;
        for file in fs::read_dir(corpus.join(target)).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            seen += 1;
            check(&bytes);
            for at in 0..bytes.len() {
                check(&bytes[..at]);
                for value in [b'"', b'{', b'}', b'\\', b',', b'0', 0, bytes[at] ^ 1] {
                    let mut changed = bytes.clone();
                    changed[at] = value;
                    check(&changed);
                }
            }
        }
        assert!(seen > 0, "no corpus for {target}");
    }
}
