//! What once was interesting to those who parse logins, and its neighbours.

#[path = "../fuzz/login.rs"]
mod checks;

use std::{fs, path::Path};

#[test]
fn no_bytes_of_the_corpus_nor_their_neighbours_break_a_login() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, check) in checks::ALL {
        let mut seen = 0;
        for file in fs::read_dir(corpus.join(target)).expect("there is a corpus") {
            let path = file.expect("it can be listed").path();
            let bytes = fs::read(path).expect("it can be read");
            seen += 1;
            check(&bytes);
            for len in 0..bytes.len() {
                check(&bytes[..len]);
            }
            for at in 0..bytes.len() {
                for value in [0, b'"', b'<', 0x80, 0xff, bytes[at] ^ 0x10] {
                    if value == bytes[at] {
                        continue;
                    }
                    let mut changed = bytes.clone();
                    changed[at] = value;
                    check(&changed);
                }
            }
        }
        assert!(seen > 0, "no corpus for {target}");
    }
}
