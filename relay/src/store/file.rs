//! The engine: `redb`, in one file or in memory.

use std::{
    cell::OnceCell,
    ops::{Bound, ControlFlow},
    path::Path,
    sync::Arc,
};

use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable, TableDefinition, TableError,
    WriteTransaction, backends::InMemoryBackend,
};

use super::{
    StoreError,
    engine::{End, Engine, Look, Rows, Table, Visit},
};

/// Reads are small and mostly of what was just written; the rest is the operator's memory.
const CACHE_BYTES: usize = 64 << 20;

/// A file smaller than this is not worth compacting.
const WORTH_COMPACTING: u64 = 16 << 20;

/// The table of users of the first stores: text to text.
const FIRST_USERS: TableDefinition<'_, &str, &str> = TableDefinition::new("users");

type Bytes = &'static [u8];

const fn definition(table: Table) -> TableDefinition<'static, Bytes, Bytes> {
    TableDefinition::new(table.name())
}

#[derive(Debug)]
pub struct File {
    database: Database,
    name: Arc<str>,
}

impl File {
    /// Opens the file, or makes it, readable by its owner alone.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let name: Arc<str> = path.display().to_string().into();
        let open = || -> Result<Database, redb::Error> {
            make_private(path)?;
            let mut database = redb::Builder::new()
                .set_cache_size(CACHE_BYTES)
                .create(path)?;
            if is_mostly_free(&database, path)? {
                let before = std::fs::metadata(path)?.len();
                database.compact()?;
                let after = std::fs::metadata(path)?.len();
                tracing::info!(before, after, "the store was compacted");
            }
            take_over_first_users(&database)?;
            Ok(database)
        };
        match open() {
            Ok(database) => Ok(Self { database, name }),
            Err(error) => Err(StoreError::Engine(name, Arc::new(error))),
        }
    }

    /// Forgets everything when it is dropped; otherwise the same.
    pub fn in_memory() -> Result<Self, StoreError> {
        let name: Arc<str> = "in memory".into();
        match redb::Builder::new().create_with_backend(InMemoryBackend::new()) {
            Ok(database) => Ok(Self { database, name }),
            Err(error) => Err(StoreError::Engine(name, Arc::new(error.into()))),
        }
    }

    fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        failed(&self.name, error)
    }
}

fn failed(name: &Arc<str>, error: impl Into<redb::Error>) -> StoreError {
    StoreError::Engine(name.clone(), Arc::new(error.into()))
}

fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    Ok(())
}

/// More than half of a big file holds nothing: mass deletes leave their pages in it.
fn is_mostly_free(database: &Database, path: &Path) -> Result<bool, redb::Error> {
    let length = std::fs::metadata(path)?.len();
    if length < WORTH_COMPACTING {
        return Ok(false);
    }
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    let used = stats.allocated_pages() * stats.page_size() as u64;
    Ok(used < length / 2)
}

fn take_over_first_users(database: &Database) -> Result<(), redb::Error> {
    match database.begin_read()?.open_table(FIRST_USERS) {
        Ok(_) => {}
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let transaction = database.begin_write()?;
    {
        let first = transaction.open_table(FIRST_USERS)?;
        let mut users = transaction.open_table(definition(Table::Users))?;
        for row in first.iter()? {
            let (id, record) = row?;
            users.insert(id.value().as_bytes(), record.value().as_bytes())?;
        }
    }
    transaction.delete_table(FIRST_USERS)?;
    transaction.commit()?;
    Ok(())
}

impl Engine for File {
    fn write(
        &self,
        work: &mut dyn FnMut(&mut dyn Rows) -> Result<End, StoreError>,
    ) -> Result<(), StoreError> {
        let transaction = self
            .database
            .begin_write()
            .map_err(|error| self.failed(error))?;
        let end = {
            let mut writing = Writing {
                transaction: &transaction,
                tables: Table::ALL.iter().map(|_| OnceCell::new()).collect(),
                name: &self.name,
            };
            work(&mut writing)
        };
        match end {
            Ok(End::Commit) => transaction.commit().map_err(|error| self.failed(error)),
            Ok(End::Abandon) => transaction.abort().map_err(|error| self.failed(error)),
            Err(error) => {
                // what went wrong first is what the caller should hear
                let _ = transaction.abort();
                Err(error)
            }
        }
    }

    fn read(
        &self,
        work: &mut dyn FnMut(&dyn Look) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let transaction = self
            .database
            .begin_read()
            .map_err(|error| self.failed(error))?;
        work(&Reading {
            transaction,
            name: &self.name,
        })
    }
}

/// Tables are opened when they are first used and stay open to the transaction's end.
struct Writing<'t> {
    transaction: &'t WriteTransaction,
    tables: Vec<OnceCell<redb::Table<'t, Bytes, Bytes>>>,
    name: &'t Arc<str>,
}

