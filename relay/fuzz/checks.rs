// What must hold for any bytes. The fuzz targets and `tests/media_corpus.rs` share this file.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use clinicall_relay::media::{
    dtls::{Dtls, Identity, Step},
    estimate::Estimator,
    red, rtcp, rtp, srtp, stun,
};

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 5] = [
    ("stun", stun),
    ("rtp", rtp),
    ("red", redundant),
    ("rtcp", rtcp),
    ("dtls", dtls),
];

pub fn stun(bytes: &[u8]) {
    let Some(message) = stun::Message::parse(bytes) else {
        return;
    };
    assert!(stun::looks_like(bytes));
    assert!(!message.authentic(&stun::key("a password nobody has")));
    if let (Some(name), Some(ufrag)) = (message.username, message.local_ufrag()) {
        assert!(name.starts_with(ufrag) && name.len() > ufrag.len());
    }
}

/// The payload of a redundant packet, with Opus as 111 in it.
pub fn redundant(bytes: &[u8]) {
    const OPUS: u8 = 111;
    let Some(bundle) = red::Bundle::of(bytes, OPUS) else {
        return;
    };
    let older = bundle.older.iter().flatten();
    let carried: usize = older.map(|(_, older)| older.len()).sum();
    assert!(bundle.newest.len() + carried < bytes.len());
    let header = [0x80, 63, 0, 1, 0, 0, 0, 9, 0, 0, 0, 5];
    let own = rtp::Packet::parse(&header).expect("a header of twelve bytes");
    for packet in bundle.older_packets(own, OPUS) {
        assert!(packet.payload_type == OPUS && !packet.payload.is_empty());
        assert!(packet.sequence.wrapping_sub(own.sequence) >= u16::MAX - 1);
    }
}

pub fn rtp(bytes: &[u8]) {
    let header = srtp::header_len(bytes);
    if rtp::Packet::parse(bytes).is_ok() {
        assert!(header.is_some_and(|header| header <= bytes.len()));
    }
    let material = [7; 56];
    for (profile, len) in [
        (srtp::Profile::AeadAes128Gcm, 56),
        (srtp::Profile::Aes128CmSha1_80, 60),
    ] {
        let material: Vec<u8> = material.iter().copied().chain([9; 4]).take(len).collect();
        let Some((_, mut inbound)) = srtp::contexts(profile, &material, true) else {
            panic!("keys of the right length");
        };
        assert!(inbound.unprotect_rtp(&mut bytes.to_vec()).is_err());
        assert!(inbound.unprotect_rtcp(&mut bytes.to_vec()).is_err());
    }
}

pub fn rtcp(bytes: &[u8]) {
    // a compound packet of n bytes has at most n / 4 parts
    assert!(rtcp::items(bytes).count() <= bytes.len());
    let mut estimator = Estimator::default();
    for number in 0..2_000_u16 {
        let at = u64::from(number) * 10_000;
        estimator.sent(at, number.wrapping_mul(33), 1_000);
    }
    for item in rtcp::items(bytes) {
        if let rtcp::Item::TransportCc(feedback) = item {
            let (came, lost) = feedback.tally();
            assert!(feedback.arrivals().count() <= (came + lost) as usize);
            estimator.feedback(20_000_000, 100_000, 20_000, &feedback);
        }
    }
}

pub fn dtls(bytes: &[u8]) {
    static IDENTITY: OnceLock<Arc<Identity>> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| match Identity::generate() {
        Ok(identity) => Arc::new(identity),
        Err(why) => panic!("{why}"),
    });
    let mut association = Dtls::new(identity.clone(), None);
    let now = Instant::now();
    for _ in 0..2 {
        assert!(!matches!(association.receive(bytes, now), Step::Keys(_)));
        while association.poll().is_some() {}
    }
}
