//! Tokens as clinics make them, and as thieves do.

use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use serde_json::{Value, json};

use super::*;
use crate::auth::{Right, Rights, Rooms, TokenId};

const SECRET: &[u8] = b"a secret of the clinic's own back end";
/// Noon of a day in 2026.
const NOW: u64 = 1_795_348_800;

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token by hand: any header, any payload, any signature.
fn token(header: &Value, payload: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let signed = format!(
        "{}.{}",
        base64(header.to_string()),
        base64(payload.to_string())
    );
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", base64(signature))
}

fn hmac(secret: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    move |signed| ring::hmac::sign(&key, signed).as_ref().to_vec()
}

fn hs256(payload: &Value) -> String {
    token(
        &json!({"alg": "HS256", "typ": "JWT"}),
        payload,
        hmac(SECRET),
    )
}

fn issuer(name: Option<&str>, keys: Vec<Keyed>) -> Issuer {
    Issuer {
        name: name.map(str::to_owned),
        audience: Audience::AnyOf(vec!["visits.example".to_owned()]),
        keys,
    }
}

fn plain(key: Key) -> Keyed {
    Keyed { id: None, key }
}

fn clinic() -> Verifier {
    Verifier {
        issuers: vec![issuer(None, vec![plain(Key::secret(SECRET).unwrap())])],
        skew: 60,
    }
}

fn refused(payload: &Value) -> Refused {
    clinic().verify(&hs256(payload), NOW).unwrap_err()
}

fn ed25519() -> Ed25519KeyPair {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()
}

fn public(pair: &Ed25519KeyPair) -> Key {
    Key::Ed25519(pair.public_key().as_ref().try_into().unwrap())
}

#[test]
fn a_doctor_shows_the_clinics_token() {
    let payload = json!({
        "sub": "2", "name": "Doctor Ivanova", "rooms": ["visit-7"],
        "rights": ["call", "join", "moderate", "of-a-later-version"], "exp": NOW + 3600,
    });
    let claims = clinic().verify(&hs256(&payload), NOW).unwrap();
    assert_eq!(claims.user, "2");
    assert_eq!(claims.name.as_deref(), Some("Doctor Ivanova"));
    assert_eq!(claims.rooms, Rooms::Only(vec!["visit-7".to_owned()]));
    let rights: Rights = [Right::Call, Right::Join, Right::Moderate]
        .into_iter()
        .collect();
    assert_eq!(claims.rights, rights);
}

#[test]
fn php_writes_numbers_and_cppcomet_writes_user_id() {
    for payload in [
        json!({"sub": 2, "exp": NOW + 3600}),
        json!({"user_id": 2, "exp": NOW + 3600}),
        json!({"sub": "2", "user_id": 3, "exp": (NOW + 3600) as f64 + 0.5}),
    ] {
        let claims = clinic().verify(&hs256(&payload), NOW).unwrap();
        assert_eq!((claims.user.as_str(), &claims.rooms), ("2", &Rooms::All));
        assert_eq!(claims.rights, Rights::USER);
    }
}

#[test]
fn a_token_of_ours_says_what_was_put_into_it() {
    let claims = Claims {
        user: "guest-5f".to_owned(),
        name: Some("Patient \"Петров\"".to_owned()),
        rooms: Rooms::Only(vec!["visit-7".to_owned()]),
        rights: Rights::GUEST,
        issuer: None,
        audience: vec!["visits.example".to_owned()],
        expires: NOW + 600,
        not_before: Some(NOW),
    };
    assert_eq!(clinic().verify(&sign(&claims, SECRET), NOW), Ok(claims));
}

#[test]
fn times_are_obeyed_give_or_take_a_minute() {
    let with = |exp: u64, nbf: u64| hs256(&json!({"sub": "2", "exp": exp, "nbf": nbf}));
    let clinic = clinic();
    assert!(clinic.verify(&with(NOW - 59, NOW + 60), NOW).is_ok());
    assert_eq!(
        clinic.verify(&with(NOW - 60, 0), NOW),
        Err(Refused::Expired)
    );
    assert_eq!(
        clinic.verify(&with(NOW + 3600, NOW + 61), NOW),
        Err(Refused::TooEarly)
    );
    assert!(clinic.verify(&with(u64::MAX, 0), NOW).is_ok());
    // for ever is too long
    assert_eq!(refused(&json!({"sub": "2"})), Refused::Malformed);
    assert_eq!(refused(&json!({"sub": "2", "exp": -5.5})), Refused::Expired);
}

