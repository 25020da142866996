//! One kind of media of a member, both ways.

use super::{negotiated::Track, slot::Slot, source::Source};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Audio,
    Video,
}

impl Kind {
    pub const BOTH: [Self; 2] = [Self::Audio, Self::Video];
}

/// What a member publishes of one kind, and what it receives of it.
#[derive(Debug)]
pub struct Lane {
    pub track: Option<Track>,
    pub source: Source,
    pub slot: Option<Slot>,
    /// The others get nothing of it.
    pub muted: bool,
    /// Numbers FIRs, so that each is a new command.
    pub firs: u8,
}

impl Lane {
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self {
            track: None,
            source: Source::new(kind == Kind::Audio),
            slot: None,
            muted: false,
            firs: 0,
        }
    }

    /// Follows a description. What stays as it was goes on without a break.
    pub fn negotiate(&mut self, track: Option<Track>) {
        if let Some(track) = &track {
            let slot = self.slot.get_or_insert_with(|| Slot::new(track.local_ssrc));
            slot.rename(track.local_ssrc);
        }
        let same = match (&self.track, &track) {
            (Some(old), Some(new)) => is_same_stream(old, new),
            _ => false,
        };
        if !same {
            // the slot stays even without a track: its numbers must never be used again
            self.slot.iter_mut().for_each(Slot::forget);
            self.source.end();
        }
        self.track = track;
    }

    /// The track, while the member sends it.
    #[must_use]
    pub fn sent(&self) -> Option<&Track> {
        self.track.as_ref().filter(|track| track.sends)
    }
}

/// Whether packets written under one are as they would be under the other.
fn is_same_stream(old: &Track, new: &Track) -> bool {
    let stream = |track: &Track| {
        (
            track.payload_type,
            track.rtx,
            track.red,
            track.clock_rate,
            track.extensions,
            track.feedback,
        )
    };
    stream(old) == stream(new) && old.codec == new.codec && old.mid == new.mid
}
