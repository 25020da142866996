//! What the two ends say to each other: a JSON object a frame.
//!
//! A page asks with `do`, and gives an `id` to what it wants answered; the relay answers with `re`.
//! What has neither is a [`Message`].
//!
//! ```text
//! page   {"do":"hello","page":"4f1c...","token":"eyJ..."}        /comet only needs the login
//! relay  {"welcome":"2"}                                        the user; null: nobody known
//! page   {"do":"listen","id":1,"pipes":{"msg":"71-4","web_visit":null}}
//! relay  {"re":1,"pipes":{"msg":"71-4","web_visit":"9-120"},"gaps":[],"refused":{},"missed":2}
//! relay  {"pipe":"msg","event":"note","at":1795000000000,"pos":"71-5","data":"..."}    and so on
//! page   {"do":"ack","pos":"71-6"}
//! page   {"do":"publish","id":2,"pipe":"web_visit","event":"said","data":{"text":"hello"}}
//! relay  {"re":2,"pos":"9-121","listeners":3}
//! page   {"do":"leave","pipes":["web_visit"]}
//! page   {"do":"history","id":3,"pipe":"web_visit","limit":50}
//! relay  {"re":3,"messages":[{"pipe":...},...]}
//! page   {"do":"presence","id":4,"pipe":"track_room"}
//! relay  {"re":4,"count":2,"listeners":[{"user":"2","page":"4f1c..."},{"page":"..."}]}
//! page   {"do":"seen","id":5,"users":["2","3","4"]}
//! relay  {"re":5,"seen":{"2":"online","3":1795000000000,"4":null}}
//! relay  {"re":6,"error":"Forbidden","text":"..."}               an answer to anything
//! page   {"do":"hello","page":"4f1c...","token":"eyJ..."}        a newer token, before the first runs out
//! relay  {"welcome":"2"}                                        or an error: then the first stays
//! relay  {"bye":"TooSlow"}                                       the last frame
//! ```

use std::{fmt::Write as _, sync::Arc};

use crate::{Body, Message, Position, is_event, is_pipe, json};

/// The longest name a page may give itself.
const MAX_PAGE: usize = 64;
/// Pipes or users in one request.
const MAX_LIST: usize = 256;

/// What a page wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The first frame. `page` is random, the same as long as the page lives.
    Hello {
        page: String,
        login: Option<Login>,
    },
    /// Listens to more pipes; with a position, what came since then comes first.
    Listen {
        id: u32,
        pipes: Vec<(String, Option<Position>)>,
    },
    Leave {
        pipes: Vec<String>,
    },
    /// The same `id` twice is the same message, published once.
    Publish {
        id: u32,
        pipe: String,
        event: String,
        body: Body,
        /// Do not say who it was.
        anonymous: bool,
    },
    /// Private messages up to here were handed to the page.
    Ack {
        position: Position,
    },
    History {
        id: u32,
        pipe: String,
        limit: usize,
    },
    /// Who listens to a `track_` pipe, or how many do to a `web_` one.
    Presence {
        id: u32,
        pipe: String,
    },
    /// Which of these users are here, or when they last were.
    Seen {
        id: u32,
        users: Vec<String>,
    },
}

/// How a page shows who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    Token(String),
    Key { user: String, key: String },
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

/// Why a request was not granted. [`Problem::as_str`] is what a page compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("this frame is no request")]
    BadFrame,
    #[error("a pipe is named with 3 to 64 letters, digits, `_` and `-`, an event with up to 64")]
    BadName,
    #[error("a message body is at most 65,535 bytes long")]
    TooLong,
    #[error("this is for those who are logged in")]
    LoginFirst,
    #[error("the login was refused")]
    LoginRefused,
    #[error("pages may not do this with a pipe of this name")]
    Forbidden,
    #[error("too many messages in too short a time, or too many pipes")]
    TooMany,
    #[error("the relay cannot keep the message now; try again in a moment")]
    Unavailable,
    /// Of logins, from this address or for this user.
    #[error("too many tries: wait {seconds} s")]
    TooManyTries { seconds: u32 },
}

