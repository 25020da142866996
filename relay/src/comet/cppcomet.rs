//! CppComet's socket dialect, so that a page with an unmodified CometServerApi.js finds here what
//! it knows: `GET /ws/sesion=...&myid=...`, with `/comet-server` in front as behind its NGINX.
//!
//! Every file but this one is pure. Better than the original, on purpose: pings keep the socket and
//! end a dead one, frames may be in pieces, a wrong command is answered and not hung up on, messages
//! that waited come once, histories and lists of private pipes are not for everybody, what a
//! page knows already is the only key it is told. Right for CppComet's JavaScript library 4.08 where
//! that is not what one would write ([`spelling`], and no close frame to a page that is to come back).

mod address;
mod call;
mod dialect;
mod print;
mod spelling;
mod token;

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use clinicall_comet::{MAX_FRAME, PRIVATE, hub::Out, wire::Request};
use tokio::{sync::broadcast, time::sleep_until};

pub use self::{
    address::{Knock, Refusal},
    call::{Bell, Place},
    dialect::{Dialect, Step},
};
use super::{
    NewSession, Session, Visitor,
    transport::{Entry, is_goodbye, visitor},
};
use crate::{
    auth::{Grant, Refused, Right, Shown, TokenId},
    backend::{Backend, Invitation},
    clock::{unix_ms, unix_seconds},
    config::Config,
    http::{App, Peer, client, is_trusted_origin, peers::Place as Seat},
    store,
    ws::{Bucket, Frame, Handshake, Heard, MISSED_PINGS, NoWebSocket, PING_EVERY, Socket, Terms},
};

/// What the client library is told it speaks, if it asks.
const PROTOCOL: &str = "chat";
/// A normal end (RFC 6455 section 7.4.1).
const GOODBYE: u16 = 1000;

/// `GET .../ws/...`.
pub(crate) async fn get(
    State(app): State<App>,
    Extension(peer): Extension<Peer>,
    uri: Uri,
    headers: HeaderMap,
    handshake: Result<Handshake, NoWebSocket>,
) -> Response {
    let handshake = match handshake {
        Ok(handshake) => handshake,
        Err(none) => {
            return none.answer("This address speaks CppComet's dialect over WebSocket.\n");
        }
    };
    let client = client(&app.config, peer, &headers);
    let Some(seat) = app.sockets.enter(client.address) else {
        app.metrics.sockets_refused_total.add(1);
        return (StatusCode::SERVICE_UNAVAILABLE, "Too many connections.\n").into_response();
    };
    let knock = match is_trusted_origin(&app.config, &headers) {
        true => Knock::parse(uri.path()),
        false => Err(Refusal::Origin),
    };
    let visitor = visitor(client, &headers);
    // a refusal is told in a frame: a browser shows a page nothing of an HTTP answer
    let terms = Terms {
        protocol: handshake.offers(PROTOCOL).then_some(PROTOCOL),
        compress: false,
        limit: MAX_FRAME,
    };
    handshake.accept(terms, move |socket| async move {
        match knock {
            Ok(knock) => carry(app, knock, visitor, seat, socket).await,
            Err(refusal) => {
                app.metrics.sockets_refused_total.add(1);
                bid_farewell(&socket, print::refusal(refusal)).await;
            }
        }
    })
}

async fn bid_farewell(socket: &Socket, last: String) {
    if socket.send([Frame::text(last)]).await {
        socket.close(GOODBYE, "").await;
    }
}

/// One socket from its opening to its end.
async fn carry(app: App, knock: Knock, mut visitor: Visitor, _seat: Seat, socket: Socket) {
    app.metrics.sockets_total.add(1);
    let (user, entry) = match identify(&app, &knock, &mut visitor).await {
        Ok(known) => known,
        // no close frame: after a clean end its client would never come back
        Err(refused) => {
            let last = print::refused(429, &refused.to_string());
            socket.send([Frame::text(last)]).await;
            return;
        }
    };
    let key = user.is_some().then_some(knock.key.as_str());
    let now = unix_ms();
    let hello = Frame::text(print::server_info(key, now));
    if !socket.send([hello]).await {
        return;
    }
    visitor.user.clone_from(&user);
    // every tab is a socket of its own under the same name: it must not take the others' place
    visitor.page.clone_from(&knock.uuid);
    // before the invitations are read, so that none falls between
    let bell = app.bell.listen();
    let new = NewSession {
        visitor,
        expires: entry.expires,
        token: entry.token,
        ..NewSession::default()
    };
    let session = match app.comet.open(new).await {
        Ok(session) => session,
        Err(why) => return bid_farewell(&socket, print::error(why.as_str())).await,
    };
    let mut talk = Talk {
        listens: user.is_some() || app.config.comet.guests,
        app,
        user,
        tenant: knock.tenant,
        dialect: Dialect::new(now),
        session,
    };
    if talk.user.is_some() {
        talk.session.listen_private().await;
    }
    if talk.run(&socket, bell).await {
        talk.session.leave();
    }
}