#[test]
fn a_token_for_another_house_opens_nothing_here() {
    let exp = NOW + 3600;
    for aud in [
        json!("shop.example"),
        json!(["shop.example", "bank.example"]),
    ] {
        let payload = json!({"sub": "2", "exp": exp, "aud": aud});
        assert_eq!(refused(&payload), Refused::Foreign);
    }
    let ours = json!({"sub": "2", "exp": exp, "aud": ["shop.example", "visits.example"]});
    assert!(clinic().verify(&hs256(&ours), NOW).is_ok());
    let mut strict = clinic();
    strict.issuers[0].audience = Audience::Named("clinicall".to_owned());
    let without = hs256(&json!({"sub": "2", "exp": exp}));
    assert_eq!(strict.verify(&without, NOW), Err(Refused::Foreign));
    let stranger = json!({"sub": "2", "exp": exp, "iss": "https://stranger.example"});
    assert_eq!(refused(&stranger), Refused::Foreign);
}

/// Attack row 15.
#[test]
fn a_token_without_a_signature_is_no_token() {
    let payload = json!({"sub": "2", "exp": NOW + 3600});
    for alg in ["none", "None", "NONE", "", "hs256", "HS512", "HS256 "] {
        let header = json!({ "alg": alg });
        for signature in [vec![], vec![0; 32]] {
            let bare = token(&header, &payload, |_| signature.clone());
            assert_eq!(clinic().verify(&bare, NOW), Err(Refused::Forged), "{alg}");
        }
        let signed = token(&header, &payload, hmac(SECRET));
        assert_eq!(clinic().verify(&signed, NOW), Err(Refused::Forged), "{alg}");
    }
    let empty = token(&json!({"alg": "HS256"}), &payload, |_| Vec::new());
    assert_eq!(clinic().verify(&empty, NOW), Err(Refused::Forged));
    let guessed = token(&json!({"alg": "HS256"}), &payload, hmac(b""));
    assert_eq!(clinic().verify(&guessed, NOW), Err(Refused::Forged));
}

/// Attack row 15: the public key, which everybody knows, as the secret of an HMAC.
#[test]
fn a_public_key_is_no_secret() {
    let keys = keys_of_jwks(RFC_JWKS.as_bytes()).unwrap();
    let verifier = Verifier {
        issuers: vec![issuer(None, keys)],
        skew: 60,
    };
    let payload = json!({"sub": "2", "exp": NOW + 3600});
    let n = URL_SAFE_NO_PAD.decode(RFC_N).unwrap();
    let pem = "-----BEGIN PUBLIC KEY-----\n";
    for secret in [
        n.as_slice(),
        RFC_N.as_bytes(),
        RFC_JWKS.as_bytes(),
        pem.as_bytes(),
    ] {
        for alg in ["HS256", "RS256", "ES256", "EdDSA"] {
            let forged = token(&json!({"alg": alg, "kid": "rsa"}), &payload, hmac(secret));
            assert_eq!(verifier.verify(&forged, NOW), Err(Refused::Forged));
        }
    }
}

/// Attack row 15: nothing a token says is ever fetched or taken for a key.
#[test]
fn a_token_does_not_bring_its_own_key() {
    let thief = ed25519();
    let x = base64(thief.public_key());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
    let verifier = Verifier {
        issuers: vec![issuer(None, vec![plain(public(&ed25519()))])],
        skew: 60,
    };
    for header in [
        json!({"alg": "EdDSA", "jwk": jwk}),
        json!({"alg": "EdDSA", "jku": "http://169.254.169.254/keys"}),
        json!({"alg": "EdDSA", "x5u": "https://thief.example/cert.pem"}),
        json!({"alg": "EdDSA", "kid": "../../etc/passwd"}),
        json!({"alg": "EdDSA", "kid": "x' OR '1'='1"}),
    ] {
        let payload = json!({"sub": "2", "exp": NOW + 3600, "iss_url": "http://127.0.0.1/"});
        let forged = token(&header, &payload, |signed| {
            thief.sign(signed).as_ref().to_vec()
        });
        assert_eq!(verifier.verify(&forged, NOW), Err(Refused::Forged));
    }
    let critical = token(
        &json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
        &json!({"sub": "2", "exp": NOW + 3600}),
        hmac(SECRET),
    );
    assert_eq!(clinic().verify(&critical, NOW), Err(Refused::Malformed));
}