impl Problem {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadFrame => "BadFrame",
            Self::BadName => "BadName",
            Self::TooLong => "TooLong",
            Self::LoginFirst => "LoginFirst",
            Self::LoginRefused => "LoginRefused",
            Self::Forbidden => "Forbidden",
            Self::TooMany => "TooMany",
            Self::Unavailable => "Unavailable",
            Self::TooManyTries { .. } => "TooManyTries",
        }
    }
}

/// Why the relay ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// More is waiting than is kept for one reader. Come back and say what you have.
    TooSlow,
    /// The same page has a newer connection.
    Replaced,
    /// The login was taken back, or the user removed.
    Revoked,
    /// The token has run out, and no newer one was shown.
    Expired,
    /// The user has as many connections as one may have.
    TooMany,
    Stopping,
}

impl Why {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooSlow => "TooSlow",
            Self::Replaced => "Replaced",
            Self::Revoked => "Revoked",
            Self::Expired => "Expired",
            Self::TooMany => "TooMany",
            Self::Stopping => "Stopping",
        }
    }
}

/// When somebody was last here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    Online,
    /// Unix milliseconds.
    At(u64),
    Never,
}

/// What the relay answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Welcome {
        user: Option<String>,
    },
    Listening {
        id: u32,
        /// Where each pipe's messages begin for this reader: those after that follow.
        pipes: Vec<(String, Position)>,
        /// Pipes of which something is lost for this reader.
        gaps: Vec<String>,
        refused: Vec<(String, Problem)>,
        /// How many messages follow at once, of all these pipes.
        missed: usize,
    },
    Published {
        id: u32,
        position: Position,
        listeners: usize,
    },
    History {
        id: u32,
        messages: Vec<Arc<Message>>,
    },
    Presence {
        id: u32,
        count: usize,
        /// User and page; empty where only the number may be known.
        listeners: Vec<(Option<String>, String)>,
    },
    Seen {
        id: u32,
        seen: Vec<(String, Seen)>,
    },
    Failed {
        id: Option<u32>,
        problem: Problem,
    },
}

impl Request {
    /// Reads a frame. What is wrong with it comes with the `id` it carried, if that could be read.
    pub fn parse(frame: &str) -> Result<Self, (Option<u32>, Problem)> {
        let bad = (None, Problem::BadFrame);
        let members = json::members(frame).map_err(|_| bad)?;
        let raw = |name: &str| {
            let found = members.iter().find(|(member, _)| member == name);
            found.map(|(_, raw)| *raw).filter(|raw| *raw != "null")
        };
        let text = |name: &str| raw(name).and_then(|raw| json::string(raw).ok());
        let id: Option<u32> = raw("id").and_then(|raw| raw.parse().ok());
        let bad = (id, Problem::BadFrame);
        let number = || id.ok_or(bad);
        let pipe = || {
            let pipe = text("pipe").ok_or(bad)?;
            is_pipe(&pipe).then_some(pipe).ok_or((id, Problem::BadName))
        };
        let list = |name: &str| {
            let elements = raw(name)
                .and_then(|raw| json::elements(raw).ok())
                .ok_or(bad)?;
            if elements.len() > MAX_LIST {
                return Err((id, Problem::TooMany));
            }
            let texts = elements
                .into_iter()
                .map(|raw| json::string(raw).map_err(|_| bad));
            texts.collect::<Result<Vec<_>, _>>()
        };
        Ok(match text("do").ok_or(bad)?.as_str() {
            "hello" => {
                let page = text("page")
                    .filter(|page| page.len() <= MAX_PAGE)
                    .ok_or(bad)?;
                let login = match (text("token"), text("user"), text("key")) {
                    (Some(token), ..) => Some(Login::Token(token)),
                    (None, Some(user), Some(key)) => Some(Login::Key { user, key }),
                    _ => None,
                };
                Self::Hello { page, login }
            }
            "listen" => {
                let pipes = raw("pipes")
                    .and_then(|raw| json::members(raw).ok())
                    .ok_or(bad)?;
                if pipes.len() > MAX_LIST {
                    return Err((id, Problem::TooMany));
                }
                let have = |raw: &str| json::string(raw).ok().and_then(|text| text.parse().ok());
                let pipes = pipes.into_iter().map(|(pipe, raw)| (pipe, have(raw)));
                Self::Listen {
                    id: number()?,
                    pipes: pipes.collect(),
                }
            }
            "leave" => Self::Leave {
                pipes: list("pipes")?,
            },
            "publish" => {
                let event = text("event").unwrap_or_default();
                if !is_event(&event) {
                    return Err((id, Problem::BadName));
                }
                let data = raw("data").unwrap_or("null").to_owned();
                Self::Publish {
                    id: number()?,
                    pipe: pipe()?,
                    event,
                    body: Body::json(data).map_err(|_| (id, Problem::TooLong))?,
                    anonymous: raw("anonymous") == Some("true"),
                }
            }
            "ack" => {
                let position = text("pos").and_then(|text| text.parse().ok()).ok_or(bad)?;
                Self::Ack { position }
            }
            "history" => {
                let limit = raw("limit")
                    .map_or(Ok(usize::MAX), str::parse)
                    .map_err(|_| bad)?;
                Self::History {
                    id: number()?,
                    pipe: pipe()?,
                    limit,
                }
            }
            "presence" => Self::Presence {
                id: number()?,
                pipe: pipe()?,
            },
            "seen" => Self::Seen {
                id: number()?,
                users: list("users")?,
            },
            _ => return Err(bad),
        })
    }

