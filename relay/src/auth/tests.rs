//! The door, with a store in memory.

use super::*;
use crate::{
    auth::api::{ApiKeys, Kept},
    config::{ApiKey, Issuer, Secret},
};

const SECRET: &str = "a secret of the clinic's own back end";

fn config() -> Config {
    let mut config = Config::dev();
    config.domains = vec!["clinic.example".to_owned()];
    config.issuer = vec![Issuer {
        secret: Some(Secret(SECRET.to_owned())),
        ..Issuer::default()
    }];
    config
}

async fn clinic() -> (Auth, Store) {
    let store = Store::open(None).unwrap();
    let auth = Auth::open(&config(), &store).await.unwrap();
    (auth, store)
}

fn token(user: &str) -> String {
    let claims = Claims {
        user: user.to_owned(),
        name: None,
        rooms: Rooms::All,
        rights: Rights::USER,
        issuer: None,
        audience: Vec::new(),
        expires: unix_seconds() + 3600,
        not_before: None,
    };
    jwt::sign(&claims, SECRET.as_bytes())
}

#[tokio::test]
async fn a_doctor_comes_in_by_token_and_by_key() {
    let (auth, store) = clinic().await;
    let by_token = auth.token(&token("2")).await.unwrap();
    assert_eq!(by_token.name.as_deref(), Some("Doctor Ivanova"));
    assert_eq!(auth.key("2", "demo-doctor").await.unwrap().user, "2");
    assert_eq!(auth.key("2", "demo-patient").await, Err(Refused::WrongKey));

    // INSERT INTO users_auth
    store
        .write(|changes| store::users::put_key(changes, "77", &Secret("k7".to_owned())))
        .await
        .unwrap();
    assert!(auth.key("77", "k7").await.unwrap().may(Right::Call));
    assert_eq!(auth.key("77", "").await, Err(Refused::WrongKey));
    let sip = auth.sip_keys("77").await.unwrap().unwrap();
    assert_eq!(sip.keys, Keys::derive("77", "clinic.example", "k7"));
    assert_eq!(auth.key("78", "k7").await, Err(Refused::WrongKey));
    assert_eq!(auth.sip_keys("78").await, Ok(None));
}