/// Attack row 15: two issuers whose keys have the same `kid`.
#[test]
fn one_issuers_key_does_not_sign_for_another() {
    let [clinic, laboratory] = [ed25519(), ed25519()];
    let keyed = |pair: &Ed25519KeyPair| Keyed {
        id: Some("1".to_owned()),
        key: public(pair),
    };
    let verifier = Verifier {
        issuers: vec![
            issuer(Some("https://clinic.example"), vec![keyed(&clinic)]),
            issuer(Some("https://lab.example"), vec![keyed(&laboratory)]),
        ],
        skew: 60,
    };
    let signed_by = |pair: &Ed25519KeyPair, iss: &str| {
        let payload = json!({"sub": "2", "iss": iss, "exp": NOW + 3600});
        let header = json!({"alg": "EdDSA", "kid": "1"});
        let token = token(&header, &payload, |signed| {
            pair.sign(signed).as_ref().to_vec()
        });
        verifier.verify(&token, NOW).map(|claims| claims.user)
    };
    for _ in 0..2 {
        // twice: whatever might have been remembered of the first round changes nothing
        assert!(signed_by(&clinic, "https://clinic.example").is_ok());
        assert!(signed_by(&laboratory, "https://lab.example").is_ok());
        assert_eq!(
            signed_by(&laboratory, "https://clinic.example"),
            Err(Refused::Forged)
        );
        assert_eq!(
            signed_by(&clinic, "https://lab.example"),
            Err(Refused::Forged)
        );
    }
}

/// Attack row 16.
#[test]
fn a_token_that_carries_a_secret_is_refused_at_the_first_try() {
    let exp = NOW + 3600;
    for payload in [
        json!({"sub": "2", "exp": exp, "password": "hunter2"}),
        json!({"sub": "2", "exp": exp, "record": {"s3": [{"Secret": "AKIA"}]}}),
        json!({"sub": "2", "exp": exp, "api_key": "ck_1"}),
    ] {
        assert_eq!(refused(&payload), Refused::Indiscreet);
    }
    // other claims of the clinic's own are nobody's business
    let own = json!({"sub": "2", "exp": exp, "clinic": {"ward": 5}, "secretary": "Lin"});
    assert!(clinic().verify(&hs256(&own), NOW).is_ok());
}

#[test]
fn names_and_rooms_are_what_they_should_be() {
    let exp = NOW + 3600;
    for payload in [
        json!({"sub": "", "exp": exp}),
        json!({"sub": "2 OR 1", "exp": exp}),
        json!({"sub": {"id": 2}, "exp": exp}),
        json!({"sub": "2", "exp": exp, "name": "a\r\nX-Evil: 1"}),
        json!({"sub": "2", "exp": exp, "name": "n".repeat(129)}),
        json!({"sub": "2", "exp": exp, "rooms": ["../1"]}),
        json!({"sub": "2", "exp": exp, "rooms": vec!["r"; 65]}),
        json!({"exp": exp}),
        json!(["sub", "2"]),
    ] {
        assert_eq!(refused(&payload), Refused::Malformed, "{payload}");
    }
    let all = hs256(&json!({"sub": "2", "exp": exp, "rooms": "*", "rights": "join call"}));
    let claims = clinic().verify(&all, NOW).unwrap();
    assert_eq!(claims.rooms, Rooms::All);
    assert!(claims.rights.has(Right::Call) && !claims.rights.has(Right::Moderate));
    let none = hs256(&json!({"sub": "2", "exp": exp, "rooms": [], "rights": []}));
    let claims = clinic().verify(&none, NOW).unwrap();
    assert!(!claims.rooms.admit("1") && claims.rights == Rights::NONE);
}

#[test]
fn what_is_no_token_is_said_to_be_none() {
    let good = hs256(&json!({"sub": "2", "exp": NOW + 3600}));
    let twice = r#"{"sub":"2","sub":"3","exp":9999999999}"#;
    let twice = token(&json!({"alg": "HS256"}), &json!({}), hmac(SECRET)).replacen(
        &base64("{}"),
        &base64(twice),
        1,
    );
    for bad in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "ключ.ключ.ключ",
        &good.replace('.', "=."),
        &format!("{good}\n"),
        &format!("{good}."),
        &format!("{good}.{good}"),
        &"a".repeat(MAX_TOKEN + 1),
        &twice,
    ] {
        assert_eq!(clinic().verify(bad, NOW), Err(Refused::Malformed), "{bad}");
    }
    // every single letter of a token counts
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let bent = String::from_utf8(bytes).unwrap();
        assert!(clinic().verify(&bent, NOW).is_err(), "{bent}");
    }
}

