//! The server's side: challenges and the check of what comes back.

use super::{Algorithm, Answer, Challenge, Secret, hash, replay::Replays};
use crate::time::{Millis, Time};

/// Nonces whose uses are remembered at once: about 4 MiB, and more users than one relay serves.
const MAX_NONCES: usize = 65_536;

/// Makes challenges and checks answers for one realm.
///
/// A nonce carries the time it was made, a serial number and an HMAC over both, so nothing is kept
/// for a challenge that nobody answers.
pub struct Guard {
    realm: String,
    key: [u8; 32],
    algorithms: Vec<Algorithm>,
    lifetime: Millis,
    serial: u64,
    replays: Replays,
}

/// What credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Granted,
    /// Made with the right secret for a nonce that has expired or was used up: challenge again with
    /// `stale`, and the client retries without asking its user.
    Stale,
    Denied,
}

impl Guard {
    /// `key` must be random and new at every start: nonces of an earlier run are then strangers,
    /// as the clock (`now`) may count from the start. Challenges are SHA-256 on top and MD5 last,
    /// nonces live for five minutes.
    ///
    /// RFC 8760 section 2.4 wants the preferred one on top. JsSIP 3.13 and SIP.js 0.21 know MD5 alone
    /// and keep only the last challenge (their parsers replace the field each time they meet it), so
    /// MD5 must stand last.
    #[must_use]
    pub fn new(realm: &str, key: [u8; 32]) -> Self {
        Self {
            realm: realm.to_owned(),
            key,
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            lifetime: Millis::from_secs(300),
            serial: 0,
            replays: Replays::new(MAX_NONCES),
        }
    }

    /// Offers these instead, topmost first: only SHA-256 where no old client calls, only MD5 where
    /// only MD5 hashes are stored.
    #[must_use]
    pub fn with_algorithms(mut self, algorithms: &[Algorithm]) -> Self {
        self.algorithms = algorithms.to_vec();
        self
    }

    #[must_use]
    pub const fn with_lifetime(mut self, lifetime: Millis) -> Self {
        self.lifetime = lifetime;
        self
    }

    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The values of a 401's WWW-Authenticate (or a 407's Proxy-Authenticate) fields, to be
    /// written in this order, each as a field of its own.
    pub fn challenges(&mut self, now: Time, stale: bool) -> Vec<String> {
        let nonce = self.nonce(now);
        self.algorithms
            .iter()
            .map(|algorithm| {
                let challenge = Challenge {
                    realm: self.realm.clone(),
                    nonce: nonce.clone(),
                    opaque: None,
                    algorithm: Some(*algorithm),
                    qop_auth: true,
                    stale,
                };
                challenge.to_string()
            })
            .collect()
    }

    /// A fresh nonce, for `nextnonce` in Authentication-Info too.
    pub fn nonce(&mut self, now: Time) -> String {
        self.serial += 1;
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&now.0.to_be_bytes());
        nonce[8..16].copy_from_slice(&self.serial.to_be_bytes());
        let seal = self.seal(&nonce[..16]);
        nonce[16..].copy_from_slice(&seal);
        hash::hex(&nonce)
    }

    /// Judges credentials that came with a request of `method`. `secrets` are those of the user the
    /// answer names: a password, or hashes for one or more algorithms; none for an unknown user,
    /// which takes as long to deny as a wrong password.
    ///
    /// A granted use of a nonce is noted: the same credentials are stale the next time. (A
    /// retransmission never gets here, its transaction answers it.) Credentials without a nonce
    /// count, as RFC 2069 has them, are good for one request per nonce.
    pub fn check(
        &mut self,
        now: Time,
        answer: &Answer,
        method: &str,
        secrets: &[Secret],
    ) -> Verdict {
        let nobody = [Secret::Password(String::new())];
        let known = !secrets.is_empty();
        let secrets = if known { secrets } else { &nobody };
        let made = secrets.iter().fold(false, |made, secret| {
            answer.is_made_with(secret, method) | made
        });
        let ours = answer.realm == self.realm && self.algorithms.contains(&answer.algorithm);
        if !made || !known || !ours {
            return Verdict::Denied;
        }
        let Some((issued, serial)) = self.opened(&answer.nonce) else {
            return Verdict::Stale;
        };
        let lifetime = self.lifetime.0;
        if now.0.saturating_sub(issued) > lifetime || issued > now.0 {
            return Verdict::Stale;
        }
        self.replays.forget_before(now.0.saturating_sub(lifetime));
        let count = match answer.count() {
            Some(count) => count,
            None if answer.is_counted() => return Verdict::Denied,
            None => u32::MAX,
        };
        if self.replays.first_use((issued, serial), count) {
            Verdict::Granted
        } else {
            Verdict::Stale
        }
    }

    /// Half an HMAC-SHA-256 is plenty for five minutes.
    fn seal(&self, id: &[u8]) -> [u8; 16] {
        let mut seal = [0; 16];
        seal.copy_from_slice(&hash::hmac(&self.key, id)[..16]);
        seal
    }

    /// Time and serial number of a nonce that this guard made.
    fn opened(&self, nonce: &str) -> Option<(u64, u64)> {
        if nonce.len() != 64 || !nonce.is_ascii() {
            return None;
        }
        let issued = u64::from_str_radix(&nonce[..16], 16).ok()?;
        let serial = u64::from_str_radix(&nonce[16..32], 16).ok()?;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&issued.to_be_bytes());
        id[8..].copy_from_slice(&serial.to_be_bytes());
        let seal = hash::hex(&self.seal(&id));
        hash::same_hex(&seal, &nonce[32..]).then_some((issued, serial))
    }
}

