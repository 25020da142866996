//! A patient and a doctor, each behind a link that loses packets.

use std::collections::{BTreeMap, BTreeSet};

use clinicall_relay::media::rtp::Packet;

use crate::clinic::*;

/// The same dice in every run.
struct Dice(u64);

impl Dice {
    fn loses(&mut self, per_cent: u64) -> bool {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100 < per_cent
    }
}

/// The doctor's browser: what it has, and what it misses.
#[derive(Default)]
struct Screen {
    had: BTreeMap<u16, Vec<u8>>,
    newest: Option<u16>,
    missing: BTreeSet<u16>,
}

impl Screen {
    fn take(&mut self, got: Got) {
        let (sequence, payload) = match negotiated(DOCTOR).video.unwrap().rtx {
            Some(rtx) if rtx == got.payload_type => {
                let (original, payload) = got.payload.split_first_chunk().unwrap();
                (u16::from_be_bytes(*original), payload.to_vec())
            }
            _ => (got.sequence, got.payload),
        };
        if let Some(newest) = self.newest {
            self.missing
                .extend((newest.saturating_add(1)..sequence).filter(|_| sequence > newest));
        }
        self.newest = self.newest.max(Some(sequence));
        self.missing.remove(&sequence);
        let before = self.had.insert(sequence, payload.clone());
        assert!(
            before.is_none_or(|before| before == payload),
            "a repair is what was lost"
        );
    }
}

/// Pictures sent, pictures on the screen, and packets it took the relay to bring them there.
fn visit(per_cent: u64) -> (usize, usize, u64) {
    let mut clinic = Clinic::with(&[DOCTOR, PATIENT]);
    let (mut dice, mut screen) = (Dice(7), Screen::default());
    let mut sent: Vec<Vec<u8>> = Vec::new();
    let mut repairs = 0;
    for turn in 0..2_000_u32 {
        // 20 ms: a picture of two packets every other turn
        for _ in 0..if turn.is_multiple_of(2) { 2 } else { 0 } {
            let packet = clinic.picture(PATIENT, sent.is_empty(), &turn.to_be_bytes());
            if sent.is_empty() || !dice.loses(per_cent) {
                clinic.sends(PATIENT, &packet);
            }
            sent.push(packet);
        }
        clinic.run(20);
        for told in clinic.told(PATIENT) {
            let Told::Nack { lost, .. } = told else {
                continue;
            };
            for sequence in lost {
                let number = |packet: &Vec<u8>| Packet::parse(packet).unwrap().sequence;
                let packet = sent
                    .iter()
                    .rev()
                    .find(|packet| number(packet) == sequence)
                    .unwrap();
                repairs += 1;
                if !dice.loses(per_cent) {
                    clinic.repairs(PATIENT, &packet.clone(), repairs);
                }
            }
        }
        for got in clinic.got(DOCTOR) {
            if !dice.loses(per_cent) {
                screen.take(got);
            }
        }
        if turn.is_multiple_of(4) && !screen.missing.is_empty() {
            let missing: Vec<_> = screen.missing.iter().copied().rev().take(60).collect();
            clinic.reports(DOCTOR, |writer| {
                writer.nack(1, video_slot(DOCTOR), missing.into_iter().rev());
            });
        }
    }
    (
        sent.len(),
        screen.had.len(),
        clinic.room.stats(DOCTOR).unwrap().resent,
    )
}

#[test]
fn without_loss_nothing_is_repaired() {
    assert_eq!(visit(0), (2_000, 2_000, 0));
}

#[test]
fn at_five_per_cent_on_both_links_every_picture_arrives() {
    let (sent, seen, repairs) = visit(5);
    assert!(seen * 1_000 >= sent * 998, "{seen} of {sent}");
    assert!(repairs < 300, "{repairs} repairs");
}

#[test]
fn at_twenty_per_cent_on_both_links_nearly_every_picture_arrives() {
    let (sent, seen, repairs) = visit(20);
    assert!(seen * 100 >= sent * 97, "{seen} of {sent}");
    assert!(repairs < 1_200, "{repairs} repairs");
}
