//! Frames to the page: one JSON object each, its keys in alphabetical order.

use clinicall_comet::{
    Body, Kind, Message, PRIVATE,
    json::{members, string, write_string},
    wire::Seen,
};

use super::{address::Refusal, spelling};

/// Where a message comes from, as the page may want to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Live,
    /// It waited for the user.
    Queue,
    /// The page asked for the pipe's history. Under which marker is not told: the library's
    /// `get_pipe_log` lets nothing through that bears one.
    History,
}

/// A JSON object being written.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn raw(mut self, key: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        write_string(&mut self.0, key);
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, &quoted(value))
    }

    fn marker(self, marker: &str) -> Self {
        match marker.is_empty() {
            true => self,
            false => self.text("marker", marker),
        }
    }

    fn end(mut self) -> String {
        self.0.push('}');
        spelling::shielded(self.0)
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

/// A user's id as CppComet has it, a number, where it is one; 0 is nobody.
#[must_use]
pub fn user(user: Option<&str>) -> String {
    let number = |user: &str| {
        let digits = user.len() <= 15 && user.bytes().all(|byte| byte.is_ascii_digit());
        digits && (user == "0" || !user.starts_with('0'))
    };
    match user {
        None => "0".to_owned(),
        Some(user) if number(user) => user.to_owned(),
        Some(user) => quoted(user),
    }
}

/// The first frame. `key` is what the page showed, when it was right.
#[must_use]
pub fn server_info(key: Option<&str>, now: u64) -> String {
    let server = concat!("clinicall ", env!("CARGO_PKG_VERSION"));
    Object::new()
        .raw("authorized", if key.is_some() { "true" } else { "false" })
        .text("data", key.unwrap_or_default())
        .text("event", "serverInfo")
        .raw("message_send_time", &(now / 1000).to_string())
        .text("pipe", "sys")
        .text("server", server)
        .end()
}

/// The last frame for somebody who is sent away. The client does not come back for a number over
/// 400.
#[must_use]
pub fn refusal(refusal: Refusal) -> String {
    let code = refusal as u16;
    refusal_of(code, &refusal.to_string())
        .raw("error", &code.to_string())
        .text("event", "error")
        .text("pipe", "sys")
        .end()
}

/// The page may not come in now. Without `error`, by which its client would give up for good.
pub fn refused(code: u16, why: &str) -> String {
    refusal_of(code, why)
        .text("event", "error")
        .text("pipe", "sys")
        .end()
}

fn refusal_of(code: u16, why: &str) -> Object {
    let data = Object::new()
        .raw("error_code", &code.to_string())
        .text("error_info", why)
        .end();
    Object::new().raw("data", &data)
}

/// Something the page asked for was not done.
#[must_use]
pub fn error(why: &str) -> String {
    let data = Object::new()
        .text("error", why)
        .raw("number_messages", "-1")
        .end();
    Object::new()
        .raw("data", &data)
        .text("event", "error")
        .text("pipe", "sys")
        .end()
}

/// Who came to a `track_` pipe or left it is told with a number for the user; our own wire has text.
fn data(message: &Message) -> String {
    let tracks = Kind::of(&message.pipe) == Kind::Track
        && message.from.is_none()
        && matches!(&*message.event, "subscription" | "unsubscription");
    let told = tracks
        .then(|| members(message.body.as_str()).ok())
        .flatten();
    let Some(told) = told else {
        return spelling::data(&message.body);
    };
    let text = |name: &str| {
        let value = told.iter().find(|(key, _)| key == name);
        value.and_then(|(_, raw)| string(raw).ok())
    };
    Object::new()
        .raw("user_id", &user(text("user_id").as_deref()))
        .text("uuid", &text("uuid").unwrap_or_default())
        .end()
}

#[must_use]
pub fn message(message: &Message, origin: Origin) -> String {
    let private = &*message.pipe == PRIVATE;
    let kind = Kind::of(&message.pipe);
    let mut object = Object::new()
        .raw("data", &data(message))
        .text("event", &message.event);
    if origin != Origin::Live {
        object = object.raw("fromQueue", "true");
    }
    if origin == Origin::History {
        object = object.raw("history", "true");
    }
    // a private message tells its time when it waited, a user's coming and going never
    if (!private || origin != Origin::Live) && kind != Kind::UserStatus {
        object = object.raw("message_send_time", &(message.at / 1000).to_string());
    }
    object = object.text("pipe", &message.pipe);
    let by_page = matches!(kind, Kind::Web | Kind::WebAuth);
    if message.from.is_some() || by_page {
        object = object.raw("user_id", &user(message.from.as_deref()));
    }
    object.end()
}

/// A private message that is no [`Message`]: the call of somebody.
#[must_use]
pub fn private(event: &str, data: &str, waited_since: Option<u64>) -> String {
    let mut object = Object::new().raw("data", data).text("event", event);
    if let Some(at) = waited_since {
        object = object
            .raw("fromQueue", "true")
            .raw("message_send_time", &(at / 1000).to_string());
    }
    object.text("pipe", PRIVATE).end()
}

/// How many got what the page published.
#[must_use]
pub fn published(pipe: &str, sent: &Body, listeners: usize) -> String {
    let data = Object::new()
        .raw("message", &spelling::value(sent))
        .raw("number_messages", &listeners.to_string())
        .end();
    Object::new()
        .raw("data", &data)
        .text("event", "answer")
        .text("pipe", &format!("_answer_to_{pipe}"))
        .end()
}

/// CppComet's manual promises `data.user_in_pipe`, its server sends an array with the number in the
/// second place. Both ways of reading find it here.
#[must_use]
pub fn pipe_count(marker: &str, count: usize) -> String {
    let count = count.to_string();
    let data = Object::new()
        .text("0", "user_in_pipe")
        .raw("1", &count)
        .raw("user_in_pipe", &count)
        .end();
    Object::new()
        .raw("data", &data)
        .text("event", "user_in_pipe")
        .marker(marker)
        .text("pipe", "_answer_pipe_count")
        .end()
}

fn answer(marker: &str, data: &str) -> String {
    Object::new()
        .raw("data", data)
        .text("event", "answer")
        .marker(marker)
        .text("pipe", "_answer")
        .end()
}

#[must_use]
pub fn pipe_users(marker: &str, listeners: &[(Option<String>, String)]) -> String {
    let each = listeners.iter().map(|(id, page)| {
        Object::new()
            .raw("user_id", &user(id.as_deref()))
            .text("uuid", page)
            .end()
    });
    let data = format!("[{}]", each.collect::<Vec<_>>().join(","));
    answer(marker, &data)
}

#[must_use]
pub fn user_data(marker: &str, id: &str, data: &str) -> String {
    let data = Object::new()
        .text("user_data", data)
        .raw("user_id", &user(Some(id)))
        .end();
    answer(marker, &data)
}

/// `last_online_time`: the seconds since; 0 for one who is here, -1 for one who never was.
#[must_use]
pub fn user_status(id: &str, seen: Seen, now: u64) -> String {
    let (status, seconds) = match seen {
        Seen::Online => ("online", "0".to_owned()),
        Seen::At(at) => ("offline", (now.saturating_sub(at) / 1000).to_string()),
        Seen::Never => ("offline", "-1".to_owned()),
    };
    let data = Object::new()
        .text("data", status)
        .raw("last_online_time", &seconds)
        .end();
    Object::new()
        .raw("data", &data)
        .text("event", &format!("user_status_{id}"))
        .text("pipe", "_answer_user_status")
        .end()
}

#[cfg(test)]
mod tests {
    use clinicall_comet::Position;

    use super::*;

    fn said(pipe: &str, text: &str) -> Message {
        let at = Position {
            epoch: 9,
            offset: 1,
        };
        Message::new(
            pipe,
            at,
            "said",
            Body::guess(text.to_owned()).unwrap(),
            1_795_000_000_999,
        )
    }

    #[test]
    fn the_first_frame_is_cppcomets() {
        assert_eq!(
            server_info(Some("k/=y"), 1_795_000_000_999),
            concat!(
                r#"{"authorized":true,"data":"k/=y","event":"serverInfo","#,
                r#""message_send_time":1795000000,"pipe":"sys","server":"clinicall "#,
                env!("CARGO_PKG_VERSION"),
                r#""}"#
            )
        );
        assert!(server_info(None, 0).starts_with(r#"{"authorized":false,"data":"","#));
    }

    #[test]
    fn messages_have_the_fields_a_page_looks_at() {
        assert_eq!(
            message(&said("msg", r#"{"a":1}"#), Origin::Live),
            r#"{"data":{"a":1},"event":"said","pipe":"msg"}"#
        );
        assert_eq!(
            message(&said("msg", "it's \"text\""), Origin::Queue),
            r#"{"data":"it's \"text\"","event":"said","fromQueue":true,"message_send_time":1795000000,"pipe":"msg"}"#
        );
        assert_eq!(
            message(&said("web_room", "[]").from_user(Some("2")), Origin::Live),
            r#"{"data":[],"event":"said","message_send_time":1795000000,"pipe":"web_room","user_id":2}"#
        );
        assert_eq!(
            message(&said("web_room", "[]"), Origin::History),
            r#"{"data":[],"event":"said","fromQueue":true,"history":true,"message_send_time":1795000000,"pipe":"web_room","user_id":0}"#
        );
        assert_eq!(
            message(&said("user_status_2", "online"), Origin::Live),
            r#"{"data":"online","event":"said","pipe":"user_status_2"}"#
        );
    }

    #[test]
    fn who_comes_to_a_tracked_pipe_has_a_number() {
        let came = |text: &str| {
            let at = Position {
                epoch: 9,
                offset: 1,
            };
            let body = Body::guess(text.to_owned()).unwrap();
            message(
                &Message::new("track_room", at, "subscription", body, 0),
                Origin::Live,
            )
        };
        assert!(
            came(r#"{"user_id":"41","uuid":"b"}"#)
                .starts_with(r#"{"data":{"user_id":41,"uuid":"b"},"#)
        );
        assert!(
            came(r#"{"user_id":null,"uuid":"b"}"#)
                .starts_with(r#"{"data":{"user_id":0,"uuid":"b"},"#)
        );
    }

    #[test]
    fn answers_have_the_fields_a_page_looks_at() {
        assert_eq!(
            published("web_room", &Body::guess(r#""hi""#).unwrap(), 3),
            r#"{"data":{"message":"hi","number_messages":3},"event":"answer","pipe":"_answer_to_web_room"}"#
        );
        assert_eq!(
            pipe_count("m", 2),
            r#"{"data":{"0":"user_in_pipe","1":2,"user_in_pipe":2},"event":"user_in_pipe","marker":"m","pipe":"_answer_pipe_count"}"#
        );
        assert_eq!(
            pipe_users(
                "m",
                &[(Some("dr.who".into()), "u1".into()), (None, "u2".into())]
            ),
            r#"{"data":[{"user_id":"dr.who","uuid":"u1"},{"user_id":0,"uuid":"u2"}],"event":"answer","marker":"m","pipe":"_answer"}"#
        );
        assert_eq!(
            user_status("2", Seen::At(1_000), 61_000),
            r#"{"data":{"data":"offline","last_online_time":60},"event":"user_status_2","pipe":"_answer_user_status"}"#
        );
        assert_eq!(
            error("Forbidden"),
            r#"{"data":{"error":"Forbidden","number_messages":-1},"event":"error","pipe":"sys"}"#
        );
        assert!(refusal(Refusal::Origin).contains(r#""error":423"#));
    }

    #[test]
    fn a_users_id_is_a_number_where_it_is_one() {
        for (id, printed) in [
            ("2", "2"),
            ("002", "\"002\""),
            ("a", "\"a\""),
            ("9999999999999999", "\"9999999999999999\""),
        ] {
            assert_eq!(user(Some(id)), printed);
        }
    }
}
