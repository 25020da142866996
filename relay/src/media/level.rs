//! Who speaks, from the audio levels in RTP headers (RFC 6464), without decoding. Who has a narrow link does without
//! these bytes: there it tells that anything is sent, for silence is not.

use super::{
    MemberId,
    time::{MILLISECOND, SECOND},
};

/// A level of speech, smoothed, in dB above silence (127 is the loudest).
const SPEECH: f32 = 127.0 - 50.0;
/// Another speaker takes over when this much louder...
const LOUDER: f32 = 6.0;
/// ...for this long, or when the last one fell silent.
const PERSISTENT: u64 = 400 * MILLISECOND;
/// Time constant of rise; decay is three times slower, so that pauses between words are bridged.
const RISE: f32 = 0.15;
const DECAY: f32 = 0.5;
/// The floor is not passed on more often.
const HOLD: u64 = SECOND;

/// As loud as we take a voice to be of which no level tells: -40 dBov, a soft one. Whose room is so noisy that it is
/// always sent keeps nobody from the floor who speaks up.
const SOFT: u8 = 40;
const SILENCE: u8 = 127;
/// An encoder says nothing in as many bytes (RFC 6716 section 3.1: the TOC byte, a count of frames).
const NOTHING: usize = 2;
/// Longer than the longest packet is apart from the next when one between them is lost, and shorter than the 400 ms
/// after which an encoder tells how a pause sounds (libopus, NB_SPEECH_FRAMES_BEFORE_DTX).
const PAUSE: u64 = 300 * MILLISECOND;
/// What a packet behind a pause may be of speech.
const PACKET: u64 = 60 * MILLISECOND;

/// The loudness of one member.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loudness {
    smooth: f32,
    at: u64,
    /// When it was speech, last.
    spoke: Option<u64>,
}

impl Loudness {
    /// `level` as in the header: a voice flag and 0 (loud) to 127 (silent) -dBov.
    pub fn heard(&mut self, now: u64, level: u8) {
        let loud = 127.0 - f32::from(level & 0x7f);
        let passed = now.saturating_sub(self.at).min(SECOND) as f32 / SECOND as f32;
        let constant = if loud > self.smooth { RISE } else { DECAY };
        self.smooth += (loud - self.smooth) * (1.0 - (-passed / constant).exp());
        self.at = now;
        if self.smooth >= SPEECH {
            self.spoke = Some(now);
        }
    }

    /// A packet without a level, from an encoder that sends no silence but what it sounds like, now and then.
    pub fn said(&mut self, now: u64, payload: &[u8]) {
        if payload.len() <= NOTHING {
            return;
        }
        if now.saturating_sub(self.at) > PAUSE {
            self.heard(now - PACKET, SILENCE);
        }
        self.heard(now, SOFT);
    }

    /// When the member last spoke; `None`: never yet.
    #[must_use]
    pub const fn spoke(&self) -> Option<u64> {
        self.spoke
    }

    /// Falls when nothing is heard any more (DTX, mute, loss).
    #[must_use]
    pub fn now(&self, now: u64) -> f32 {
        let silent = now
            .saturating_sub(self.at)
            .saturating_sub(500 * MILLISECOND);
        self.smooth * (-(silent as f32) / (SECOND as f32 * DECAY)).exp()
    }
}

/// Who has the floor by speaking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floor {
    pub speaker: Option<MemberId>,
    since: u64,
    challenger: Option<(MemberId, u64)>,
}

impl Floor {
    /// Looks at everybody's loudness; `true`: there is a new speaker.
    pub fn update(
        &mut self,
        now: u64,
        members: impl Iterator<Item = (MemberId, Loudness)>,
    ) -> bool {
        let (mut loudest, mut speaking) = (None, 0.0);
        for (member, loudness) in members {
            let loud = loudness.now(now);
            if Some(member) == self.speaker {
                speaking = loud;
            }
            if loud >= SPEECH && loudest.is_none_or(|(_, most)| loud > most) {
                loudest = Some((member, loud));
            }
        }
        let Some((member, loud)) = loudest.filter(|(member, _)| Some(*member) != self.speaker)
        else {
            self.challenger = None;
            return false;
        };
        if speaking >= SPEECH && loud < speaking + LOUDER {
            self.challenger = None;
            return false;
        }
        let since = match self.challenger {
            Some((challenger, since)) if challenger == member => since,
            _ => {
                self.challenger = Some((member, now));
                now
            }
        };
        let first = self.speaker.is_none();
        if !first
            && (now.saturating_sub(since) < PERSISTENT || now.saturating_sub(self.since) < HOLD)
        {
            return false;
        }
        *self = Self {
            speaker: Some(member),
            since: now,
            challenger: None,
        };
        true
    }

