//! Who a connection belongs to: digest, and what follows from a From that is not its own.

use std::time::Instant;

use clinicall_sip::{
    Method, Request, Status, Time, Uri,
    agent::Flow,
    digest::{self, Verdict},
};

use super::Registrar;
use crate::{
    log::Throttle,
    signal::{Answer, News},
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
    ) -> Result<(), Answer> {
        let Some(visitor) = self.flows.get(&flow) else {
            return Err(Answer::new(Status(480)));
        };
        let address = visitor.address;
        match &visitor.user {
            // someone whose account was removed meanwhile is asked again, and then fails
            Some(user) if user == claimed && self.users.find(user).is_some() => return Ok(()),
            Some(user) if user != claimed => return Err(self.spoofed(flow)),
            _ => {}
        }
        let register = request.method == Method::Register;
        let header = if register {
            "Authorization"
        } else {
            "Proxy-Authorization"
        };
        let Some(answer) = request.headers.get(header).and_then(digest::Answer::parse) else {
            return Err(self.challenge(now, register, false));
        };
        if let Some(wait) = self.throttle.wait(now, address, claimed) {
            let seconds = wait.0.div_ceil(1_000).to_string();
            return Err(Answer::new(Status(503)).with("Retry-After", seconds));
        }
        let secrets = match self.users.find(claimed) {
            Some(user) if answer.user == claimed => user.keys.secrets(self.guard.realm()),
            _ => Vec::new(),
        };
        match self
            .guard
            .check(now, &answer, request.method.as_str(), &secrets)
        {
            Verdict::Granted => {
                self.throttle.succeeded(address, claimed);
                if let Some(visitor) = self.flows.get_mut(&flow) {
                    visitor.user = Some(claimed.to_owned());
                    let user = claimed.to_owned();
                    self.news.push_back(News::LoggedIn { flow, user });
                }
                tracing::debug!(flow = flow.0, user = claimed, "logged in");
                Ok(())
            }
            Verdict::Stale => Err(self.challenge(now, register, true)),
            Verdict::Denied => {
                self.throttle.failed(now, address, claimed);
                self.metrics.logins_failed_total.add(1);
                if let Some(left_out) = WARNINGS.admit(Instant::now()) {
                    tracing::warn!(%address, user = shown(claimed), left_out, "login failed");
                }
                // no new challenge: a client would try the same wrong password again
                Err(Answer::new(Status(403)))
            }
        }
    }

    fn challenge(&mut self, now: Time, register: bool, stale: bool) -> Answer {
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
