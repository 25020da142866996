//! Logins by token (RFC 8898), and what a token's grant allows.

use clinicall_sip::{Method, Millis, Request, Status, Time, Uri, agent::Flow};

use super::Registrar;
use crate::{
    auth::{Grant, Guesses, Refused, Revoked, Right, TokenId},
    config::Secret,
    signal::{
        Answer,
        doorman::{Hold, Question, Told, turned_away},
        focus::room_of,
        users::User,
    },
};

/// The token in a request: `Bearer` and the token, as RFC 8898 has it, or the token alone, as JsSIP
/// sends what its page gave it as `authorization_jwt`.
pub(super) fn bearer(request: &Request) -> Option<&str> {
    ["Authorization", "Proxy-Authorization"]
        .into_iter()
        .filter_map(|header| request.headers.get(header))
        .find_map(|value| {
            let value = value.trim_ascii();
            if let Some((scheme, token)) = value.split_once([' ', '\t']) {
                return scheme
                    .eq_ignore_ascii_case("Bearer")
                    .then(|| token.trim_ascii());
            }
            (value.split('.').count() == 3).then_some(value)
        })
}

impl Registrar {
    /// `guesses`: the count that the other doors keep too.
    pub fn attach_doorman(&mut self, guesses: Guesses) {
        self.doorman = true;
        self.guesses = guesses;
    }

    /// What was asked is known now, for the next request.
    pub fn tell(&mut self, told: Told) {
        self.told = Some(told);
    }

    /// An answer is for one request.
    pub fn forget_told(&mut self) {
        self.told = None;
    }

    /// The words for somebody who is turned away.
    pub fn refusal(&self, refused: Refused) -> Answer {
        turned_away(refused, &self.settings.realm)
    }

    /// The connection has shown that it is this user's, and nothing has run out since.
    pub(super) fn is_logged_in(&self, now: Time, flow: Flow, claimed: &str) -> bool {
        let Some(visitor) = self.flows.get(&flow) else {
            return false;
        };
        let known = visitor.vouched || self.users.find(claimed).is_some();
        visitor.user.as_deref() == Some(claimed)
            && known
            && visitor.until.is_none_or(|until| until > now)
    }

    /// This token is what the connection has come in with.
    pub(super) fn is_token_of(&self, flow: Flow, token: &str) -> bool {
        let grant = self
            .flows
            .get(&flow)
            .and_then(|visitor| visitor.grant.as_ref());
        grant.is_some_and(|grant| grant.token == Some(TokenId::of(token)))
    }

    /// A login by token.
    pub(super) fn identify_by_token(
        &mut self,
        now: Time,
        flow: Flow,
        request: &Request,
        claimed: &str,
        token: &str,
    ) -> Result<(), Hold> {
        let Some(address) = self.flows.get(&flow).map(|visitor| visitor.address) else {
            return Err(Answer::new(Status(480)).into());
        };
        let refused = match self.told.take() {
            Some(Told::Token(Ok((grant, left)))) if grant.user == claimed => {
                self.guesses.succeeded(address, claimed);
                self.log_in(flow, claimed, grant.rights, grant.token);
                if let Some(visitor) = self.flows.get_mut(&flow) {
                    visitor.until = Some(now + left);
                    self.logins_end.insert((now + left, flow));
                    visitor.grant = Some(grant);
                    visitor.vouched = true;
                }
                return Ok(());
            }
            Some(Told::Token(Ok(_))) => return Err(self.spoofed(flow).into()),
            Some(Told::Token(Err(refused))) => refused,
            Some(Told::Keys(_) | Told::Call(_)) => Refused::Unavailable,
            None if !self.doorman => {
                let register = request.method == Method::Register;
                return Err(self.challenge(now, register, false).into());
            }
            None => {
                self.wait_if_throttled(now, address, claimed)?;
                let token = Secret(token.to_owned());
                return Err(Hold::Ask(Question::Token { token }));
            }
        };
        match refused {
            Refused::Unavailable => {}
            refused if refused.is_guess() => self.failed(now, address, claimed),
            _ => self.turned_away(address, claimed),
        }
        Err(self.refusal(refused).into())
    }

    /// What a connection that came in by token may do; everything, for the others.
    pub fn grant(&self, flow: Flow) -> Option<&Grant> {
        self.flows.get(&flow)?.grant.as_ref()
    }

    /// Whether the login on this connection allows to call there.
    pub fn may_call(&self, flow: Flow, uri: &Uri) -> Result<(), Answer> {
        let Some(grant) = self.grant(flow) else {
            return Ok(());
        };
        // the same reading of the address as decides where the call goes
        let allowed = match room_of(&self.settings, uri) {
            Some(room) => grant.may(Right::Join) && grant.rooms.admit(&room),
            None => grant.may(Right::Call),
        };
        match allowed {
            true => Ok(()),
            false => Err(self.refusal(Refused::Forbidden)),
        }
    }

    /// Connections that have to go.
    pub fn flows_of(&self, revoked: &Revoked) -> Vec<Flow> {
        let hit = |visitor: &super::Visitor| {
            let token = visitor.grant.as_ref().and_then(|grant| grant.token);
            visitor.user.as_ref() == Some(&revoked.user)
                && (revoked.token.is_none() || revoked.token == token)
        };
        self.flows
            .iter()
            .filter(|(_, visitor)| hit(visitor))
            .map(|(flow, _)| *flow)
            .collect()
    }

    /// Somebody who is here without an account: a token or the clinic's server vouches for them.
    pub(super) fn visiting(&self, id: &str) -> Option<User> {
        let visitor = self
            .flows
            .values()
            .find(|visitor| visitor.vouched && visitor.user.as_deref() == Some(id))?;
        let name = visitor.grant.as_ref().and_then(|grant| grant.name.clone());
        Some(User {
            id: id.to_owned(),
            name: name
                .or_else(|| visitor.name.clone())
                .unwrap_or_else(|| id.to_owned()),
            keys: crate::signal::users::Keys {
                sha256: None,
                md5: None,
            },
        })
    }

    /// Connections whose token has run out without a newer one. Those that are left open, for a call's
    /// sake, are to be looked at again.
    pub fn run_out(&mut self, now: Time) -> Vec<Flow> {
        let mut over = Vec::new();
        while let Some((_, flow)) = self.logins_end.first().filter(|(end, _)| *end <= now) {
            let flow = *flow;
            self.logins_end.pop_first();
            let until = self.flows.get(&flow).and_then(|visitor| visitor.until);
            if until.is_some_and(|until| until <= now) {
                over.push(flow);
            }
        }
        over
    }

    pub fn look_again(&mut self, at: Time, flow: Flow) {
        self.logins_end.insert((at, flow));
    }

    /// Nothing that is registered here outlives the token.
    pub(super) fn runs_out(&self, flow: Flow) -> Option<Time> {
        self.flows.get(&flow)?.until
    }

    pub(super) fn wait_if_throttled(
        &self,
        now: Time,
        address: std::net::IpAddr,
        claimed: &str,
    ) -> Result<(), Answer> {
        let Some(Millis(wait)) = self.guesses.wait(now, address, Some(claimed)) else {
            return Ok(());
        };
        let seconds = wait.div_ceil(1_000).to_string();
        Err(Answer::new(Status(503)).with("Retry-After", seconds))
    }
}