/// Whoever holds a revoked ES256 token can write its signature in another way that verifies too:
/// (r, n - s). It is still the same token.
#[test]
fn a_revoked_token_does_not_come_back_with_its_signature_mirrored() {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
        .unwrap();
    let point = pair.public_key().as_ref().try_into().unwrap();
    let verifier = Verifier {
        issuers: vec![issuer(None, vec![plain(Key::P256(point))])],
        skew: 60,
    };
    let payload = json!({"sub": "2", "exp": NOW + 3600});
    let good = token(&json!({"alg": "ES256"}), &payload, |signed| {
        pair.sign(&random, signed).unwrap().as_ref().to_vec()
    });
    assert!(verifier.verify(&good, NOW).is_ok());

    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut mirrored = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let mut borrow = 0;
    for at in (0..32).rev() {
        let digit = i32::from_str_radix(&order[2 * at..2 * at + 2], 16).unwrap();
        let difference = digit - i32::from(mirrored[32 + at]) - borrow;
        borrow = i32::from(difference < 0);
        mirrored[32 + at] = difference.rem_euclid(256) as u8;
    }
    let mirrored = format!("{signed}.{}", base64(mirrored));
    assert_ne!(mirrored, good);
    assert!(verifier.verify(&mirrored, NOW).is_ok());
    assert_eq!(TokenId::of(&mirrored), TokenId::of(&good));
}

const RFC_N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

/// The public keys of RFC 7515 appendices A.2 and A.3 and of RFC 8037 appendix A, and some that are
/// passed over.
const RFC_JWKS: &str = r#"{"keys": [
    {"kty": "RSA", "kid": "rsa", "use": "sig", "alg": "RS256", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
    {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
    {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    {"kty": "EC", "crv": "P-384", "x": "", "y": ""},
    {"kty": "RSA", "use": "enc", "n": "AQ", "e": "AQAB"},
    {"kty": "of-a-later-rfc"}
]}"#;

#[test]
fn the_signatures_of_the_rfcs_verify() {
    let keys = keys_of_jwks(RFC_JWKS.as_bytes()).unwrap();
    assert_eq!(keys.len(), 3);
    let joe = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    for (algorithm, header, payload, signature) in [
        (
            Algorithm::Rs256,
            "eyJhbGciOiJSUzI1NiJ9",
            joe,
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            Algorithm::Es256,
            "eyJhbGciOiJFUzI1NiJ9",
            joe,
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            Algorithm::EdDsa,
            "eyJhbGciOiJFZERTQSJ9",
            "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ] {
        let signed = format!("{header}.{payload}");
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let by = |algorithm, signature: &[u8]| {
            keys.iter()
                .filter(|keyed| keyed.key.verifies(algorithm, signed.as_bytes(), signature))
                .count()
        };
        assert_eq!(by(algorithm, &signature), 1, "{algorithm:?}");
        let mut bent = signature.clone();
        bent[7] ^= 1;
        assert_eq!(by(algorithm, &bent), 0, "{algorithm:?}");
    }
    let secret =
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let key = Key::secret(&URL_SAFE_NO_PAD.decode(secret).unwrap()).unwrap();
    let signed = format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{joe}");
    let signature = URL_SAFE_NO_PAD
        .decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
        .unwrap();
    assert!(key.verifies(Algorithm::Hs256, signed.as_bytes(), &signature));
}

#[test]
fn a_weak_or_a_private_key_is_not_taken() {
    assert!(matches!(Key::secret(b"secret"), Err(KeyError::ShortSecret)));
    let jwks = |key: Value| keys_of_jwks(json!({"keys": [key]}).to_string().as_bytes()).map(|_| ());
    let small = base64([0xff; 128]);
    assert_eq!(
        jwks(json!({"kty": "RSA", "n": small, "e": "AQAB"})),
        Err(KeyError::SmallRsa)
    );
    assert_eq!(
        jwks(json!({"kty": "OKP", "crv": "Ed25519", "x": base64([1; 32]), "d": "x"})),
        Err(KeyError::Private)
    );
    assert_eq!(
        jwks(json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})),
        Err(KeyError::NoKey)
    );
    assert_eq!(
        jwks(json!({"kty": "oct", "k": base64("short")})),
        Err(KeyError::ShortSecret)
    );
    assert_eq!(keys_of_jwks(b"{}").map(|_| ()), Err(KeyError::NotJwks));
    assert_eq!(jwks(json!({"kty": "?"})), Err(KeyError::NoKey));
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(matches!(
        keys_of_pem(private.as_bytes()),
        Err(KeyError::Private)
    ));
    assert!(matches!(keys_of_pem(b"no PEM"), Err(KeyError::NoKey)));
}

/// As `openssl pkey -pubout` writes them.
#[test]
fn public_keys_are_read_from_pem() {
    let pair = ed25519();
    let key: &[u8] = pair.public_key().as_ref();
    let spki = [
        &[
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0,
        ][..],
        key,
    ]
    .concat();
    let body = base64::engine::general_purpose::STANDARD.encode(&spki);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
    let keys = keys_of_pem(pem.as_bytes()).unwrap();
    let signature = pair.sign(b"visit");
    assert!(
        keys[0]
            .key
            .verifies(Algorithm::EdDsa, b"visit", signature.as_ref())
    );
    for cut in 0..spki.len() {
        assert_eq!(der::public_key(&spki[..cut]), None);
    }
}
