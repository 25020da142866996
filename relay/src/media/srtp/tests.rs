//! RFC vectors, and what loss, reordering, replay and forgery do.

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(|c| char::from(c).to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn pair(profile: Profile) -> (Outbound, Inbound) {
    let material: Vec<u8> = (0..profile.material_len() as u8).collect();
    let (doctor, _) = contexts(profile, &material, true).unwrap();
    let (_, relay) = contexts(profile, &material, false).unwrap();
    (doctor, relay)
}

fn packet(ssrc: u32, sequence: u16, text: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 9]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(text);
    packet
}

fn sealed(out: &mut Outbound, plain: &[u8]) -> Vec<u8> {
    let mut packet = plain.to_vec();
    packet.resize(plain.len() + OVERHEAD, 0);
    let len = out
        .protect_rtp(&mut packet, header_len(plain).unwrap(), plain.len())
        .unwrap();
    packet.truncate(len);
    packet
}

const BOTH: [Profile; 2] = [Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80];

#[test]
fn gcm_rtp_is_that_of_rfc_7714_section_16_1_1() {
    let key: [u8; 16] = hex("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
    let salt: [u8; 12] = hex("517569642070726f2071756f").try_into().unwrap();
    let cipher = Cipher::gcm(&key, salt).unwrap();
    let plain = hex(
        "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973
        20646976 69736120 696e2070 61727465 73207472 6573",
    );
    let want = hex(
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
        0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
    );
    let mut packet = plain.clone();
    packet.resize(plain.len() + OVERHEAD, 0);
    let len = cipher.seal_rtp(&mut packet, 12, plain.len(), 0x5501_a0b2, 0xf17b);
    assert_eq!(packet[..len], want);
    let len = cipher
        .open_rtp(&mut packet[..len], 12, 0x5501_a0b2, 0xf17b)
        .unwrap();
    assert_eq!(packet[..len], plain);
}

#[test]
fn gcm_rtcp_is_that_of_rfc_7714_section_17_1() {
    let key: [u8; 16] = hex("000102030405060708090a0b0c0d0e0f").try_into().unwrap();
    let salt: [u8; 12] = hex("517569642070726f2071756f").try_into().unwrap();
    let cipher = Cipher::gcm(&key, salt).unwrap();
    let plain = hex(
        "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
        deadbeef deadbeef deadbeef deadbeef deadbeef",
    );
    let want = hex(
        "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
        c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
    );
    let mut packet = plain.clone();
    packet.resize(plain.len() + OVERHEAD, 0);
    let len = cipher.seal_rtcp(&mut packet, plain.len(), 0x4d61_7273, 0x5d4);
    assert_eq!(packet[..len], want);
    assert_eq!(cipher.rtcp_index(&packet[..len]), Some(0x5d4));
    let len = cipher.open_rtcp(&mut packet[..len], 0x4d61_7273).unwrap();
    assert_eq!(packet[..len], plain);
}

#[test]
fn counter_mode_is_what_libsrtp_makes_of_the_key_of_rfc_3711() {
    // the packet libsrtp has carried as its known answer since 2001
    let mut material = hex("e1f97a0d3e018be0d64fa32c06de4139");
    material.extend(hex("e1f97a0d3e018be0d64fa32c06de4139"));
    material.extend(hex("0ec675ad498afeebb6960b3aabe6"));
    material.extend(hex("0ec675ad498afeebb6960b3aabe6"));
    let (mut out, mut inb) = contexts(Profile::Aes128CmSha1_80, &material, true).unwrap();
    let plain = hex("800f1234 decafbad cafebabe abababab abababab abababab abababab");
    let want = hex(
        "800f1234 decafbad cafebabe 4e55dc4c e79978d8 8ca4d215 949d2402
        b78d6acc 99ea179b 8dbb",
    );
    let mut packet = sealed(&mut out, &plain);
    assert_eq!(packet, want);
    assert_eq!(inb.unprotect_rtp(&mut packet), Ok(plain.len()));
    assert_eq!(packet[..plain.len()], plain);
}

#[test]
fn a_long_visit_rolls_over_and_survives_loss_and_reordering() {
    for profile in BOTH {
        let (mut doctor, mut relay) = pair(profile);
        let mut wire = Vec::new();
        for count in 0..20_000_u32 {
            // every 97th packet is lost, every 5th swaps with the one before
            let plain = packet(7, (count + 60_000) as u16, &count.to_be_bytes());
            let packet = sealed(&mut doctor, &plain);
            if count % 97 != 0 {
                wire.push((plain, packet));
            }
            if count % 5 == 0 && wire.len() > 1 {
                let last = wire.len() - 1;
                wire.swap(last, last - 1);
            }
            if wire.len() == 1_000 {
                for (plain, mut packet) in wire.drain(..) {
                    let len = relay.unprotect_rtp(&mut packet).expect("genuine");
                    assert_eq!(packet[..len], plain);
                }
            }
        }
    }
}

#[test]
fn a_replayed_or_forged_packet_changes_nothing() {
    for profile in BOTH {
        let (mut doctor, mut relay) = pair(profile);
        let first = sealed(&mut doctor, &packet(7, 1, b"hello"));
        let second = sealed(&mut doctor, &packet(7, 2, b"again"));
        relay.unprotect_rtp(&mut first.clone()).unwrap();
        assert_eq!(relay.unprotect_rtp(&mut first.clone()), Err(Bad::Replayed));
        for at in 0..second.len() {
            let mut forged = second.clone();
            forged[at] ^= 0x10;
            let result = relay.unprotect_rtp(&mut forged);
            assert!(result.is_err(), "{profile:?} byte {at}");
        }
        // even a forged one far ahead in the sequence did not move the window
        assert!(relay.unprotect_rtp(&mut second.clone()).is_ok());
        for len in 0..second.len() {
            assert!(relay.unprotect_rtp(&mut second[..len].to_vec()).is_err());
        }
    }
}

#[test]
fn rtcp_is_sealed_opened_and_replayed_in_vain() {
    for profile in BOTH {
        let (mut doctor, mut relay) = pair(profile);
        let plain = hex("80c90001 00000007");
        for _ in 0..3 {
            let mut packet = plain.clone();
            packet.resize(plain.len() + OVERHEAD, 0);
            let len = doctor.protect_rtcp(&mut packet, plain.len()).unwrap();
            packet.truncate(len);
            let mut copy = packet.clone();
            assert_eq!(relay.unprotect_rtcp(&mut packet), Ok(plain.len()));
            assert_eq!(packet[..plain.len()], plain);
            assert_eq!(relay.unprotect_rtcp(&mut copy.clone()), Err(Bad::Replayed));
            let last = copy.len() - 5;
            copy[last] ^= 1;
            assert!(relay.unprotect_rtcp(&mut copy).is_err());
        }
    }
}

#[test]
fn a_member_cannot_fill_the_memory_with_streams() {
    let (mut doctor, mut relay) = pair(Profile::AeadAes128Gcm);
    for ssrc in 0..STREAMS as u32 {
        relay
            .unprotect_rtp(&mut sealed(&mut doctor, &packet(ssrc, 1, b"x")))
            .unwrap();
    }
    let mut one_more = sealed(&mut doctor, &packet(999, 1, b"x"));
    assert_eq!(relay.unprotect_rtp(&mut one_more), Err(Bad::TooManyStreams));
}
