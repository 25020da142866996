//! The bell for pages that know of calls by `msg.sys_sipCall`, as CppComet tells them.

use std::sync::Arc;

use ring::hmac;
use tokio::sync::broadcast;

use super::print;
use crate::backend::Invitation;

/// Invitations that a page may lag behind.
const QUEUE: usize = 256;

/// Tells those pages of invitations; cheap to clone.
#[derive(Clone, Debug)]
pub struct Bell {
    rings: broadcast::Sender<Arc<Invitation>>,
    /// Makes the name of a call's pipe one that nobody can guess, other with every start.
    secret: Arc<hmac::Key>,
}

/// Where the page is told to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub host: String,
    pub port: u16,
}

impl Bell {
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self {
            rings: broadcast::Sender::new(QUEUE),
            secret: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret)),
        }
    }

    /// Somebody is rung.
    pub fn ring(&self, invitation: &Invitation) {
        // an error says that no such page is there
        let _ = self.rings.send(Arc::new(invitation.clone()));
    }

    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Arc<Invitation>> {
        self.rings.subscribe()
    }

    /// The `data` of `sys_sipCall`. `key` is new for every ring.
    #[must_use]
    pub fn data(&self, invitation: &Invitation, tenant: &str, place: &Place, key: &str) -> String {
        let profile = match &*invitation.profile {
            "" => "default",
            profile => profile,
        };
        let number = format!("{tenant}*{}*{profile}", invitation.room);
        let pipe = self.pipe(&number);
        let caller = Some(&*invitation.caller).filter(|caller| !caller.is_empty());
        let mut out = String::from("{\"message\":");
        let mut text = |lead: &str, text: &str| {
            out.push_str(lead);
            clinicall_comet::json::write_string(&mut out, text);
        };
        text("", &invitation.message);
        text(",\"sys\":{\"callKey\":", key);
        text(",\"callPipe\":", &pipe);
        out.push_str(",\"caller_id\":");
        out.push_str(&print::user(caller));
        let mut text = |lead: &str, text: &str| {
            out.push_str(lead);
            clinicall_comet::json::write_string(&mut out, text);
        };
        // a string, always
        text(",\"conference\":", "true");
        text(",\"conference_name\":", &invitation.room);
        text(",\"mode\":", profile);
        text(",\"serverName\":", &place.host);
        let port = place.port;
        out.push_str(&format!(",\"serverPort\":{port},\"sipNumber\":"));
        clinicall_comet::json::write_string(&mut out, &number);
        out.push_str(&format!(",\"stream\":{}}}}}", invitation.stream));
        out
    }

    /// The same for all who are rung into the room.
    fn pipe(&self, number: &str) -> String {
        let tag = hmac::sign(&self.secret, number.as_bytes());
        let mut name = "web_syscall_vA_".to_owned();
        for byte in &tag.as_ref()[..20] {
            name.push_str(&format!("{byte:02x}"));
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_told_all_it_looks_at() {
        let bell = Bell::new(&[7; 32]);
        let invitation = Invitation {
            room: "1".to_owned(),
            user: "2".to_owned(),
            caller: "3".to_owned(),
            message: "{\"name\":\"Ann\"}".to_owned(),
            profile: "video".to_owned(),
            ..Invitation::default()
        };
        let place = Place {
            host: "visits.example".to_owned(),
            port: 8443,
        };
        let data = bell.data(&invitation, "15", &place, "k");
        let data: serde_json::Value = serde_json::from_str(&data).unwrap();
        assert_eq!(data["message"], "{\"name\":\"Ann\"}");
        let sys = &data["sys"];
        assert_eq!(sys["conference"], "true");
        assert_eq!(sys["serverName"], "visits.example");
        assert_eq!(sys["serverPort"], 8443);
        assert_eq!(sys["sipNumber"], "15*1*video");
        assert_eq!(sys["caller_id"], 3);
        assert_eq!(
            (&sys["mode"], &sys["conference_name"]),
            (&"video".into(), &"1".into())
        );
        assert_eq!((&sys["stream"], &sys["callKey"]), (&0.into(), &"k".into()));
        let pipe = sys["callPipe"].as_str().unwrap();
        assert!(pipe.starts_with("web_syscall_vA_") && clinicall_comet::is_pipe(pipe));
        // another who is rung into the room shares it, another relay does not
        let other = Invitation {
            user: "3".to_owned(),
            caller: String::new(),
            ..invitation
        };
        let data = bell.data(&other, "15", &place, "l");
        assert!(data.contains(pipe) && data.contains("\"caller_id\":0"));
        assert!(
            !Bell::new(&[8; 32])
                .data(&other, "15", &place, "l")
                .contains(pipe)
        );
    }
}
