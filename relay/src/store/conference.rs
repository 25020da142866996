//! Who may enter which room: CppComet's `conference`.

use std::ops::ControlFlow;

use super::{
    Changes, StoreError,
    changes::{load, parse},
    engine::{Look, Table},
    key::{Key, Parts},
};
pub use crate::backend::Invitation;

const COUNT: &[u8] = b"invitations";

/// Adds an invitation, or replaces the one of that user to that room. `true`: there was one.
pub fn put(changes: &mut Changes<'_>, invitation: &Invitation) -> Result<bool, StoreError> {
    let (room, user) = (&invitation.room, &invitation.user);
    let by_user = Key::of(user).and(room);
    let count = count(changes)?;
    changes.put(Table::InvitationsByUser, &by_user, &[])?;
    let was = changes.save(Table::Invitations, &Key::of(room).and(user), invitation)?;
    if !was {
        set_count(changes, count + 1)?;
    }
    Ok(was)
}

/// Invitations in total.
pub fn count(look: &dyn Look) -> Result<u64, StoreError> {
    if let Some(kept) = look.fetch(Table::Meta, COUNT)? {
        let kept = kept.try_into();
        let kept = kept.map_err(|_| StoreError::record(Table::Meta, "not a number"))?;
        return Ok(u64::from_be_bytes(kept));
    }
    // a store from before there was a count
    let mut count = 0;
    look.scan(Table::Invitations, &[], None, &mut |_, _| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}

fn set_count(changes: &mut Changes<'_>, count: u64) -> Result<(), StoreError> {
    changes.put(Table::Meta, COUNT, &count.to_be_bytes())?;
    Ok(())
}

pub fn get(look: &dyn Look, room: &str, user: &str) -> Result<Option<Invitation>, StoreError> {
    load(look, Table::Invitations, &Key::of(room).and(user))
}

/// By user.
pub fn of_room(look: &dyn Look, room: &str) -> Result<Vec<Invitation>, StoreError> {
    let from = Key::of(room);
    let mut found = Vec::new();
    look.scan(
        Table::Invitations,
        &from,
        from.end().as_deref(),
        &mut |_, invitation| {
            found.push(parse(Table::Invitations, invitation)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(found)
}

/// By room.
pub fn of_user(look: &dyn Look, user: &str) -> Result<Vec<Invitation>, StoreError> {
    let from = Key::of(user);
    let mut rooms = Vec::new();
    look.scan(
        Table::InvitationsByUser,
        &from,
        from.end().as_deref(),
        &mut |key, _| {
            let mut parts = Parts(key);
            let (_, room) = (parts.name(), parts.name());
            let broken = || StoreError::record(Table::InvitationsByUser, "the key has no room");
            rooms.push(room.ok_or_else(broken)?);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    let mut found = Vec::new();
    for room in rooms {
        found.extend(get(look, &room, user)?);
    }
    Ok(found)
}

/// Rooms somebody is invited to, by name, after that one.
pub fn rooms(look: &dyn Look, after: &str, limit: usize) -> Result<Vec<String>, StoreError> {
    let mut rooms = Vec::new();
    let mut from = if after.is_empty() {
        Some(Key::default())
    } else {
        Key::of(after).end()
    };
    while let Some(start) = from.take().filter(|_| rooms.len() < limit) {
        // one row of each room, then on to the next room
        look.scan(Table::Invitations, &start, None, &mut |key, _| {
            if let Some(room) = Parts(key).name() {
                from = Key::of(&room).end();
                rooms.push(room);
            }
            Ok(ControlFlow::Break(()))
        })?;
    }
    Ok(rooms)
}

/// `false`: there was none.
pub fn remove(changes: &mut Changes<'_>, room: &str, user: &str) -> Result<bool, StoreError> {
    let count = count(changes)?;
    changes.remove(Table::InvitationsByUser, &Key::of(user).and(room))?;
    let was = changes.remove(Table::Invitations, &Key::of(room).and(user))?;
    if was {
        set_count(changes, count.saturating_sub(1))?;
    }
    Ok(was)
}