/// Who it is, if the page shows that it is: by a `users_auth` key, by CppComet's tokens, or by the
/// clinic's own.
async fn identify(
    app: &App,
    knock: &Knock,
    visitor: &mut Visitor,
) -> Result<(Option<String>, Entry), Refused> {
    let guest = app.config.comet.guests;
    (visitor.may_publish, visitor.may_listen) = (guest, guest);
    let Some(user) = knock.user.as_ref().filter(|_| !knock.key.is_empty()) else {
        return Ok((None, Entry::default()));
    };
    let address = visitor.address.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let grant = match grant(app, knock, user, address).await {
        Ok(grant) if grant.user == *user => grant,
        Err(refused @ Refused::TooManyTries { .. }) => return Err(refused),
        _ => {
            app.metrics.logins_failed_total.add(1);
            return Ok((None, Entry::default()));
        }
    };
    visitor.may_publish = grant.may(Right::Publish);
    visitor.may_listen = grant.may(Right::Subscribe);
    let entry = Entry {
        expires: grant.expires,
        token: grant.token,
    };
    Ok((Some(grant.user), entry))
}

async fn grant(app: &App, knock: &Knock, user: &str, address: IpAddr) -> Result<Grant, Refused> {
    let key = &knock.key;
    if key.matches('.').count() != 2 {
        return app.auth.admit(address, Shown::Key { user, key }).await;
    }
    app.auth.may_try(address, None)?;
    let password = app.config.cometql.password.as_ref();
    let claims = password
        .and_then(|password| token::verify(&knock.key, password, &knock.tenant, unix_seconds()));
    let Some(claims) = claims else {
        return app.auth.admit(address, Shown::Token(key)).await;
    };
    let id = TokenId::of(&knock.key);
    let revoked = app.store.read(|view| store::revoked::contains(view, &id.0));
    // a store that fails lets nobody in
    if revoked.unwrap_or(true) {
        return Err(Refused::Revoked);
    }
    Ok(Grant {
        expires: Some(claims.expires),
        token: Some(id),
        ..Grant::of_user(&claims.user, None)
    })
}

/// Hears a page out, however fast it speaks. The library does not look at refusals, so what is too
/// fast for the hub waits here, and the page in its turn.
struct Ear<'a> {
    socket: &'a Socket,
    frames: Bucket,
    publications: Bucket,
    /// Heard, and to be dealt with at that time.
    held: Option<(Instant, Heard)>,
}

impl<'a> Ear<'a> {
    fn new(config: &Config, socket: &'a Socket, now: Instant) -> Self {
        let mut publications = Bucket::new(config.comet.publishes_per_second, now);
        // one fewer than the hub takes, whose clock is another
        publications.take(now);
        Self {
            socket,
            frames: Bucket::new(config.limits.messages_per_second, now),
            publications,
            held: None,
        }
    }

    /// Nothing is lost when the future is dropped.
    async fn next(&mut self) -> Heard {
        if self.held.is_none() {
            let heard = self.socket.next().await;
            let now = Instant::now();
            let mut wait = self.frames.take(now);
            if is_publication(&heard) {
                wait = wait.max(self.publications.take(now));
            }
            self.held = Some((now + wait, heard));
        }
        if let Some((at, _)) = &self.held {
            sleep_until((*at).into()).await;
        }
        self.held.take().map_or(Heard::Lost, |(_, heard)| heard)
    }
}

fn is_publication(heard: &Heard) -> bool {
    match heard {
        Heard::Text(text) => text.starts_with("web_pipe2"),
        Heard::Binary(bytes) => bytes.starts_with(b"web_pipe2"),
        _ => false,
    }
}

/// A socket that is let in.
struct Talk {
    app: App,
    /// `None`: a guest.
    user: Option<String>,
    /// May it ask for anything at all?
    listens: bool,
    tenant: String,
    dialect: Dialect,
    session: Session,
}

