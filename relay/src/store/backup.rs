//! A consistent copy: one snapshot, row by row, into a new file that gets its name when it is whole.

use std::{ffi::OsString, ops::ControlFlow, os::unix::fs::OpenOptionsExt as _, path::Path};

use super::{
    StoreError,
    engine::{End, Engine, Table},
    file::File,
};

/// Rows in one transaction of the copy.
const BATCH: usize = 10_000;

type Row = (Table, Vec<u8>, Vec<u8>);

pub(super) fn copy(engine: &dyn Engine, to: &Path) -> Result<u64, StoreError> {
    let refused = |why: &str| StoreError::Refused(format!("{}: {why}", to.display()));
    if to.exists() {
        return Err(refused("there is such a file already"));
    }
    let mut part = OsString::from(to);
    part.push(".part");
    let part = Path::new(&part);
    let fresh = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part);
    fresh.map_err(|error| refused(&format!("{} cannot be made: {error}", part.display())))?;
    let copied = fill(engine, part).and_then(|rows| {
        // a hard link does not replace what came to be there meanwhile, a rename would
        let named = std::fs::hard_link(part, to);
        named.map_err(|error| refused(&format!("cannot be made: {error}")))?;
        Ok(rows)
    });
    let _ = std::fs::remove_file(part);
    if let Some(Ok(directory)) = to.parent().map(std::fs::File::open) {
        // the name, too, is to survive the machine
        let _ = directory.sync_all();
    }
    copied
}

fn fill(engine: &dyn Engine, part: &Path) -> Result<u64, StoreError> {
    let copy = File::open(part)?;
    let mut rows = 0;
    let mut batch: Vec<Row> = Vec::new();
    engine.read(&mut |snapshot| {
        for table in Table::ALL {
            snapshot.scan(*table, &[], None, &mut |key, value| {
                batch.push((*table, key.to_vec(), value.to_vec()));
                rows += 1;
                if batch.len() == BATCH {
                    write(&copy, &mut batch)?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
        }
        write(&copy, &mut batch)
    })?;
    Ok(rows)
}

fn write(copy: &File, batch: &mut Vec<Row>) -> Result<(), StoreError> {
    copy.write(&mut |rows| {
        for (table, key, value) in batch.iter() {
            rows.put(*table, key, value)?;
        }
        Ok(End::Commit)
    })?;
    batch.clear();
    Ok(())
}
