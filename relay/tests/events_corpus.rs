//! Every line of the admin socket and every answer of a webhook that once was interesting, and their
//! neighbours.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "../fuzz/events.rs"]
mod checks;

use std::{fs, path::Path};

#[test]
fn no_line_and_no_answer_of_the_corpus_nor_its_neighbours_breaks_anything() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, check) in checks::ALL {
        let mut seen = 0;
        for file in fs::read_dir(corpus.join(target)).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            seen += 1;
            check(&bytes);
            for len in 0..bytes.len() {
                check(&bytes[..len]);
            }
            for at in 0..bytes.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 0x10] {
                    let mut changed = bytes.clone();
                    changed[at] = value;
                    check(&changed);
                }
            }
        }
        assert!(seen > 0, "no corpus for {target}");
    }
}