    /// The frame.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = String::from("{\"do\":");
        match self {
            Self::Hello { page, login } => {
                out.push_str("\"hello\"");
                member(&mut out, "page", page);
                match login {
                    Some(Login::Token(token)) => member(&mut out, "token", token),
                    Some(Login::Key { user, key }) => {
                        member(&mut out, "user", user);
                        member(&mut out, "key", key);
                    }
                    None => {}
                }
            }
            Self::Listen { id, pipes } => {
                asks(&mut out, "listen", *id);
                out.push_str(",\"pipes\":");
                object(&mut out, pipes, |out, have| match have {
                    Some(have) => write_position(out, *have),
                    None => out.push_str("null"),
                });
            }
            Self::Leave { pipes } => {
                out.push_str("\"leave\",\"pipes\":");
                array(&mut out, pipes, |out, pipe| json::write_string(out, pipe));
            }
            Self::Publish {
                id,
                pipe,
                event,
                body,
                anonymous,
            } => {
                asks(&mut out, "publish", *id);
                member(&mut out, "pipe", pipe);
                member(&mut out, "event", event);
                if *anonymous {
                    out.push_str(",\"anonymous\":true");
                }
                out.push_str(",\"data\":");
                body.write(&mut out);
            }
            Self::Ack { position } => {
                out.push_str("\"ack\",\"pos\":");
                write_position(&mut out, *position);
            }
            Self::History { id, pipe, limit } => {
                asks(&mut out, "history", *id);
                member(&mut out, "pipe", pipe);
                if *limit != usize::MAX {
                    out.push_str(",\"limit\":");
                    number(&mut out, *limit as u64);
                }
            }
            Self::Presence { id, pipe } => {
                asks(&mut out, "presence", *id);
                member(&mut out, "pipe", pipe);
            }
            Self::Seen { id, users } => {
                asks(&mut out, "seen", *id);
                out.push_str(",\"users\":");
                array(&mut out, users, |out, user| json::write_string(out, user));
            }
        }
        out.push('}');
        out
    }
}

