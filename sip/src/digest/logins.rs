//! The client's side: which challenges we met and how we answer them.

use super::{Challenge, Credentials};
use crate::{
    entropy::Entropy,
    header::grammar::{bare, split_list},
    message::{Headers, Method},
    uri::Uri,
};

/// A request that was challenged this often in a row is given up: some server's mind is not made
/// up. (407 of a proxy, 401 of the server behind it, each once more as stale, is four.)
const MAX_ROUNDS: u8 = 4;

/// The challenges met by one line of requests (a registration, a call), one per realm and kind.
/// Nonces are kept and used again with a rising count, so that only the first request costs a
/// round trip.
#[derive(Clone, Debug, Default)]
pub struct Logins {
    known: Vec<Login>,
    rounds: u8,
}

#[derive(Clone, Debug)]
struct Login {
    /// Asked by Proxy-Authenticate rather than WWW-Authenticate.
    proxy: bool,
    challenge: Challenge,
    /// How often its nonce has been used.
    count: u32,
}

impl Logins {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            known: Vec::new(),
            rounds: 0,
        }
    }

    /// Takes the challenges of a 401 or 407. `true`: send the request again (with a higher CSeq)
    /// after [`Logins::authorize`]. `false`: the credentials were refused, or there is no challenge
    /// that they could answer.
    ///
    /// Of several challenges for one realm the strongest algorithm is taken, not the first: servers
    /// put MD5 on top for clients that read no further (RFC 8760 section 2.4 lets local policy
    /// decide).
    #[must_use]
    pub fn challenged(&mut self, response: &Headers, credentials: &Credentials) -> bool {
        self.rounds += 1;
        let mut met: Vec<Login> = Vec::new();
        for (name, proxy) in [("WWW-Authenticate", false), ("Proxy-Authenticate", true)] {
            for challenge in response.all(name).filter_map(Challenge::parse) {
                // what the secret cannot answer does not compete
                if challenge.answer(credentials, "", "", 1, "").is_none() {
                    continue;
                }
                let login = Login {
                    proxy,
                    challenge,
                    count: 0,
                };
                match met.iter_mut().find(|other| other.is_for(&login)) {
                    Some(other) if other.challenge.hash() >= login.challenge.hash() => {}
                    Some(other) => *other = login,
                    None => met.push(login),
                }
            }
        }
        let mut hope = !met.is_empty() && self.rounds <= MAX_ROUNDS;
        for login in met {
            match self.known.iter_mut().find(|known| known.is_for(&login)) {
                Some(known) => {
                    // refused right after the challenge: the password is wrong. A nonce that had
                    // been in use for longer may have expired without the server saying so.
                    hope &= login.challenge.stale || known.count != 1;
                    *known = login;
                }
                None => self.known.push(login),
            }
        }
        hope
    }

    /// Writes Authorization and Proxy-Authorization for every realm that has asked so far,
    /// replacing what was there. `uri` is the Request-URI. Not for ACK and CANCEL, which repeat
    /// the INVITE's or have none (RFC 3261 section 22.1).
    pub fn authorize(
        &mut self,
        headers: &mut Headers,
        method: &Method,
        uri: &Uri,
        credentials: &Credentials,
        entropy: &mut Entropy,
    ) {
        if self.known.is_empty() {
            return;
        }
        headers.remove("Authorization");
        headers.remove("Proxy-Authorization");
        let uri = uri.to_string();
        for login in &mut self.known {
            login.count += 1;
            let cnonce = entropy.token(16);
            let answer =
                login
                    .challenge
                    .answer(credentials, method.as_str(), &uri, login.count, &cnonce);
            if let Some(answer) = answer {
                headers.push(login.answers_in(), answer);
            }
        }
    }

    /// The request got through (any final response but 401 and 407): takes `nextnonce` of
    /// Authentication-Info (RFC 7616 section 3.5) and counts refusals anew.
    pub fn accepted(&mut self, response: &Headers) {
        self.rounds = 0;
        for (name, proxy) in [
            ("Authentication-Info", false),
            ("Proxy-Authentication-Info", true),
        ] {
            let Some(next) = response.get(name).and_then(next_nonce) else {
                continue;
            };
            // the field names no realm: it is unambiguous only when there is one
            let mut of_kind = self.known.iter_mut().filter(|login| login.proxy == proxy);
            if let (Some(login), None) = (of_kind.next(), of_kind.next()) {
                login.challenge.nonce = next;
                login.count = 0;
            }
        }
    }
}

impl Login {
    fn is_for(&self, other: &Self) -> bool {
        self.proxy == other.proxy && self.challenge.realm == other.challenge.realm
    }

    const fn answers_in(&self) -> &'static str {
        if self.proxy {
            "Proxy-Authorization"
        } else {
            "Authorization"
        }
    }
}

