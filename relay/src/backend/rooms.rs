//! Rooms: who is rung into which, who is there, and calls as a whole.

use clinicall_sip::Time;

use super::{
    Backend, BackendError, Call, CallState, Invitation, Invited, Member, check_name, invalid,
};
use crate::{
    clock::unix_ms,
    signal::focus::{Mute, Rung},
    store::{self, StoreError, conference},
};

/// It travels in a header of the INVITE, three bytes for each that is not plain.
const LONGEST_MESSAGE: usize = 8 * 1024;
/// Users who may be invited to one room.
const MOST_IN_ROOM: usize = 1_000;

impl Backend {
    /// Rings a user into a room, now or when coming online in time, and lets the user enter it until
    /// the invitation is withdrawn. A second one replaces the first.
    pub async fn invite(&self, mut invitation: Invitation) -> Result<Invited, BackendError> {
        check_name("name", &invitation.room)?;
        check_name("user_id", &invitation.user)?;
        if !matches!(invitation.caller.as_str(), "" | "0") {
            check_name("caller_id", &invitation.caller)?;
        }
        if invitation.message.len() > LONGEST_MESSAGE {
            return Err(invalid("message", "is longer than 8,192 bytes"));
        }
        if invitation.profile.len() > 64 {
            return Err(invalid("profile", "is longer than 64 bytes"));
        }
        if invitation.at == 0 {
            invitation.at = unix_ms();
        }
        let row = invitation.clone();
        let most = self.parts.invitations;
        let write = move |changes: &mut store::Changes<'_>| {
            let there = conference::of_room(changes, &row.room)?;
            let new = there.iter().all(|other| other.user != row.user);
            if new && there.len() >= MOST_IN_ROOM {
                return Err(StoreError::Full(there.len()));
            }
            if new && conference::count(changes)? >= most {
                return Err(StoreError::Refused(format!(
                    "there are {most} invitations, as many as `limits.invitations` allows: close \
                     rooms, or DELETE FROM conference what is over"
                )));
            }
            conference::put(changes, &row)
        };
        self.parts.store.write(write).await?;
        self.parts.bell.ring(&invitation);
        let rung = self
            .parts
            .signal
            .run(move |exchange, now| {
                exchange.rooms(now, |rooms, desk| rooms.ring(desk, invitation))
            })
            .await?;
        match rung {
            Rung::Rings(rung) => Ok(Invited {
                rung,
                waiting: false,
            }),
            Rung::Waits => Ok(Invited {
                rung: 0,
                waiting: true,
            }),
            Rung::IsThere => Ok(Invited {
                rung: 0,
                waiting: false,
            }),
            Rung::Full => Err(BackendError::Unavailable(
                "as many calls go on as this relay takes".to_owned(),
            )),
        }
    }

    /// Withdraws an invitation: the user is rung no more, leaves the call and may not come back.
    /// `false`: there was none.
    pub async fn uninvite(&self, room: &str, user: &str) -> Result<bool, BackendError> {
        let row = (room.to_owned(), user.to_owned());
        let write =
            move |changes: &mut store::Changes<'_>| conference::remove(changes, &row.0, &row.1);
        let stored = self.parts.store.write(write).await?;
        let (room, user) = (room.to_owned(), user.to_owned());
        let live = self
            .parts
            .signal
            .run(move |exchange, now| {
                exchange.rooms(now, |rooms, desk| rooms.uninvite(desk, &room, &user))
            })
            .await?;
        Ok(stored || live)
    }

    /// Who is invited to a room.
    pub async fn invitations(&self, room: &str) -> Result<Vec<Invitation>, BackendError> {
        Ok(self
            .parts
            .store
            .read(|view| conference::of_room(view, room))?)
    }

    /// Rooms somebody is invited to, by name, after that one.
    pub async fn rooms(&self, after: &str, limit: usize) -> Result<Vec<String>, BackendError> {
        Ok(self
            .parts
            .store
            .read(|view| conference::rooms(view, after, limit))?)
    }

    /// Who is in a room now, or in any.
    pub async fn members(&self, room: Option<&str>) -> Result<Vec<Member>, BackendError> {
        let views = self
            .parts
            .signal
            .run(|exchange, now| {
                let views = exchange.rooms(now, |rooms, desk| rooms.members(desk));
                let ago = |since: Time| (now - since).0;
                views
                    .into_iter()
                    .map(|view| (ago(view.since), view))
                    .collect::<Vec<_>>()
            })
            .await?;
        let now = unix_ms();
        let members = views.into_iter().map(|(ago, view)| Member {
            room: view.room,
            user: view.user,
            name: view.name,
            joined: now.saturating_sub(ago),
            last_talking: view.talked.map(|ago| {
                let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
                now.saturating_sub(ago)
            }),
            audio_muted: view.muted.audio,
            video_muted: view.muted.video,
        });
        Ok(members
            .filter(|member| room.is_none_or(|room| room == member.room))
            .collect())
    }

    /// Everybody leaves, nobody is rung any more, and nobody may come back.
    pub async fn close_room(&self, room: &str) -> Result<(), BackendError> {
        let name = room.to_owned();
        let write = move |changes: &mut store::Changes<'_>| {
            let there = conference::of_room(changes, &name)?;
            for invitation in &there {
                conference::remove(changes, &name, &invitation.user)?;
            }
            Ok(!there.is_empty())
        };
        let stored = self.parts.store.write(write).await?;
        let name = room.to_owned();
        let live = self
            .parts
            .signal
            .run(move |exchange, now| exchange.rooms(now, |rooms, desk| rooms.close(desk, &name)))
            .await?;
        match stored || live {
            true => Ok(()),
            false => Err(BackendError::NotFound {
                what: "room",
                name: room.to_owned(),
            }),
        }
    }

    /// Keeps a member's sound or picture from the others, or gives it back.
    pub async fn mute(&self, room: &str, user: &str, muted: Mute) -> Result<(), BackendError> {
        let (name, id) = (room.to_owned(), user.to_owned());
        let found = self
            .parts
            .signal
            .run(move |exchange, now| {
                exchange.rooms(now, |rooms, desk| rooms.mute(desk, &name, &id, muted))
            })
            .await?;
        match found {
            true => Ok(()),
            false => Err(BackendError::NotFound {
                what: "member",
                name: user.to_owned(),
            }),
        }
    }

    /// Every call that rings or goes on: of one user to another, and of the clinic's rooms.
    pub async fn calls(&self) -> Result<Vec<Call>, BackendError> {
        let calls = self
            .parts
            .signal
            .run(|exchange, _| exchange.calls())
            .await?;
        let shown = calls.into_iter().map(|call| Call {
            id: call.number,
            room: call.room,
            from: call.from,
            to: call.to,
            state: match call.answered {
                true => CallState::Talking,
                false => CallState::Ringing,
            },
        });
        Ok(shown.collect())
    }

    /// Ends a call; in a room, of that one member.
    pub async fn hangup(&self, call: u64) -> Result<(), BackendError> {
        let found = self
            .parts
            .signal
            .run(move |exchange, now| exchange.hang_up(now, call))
            .await?;
        match found {
            true => Ok(()),
            false => Err(BackendError::NotFound {
                what: "call",
                name: call.to_string(),
            }),
        }
    }
}
