//! Who is in a receiver's slot: the whole policy.

use super::MemberId;

/// Somebody whose track the receiver could take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub member: MemberId,
    /// Its packets flow.
    pub live: bool,
}

/// One slot shows the other of two, the only one who sends, or the one who speaks; the speaker
/// goes on seeing whoever was there before. Candidates that are silent (muted, receive only in
/// fact) count only when all are.
#[must_use]
pub fn pick(
    receiver: MemberId,
    current: Option<MemberId>,
    speaker: Option<MemberId>,
    candidates: impl Iterator<Item = Candidate> + Clone,
) -> Option<MemberId> {
    let others = candidates.filter(|candidate| candidate.member != receiver);
    let any_live = others.clone().any(|candidate| candidate.live);
    let mut eligible = others
        .filter(|candidate| candidate.live || !any_live)
        .map(|candidate| candidate.member);
    let has = |wanted: Option<MemberId>| {
        wanted.filter(|wanted| eligible.clone().any(|member| member == *wanted))
    };
    has(speaker)
        .or_else(|| has(current))
        .or_else(|| eligible.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCTOR: MemberId = MemberId(1);
    const PATIENT: MemberId = MemberId(2);
    const INTERPRETER: MemberId = MemberId(3);

    fn pick(
        receiver: MemberId,
        current: Option<MemberId>,
        speaker: Option<MemberId>,
        candidates: &[(MemberId, bool)],
    ) -> Option<MemberId> {
        let candidates = candidates
            .iter()
            .map(|&(member, live)| Candidate { member, live });
        super::pick(receiver, current, speaker, candidates)
    }

    #[test]
    fn two_see_each_other_even_before_anything_flows() {
        let both = [(DOCTOR, false), (PATIENT, false)];
        assert_eq!(pick(DOCTOR, None, None, &both), Some(PATIENT));
        assert_eq!(pick(PATIENT, None, None, &both), Some(DOCTOR));
        assert_eq!(pick(DOCTOR, None, None, &both[..1]), None);
    }

    #[test]
    fn everyone_sees_the_speaker_and_the_speaker_sees_who_spoke_before() {
        let all = [(DOCTOR, true), (PATIENT, true), (INTERPRETER, true)];
        assert_eq!(
            pick(DOCTOR, Some(PATIENT), Some(INTERPRETER), &all),
            Some(INTERPRETER)
        );
        assert_eq!(
            pick(INTERPRETER, Some(PATIENT), Some(INTERPRETER), &all),
            Some(PATIENT)
        );
        assert_eq!(
            pick(INTERPRETER, None, Some(INTERPRETER), &all),
            Some(DOCTOR)
        );
    }

    #[test]
    fn whoever_sends_nothing_is_not_shown_while_somebody_does() {
        let all = [(DOCTOR, false), (PATIENT, true), (INTERPRETER, false)];
        assert_eq!(
            pick(DOCTOR, Some(INTERPRETER), Some(INTERPRETER), &all),
            Some(PATIENT)
        );
        assert_eq!(
            pick(PATIENT, Some(INTERPRETER), None, &all),
            Some(INTERPRETER)
        );
    }
}