fn next_nonce(value: &str) -> Option<String> {
    split_list(value).find_map(|element| {
        let (name, value) = element.split_once('=')?;
        let value = bare(value.trim_ascii(), '"', '"');
        let named = name.trim_ascii().eq_ignore_ascii_case("nextnonce");
        (named && !value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Algorithm, Answer, Secret};

    fn patient() -> Credentials {
        Credentials {
            user: "3".to_owned(),
            secret: Secret::Password("snow".to_owned()),
        }
    }

    fn challenge(text: &str) -> Headers {
        let mut headers = Headers::new();
        headers.push("WWW-Authenticate", text);
        headers
    }

    /// What is sent after the challenges met so far.
    fn sent(logins: &mut Logins) -> Headers {
        let mut headers = Headers::new();
        let uri = Uri::sip("", "clinic.example");
        let mut entropy = Entropy::new([7; 32]);
        logins.authorize(
            &mut headers,
            &Method::Register,
            &uri,
            &patient(),
            &mut entropy,
        );
        headers
    }

    fn answer(logins: &mut Logins) -> Answer {
        Answer::parse(sent(logins).get("Authorization").unwrap()).unwrap()
    }

    #[test]
    fn the_strongest_challenge_is_answered_wherever_it_stands() {
        let mut response =
            challenge("Digest realm=\"c\", nonce=\"1\", algorithm=MD5, qop=\"auth\"");
        for text in [
            "Digest realm=\"c\", nonce=\"2\", algorithm=SHA-512-256, qop=\"auth\"",
            "Digest realm=\"c\", nonce=\"3\", algorithm=SHA-256, qop=\"auth\"",
            "Digest realm=\"c\", nonce=\"4\", algorithm=FUTURE-1024, qop=\"auth\"",
        ] {
            response.push("WWW-Authenticate", text);
        }
        let mut logins = Logins::new();
        assert!(logins.challenged(&response, &patient()));
        let answer = answer(&mut logins);
        assert_eq!(answer.algorithm, Algorithm::Sha512_256);
        assert_eq!(answer.nonce, "2");
        assert!(answer.is_made_with(&patient().secret, "REGISTER"));
    }

    #[test]
    fn a_stored_md5_hash_answers_the_md5_challenge() {
        let ha1 = crate::digest::ha1(Algorithm::Md5, "3", "c", "snow");
        let credentials = Credentials {
            user: "3".to_owned(),
            secret: Secret::Ha1 {
                algorithm: Algorithm::Md5,
                realm: "c".to_owned(),
                ha1,
            },
        };
        let mut response = challenge("Digest realm=\"c\", nonce=\"1\", algorithm=SHA-256");
        let mut logins = Logins::new();
        assert!(!logins.challenged(&response, &credentials));
        response.push("WWW-Authenticate", "Digest realm=\"c\", nonce=\"2\"");
        assert!(logins.challenged(&response, &credentials));
    }

    #[test]
    fn a_wrong_password_is_tried_once() {
        let mut logins = Logins::new();
        assert!(logins.challenged(&challenge("Digest realm=\"c\", nonce=\"1\""), &patient()));
        sent(&mut logins);
        assert!(!logins.challenged(&challenge("Digest realm=\"c\", nonce=\"2\""), &patient()));
    }

    #[test]
    fn a_stale_nonce_is_no_wrong_password_but_has_an_end() {
        let mut logins = Logins::new();
        let mut tries = 0;
        while logins.challenged(
            &challenge("Digest realm=\"c\", nonce=\"1\", stale=true"),
            &patient(),
        ) {
            sent(&mut logins);
            tries += 1;
        }
        assert_eq!(tries, MAX_ROUNDS);
    }

    #[test]
    fn the_nonce_is_used_again_with_a_rising_count() {
        let mut logins = Logins::new();
        let asked = challenge("Digest realm=\"c\", nonce=\"1\", qop=\"auth\"");
        assert!(logins.challenged(&asked, &patient()));
        assert_eq!(answer(&mut logins).count(), Some(1));
        logins.accepted(&Headers::new());
        assert_eq!(answer(&mut logins).count(), Some(2));
        // it expired meanwhile and the server only says 401
        let anew = challenge("Digest realm=\"c\", nonce=\"2\", qop=\"auth\"");
        assert!(logins.challenged(&anew, &patient()));
        let again = answer(&mut logins);
        assert_eq!((again.nonce.as_str(), again.count()), ("2", Some(1)));
    }

    #[test]
    fn the_server_may_hand_out_the_next_nonce() {
        let mut logins = Logins::new();
        let asked = challenge("Digest realm=\"c\", nonce=\"1\", qop=\"auth\"");
        assert!(logins.challenged(&asked, &patient()));
        sent(&mut logins);
        let mut ok = Headers::new();
        ok.push("Authentication-Info", "qop=auth, nextnonce=\"n,ext\"");
        logins.accepted(&ok);
        let next = answer(&mut logins);
        assert_eq!((next.nonce.as_str(), next.count()), ("n,ext", Some(1)));
    }

    #[test]
    fn a_proxy_and_the_server_behind_it_are_answered_together() {
        let mut logins = Logins::new();
        let mut proxy = Headers::new();
        proxy.push("Proxy-Authenticate", "Digest realm=\"edge\", nonce=\"p\"");
        assert!(logins.challenged(&proxy, &patient()));
        sent(&mut logins);
        assert!(logins.challenged(&challenge("Digest realm=\"c\", nonce=\"s\""), &patient()));
        let headers = sent(&mut logins);
        assert!(headers.get("Authorization").unwrap().contains("\"c\""));
        assert!(
            headers
                .get("Proxy-Authorization")
                .unwrap()
                .contains("\"edge\"")
        );
    }
}
