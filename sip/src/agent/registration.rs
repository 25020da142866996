//! Keeping an address registered (RFC 3261 section 10.2, RFC 5626, RFC 5627).

use std::sync::Arc;

use super::{
    Agent, By, Cause, Ending, Event, Flow, Registering, Registration, read,
    timers::Alarm,
    transaction::Purpose,
    wire::{self, Line},
};
use crate::{
    digest::Credentials,
    header::grammar::{bare, number},
    message::{Headers, Method, Response, Status},
    time::Millis,
    uri::Uri,
};

/// The first wait after a failure, doubled with each further one up to the longest (RFC 5626 section
/// 4.5; its base of 30 s is meant for desk phones, a person with a page does not wait that long).
const BASE_WAIT: u64 = 2_000;
const MAX_WAIT: u64 = 300_000;
/// A registrar that asks for more than a day is not obeyed further.
const MAX_EXPIRES: u64 = 86_400;

#[derive(Debug)]
pub(super) struct Binding {
    id: u64,
    flow: Flow,
    what: Registering,
    credentials: Option<Arc<Credentials>>,
    call_id: String,
    tag: String,
    cseq: u32,
    /// Seconds asked for; 0 once we leave.
    expires: u64,
    failures: u32,
    too_brief: u8,
    /// The application knows that we are registered.
    told: bool,
}

impl Agent {
    pub(super) fn start_registration(&mut self, flow: Flow, mut what: Registering) -> Registration {
        let id = self.wire.id();
        let binding = Binding {
            id,
            flow,
            credentials: what.credentials.take().map(Arc::new),
            call_id: self.wire.entropy.token(24),
            tag: self.wire.entropy.token(16),
            cseq: 0,
            expires: (what.expires.0 / 1000).clamp(1, MAX_EXPIRES),
            failures: 0,
            too_brief: 0,
            told: false,
            what,
        };
        self.registrations.insert(id, Box::new(binding));
        self.send_register(id);
        Registration(id)
    }

    pub(super) fn next_register_seq(&mut self, id: u64) -> Option<u32> {
        let binding = self.registrations.get_mut(id)?;
        binding.cseq += 1;
        Some(binding.cseq)
    }

    pub(super) fn send_register(&mut self, id: u64) {
        let Some(cseq) = self.next_register_seq(id) else {
            return;
        };
        let Some(binding) = self.registrations.get(id) else {
            return;
        };
        let aor = ["<", &binding.what.aor.to_string(), ">"].concat();
        let from = [&aor, ";tag=", &binding.tag].concat();
        let line = Line {
            to: &aor,
            from: &from,
            call_id: &binding.call_id,
            cseq,
        };
        let flow = binding.flow;
        let registrar = binding.what.registrar.clone();
        let mut request = self.wire.request(flow, Method::Register, registrar, &line);
        let outbound = binding.what.instance.is_some() && binding.what.reg_id.is_some();
        let mut contact = self.wire.contact(flow);
        if outbound {
            contact = with_ob(contact);
        }
        if let Some(reg_id) = binding.what.reg_id.filter(|_| outbound) {
            contact.push_str(&[";reg-id=", &reg_id.to_string()].concat());
        }
        if let Some(instance) = &binding.what.instance {
            contact.push_str(&[";+sip.instance=\"<", instance, ">\""].concat());
        }
        request.headers.push("Contact", contact);
        request.headers.push("Expires", binding.expires.to_string());
        request.headers.push("Supported", "path,outbound,gruu");
        wire::append(&mut request.headers, &binding.what.headers);
        let credentials = binding.credentials.clone();
        let login = self.login(flow, &mut request, credentials.as_ref());
        self.wire.timers.cancel(id, Alarm::Register);
        self.transactions
            .send(&mut self.wire, flow, request, Purpose::Register(id), login);
    }

    pub(super) fn register_response(&mut self, id: u64, response: &Response) {
        let Some(binding) = self.registrations.get_mut(id) else {
            return;
        };
        let headers = &response.headers;
        if read::seq(headers) != Some(binding.cseq) {
            return;
        }
        let registration = Registration(id);
        if binding.expires == 0 {
            self.registrations.remove(id);
            self.wire.tell(Event::Unregistered { registration });
            return;
        }
        let status = response.status;
        if status.is_success() {
            binding.failures = 0;
            binding.too_brief = 0;
            let first = !std::mem::replace(&mut binding.told, true);
            let own = self.wire.contact(binding.flow);
            let ours = ours(headers, &own, binding.what.instance.as_deref());
            let granted = ours.and_then(|contact| read::param(contact, "expires"));
            let granted = granted.and_then(number);
            let granted = granted
                .or_else(|| read::number(headers, "Expires"))
                .unwrap_or(binding.expires);
            let granted = granted.clamp(1, MAX_EXPIRES);
            let gruu: Option<Uri> = ours
                .and_then(|contact| read::param(contact, "pub-gruu"))
                .and_then(|gruu| gruu.parse().ok());
            let flow = binding.flow;
            let outbound = binding.what.reg_id.is_some()
                && (headers.lists("Require", "outbound") || headers.lists("Supported", "outbound"));
            self.contacts.retain(|(of, _)| *of != flow);
            if let Some(gruu) = &gruu {
                // RFC 5627 section 4.4: the GRUU is the Contact of what we send from now on.
                let contact = ["<", &gruu.to_string(), ">"].concat();
                self.contacts.push((flow, contact));
            } else if outbound {
                // RFC 5626 section 4.3: dialogs, too, come back by this very flow.
                self.contacts.push((flow, with_ob(own)));
            }
            // Between 75 and 90 % of it, so that those who came together do not stay together.
            let share = 750 + u64::from(self.wire.entropy.u32() % 151);
            self.wire
                .timers
                .set(id, Alarm::Register, self.wire.now + Millis(granted * share));
            if first {
                let expires = Millis::from_secs(granted);
                self.wire.tell(Event::Registered {
                    registration,
                    expires,
                    gruu,
                });
            }
            return;
        }
        if status.0 == 423 {
            let min = read::number(headers, "Min-Expires").unwrap_or(0);
            binding.too_brief += 1;
            if min > binding.expires && min <= MAX_EXPIRES && binding.too_brief < 4 {
                binding.expires = min;
                return self.send_register(id);
            }
        }
        let ending = Ending::of_response(status, &response.reason, headers);
        let retry_after = read::number(headers, "Retry-After").map(|s| s.min(MAX_EXPIRES) * 1000);
        // These come from an overloaded or restarting server; the others say that we are not wanted.
        let passing = matches!(status.0, 408 | 480 | 429 | 500..=599) || retry_after.is_some();
        self.registration_failed(id, ending, passing, retry_after);
    }

