//! Where everything is kept. One ordered map of numbers serves all of it: each further type of map
//! would weigh some 6 KB in the page, and so would `BTreeMap` for this one.

use sha2::{Digest, Sha256};

/// What a thing is found by: two numbers, ordered; or the keyed hash of a text ([`Namer`]).
pub(super) type Key = (u64, u64);

/// Sorted runs one after the other, none of them empty or longer than [`RUN`]: two searches by
/// halves find a key, and one short move makes room for it among hundreds of thousands.
#[derive(Debug, Default)]
pub(super) struct Index {
    runs: Vec<Vec<(Key, u64)>>,
}

const RUN: usize = 512;

// Never inlined: the code is wanted once, not at each use.
impl Index {
    /// The run and the place in it of the first key that is not below this one.
    #[inline(never)]
    fn place(&self, key: Key) -> (usize, usize) {
        let ends_before = |run: &Vec<(Key, u64)>| run.last().is_some_and(|last| last.0 < key);
        let run = self.runs.partition_point(ends_before);
        let at = match self.runs.get(run) {
            Some(run) => run.partition_point(|entry| entry.0 < key),
            None => 0,
        };
        (run, at)
    }
    fn entry(&self, (run, at): (usize, usize)) -> Option<&(Key, u64)> {
        self.runs.get(run)?.get(at)
    }

    /// Gives what was there before.
    #[inline(never)]
    pub(super) fn set(&mut self, key: Key, value: u64) -> Option<u64> {
        let (mut run, mut at) = self.place(key);
        if run == self.runs.len() {
            // above all others: at the end of the last run
            match run.checked_sub(1) {
                Some(last) => (run, at) = (last, self.runs[last].len()),
                None => self.runs.push(Vec::new()),
            }
        }
        let entries = &mut self.runs[run];
        match entries.get_mut(at) {
            Some(entry) if entry.0 == key => {
                return Some(std::mem::replace(&mut entry.1, value));
            }
            _ => entries.insert(at, (key, value)),
        }
        if entries.len() > RUN {
            let upper = entries.split_off(RUN / 2);
            self.runs.insert(run + 1, upper);
        }
        None
    }
    #[inline(never)]
    pub(super) fn get(&self, key: Key) -> Option<u64> {
        let found = self.entry(self.place(key)).filter(|entry| entry.0 == key);
        found.map(|entry| entry.1)
    }
    #[inline(never)]
    pub(super) fn take(&mut self, key: Key) -> Option<u64> {
        let value = self.get(key)?;
        let (run, at) = self.place(key);
        self.runs[run].remove(at);
        if self.runs[run].is_empty() {
            self.runs.remove(run);
        }
        Some(value)
    }
    /// The first key that is not below this one.
    #[inline(never)]
    pub(super) fn at_or_after(&self, key: Key) -> Option<Key> {
        self.entry(self.place(key)).map(|entry| entry.0)
    }
    /// The second number of every key with that first one.
    pub(super) fn all(&self, first: u64) -> Vec<u64> {
        let mut all = Vec::new();
        let mut from = (first, 0);
        while let Some((_, second)) = self.at_or_after(from).filter(|key| key.0 == first) {
            all.push(second);
            from.1 = second + 1;
        }
        all
    }
}