impl Talk {
    /// Until the socket ends; true when the page said goodbye.
    async fn run(
        &mut self,
        socket: &Socket,
        mut bell: broadcast::Receiver<Arc<Invitation>>,
    ) -> bool {
        let mut ear = Ear::new(&self.app.config, socket, Instant::now());
        let mut silence = 0;
        let mut ping = tokio::time::Instant::now() + PING_EVERY;
        if !say(socket, self.rung_before()).await {
            return false;
        }
        loop {
            let mut frames = Vec::new();
            tokio::select! {
                out = self.session.next() => match out {
                    // No farewell: the library comes back only from a connection that broke, and
                    // it should, be it to learn that its login is no good any more.
                    Some(Out::Closed(_)) => return false,
                    Some(out) => {
                        frames = self.dialect.tell(&out, unix_ms());
                        if !say(socket, frames).await {
                            return false;
                        }
                        self.received(&out).await;
                        continue;
                    }
                    None => return false,
                },
                heard = ear.next() => {
                    silence = 0;
                    match heard {
                        Heard::Text(text) => frames = self.hear(&text).await,
                        Heard::Binary(bytes) => {
                            if let Ok(text) = std::str::from_utf8(&bytes) {
                                frames = self.hear(text).await;
                            }
                        }
                        Heard::Alive => {}
                        Heard::Close(code) => {
                            socket.farewell(code).await;
                            return is_goodbye(code);
                        }
                        Heard::Broken(violation) => {
                            socket.reject(violation).await;
                            return false;
                        }
                        Heard::Lost => return false,
                    }
                }
                rung = bell.recv() => match rung {
                    Ok(invitation) if Some(&invitation.user) == self.user.as_ref() => {
                        frames = vec![self.call(&invitation, None)];
                    }
                    // what it lags behind is in the store
                    Err(broadcast::error::RecvError::Lagged(_)) => frames = self.rung_before(),
                    _ => {}
                },
                () = sleep_until(ping) => {
                    ping += PING_EVERY;
                    silence += 1;
                    if silence > MISSED_PINGS || !socket.send([Frame::Ping]).await {
                        return false;
                    }
                }
            }
            if !say(socket, frames).await {
                return false;
            }
        }
    }

    async fn hear(&mut self, frame: &str) -> Vec<String> {
        let mut said = Vec::new();
        for step in self.dialect.hear(frame) {
            match step {
                Step::Say(frame) => said.push(frame),
                Step::Ask(request) if self.listens => self.session.ask(request).await,
                Step::UserData { marker, user } if self.user.is_some() => {
                    let data = data_of(&self.app.backend, user.clone()).await;
                    said.push(print::user_data(&marker, &user, &data));
                }
                Step::Ask(_) | Step::UserData { .. } => said.push(print::error("LoginFirst")),
            }
        }
        said
    }

    /// The dialect has no word for it: what the kernel has taken counts as received.
    async fn received(&self, out: &Out) {
        if let Out::Message(message) = out
            && &*message.pipe == PRIVATE
        {
            let position = message.position;
            self.session.ask(Request::Ack { position }).await;
        }
    }

    /// Calls that still ring, for a page that comes to them late.
    fn rung_before(&self) -> Vec<String> {
        let Some(user) = &self.user else {
            return Vec::new();
        };
        let invited = self
            .app
            .store
            .read(|view| store::conference::of_user(view, user));
        let rings = self.app.config.calls.ring_timeout_seconds * 1_000;
        let now = unix_ms();
        let invited = invited.unwrap_or_default().into_iter();
        invited
            .filter(|invitation| invitation.at + rings > now)
            .map(|invitation| self.call(&invitation, Some(invitation.at)))
            .collect()
    }

    fn call(&self, invitation: &Invitation, waited_since: Option<u64>) -> String {
        let place = Place {
            host: self.app.config.host().to_owned(),
            port: self.app.config.http.listen.port(),
        };
        let key = random_key();
        let data = self.app.bell.data(invitation, &self.tenant, &place, &key);
        print::private("sys_sipCall", &data, waited_since)
    }
}

async fn data_of(backend: &Backend, user: String) -> String {
    let found = backend.data(&[user]).await.unwrap_or_default();
    found
        .into_iter()
        .next()
        .map(|(_, data)| data)
        .unwrap_or_default()
}

async fn say(socket: &Socket, frames: Vec<String>) -> bool {
    frames.is_empty() || socket.send(frames.into_iter().map(Frame::text)).await
}

/// In the form of a UUID, version 4.
fn random_key() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        return String::new();
    }
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let mut key = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&index) {
            key.push('-');
        }
        key.push_str(&format!("{byte:02x}"));
    }
    key
}
