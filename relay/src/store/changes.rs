//! What a change and a look may do, and how a change that fails is taken back.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    StoreError,
    engine::{Look, Rows, Table, Visit},
};

/// A snapshot: what was committed when the look began.
#[allow(missing_debug_implementations, reason = "a borrow of the engine's")]
pub struct View<'a>(pub(super) &'a dyn Look);

/// One change among the others of its group. It sees what came before it, and leaves no trace when
/// it fails.
#[allow(missing_debug_implementations, reason = "a borrow of the engine's")]
pub struct Changes<'a> {
    rows: &'a mut dyn Rows,
    /// What each row held, to put it back.
    before: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
}

impl<'a> Changes<'a> {
    pub(super) const fn on(rows: &'a mut dyn Rows) -> Self {
        Self {
            rows,
            before: Vec::new(),
        }
    }

    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        let before = self.rows.put(table, key, value)?;
        let was = before.is_some();
        self.before.push((table, key.to_vec(), before));
        Ok(was)
    }

    /// `false`: there was nothing.
    pub fn remove(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        let before = self.rows.remove(table, key)?;
        let was = before.is_some();
        if was {
            self.before.push((table, key.to_vec(), before));
        }
        Ok(was)
    }

    /// Removes up to `limit` rows from `from` on, before `to`; how many there were.
    pub fn remove_range(
        &mut self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let mut keys = Vec::new();
        self.scan(table, from, to, &mut |key, _| {
            if keys.len() == limit {
                return Ok(std::ops::ControlFlow::Break(()));
            }
            keys.push(key.to_vec());
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        for key in &keys {
            self.remove(table, key)?;
        }
        Ok(keys.len())
    }

    pub fn save(
        &mut self,
        table: Table,
        key: &[u8],
        record: &impl Serialize,
    ) -> Result<bool, StoreError> {
        let bytes = serde_json::to_vec(record).map_err(|error| StoreError::record(table, error))?;
        self.put(table, key, &bytes)
    }

    pub(super) fn touched(&self, table: Table) -> bool {
        self.before.iter().any(|(touched, ..)| *touched == table)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty()
    }

    pub(super) fn undo(self) -> Result<(), StoreError> {
        for (table, key, value) in self.before.into_iter().rev() {
            match value {
                Some(value) => self.rows.put(table, &key, &value)?,
                None => self.rows.remove(table, &key)?,
            };
        }
        Ok(())
    }
}

impl Look for Changes<'_> {
    fn fetch(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.fetch(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.rows.scan(table, from, to, visit)
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.rows.scan_back(table, from, to, visit)
    }
}

impl Look for View<'_> {
    fn fetch(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.fetch(table, key)
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.0.scan(table, from, to, visit)
    }

    fn scan_back(
        &self,
        table: Table,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.0.scan_back(table, from, to, visit)
    }
}

/// A record kept as JSON.
pub(super) fn load<T: DeserializeOwned>(
    look: &dyn Look,
    table: Table,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    look.fetch(table, key)?
        .map(|bytes| parse(table, &bytes))
        .transpose()
}

pub(super) fn parse<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError::record(table, error))
}

/// A head as JSON, a line end, and a body as it is: bodies are JSON or text of any size, and are
/// not escaped a second time.
pub(super) fn head_and_body(
    table: Table,
    head: &impl Serialize,
    body: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let mut bytes = serde_json::to_vec(head).map_err(|error| StoreError::record(table, error))?;
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    Ok(bytes)
}

pub(super) fn split<T: DeserializeOwned>(
    table: Table,
    bytes: &[u8],
) -> Result<(T, Vec<u8>), StoreError> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let (head, body) = bytes.split_at(end.unwrap_or(bytes.len()));
    Ok((parse(table, head)?, body.get(1..).unwrap_or(&[]).to_vec()))
}