/// Things by their number.
#[derive(Debug)]
pub(super) struct Table<T> {
    slot_of: Index,
    slots: Vec<Option<Box<T>>>,
    free: Vec<usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slot_of: Index::default(),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Table<T> {
    fn slot(&self, id: u64) -> Option<usize> {
        self.slot_of
            .get((id, 0))
            .and_then(|slot| usize::try_from(slot).ok())
    }
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
    pub(super) fn contains(&self, id: u64) -> bool {
        self.slot(id).is_some()
    }
    pub(super) fn get(&self, id: u64) -> Option<&T> {
        self.slots.get(self.slot(id)?)?.as_deref()
    }
    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut T> {
        let slot = self.slot(id)?;
        self.slots.get_mut(slot)?.as_deref_mut()
    }
    /// A number that is taken keeps what it has.
    pub(super) fn insert(&mut self, id: u64, thing: Box<T>) {
        if self.contains(id) {
            return;
        }
        let slot = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(slot) {
            Some(empty) => *empty = Some(thing),
            None => self.slots.push(Some(thing)),
        }
        self.slot_of.set((id, 0), slot as u64);
    }
    pub(super) fn remove(&mut self, id: u64) -> Option<Box<T>> {
        let slot = self.slot(id)?;
        self.slot_of.take((id, 0));
        self.free.push(slot);
        self.slots.get_mut(slot)?.take()
    }
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(Option::as_deref_mut)
    }
}

/// Makes keys of texts: 128 bits of SHA-256 behind a secret, so that nobody finds two texts with one
/// key.
#[derive(Debug)]
pub(super) struct Namer {
    secret: [u8; 32],
}

impl Namer {
    pub(super) const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    pub(super) fn key(&self, parts: &[&str]) -> Key {
        let mut hash = Sha256::new();
        hash.update(self.secret);
        for part in parts {
            hash.update(part);
            // no text contains it, so no two lists of parts look alike
            hash.update([0xff]);
        }
        let bytes: [u8; 32] = hash.finalize().into();
        let number = |from: usize| {
            let eight = bytes[from..].iter().take(8);
            eight.fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        (number(0), number(8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_used_again_and_numbers_are_not_mixed_up() {
        let mut table = Table::default();
        table.insert(7, Box::new("seven"));
        table.insert(8, Box::new("eight"));
        assert_eq!(table.remove(7).as_deref(), Some(&"seven"));
        table.insert(9, Box::new("nine"));
        assert_eq!(table.slots.len(), 2);
        assert_eq!(
            (table.get(7), table.get(8), table.get(9)),
            (None, Some(&"eight"), Some(&"nine"))
        );
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn an_index_lists_what_hangs_on_one_number() {
        let mut index = Index::default();
        for key in [(1, 5), (2, 1), (2, 9), (3, 0)] {
            index.set(key, 0);
        }
        assert_eq!(index.all(2), [1, 9]);
        assert_eq!(index.all(4), [0; 0]);
    }

    #[test]
    fn an_index_keeps_its_order_through_splits_and_ends() {
        let mut index = Index::default();
        // 7 and 4001 have no common divisor: every number below 4001 comes once
        let scattered = || (0..4_001).map(|step| step * 7 % 4_001);
        for number in scattered() {
            index.set((number, number), number);
        }
        assert!(index.runs.iter().all(|run| (1..=RUN).contains(&run.len())));
        index.set((7, 7), 70);
        assert_eq!((index.get((7, 7)), index.get((7, 8))), (Some(70), None));
        assert_eq!(index.at_or_after((7, 8)), Some((8, 8)));
        for number in scattered().filter(|number| number % 5 != 0) {
            assert!(index.take((number, number)).is_some());
        }
        let mut left = Vec::new();
        let mut from = (0, 0);
        while let Some(key) = index.at_or_after(from) {
            left.push(key.0);
            from = (key.0, key.1 + 1);
        }
        assert!(left.iter().copied().eq((0..4_001).step_by(5)));
        for number in left {
            index.take((number, number));
        }
        assert_eq!(index.take((5, 5)), None);
        assert!(index.runs.is_empty());
    }

    #[test]
    fn parts_do_not_run_together() {
        let namer = Namer::new([1; 32]);
        assert_ne!(namer.key(&["ab", "c"]), namer.key(&["a", "bc"]));
        assert_eq!(namer.key(&["ab", "c"]), namer.key(&["ab", "c"]));
        assert_ne!(namer.key(&["ab"]), Namer::new([2; 32]).key(&["ab"]));
    }
}
