//! What a page says, as requests of ours, and our answers as it expects them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use clinicall_comet::{
    Body, PRIVATE,
    hub::Out,
    is_pipe,
    wire::{Answer, Problem, Request},
};

use super::print::{self, Origin};

/// Pipes one socket may listen to.
const MAX_PIPES: usize = 32;
/// Questions that wait for their answer.
const MAX_PENDING: usize = 256;
/// The longest marker kept.
const MAX_MARKER: usize = 128;

/// What the shell is to do with what the page said.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Ask(Request),
    Say(String),
    /// Look up the data of this user, and say it under this marker.
    UserData {
        marker: String,
        user: String,
    },
}

/// A question of the page on its way through the hub.
#[derive(Debug)]
enum Pending {
    Published {
        pipe: String,
        body: Body,
    },
    Count {
        marker: String,
    },
    Users {
        marker: String,
    },
    Status,
    Log,
    /// Nobody waits for it.
    Silent,
}

/// One socket's conversation.
#[derive(Debug)]
pub struct Dialect {
    /// Unix milliseconds: what was sent before waited in the queue.
    opened: u64,
    next: u32,
    pending: BTreeMap<u32, Pending>,
    pipes: BTreeSet<String>,
}

impl Dialect {
    #[must_use]
    pub const fn new(opened: u64) -> Self {
        Self {
            opened,
            next: 1,
            pending: BTreeMap::new(),
            pipes: BTreeSet::new(),
        }
    }

    /// A text frame of the page: a command and its arguments, a line each.
    pub fn hear(&mut self, frame: &str) -> Vec<Step> {
        if self.pending.len() >= MAX_PENDING {
            return vec![Step::Say(print::error("too many questions at once"))];
        }
        let (command, rest) = frame.split_once('\n').unwrap_or((frame, ""));
        let mut lines = rest.split('\n');
        let mut line = || lines.next().unwrap_or("").trim_end_matches('\r');
        match command.trim_end_matches('\r') {
            "subscription" => self.subscribe(rest),
            "web_pipe2" => self.publish(rest),
            "pipe_count" => {
                let (pipe, marker) = (line().to_owned(), short(line()));
                let pending = Pending::Count { marker };
                self.ask(pending, |id| Request::Presence { id, pipe })
            }
            "track_pipe_users" => {
                let (pipe, marker) = (line().to_owned(), short(line()));
                if !pipe.starts_with("track_") {
                    return vec![Step::Say(print::error(Problem::Forbidden.as_str()))];
                }
                let pending = Pending::Users { marker };
                self.ask(pending, |id| Request::Presence { id, pipe })
            }
            "user_data" => {
                let (marker, user) = (short(line()), line().to_owned());
                vec![Step::UserData { marker, user }]
            }
            "user_status" => {
                let user = line().to_owned();
                if !crate::config::is_user_id(&user) {
                    return vec![Step::Say(print::error(Problem::BadName.as_str()))];
                }
                let users = vec![user];
                self.ask(Pending::Status, |id| Request::Seen { id, users })
            }
            "pipe_log" => {
                let (pipe, limit) = (line().to_owned(), 99);
                self.ask(Pending::Log, |id| Request::History { id, pipe, limit })
            }
            // what the client tells about itself, and two that never did anything
            "statistics" | "CometQL_call" | "cgi_call" => Vec::new(),
            _ => vec![Step::Say(print::error("unknown command"))],
        }
    }

    fn ask(&mut self, pending: Pending, request: impl FnOnce(u32) -> Request) -> Vec<Step> {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.pending.insert(id, pending);
        vec![Step::Ask(request(id))]
    }

    /// The page names all it wants to hear; only what is new is joined, and what is gone is left.
    fn subscribe(&mut self, names: &str) -> Vec<Step> {
        let names = names.split('\n').map(|name| name.trim_end_matches('\r'));
        // private messages come anyway, and what the client calls `_answer...` is no pipe
        let wanted: BTreeSet<String> = names
            .filter(|name| is_pipe(name) && *name != PRIVATE && !name.starts_with('_'))
            .take(MAX_PIPES + 1)
            .map(str::to_owned)
            .collect();
        if wanted.len() > MAX_PIPES {
            return vec![Step::Say(print::error("403"))];
        }
        let mut steps = Vec::new();
        let left: Vec<String> = self.pipes.difference(&wanted).cloned().collect();
        if !left.is_empty() {
            steps.push(Step::Ask(Request::Leave { pipes: left }));
        }
        let joined: Vec<_> = wanted.difference(&self.pipes).cloned().collect();
        if !joined.is_empty() {
            let pipes = joined.into_iter().map(|pipe| (pipe, None)).collect();
            steps.extend(self.ask(Pending::Silent, |id| Request::Listen { id, pipes }));
        }
        self.pipes = wanted;
        steps
    }

    /// Pipe, event, a line that means nothing, and the body, which may have lines of its own.
    fn publish(&mut self, rest: &str) -> Vec<Step> {
        let mut parts = rest.splitn(4, '\n');
        let (Some(pipe), Some(event), Some(_), Some(text)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return vec![Step::Say(print::error(Problem::BadFrame.as_str()))];
        };
        let (anonymous, pipe) = match pipe.strip_prefix('@') {
            Some(pipe) => (true, pipe),
            None => (false, pipe),
        };
        let Ok(body) = Body::guess(text.to_owned()) else {
            return vec![Step::Say(print::error(Problem::TooLong.as_str()))];
        };
        let (pipe, event) = (pipe.to_owned(), event.to_owned());
        let pending = Pending::Published {
            pipe: pipe.clone(),
            body: body.clone(),
        };
        self.ask(pending, |id| Request::Publish {
            id,
            pipe,
            event,
            body,
            anonymous,
        })
    }

