//! The inputs of a fuzz corpus and everything next to them: cut short anywhere, any byte changed.

use std::{fs, path::Path};

/// Takes an input; panics on what it does not like.
type Check = fn(&[u8]);

/// Each target's check over its own folder of `fuzz/corpus`.
pub fn survive(targets: &[(&str, Check)]) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (target, check) in targets {
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
                for value in [0, 1, b'"', b'<', 0x7f, 0x80, 0xff, bytes[at] ^ 0x10] {
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
