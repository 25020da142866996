//! What the operator may ask for. To add something: a variant, and its arm in [`Desk::carry_out`].

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    auth::api::{self, ApiKeys, KeyError, Last},
    config,
    events::{self, Events, stream},
    signal::users::{Keys, User},
    store::{Store, StoreError, outbox, users},
    webhook::Filter,
};

/// Rows of an answer that wait for a slow reader.
const WAITING: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Passwords do not travel: the keys are made where the password was typed.
    UserAdd {
        id: String,
        name: String,
        ha1_sha256: config::Secret,
        ha1_md5: config::Secret,
    },
    UserRemove {
        id: String,
    },
    UserList,
    /// The key itself does not travel: it is made where it is shown.
    ApiKeyPut {
        name: String,
        rights: Vec<String>,
        sha256: config::Secret,
        force: bool,
    },
    ApiKeyRevoke {
        name: String,
        force: bool,
    },
    ApiKeyList,
    /// A copy of the store as it is at this moment, in a new file.
    Backup {
        file: PathBuf,
    },
    /// Events after that id, or from now on, until the reader leaves.
    Events {
        after: Option<u64>,
    },
    /// Sends events to the webhooks once more.
    EventsReplay {
        after: u64,
        url: Option<String>,
    },
    /// Deliveries that wait or were given up, for each webhook.
    EventsStuck,
}

/// What commands are carried out on.
#[derive(Clone, Debug)]
pub struct Desk {
    pub store: Store,
    /// `None`: no relay runs here.
    pub events: Option<Events>,
    pub hooks: Vec<Filter>,
    pub api_keys: ApiKeys,
}

/// The answer as it comes.
#[derive(Debug)]
pub struct Rows {
    rows: mpsc::Receiver<Result<Value, String>>,
    endless: bool,
}

impl Rows {
    /// `None`: that was all.
    pub async fn next(&mut self) -> Option<Result<Value, String>> {
        self.rows.recv().await
    }

    /// Ends with its reader only.
    #[must_use]
    pub const fn is_endless(&self) -> bool {
        self.endless
    }
}

type Out = mpsc::Sender<Result<Value, String>>;

impl Desk {
    /// Begins at once; the rows follow.
    #[must_use]
    pub fn carry_out(&self, command: Command) -> Rows {
        let (out, rows) = mpsc::channel(WAITING);
        let endless = matches!(command, Command::Events { .. }) && self.events.is_some();
        let desk = self.clone();
        tokio::spawn(async move {
            if let Err(why) = desk.work(command, &out).await {
                let _ = out.send(Err(why)).await;
            }
        });
        Rows { rows, endless }
    }