impl<'t> Writing<'t> {
    fn table(&self, table: Table) -> Result<&redb::Table<'t, Bytes, Bytes>, StoreError> {
        let cell = &self.tables[table as usize];
        if let Some(open) = cell.get() {
            return Ok(open);
        }
        let open = self
            .transaction
            .open_table(definition(table))
            .map_err(|error| failed(self.name, error))?;
        Ok(cell.get_or_init(|| open))
    }

    fn table_mut(
        &mut self,
        table: Table,
    ) -> Result<&mut redb::Table<'t, Bytes, Bytes>, StoreError> {
        self.table(table)?;
        Ok(self.tables[table as usize]
            .get_mut()
            .expect("the line above has opened it"))
    }
}

impl Rows for Writing<'_> {
    fn put(
        &mut self,
        table: Table,
        key: &[u8],
        value: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let name = self.name;
        let before = self.table_mut(table)?.insert(key, value);
        let before = before.map_err(|error| failed(name, error))?;
        Ok(before.map(|value| value.value().to_vec()))
    }

    fn remove(&mut self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let name = self.name;
        let before = self.table_mut(table)?.remove(key);
        let before = before.map_err(|error| failed(name, error))?;
        Ok(before.map(|value| value.value().to_vec()))
    }
}

impl Look for Writing<'_> {
    fn fetch(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        fetch(self.table(table)?, key).map_err(|error| failed(self.name, error))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        scan(self.name, self.table(table)?, (from, to), false, visit)
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        scan(self.name, self.table(table)?, (from, to), true, visit)
    }
}

struct Reading<'t> {
    transaction: ReadTransaction,
    name: &'t Arc<str>,
}

impl Reading<'_> {
    /// `None`: nothing was ever written to it.
    fn table(&self, table: Table) -> Result<Option<redb::ReadOnlyTable<Bytes, Bytes>>, StoreError> {
        match self.transaction.open_table(definition(table)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(failed(self.name, error)),
        }
    }

    fn walk(
        &self,
        table: Table,
        range: (&[u8], Option<&[u8]>),
        back: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        match self.table(table)? {
            Some(table) => scan(self.name, &table, range, back, visit),
            None => Ok(()),
        }
    }
}

impl Look for Reading<'_> {
    fn fetch(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.table(table)? {
            Some(table) => fetch(&table, key).map_err(|error| failed(self.name, error)),
            None => Ok(None),
        }
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.walk(table, (from, to), false, visit)
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.walk(table, (from, to), true, visit)
    }
}

fn fetch(
    table: &impl ReadableTable<Bytes, Bytes>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, redb::StorageError> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

fn scan(
    name: &Arc<str>,
    table: &impl ReadableTable<Bytes, Bytes>,
    (from, to): (&[u8], Option<&[u8]>),
    back: bool,
    visit: &mut Visit<'_>,
) -> Result<(), StoreError> {
    // redb panics at a range that ends before it begins
    if to.is_some_and(|to| to <= from) {
        return Ok(());
    }
    let to = to.map_or(Bound::Unbounded, Bound::Excluded);
    let mut rows = table
        .range::<&[u8]>((Bound::Included(from), to))
        .map_err(|error| failed(name, error))?;
    while let Some(row) = if back { rows.next_back() } else { rows.next() } {
        let (key, value) = row.map_err(|error| failed(name, error))?;
        if let ControlFlow::Break(()) = visit(key.value(), value.value())? {
            break;
        }
    }
    Ok(())
}