impl Answer {
    /// The frame.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = String::from("{\"re\":");
        match self {
            Self::Welcome { user } => {
                out = String::from("{\"welcome\":");
                match user {
                    Some(user) => json::write_string(&mut out, user),
                    None => out.push_str("null"),
                }
            }
            Self::Listening {
                id,
                pipes,
                gaps,
                refused,
                missed,
            } => {
                number(&mut out, u64::from(*id));
                out.push_str(",\"pipes\":");
                object(&mut out, pipes, |out, at| write_position(out, *at));
                out.push_str(",\"gaps\":");
                array(&mut out, gaps, |out, pipe| json::write_string(out, pipe));
                out.push_str(",\"refused\":");
                object(&mut out, refused, |out, why| {
                    json::write_string(out, why.as_str());
                });
                out.push_str(",\"missed\":");
                number(&mut out, *missed as u64);
            }
            Self::Published {
                id,
                position,
                listeners,
            } => {
                number(&mut out, u64::from(*id));
                out.push_str(",\"pos\":");
                write_position(&mut out, *position);
                out.push_str(",\"listeners\":");
                number(&mut out, *listeners as u64);
            }
            Self::History { id, messages } => {
                number(&mut out, u64::from(*id));
                out.push_str(",\"messages\":");
                array(&mut out, messages, |out, message| {
                    // a frame is made from text
                    out.push_str(str::from_utf8(message.frame()).unwrap_or("null"));
                });
            }
            Self::Presence {
                id,
                count,
                listeners,
            } => {
                number(&mut out, u64::from(*id));
                out.push_str(",\"count\":");
                number(&mut out, *count as u64);
                out.push_str(",\"listeners\":");
                array(&mut out, listeners, |out, (user, page)| {
                    out.push_str("{\"page\":");
                    json::write_string(out, page);
                    if let Some(user) = user {
                        member(out, "user", user);
                    }
                    out.push('}');
                });
            }
            Self::Seen { id, seen } => {
                number(&mut out, u64::from(*id));
                out.push_str(",\"seen\":");
                object(&mut out, seen, |out, seen| match seen {
                    Seen::Online => out.push_str("\"online\""),
                    Seen::At(at) => number(out, *at),
                    Seen::Never => out.push_str("null"),
                });
            }
            Self::Failed { id, problem } => {
                match id {
                    Some(id) => number(&mut out, u64::from(*id)),
                    None => out.push_str("null"),
                }
                member(&mut out, "error", problem.as_str());
                member(&mut out, "text", &problem.to_string());
                if let Problem::TooManyTries { seconds } = problem {
                    out.push_str(",\"wait\":");
                    number(&mut out, u64::from(*seconds));
                }
            }
        }
        out.push('}');
        out
    }
}

/// The last frame of a session.
#[must_use]
pub fn goodbye(why: Why) -> String {
    ["{\"bye\":\"", why.as_str(), "\"}"].concat()
}

fn asks(out: &mut String, what: &str, id: u32) {
    json::write_string(out, what);
    out.push_str(",\"id\":");
    number(out, u64::from(id));
}

fn member(out: &mut String, name: &str, text: &str) {
    out.push(',');
    json::write_string(out, name);
    out.push(':');
    json::write_string(out, text);
}

fn number(out: &mut String, number: u64) {
    // writing to a String does not fail
    let _ = write!(out, "{number}");
}

fn write_position(out: &mut String, position: Position) {
    let _ = write!(out, "\"{position}\"");
}

fn object<T>(out: &mut String, members: &[(String, T)], value: impl Fn(&mut String, &T)) {
    out.push('{');
    for (at, (name, member)) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::write_string(out, name);
        out.push(':');
        value(out, member);
    }
    out.push('}');
}