#[tokio::test]
async fn a_revoked_token_stays_out_and_its_sockets_are_told() {
    let (auth, _) = clinic().await;
    let (good, other) = (token("2"), token("3"));
    let grant = auth.token(&good).await.unwrap();
    let mut told = auth.revocations();
    auth.revoke(&good).await.unwrap();
    assert_eq!(auth.token(&good).await, Err(Refused::Revoked));
    let revoked = told.recv().await.unwrap();
    assert!(revoked.hits(&grant));
    assert!(!revoked.hits(&Grant::of_user("2", None)), "came in by key");
    assert!(!revoked.hits(&auth.token(&other).await.unwrap()));
    // a key taken away closes everything of that user
    auth.close_user("2").await;
    assert!(told.recv().await.unwrap().hits(&grant));
    // what is no token is nobody's
    auth.revoke("not a token").await.unwrap();
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_slow_listener_hears_of_every_revocation_all_the_same() {
    let (auth, _) = clinic().await;
    let mut told = auth.revocations();
    let revoking = tokio::spawn(async move {
        for user in 0..1_000 {
            auth.close_user(&user.to_string()).await;
        }
    });
    // as far behind as may be
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    for user in 0..1_000 {
        let revoked = told.recv().await.unwrap();
        assert_eq!(revoked.user, user.to_string());
    }
    revoking.await.unwrap();
}

#[tokio::test]
async fn a_guest_with_a_link_is_let_into_that_room_until_it_expires() {
    let (auth, store) = clinic().await;
    let link = auth.guest("visit-7", Some("Petrov's son"), 600).unwrap();
    let guest = auth.token(&link.token.0).await.unwrap();
    assert!(guest.user.starts_with("guest-"));
    assert_eq!(guest.rooms, Rooms::Only(vec!["visit-7".to_owned()]));
    assert!(!guest.may(Right::Call) && guest.may(Right::Join));
    assert!(guest.expires.unwrap() <= unix_seconds() + 600);
    // nobody gets a link for ever
    let long = auth.guest("visit-7", None, u64::MAX).unwrap();
    assert!(long.expires <= unix_seconds() + 86_400);
    assert_ne!(long.user, link.user);
    assert_eq!(auth.guest("../etc", None, 600), Err(Refused::Malformed));
    // the key is in the store: the link outlives a restart
    let again = Auth::open(&config(), &store).await.unwrap();
    assert!(again.token(&link.token.0).await.is_ok());
    // another relay's links are not ours
    let (stranger, _) = clinic().await;
    assert_eq!(stranger.token(&link.token.0).await, Err(Refused::Forged));
}

/// Attack row 15: our own issuer's name opens nothing to a clinic's key.
#[tokio::test]
async fn the_clinics_secret_does_not_sign_in_our_name() {
    let (auth, _) = clinic().await;
    let mut claims = Claims::peek(&token("2")).unwrap();
    claims.issuer = Some(OWN_ISSUER.to_owned());
    let forged = jwt::sign(&claims, SECRET.as_bytes());
    assert_eq!(auth.token(&forged).await, Err(Refused::Forged));
}

#[tokio::test]
async fn a_changed_key_set_is_read_again() {
    let path = std::env::temp_dir().join(format!("clinicall-jwks-{}.json", std::process::id()));
    let key = |secret: &str| {
        use base64::Engine as _;
        let k = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret);
        format!(r#"{{"keys": [{{"kty": "oct", "k": "{k}"}}]}}"#)
    };
    std::fs::write(&path, key("the key of last year, which was too long ago")).unwrap();
    let mut config = config();
    config.issuer[0].secret = None;
    config.issuer[0].jwks = Some(path.clone());
    let auth = Auth::open(&config, &Store::open(None).unwrap())
        .await
        .unwrap();
    let token = token("2");
    assert_eq!(auth.token(&token).await, Err(Refused::Forged));
    std::fs::write(&path, key(SECRET)).unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(later).unwrap();
    // the file is looked at once a second at most
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(auth.token(&token).await.unwrap().user, "2");
    std::fs::remove_file(path).unwrap();
}

/// Attack row 17: what is printed of a login is never the secret itself.
#[tokio::test]
async fn nothing_secret_is_printed() {
    let (auth, _) = clinic().await;
    let token = token("2");
    let grant = auth.token(&token).await.unwrap();
    let ticket = auth.guest("visit-7", None, 60).unwrap();
    let printed = format!("{auth:?} {grant:?} {ticket:?}");
    for secret in [
        SECRET,
        token.as_str(),
        ticket.token.0.as_str(),
        "demo-doctor",
    ] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[tokio::test]
async fn a_back_end_is_known_by_its_key_and_does_what_that_key_may() {
    let store = Store::open(None).unwrap();
    let mut config = config();
    let key = api::new_key().unwrap();
    config.api_key = vec![ApiKey {
        name: "site".to_owned(),
        sha256: Some(Secret(api::hex(&api::hash(&key)))),
        rights: vec!["rooms".to_owned()],
        demo: false,
    }];
    let keys = ApiKeys::new(&config, &store);
    let site = keys.find(&key).unwrap().unwrap();
    assert!(site.name == "site" && site.may("rooms") && !site.may("users"));
    let kept = Kept {
        name: "lab".to_owned(),
        rights: vec!["*".to_owned()],
        made: 0,
    };
    let hash = api::hash("ck_lab");
    store
        .write(move |changes| store::api_keys::put(changes, &hash, &kept))
        .await
        .unwrap();
    assert!(keys.find("ck_lab").unwrap().unwrap().may("events"));
    for wrong in ["", "ck_", "site", &key[..key.len() - 1]] {
        assert_eq!(keys.find(wrong).unwrap(), None);
    }
}