    async fn work(self, command: Command, out: &Out) -> Result<(), String> {
        match command {
            Command::UserAdd {
                id,
                name,
                ha1_sha256,
                ha1_md5,
            } => {
                if !config::is_user_id(&id) {
                    return Err(format!(
                        "`{id}` is not an id\nhint: take 1 to 64 letters, digits, `.`, `-` or `_`"
                    ));
                }
                let (sha256, md5) = (Some(ha1_sha256.0), Some(ha1_md5.0));
                let keys = Keys { sha256, md5 };
                let user = User { id, name, keys };
                let put = self.store.write(move |changes| users::put(changes, &user));
                put.await.map_err(said)
            }
            Command::UserRemove { id } => {
                let user = id.clone();
                let removed = self
                    .store
                    .write(move |changes| users::remove(changes, &user));
                match removed.await.map_err(said)? {
                    true => Ok(()),
                    false => Err(format!("there is no user `{id}` in the store")),
                }
            }
            Command::UserList => {
                for user in self.store.read(|view| users::all(view)).map_err(said)? {
                    send(out, json!({ "id": user.id, "name": user.name })).await;
                }
                Ok(())
            }
            Command::ApiKeyPut {
                name,
                rights,
                sha256,
                force,
            } => {
                let hash = api::unhex(&sha256.0).ok_or("the hash is not 64 hexadecimal digits")?;
                let put = self.api_keys.put(None, &name, rights, hash, last(force));
                put.await.map_err(key_error)
            }
            Command::ApiKeyRevoke { name, force } => {
                let revoked = self.api_keys.revoke(None, &name, last(force));
                revoked.await.map_err(key_error)
            }
            Command::ApiKeyList => {
                for key in self.api_keys.list().map_err(said)? {
                    let row = json!({
                        "name": key.name, "rights": key.rights, "configured": key.configured,
                    });
                    send(out, row).await;
                }
                Ok(())
            }
            Command::Backup { file } => {
                let store = self.store.clone();
                let copied = tokio::task::spawn_blocking(move || store.backup(&file));
                let rows = copied.await.map_err(|error| error.to_string())?;
                send(out, json!({ "rows": rows.map_err(said)? })).await;
                Ok(())
            }
            Command::Events { after } => match &self.events {
                Some(events) => follow(events, after, out).await,
                None => self.kept(after.unwrap_or(0), out).await,
            },
            Command::EventsReplay { after, url } => {
                let queued = match &self.events {
                    Some(events) => events.replay(after, url).await,
                    None => {
                        let hooks = self.hooks.clone();
                        let replay = self.store.write(move |changes| {
                            events::replay(changes, &hooks, after, url.as_deref())
                        });
                        replay.await
                    }
                };
                send(out, json!({ "queued": queued.map_err(said)? })).await;
                Ok(())
            }
            Command::EventsStuck => self.stuck(out).await,
        }
    }

    async fn kept(&self, mut after: u64, out: &Out) -> Result<(), String> {
        loop {
            let page = self
                .store
                .read(|view| outbox::events_after(view, after, 100));
            let page = page.map_err(said)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.id;
            for record in page {
                send(out, json!(record)).await;
            }
        }
    }

    async fn stuck(&self, out: &Out) -> Result<(), String> {
        for hook in &self.hooks {
            let (waiting, dead) = self
                .store
                .read(|view| {
                    let waiting = outbox::deliveries(view, &hook.url, 0, 1000)?;
                    Ok((waiting, outbox::dead(view, &hook.url, 0, 1000)?))
                })
                .map_err(said)?;
            let url = crate::webhook::client::shown(&hook.url);
            for (state, deliveries) in [("waiting", waiting), ("given up", dead)] {
                for delivery in deliveries {
                    let head = delivery.head;
                    let row = json!({
                        "webhook": url, "state": state, "event": head.event, "type": head.kind,
                        "since": head.since, "attempts": head.attempts, "why": head.why,
                    });
                    send(out, row).await;
                }
            }
        }
        Ok(())
    }
}

async fn follow(events: &Events, after: Option<u64>, out: &Out) -> Result<(), String> {
    let mut subscription = events.subscribe(after).map_err(said)?;
    loop {
        let item = tokio::select! {
            item = subscription.next() => item,
            () = out.closed() => return Ok(()),
        };
        match item {
            Some(Ok(stream::Item::Event(record))) => send(out, json!(record)).await,
            Some(Ok(stream::Item::Missing { through })) => {
                send(out, json!({ "missing_through": through })).await;
            }
            Some(Err(error)) => return Err(said(error)),
            None => return Ok(()),
        }
    }
}

async fn send(out: &Out, row: Value) {
    // the reader may have gone; the work is done all the same
    let _ = out.send(Ok(row)).await;
}

const fn last(force: bool) -> Last {
    match force {
        true => Last::Force,
        false => Last::Keep,
    }
}

fn key_error(error: KeyError) -> String {
    match error {
        KeyError::Last(_) => format!("{error}\nhint: make another first, or add `--force`"),
        error => error.to_string(),
    }
}

fn said(error: StoreError) -> String {
    error.to_string()
}