    /// What the hub has for this reader, as frames. `now` is unix milliseconds.
    pub fn tell(&mut self, out: &Out, now: u64) -> Vec<String> {
        match out {
            Out::Message(message) => {
                let queued = &*message.pipe == PRIVATE && message.at < self.opened;
                let origin = if queued { Origin::Queue } else { Origin::Live };
                vec![print::message(message, origin)]
            }
            Out::Answer(answer) => self.answer(answer, now),
            Out::Closed(_) => Vec::new(),
        }
    }

    fn answer(&mut self, answer: &Answer, now: u64) -> Vec<String> {
        match answer {
            Answer::Published { id, listeners, .. } => match self.pending.remove(id) {
                Some(Pending::Published { pipe, body }) => {
                    vec![print::published(&pipe, &body, *listeners)]
                }
                _ => Vec::new(),
            },
            Answer::Presence {
                id,
                count,
                listeners,
            } => match self.pending.remove(id) {
                Some(Pending::Count { marker }) => vec![print::pipe_count(&marker, *count)],
                Some(Pending::Users { marker }) => vec![print::pipe_users(&marker, listeners)],
                _ => Vec::new(),
            },
            Answer::Seen { id, seen } => {
                self.pending.remove(id);
                let each = seen.iter();
                each.map(|(user, seen)| print::user_status(user, *seen, now))
                    .collect()
            }
            Answer::History { id, messages } => match self.pending.remove(id) {
                Some(Pending::Log) => messages
                    .iter()
                    .map(|message| print::message(message, Origin::History))
                    .collect(),
                _ => Vec::new(),
            },
            // a pipe that is for others is left out silently
            Answer::Listening { id, .. } => {
                self.pending.remove(id);
                Vec::new()
            }
            Answer::Failed { id, problem } => {
                if let Some(id) = id {
                    self.pending.remove(id);
                }
                vec![print::error(problem.as_str())]
            }
            Answer::Welcome { .. } => Vec::new(),
        }
    }
}

fn short(marker: &str) -> String {
    marker[..marker.floor_char_boundary(MAX_MARKER)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(steps: &[Step]) -> Vec<&str> {
        let pipes = steps.iter().filter_map(|step| match step {
            Step::Ask(Request::Listen { pipes, .. }) => Some(pipes),
            _ => None,
        });
        pipes.flatten().map(|(pipe, _)| &**pipe).collect()
    }

    #[test]
    fn a_new_set_of_pipes_changes_only_what_is_new() {
        let mut dialect = Dialect::new(0);
        let steps = dialect.hear("subscription\nweb_a\ntrack_b\nmsg\n_answer_pipe_count\n\nx");
        assert_eq!(listen(&steps), ["track_b", "web_a"]);
        let steps = dialect.hear("subscription\nweb_a\nweb_c");
        assert_eq!(
            steps[0],
            Step::Ask(Request::Leave {
                pipes: vec!["track_b".to_owned()]
            })
        );
        assert_eq!(listen(&steps), ["web_c"]);
        assert_eq!(dialect.hear("subscription\nweb_c\nweb_a"), []);
        let many: String = (0..33).map(|i| format!("\nweb_{i}")).collect();
        assert!(matches!(
            &dialect.hear(&format!("subscription{many}"))[..],
            [Step::Say(_)]
        ));
    }

    #[test]
    fn a_page_publishes_and_hears_how_many_got_it() {
        let mut dialect = Dialect::new(0);
        let steps = dialect.hear("web_pipe2\n@web_a\nsaid\n*\n{\"text\":\"a\\nb\"}");
        let [
            Step::Ask(Request::Publish {
                id,
                pipe,
                event,
                body,
                anonymous,
            }),
        ] = &steps[..]
        else {
            panic!("{steps:?}");
        };
        assert_eq!((&**pipe, &**event, *anonymous), ("web_a", "said", true));
        assert_eq!(body.as_str(), "{\"text\":\"a\\nb\"}");
        let answer = Answer::Published {
            id: *id,
            position: clinicall_comet::Position {
                epoch: 1,
                offset: 1,
            },
            listeners: 2,
        };
        let told = dialect.tell(&Out::Answer(answer.into()), 0);
        assert!(told[0].contains("_answer_to_web_a") && told[0].contains("\"number_messages\":2"));
        assert!(dialect.pending.is_empty());
    }

    #[test]
    fn a_body_may_have_lines() {
        let mut dialect = Dialect::new(0);
        let steps = dialect.hear("web_pipe2\nweb_a\n\n*\none\ntwo");
        assert!(matches!(
            &steps[..],
            [Step::Ask(Request::Publish { body, .. })] if body.as_str() == "one\ntwo"
        ));
    }

    #[test]
    fn nonsense_is_answered_and_never_ends_the_socket() {
        let mut dialect = Dialect::new(0);
        for frame in [
            "",
            "nonsense",
            "web_pipe2",
            "web_pipe2\nweb_a",
            "user_status\n",
            "track_pipe_users\nweb_a\nm",
            "{\"do\":\"hello\"}",
        ] {
            let steps = dialect.hear(frame);
            assert!(
                matches!(&steps[..], [Step::Say(said)] if said.contains("error")),
                "{frame:?}"
            );
        }
        assert_eq!(dialect.hear("statistics\n{}"), []);
    }

    #[test]
    fn questions_without_an_answer_have_a_bound() {
        let mut dialect = Dialect::new(0);
        for _ in 0..MAX_PENDING {
            assert!(matches!(
                &dialect.hear("pipe_count\nweb_a\nm\n")[..],
                [Step::Ask(_)]
            ));
        }
        assert!(matches!(
            &dialect.hear("pipe_count\nweb_a\nm\n")[..],
            [Step::Say(_)]
        ));
    }
}