    pub fn left(&mut self, member: MemberId) {
        if self.speaker == Some(member) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCTOR: MemberId = MemberId(1);
    const PATIENT: MemberId = MemberId(2);

    struct Talk {
        now: u64,
        floor: Floor,
        members: [(MemberId, Loudness); 2],
    }

    impl Talk {
        /// Levels of doctor and patient for a while; answers how often the speaker changed.
        fn hear(&mut self, milliseconds: u64, levels: [u8; 2]) -> usize {
            let mut changes = 0;
            for _ in 0..milliseconds / 20 {
                self.now += 20 * MILLISECOND;
                for ((_, loudness), level) in self.members.iter_mut().zip(levels) {
                    loudness.heard(self.now, level);
                }
                changes += usize::from(self.floor.update(self.now, self.members.iter().copied()));
            }
            changes
        }
    }

    fn talk() -> Talk {
        let silent = Loudness::default();
        Talk {
            now: SECOND,
            floor: Floor::default(),
            members: [(DOCTOR, silent), (PATIENT, silent)],
        }
    }

    #[test]
    fn the_floor_follows_the_conversation() {
        let mut talk = talk();
        assert_eq!(talk.hear(1_000, [SILENCE, SILENCE]), 0);
        assert_eq!(talk.hear(500, [25, SILENCE]), 1);
        assert_eq!(talk.floor.speaker, Some(DOCTOR));
        talk.hear(2_000, [25, 60]);
        assert_eq!(talk.hear(2_000, [SILENCE, 25]), 1);
        assert_eq!(talk.floor.speaker, Some(PATIENT));
    }

    #[test]
    fn a_cough_does_not_take_the_floor() {
        let mut talk = talk();
        talk.hear(2_000, [25, SILENCE]);
        assert_eq!(talk.hear(160, [25, 5]), 0);
        assert_eq!(talk.hear(1_000, [25, SILENCE]), 0);
        assert_eq!(talk.floor.speaker, Some(DOCTOR));
    }

    #[test]
    fn a_patient_who_listens_has_not_spoken() {
        let mut talk = talk();
        talk.hear(1_000, [25, 100]);
        let spoken = talk.now;
        talk.hear(10_000, [SILENCE, 100]);
        let [(_, doctor), (_, patient)] = talk.members;
        let last = doctor.spoke().unwrap();
        // the loudness is smoothed: it falls for a moment
        assert!((spoken..spoken + SECOND).contains(&last), "{last}");
        assert_eq!(patient.spoke(), None);
    }

    #[test]
    fn of_a_patient_without_levels_it_tells_that_speech_comes() {
        let mut patient = Loudness::default();
        let mut now = SECOND;
        let mut sends = |patient: &mut Loudness, each: u64, payload: &[u8], count: usize| {
            for _ in 0..count {
                now += each * MILLISECOND;
                patient.said(now, payload);
            }
            now
        };
        // a pause: once in 400 ms how it sounds, or a packet that says nothing
        sends(&mut patient, 400, &[1; 54], 25);
        sends(&mut patient, 60, &[0xf8, 0x03], 20);
        assert_eq!(patient.spoke(), None);
        let words = sends(&mut patient, 60, &[1; 54], 10);
        assert_eq!(patient.spoke(), Some(words));
        // packets of 120 ms, every second one of them lost
        let words = sends(&mut patient, 240, &[1; 120], 10);
        assert_eq!(patient.spoke(), Some(words));
        sends(&mut patient, 420, &[1; 54], 25);
        assert!(patient.spoke().unwrap() <= words + SECOND);
    }

    #[test]
    fn who_is_always_sent_keeps_nobody_from_the_floor() {
        let mut talk = talk();
        for _ in 0..100 {
            talk.members[1].1.said(talk.now, &[1; 54]);
            talk.now += 20 * MILLISECOND;
            talk.floor.update(talk.now, talk.members.iter().copied());
        }
        assert_eq!(talk.floor.speaker, Some(PATIENT));
        for _ in 0..50 {
            talk.now += 20 * MILLISECOND;
            talk.members[0].1.heard(talk.now, 25);
            talk.members[1].1.said(talk.now, &[1; 54]);
            talk.floor.update(talk.now, talk.members.iter().copied());
        }
        assert_eq!(talk.floor.speaker, Some(DOCTOR));
    }

    #[test]
    fn two_who_speak_alike_do_not_flicker() {
        let mut talk = talk();
        let changes: usize = (0..50)
            .map(|turn| talk.hear(200, if turn % 2 == 0 { [25, 28] } else { [28, 25] }))
            .sum();
        assert_eq!(changes, 1);
    }

    #[test]
    fn who_left_does_not_speak() {
        let mut talk = talk();
        talk.hear(1_000, [25, SILENCE]);
        talk.floor.left(DOCTOR);
        assert_eq!(talk.floor.speaker, None);
    }
}