/// Never the key.
impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("realm", &self.realm)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Credentials;

    const NOON: Time = Time(43_200_000);

    fn guard() -> Guard {
        Guard::new("clinic.example", [1; 32])
    }

    fn password(text: &str) -> Secret {
        Secret::Password(text.to_owned())
    }

    /// What a client of that password answers to one of the challenges, using the nonce for the
    /// `count`th time.
    fn answer(challenge: &str, secret: Secret, count: u32) -> Answer {
        let credentials = Credentials {
            user: "2".to_owned(),
            secret,
        };
        let challenge = Challenge::parse(challenge).unwrap();
        let value = challenge.answer(&credentials, "REGISTER", "sip:clinic.example", count, "c0");
        Answer::parse(&value.unwrap()).unwrap()
    }

    #[test]
    fn the_doctor_logs_in_with_either_algorithm() {
        let mut guard = guard();
        let secrets = [password("tea")];
        // both challenges carry the same nonce, so the second use counts 2
        for (challenge, count) in guard.challenges(NOON, false).iter().zip(1..) {
            let right = answer(challenge, password("tea"), count);
            let wrong = answer(challenge, password("coffee"), count);
            let judge =
                |guard: &mut Guard, answer, method| guard.check(NOON, answer, method, &secrets);
            assert_eq!(judge(&mut guard, &wrong, "REGISTER"), Verdict::Denied);
            assert_eq!(judge(&mut guard, &right, "INVITE"), Verdict::Denied);
            assert_eq!(guard.check(NOON, &right, "REGISTER", &[]), Verdict::Denied);
            assert_eq!(judge(&mut guard, &right, "REGISTER"), Verdict::Granted);
        }
    }

    #[test]
    fn an_unknown_user_with_an_empty_password_is_still_unknown() {
        let mut guard = guard();
        let challenge = &guard.challenges(NOON, false)[0];
        let empty = answer(challenge, password(""), 1);
        assert_eq!(guard.check(NOON, &empty, "REGISTER", &[]), Verdict::Denied);
    }

    #[test]
    fn md5_is_last_for_jssip() {
        let challenges = guard().challenges(NOON, false);
        let algorithms: Vec<_> = challenges
            .iter()
            .map(|text| Challenge::parse(text).unwrap().hash())
            .collect();
        assert_eq!(algorithms, [Algorithm::Sha256, Algorithm::Md5]);
    }

    #[test]
    fn an_algorithm_that_was_not_offered_is_denied() {
        let mut guard = guard().with_algorithms(&[Algorithm::Sha256]);
        let challenge = guard.challenges(NOON, false)[0].replace("SHA-256", "MD5");
        let weak = answer(&challenge, password("tea"), 1);
        let verdict = guard.check(NOON, &weak, "REGISTER", &[password("tea")]);
        assert_eq!(verdict, Verdict::Denied);
    }

    #[test]
    fn a_stored_hash_is_as_good_as_the_password() {
        let mut guard = guard();
        let challenge = &guard.challenges(NOON, false)[0];
        let right = answer(challenge, password("tea"), 1);
        let stored = |algorithm| Secret::Ha1 {
            algorithm,
            realm: "clinic.example".to_owned(),
            ha1: super::super::ha1(algorithm, "2", "clinic.example", "tea"),
        };
        let both = [stored(Algorithm::Md5), stored(Algorithm::Sha256)];
        assert_eq!(
            guard.check(NOON, &right, "REGISTER", &both[..1]),
            Verdict::Denied
        );
        assert_eq!(
            guard.check(NOON, &right, "REGISTER", &both),
            Verdict::Granted
        );
    }

    #[test]
    fn overheard_credentials_cannot_be_used_again() {
        let mut guard = guard();
        let challenge = &guard.challenges(NOON, false)[0];
        let secrets = [password("tea")];
        let first = answer(challenge, password("tea"), 1);
        assert_eq!(
            guard.check(NOON, &first, "REGISTER", &secrets),
            Verdict::Granted
        );
        assert_eq!(
            guard.check(NOON, &first, "REGISTER", &secrets),
            Verdict::Stale
        );
        let second = answer(challenge, password("tea"), 2);
        assert_eq!(
            guard.check(NOON, &second, "REGISTER", &secrets),
            Verdict::Granted
        );
    }

    #[test]
    fn without_qop_a_nonce_is_good_once() {
        let mut guard = guard();
        let challenge = guard.challenges(NOON, false)[0].replace(", qop=\"auth\"", "");
        let old = answer(&challenge, password("tea"), 1);
        let secrets = [password("tea")];
        assert_eq!(
            guard.check(NOON, &old, "REGISTER", &secrets),
            Verdict::Granted
        );
        assert_eq!(
            guard.check(NOON, &old, "REGISTER", &secrets),
            Verdict::Stale
        );
    }

    #[test]
    fn a_nonce_expires() {
        let mut guard = guard();
        let secrets = [password("tea")];
        let late = NOON + Millis::from_secs(301);
        let right = answer(&guard.challenges(NOON, false)[0], password("tea"), 1);
        assert_eq!(
            guard.check(late, &right, "REGISTER", &secrets),
            Verdict::Stale
        );
        let again = guard.challenges(late, true);
        assert!(Challenge::parse(&again[0]).unwrap().stale);
        let right = answer(&again[0], password("tea"), 1);
        assert_eq!(
            guard.check(late, &right, "REGISTER", &secrets),
            Verdict::Granted
        );
    }

    #[test]
    fn a_nonce_of_another_start_or_a_forged_one_is_stale() {
        let secrets = [password("tea")];
        let foreign = Guard::new("clinic.example", [2; 32]).challenges(NOON, false);
        let right = answer(&foreign[0], password("tea"), 1);
        assert_eq!(
            guard().check(NOON, &right, "REGISTER", &secrets),
            Verdict::Stale
        );
        let forged = "Digest realm=\"clinic.example\", nonce=\"00é\", qop=\"auth\"";
        let right = answer(forged, password("tea"), 1);
        assert_eq!(
            guard().check(NOON, &right, "REGISTER", &secrets),
            Verdict::Stale
        );
    }
}