fn array<T>(out: &mut String, elements: &[T], value: impl Fn(&mut String, &T)) {
    out.push('[');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        value(out, element);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_understood() {
        let at = Position {
            epoch: 71,
            offset: 4,
        };
        for (request, frame) in [
            (
                Request::Hello {
                    page: "4f".into(),
                    login: None,
                },
                r#"{"do":"hello","page":"4f"}"#,
            ),
            (
                Request::Listen {
                    id: 1,
                    pipes: vec![("msg".into(), Some(at)), ("web_visit".into(), None)],
                },
                r#"{"do":"listen","id":1,"pipes":{"msg":"71-4","web_visit":null}}"#,
            ),
            (
                Request::Leave {
                    pipes: vec!["web_visit".into()],
                },
                r#"{"do":"leave","pipes":["web_visit"]}"#,
            ),
            (
                Request::Publish {
                    id: 2,
                    pipe: "web_visit".into(),
                    event: "said".into(),
                    body: Body::json("{\"a\": 1}").unwrap(),
                    anonymous: true,
                },
                r#"{"do":"publish","id":2,"pipe":"web_visit","event":"said","anonymous":true,"data":{"a": 1}}"#,
            ),
            (
                Request::Ack { position: at },
                r#"{"do":"ack","pos":"71-4"}"#,
            ),
            (
                Request::History {
                    id: 3,
                    pipe: "web_visit".into(),
                    limit: 50,
                },
                r#"{"do":"history","id":3,"pipe":"web_visit","limit":50}"#,
            ),
            (
                Request::Presence {
                    id: 4,
                    pipe: "track_room".into(),
                },
                r#"{"do":"presence","id":4,"pipe":"track_room"}"#,
            ),
            (
                Request::Seen {
                    id: 5,
                    users: vec!["2".into()],
                },
                r#"{"do":"seen","id":5,"users":["2"]}"#,
            ),
        ] {
            assert_eq!(request.print(), frame);
            assert_eq!(Request::parse(frame), Ok(request));
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_id() {
        for (frame, expected) in [
            ("", (None, Problem::BadFrame)),
            ("{\"do\":\"dance\",\"id\":9}", (Some(9), Problem::BadFrame)),
            (
                "{\"do\":\"publish\",\"id\":9,\"pipe\":\"a b\"}",
                (Some(9), Problem::BadName),
            ),
            (
                "{\"do\":\"presence\",\"pipe\":\"web_a\"}",
                (None, Problem::BadFrame),
            ),
            ("{\"do\":\"ack\",\"pos\":\"4\"}", (None, Problem::BadFrame)),
            (
                "{\"do\":\"history\",\"id\":1,\"pipe\":\"web_a\",\"limit\":-1}",
                (Some(1), Problem::BadFrame),
            ),
        ] {
            assert_eq!(Request::parse(frame), Err(expected), "{frame}");
        }
    }

    #[test]
    fn every_answer_is_json() {
        let position = Position {
            epoch: 1,
            offset: 2,
        };
        let body = Body::text("\"quoted\"").unwrap();
        let message = Arc::new(Message::new("web_a", position, "", body, 0));
        for answer in [
            Answer::Welcome {
                user: Some("o'\"hara".into()),
            },
            Answer::Welcome { user: None },
            Answer::Listening {
                id: 1,
                pipes: vec![("msg".into(), position)],
                gaps: vec!["web_a".into()],
                refused: vec![("private_a".into(), Problem::LoginFirst)],
                missed: 1,
            },
            Answer::Published {
                id: 1,
                position,
                listeners: 3,
            },
            Answer::History {
                id: 1,
                messages: vec![message.clone(), message],
            },
            Answer::Presence {
                id: 1,
                count: 2,
                listeners: vec![(None, "a".into()), (Some("2".into()), "b".into())],
            },
            Answer::Seen {
                id: 1,
                seen: vec![
                    ("2".into(), Seen::Online),
                    ("3".into(), Seen::At(9)),
                    ("4".into(), Seen::Never),
                ],
            },
            Answer::Failed {
                id: None,
                problem: Problem::TooManyTries { seconds: 34 },
            },
        ] {
            let frame = answer.print();
            serde_json::from_str::<serde_json::Value>(&frame)
                .unwrap_or_else(|error| panic!("{frame}: {error}"));
        }
        serde_json::from_str::<serde_json::Value>(&goodbye(Why::TooSlow)).unwrap();
    }
}
