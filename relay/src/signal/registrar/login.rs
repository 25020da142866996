//! Who a connection belongs to: digest, and what follows from a From that is not its own.

use std::{net::IpAddr, time::Instant};

use clinicall_sip::{
    Method, Request, Status, Time, Uri,
    agent::Flow,
    digest::{self, Verdict},
};

use super::{Registrar, bearer::bearer};
use crate::{
    auth::{Refused, Rights, TokenId},
    log::Throttle,
    signal::{
        Answer, News,
        doorman::{Hold, Question, Told},
    },
};

/// Warnings about logins, from anybody, in ten seconds.
static WARNINGS: Throttle = Throttle::new(5, std::time::Duration::from_secs(10));

impl Registrar {
    /// The user a URI of ours names; `None` for a foreign one.
    pub(super) fn own_user(&self, uri: &Uri) -> Option<String> {
        let ours = matches!(uri.scheme.as_str(), "sip" | "sips") && self.settings.serves(&uri.host);
        (ours && !uri.user.is_empty()).then(|| uri.user.clone())
    }

    /// Makes sure that this connection is `claimed`'s, by its login or by the credentials in this
    /// request.
    pub(super) fn identify(
        &mut self,
        now: Time,
        flow: Flow,
        request: &Request,
        claimed: &str,
    ) -> Result<(), Hold> {
        let Some(visitor) = self.flows.get(&flow) else {
            return Err(Answer::new(Status(480)).into());
        };
        let address = visitor.address;
        if visitor.user.as_ref().is_some_and(|user| user != claimed) {
            return Err(self.spoofed(flow).into());
        }
        // someone whose account was removed meanwhile is asked again, and then fails
        let known = self.is_logged_in(now, flow, claimed);
        if let Some(token) = bearer(request) {
            // a newer one takes the place of the first
            if known && self.is_token_of(flow, token) {
                return Ok(());
            }
            return self.identify_by_token(now, flow, request, claimed, token);
        }
        if known {
            return Ok(());
        }
        let register = request.method == Method::Register;
        let header = if register {
            "Authorization"
        } else {
            "Proxy-Authorization"
        };
        let Some(answer) = request.headers.get(header).and_then(digest::Answer::parse) else {
            return Err(self.challenge(now, register, false).into());
        };
        self.wait_if_throttled(now, address, claimed)?;
        let (found, vouched) = match self.told.take() {
            Some(Told::Keys(Ok(found))) => (found, true),
            Some(_) => return Err(self.refusal(Refused::Unavailable).into()),
            None if self.doorman && !self.users.is_configured(claimed) => {
                let user = claimed.to_owned();
                return Err(Hold::Ask(Question::Keys { user }));
            }
            None => (self.users.find(claimed), false),
        };
        let secrets = match &found {
            Some(user) if answer.user == claimed => user.keys.secrets(self.guard.realm()),
            _ => Vec::new(),
        };
        match self
            .guard
            .check(now, &answer, request.method.as_str(), &secrets)
        {
            Verdict::Granted => {
                self.guesses.succeeded(address, claimed);
                self.log_in(flow, claimed, Rights::USER, None);
                if let Some(visitor) = self.flows.get_mut(&flow) {
                    visitor.vouched = vouched;
                    visitor.until = None;
                    visitor.grant = None;
                    visitor.name = found.map(|user| user.name);
                }
                Ok(())
            }
            Verdict::Stale => Err(self.challenge(now, register, true).into()),
            Verdict::Denied => {
                self.failed(now, address, claimed);
                // no new challenge: a client would try the same wrong password again
                Err(Answer::new(Status(403)).into())
            }
        }
    }

    /// The connection is this user's from now on, with what the login allows.
    pub(super) fn log_in(
        &mut self,
        flow: Flow,
        claimed: &str,
        rights: Rights,
        token: Option<TokenId>,
    ) {
        let Some(visitor) = self.flows.get_mut(&flow) else {
            return;
        };
        let user = claimed.to_owned();
        visitor.user = Some(user.clone());
        self.news.push_back(News::LoggedIn {
            flow,
            user,
            rights,
            token,
        });
        tracing::debug!(flow = flow.0, user = claimed, "logged in");
    }

    /// A wrong password, or a token that is not good.
    pub(super) fn failed(&mut self, now: Time, address: IpAddr, claimed: &str) {
        self.guesses.failed(now, address, Some(claimed));
        self.turned_away(address, claimed);
    }

    pub(super) fn turned_away(&self, address: IpAddr, claimed: &str) {
        self.metrics.logins_failed_total.add(1);
        if let Some(left_out) = WARNINGS.admit(Instant::now()) {
            tracing::warn!(%address, user = shown(claimed), left_out, "login failed");
        }
    }

    pub(super) fn challenge(&mut self, now: Time, register: bool, stale: bool) -> Answer {
        let (status, header) = match register {
            true => (401, "WWW-Authenticate"),
            false => (407, "Proxy-Authenticate"),
        };
        self.guard
            .challenges(now, stale)
            .into_iter()
            .fold(Answer::new(Status(status)), |answer, challenge| {
                answer.with(header, challenge)
            })
    }

    /// Someone speaks in another's name.
    pub(super) fn spoofed(&self, flow: Flow) -> Answer {
        self.metrics.spoofed_total.add(1);
        if let Some(left_out) = WARNINGS.admit(Instant::now()) {
            let address = self.flows.get(&flow).map(|visitor| visitor.address);
            tracing::warn!(
                ?address,
                left_out,
                "From is not the user of this connection"
            );
        }
        Answer::new(Status(403))
    }
}

/// Names that a stranger chose are cut and escaped before they reach a log.
fn shown(name: &str) -> String {
    name.chars()
        .take(64)
        .flat_map(char::escape_default)
        .collect()
}