    /// The REGISTER with that CSeq got no answer.
    pub(super) fn register_failed(&mut self, id: u64, cseq: u32, lost: bool) {
        let Some(binding) = self.registrations.get(id) else {
            return;
        };
        if binding.cseq != cseq {
            return;
        }
        if binding.expires == 0 {
            self.registrations.remove(id);
            let registration = Registration(id);
            return self.wire.tell(Event::Unregistered { registration });
        }
        if lost {
            // Whoever opens the next flow calls `reregister`.
            let ending = Ending::new(Cause::ConnectionLost, By::System);
            self.registration_failed(id, ending, false, None);
        } else {
            let ending = Ending::new(Cause::RequestTimeout, By::System).with(Status(408));
            self.registration_failed(id, ending, true, None);
        }
    }

    fn registration_failed(
        &mut self,
        id: u64,
        ending: Ending,
        passing: bool,
        retry_after: Option<u64>,
    ) {
        let Some(binding) = self.registrations.get_mut(id) else {
            return;
        };
        binding.told = false;
        self.contacts.retain(|(of, _)| *of != binding.flow);
        let retry_after = passing.then(|| {
            binding.failures = (binding.failures + 1).min(16);
            let longest = (BASE_WAIT << (binding.failures - 1)).min(MAX_WAIT);
            let random = u64::from(self.wire.entropy.u32());
            let wait = Millis(
                retry_after
                    .unwrap_or(0)
                    .max(longest / 2 + random % (longest / 2)),
            );
            self.wire
                .timers
                .set(id, Alarm::Register, self.wire.now + wait);
            wait
        });
        let registration = Registration(id);
        self.wire.tell(Event::RegistrationFailed {
            registration,
            ending,
            retry_after,
        });
    }

    pub(super) fn registrations_lost(&mut self, flow: Flow) {
        for binding in self.registrations.iter_mut() {
            if binding.flow == flow {
                binding.told = false;
                self.wire.timers.cancel_all(binding.id);
            }
        }
    }

    pub(super) fn register_anew(&mut self, id: u64, flow: Flow) {
        if let Some(binding) = self.registrations.get_mut(id) {
            self.auth.moved(binding.flow, flow);
            binding.flow = flow;
            binding.told = false;
            binding.failures = 0;
            self.send_register(id);
        }
    }

    pub(super) fn register_with(&mut self, id: u64, headers: Headers) {
        if let Some(binding) = self.registrations.get_mut(id) {
            binding.what.headers = headers;
            binding.told = false;
            let open = self.wire.is_open(binding.flow);
            // without a flow, whoever opens the next one calls `reregister`
            if open && binding.expires > 0 {
                self.send_register(id);
            }
        }
    }

    pub(super) fn leave_registrar(&mut self, id: u64) {
        let Some(binding) = self.registrations.get_mut(id) else {
            return;
        };
        if binding.expires == 0 {
            return;
        }
        binding.expires = 0;
        self.contacts.retain(|(of, _)| *of != binding.flow);
        if self.wire.is_open(binding.flow) {
            self.send_register(id);
        } else {
            self.wire.timers.cancel_all(id);
            self.registrations.remove(id);
            let registration = Registration(id);
            self.wire.tell(Event::Unregistered { registration });
        }
    }
}

fn with_ob(mut contact: String) -> String {
    contact.truncate(contact.len() - 1);
    contact.push_str(";ob>");
    contact
}

/// Our own binding among those a registrar lists: by instance, else by address, else the only one.
fn ours<'a>(headers: &'a Headers, own: &str, instance: Option<&str>) -> Option<&'a str> {
    let contacts: Vec<&str> = headers.all("Contact").collect();
    let own = read::uri(own)?;
    let is_own = |contact: &&&str| match (instance, read::param(contact, "+sip.instance")) {
        (Some(ours), Some(theirs)) => bare(theirs, '<', '>') == ours,
        _ => read::uri(contact).is_some_and(|uri| uri.user == own.user && uri.host == own.host),
    };
    contacts
        .iter()
        .find(is_own)
        .or_else(|| contacts.first().filter(|_| contacts.len() == 1))
        .copied()
}
