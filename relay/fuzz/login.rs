// What must hold for any bytes that a login brings. The fuzz targets and `tests/login_corpus.rs` share
// this file.

use clinicall_relay::{
    auth::{
        TokenId, json,
        jwt::{Audience, Issuer, Key, Keyed, Verifier, keys_of_jwks, keys_of_pem},
        xml,
    },
    http::post::Reply,
};

pub type Check = fn(&[u8]);

/// The check of every target by its name.
pub const ALL: [(&str, Check); 4] = [
    ("jwt", jwt),
    ("jwks", jwks),
    ("login_json", login_json),
    ("login_xml", login_xml),
];

const SECRET: &[u8] = b"the secret of the corpus, of 32 bytes or more";

/// The token in the corpus, which is good for ever.
const GOOD: &str = include_str!("corpus/jwt/good");

pub fn jwt(bytes: &[u8]) {
    let Ok(token) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(key) = Key::secret(SECRET) else {
        panic!("the secret is long enough");
    };
    let verifier = Verifier {
        issuers: vec![Issuer {
            name: None,
            audience: Audience::AnyOf(Vec::new()),
            keys: vec![Keyed { id: None, key }],
        }],
        skew: 60,
    };
    // nothing but the very token that was signed is ever believed
    let believed = verifier.verify(token, 1_795_348_800).is_ok();
    assert!(!believed || TokenId::of(token) == TokenId::of(GOOD));
    assert_eq!(believed, token == GOOD);
}

pub fn jwks(bytes: &[u8]) {
    for keys in [keys_of_jwks(bytes), keys_of_pem(bytes)]
        .into_iter()
        .flatten()
    {
        assert!((1..=32).contains(&keys.len()));
    }
}

fn reply(bytes: &[u8]) -> Reply {
    Reply {
        status: 200,
        body: bytes.to_vec(),
    }
}

pub fn login_json(bytes: &[u8]) {
    let reply = reply(bytes);
    if let Ok(Some(user)) = json::user(&reply, "1000", "clinic.example") {
        // whoever is let in has a key, and their own name on it
        assert!(user.id == "1000" && !user.name.is_empty());
        assert!(user.keys.sha256.is_some() || user.keys.md5.is_some());
    }
    let allowed = json::permission(&reply) == Ok(true);
    assert!(!allowed || bytes.windows(4).any(|word| word == b"true"));
}

pub fn login_xml(bytes: &[u8]) {
    if let Ok(Some(user)) = xml::user(&reply(bytes), "1000", "clinic.example") {
        assert!(user.id == "1000" && !user.name.is_empty());
        assert!(user.keys.sha256.is_some() || user.keys.md5.is_some());
        assert!(bytes.windows(4).any(|word| word == b"1000") || bytes.contains(&b'&'));
    }
}
