//! The relay as a value: boot reads like a checklist.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    admin::{self, Desk},
    auth::{Auth, api::ApiKeys, attend},
    backend::{self, Backend},
    comet::{self, Presence, flows::Login},
    cometql,
    config::Config,
    events::{
        Event, Events,
        attendance::{Attendance, By},
    },
    http::{
        self, App,
        listener::{Listener, Tls},
        peers::Peers,
    },
    media::{self, Media},
    metrics::Metrics,
    signal::{self, Exchange, MediaPlane, News, Note, Settings, users::Users},
    store::{self, Store},
    webhook::{self, Filter},
};

/// A running relay.
#[derive(Debug)]
pub struct Server {
    config: Arc<Config>,
    tls: bool,
    http: SocketAddr,
    cometql: Option<SocketAddr>,
    signal: signal::Handle,
    comet: comet::Handle,
    events: Events,
    media: Arc<dyn MediaPlane>,
    stop_accepting: watch::Sender<bool>,
}

impl Server {
    /// Binds the sockets, starts the workers and the signal task, and accepts.
    pub async fn start(config: Config, dev: bool) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let metrics = Arc::new(Metrics::default());
        let tls = Tls::load(&config.http)?;
        let sql = &config.cometql;
        let sql_tls = Tls::read("cometql", sql.cert.as_deref(), sql.key.as_deref())?;
        let secure = tls.is_some();
        let tcp = TcpListener::bind(config.http.listen)
            .await
            .with_context(|| format!("cannot listen on `http.listen` {}", config.http.listen))?;
        let http = tcp.local_addr()?;
        let store = Store::open(config.store.path.as_deref())?;
        let hooks: Vec<_> = config.webhook.iter().map(Filter::of).collect();
        let keep = config.events.keep;
        let events = Events::start(store.clone(), keep, hooks.clone(), metrics.clone());
        webhook::start(&config.webhook, &store, &events, &metrics)?;
        tokio::spawn(store::keeper::run(store.clone()));
        if let Some(path) = &config.store.path {
            let desk = Desk {
                store: store.clone(),
                events: Some(events.clone()),
                hooks,
                api_keys: ApiKeys::new(&config, &store),
            };
            if let Err(error) = admin::start(desk, path) {
                tracing::warn!(%error, "no admin socket: `clinicall user` cannot reach this relay");
            }
        }
        let (plane, media_events) = Media::start(media_config(&config, http))
            .with_context(|| format!("cannot bind media to {}", config.media.bind))?;
        let media: Arc<dyn MediaPlane> = Arc::new(plane);

        let auth = Auth::open(&config, &store).await?;
        let settings = comet::Settings::from_config(&config);
        let grace = Duration::from_millis(settings.limits.grace);
        let attendance = Attendance::start(events.clone(), store.clone(), grace);
        let (teller, hall) = (events.clone(), attendance.clone());
        let comet =
            comet::Handle::start(store.clone(), settings, metrics.clone(), move |presence| {
                match presence {
                    Presence::Online { user } => hall.came(user, By::Page),
                    Presence::Offline { user } => hall.left(user, By::Page),
                    Presence::Undelivered { user, id, event } => {
                        let id = id.to_string();
                        teller.emit(Event::MessageUndelivered { user, id, event });
                    }
                }
            });
        comet.follow(&auth);

        let exchange = Exchange::new(
            Settings::from_config(&config),
            Users::from_config(&config),
            media.clone(),
            metrics.clone(),
            seed()?,
        );
        let teller = events.clone();
        let pages = comet.clone();
        let signal = signal::Handle::start(exchange, metrics.clone(), move |news| {
            match &news {
                News::LoggedIn {
                    flow,
                    user,
                    rights,
                    token,
                } => {
                    let login = Login {
                        user: user.as_str().into(),
                        rights: *rights,
                        token: *token,
                    };
                    pages.logged_in(*flow, login);
                }
                News::Online { user } => attendance.came(user.clone(), By::Phone),
                News::Offline { user } => attendance.left(user.clone(), By::Phone),
                News::Banished { user } => attendance.banished(user.clone()),
                _ => {}
            }
            if let Some(event) = Event::of(&news) {
                teller.emit(event);
            }
        });
        attend(&auth, &config, &signal).await?;
        let ear = signal.clone();
        std::thread::Builder::new()
            .name("media-events".to_owned())
            .spawn(move || {
                while let Ok(event) = media_events.recv() {
                    if ear.tell_blocking(Note::Media(event)).is_err() {
                        return;
                    }
                }
            })?;

        signal
            .tell(Note::Stored(store.read(|view| store::users::all(view))?))
            .await?;
        tokio::spawn(follow_users(store.clone(), signal.clone()));

        let invited = store.read(all_invited)?;
        let fill = move |exchange: &mut Exchange, now| {
            exchange.rooms(now, |rooms, _| rooms.set_invited(invited));
        };
        signal.run(fill).await?;
        let bell = comet::cppcomet::Bell::new(&seed()?);
        let backend = Backend::new(backend::Parts {
            store: store.clone(),
            auth: auth.clone(),
            comet: comet.clone(),
            bell: bell.clone(),
            signal: signal.clone(),
            invitations: config.limits.invitations,
        });

        let limits = &config.limits;
        let peers = || Peers::new(limits.sockets, limits.sockets_per_address);
        let app = App {
            config: config.clone(),
            dev,
            signal: signal.clone(),
            media: media.clone(),
            metrics: metrics.clone(),
            api_keys: ApiKeys::new(&config, &store),
            store,
            auth,
            backend,
            events: events.clone(),
            bell,
            comet: comet.clone(),
            sockets: peers(),
        };
        let (stop_accepting, stop) = watch::channel(false);
        let cometql = cometql::serve::open(
            &config,
            dev,
            app.backend.clone(),
            app.auth.clone(),
            sql_tls.as_ref().or(tls.as_ref()),
            metrics.clone(),
            stop.clone(),
        )
        .await?;
        let listener = Listener {
            tcp,
            tls,
            config: config.clone(),
            pages: http::router(app),
            media: media.clone(),
            peers: peers(),
            metrics,
        };
        tokio::spawn(listener.run(stop));
        tracing::info!(%http, tls = secure, dev, domain = config.host(), "listening");
        Ok(Self {
            config,
            tls: secure,
            http,
            cometql,
            signal,
            comet,
            events,
            media,
            stop_accepting,
        })
    }

    /// Where HTTP is spoken; the port the system chose when 0 was asked for.
    #[must_use]
    pub const fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where CometQL is spoken, if it is.
    #[must_use]
    pub const fn cometql(&self) -> Option<SocketAddr> {
        self.cometql
    }

    /// One line for tests and supervisors. Its form is kept.
    #[must_use]
    pub fn listening(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let port = self.media.ports().first().copied().unwrap_or(0);
        let media = SocketAddr::new(self.config.media.bind, port);
        let cometql = self.cometql.map(|cometql| format!(" cometql={cometql}"));
        let cometql = cometql.unwrap_or_default();
        format!(
            "listening http={} scheme={scheme} media={media}{cometql}",
            self.http
        )
    }

    /// No new connections and no new calls; returns when every call has ended or the configured
    /// grace is over.
    pub async fn drain(&self) {
        let _ = self.stop_accepting.send(true);
        let grace = Duration::from_secs(self.config.http.shutdown_grace_seconds);
        let _ = tokio::time::timeout(grace, self.signal.drain()).await;
    }

    /// Ends what calls there are, closes every socket and stops the workers.
    pub async fn stop(self) {
        let _ = self.stop_accepting.send(true);
        self.signal.stop().await;
        // the sockets' tasks need a moment to write their goodbyes
        tokio::time::sleep(Duration::from_millis(200)).await;
        // after calls have ended with their reasons: pages have one socket for both
        self.comet.stop().await;
        // the last calls' endings, too, are to reach the clinic some day
        let _ = tokio::time::timeout(Duration::from_secs(2), self.events.flush()).await;
        let media = self.media;
        let _ = tokio::task::spawn_blocking(move || media.stop()).await;
    }
}

/// Tells the signal task of users who were added, changed or removed.
async fn follow_users(store: Store, signal: signal::Handle) {
    let mut changed = store.users_changed();
    while changed.changed().await.is_ok() {
        match store.read(|view| store::users::all(view)) {
            Ok(users) => {
                tracing::info!(users = users.len(), "users read anew");
                if signal.tell(Note::Stored(users)).await.is_err() {
                    return;
                }
            }
            Err(error) => tracing::error!(%error, "users not read"),
        }
    }
}

/// Who may enter which room.
fn all_invited(view: &store::View<'_>) -> Result<Vec<(String, String)>, store::StoreError> {
    const PAGE: usize = 1_000;
    let mut invited = Vec::new();
    let mut last = String::new();
    loop {
        let rooms = store::conference::rooms(view, &last, PAGE)?;
        for room in &rooms {
            let users = store::conference::of_room(view, room)?.into_iter();
            invited.extend(users.map(|invitation| (invitation.room, invitation.user)));
        }
        match rooms.into_iter().next_back() {
            Some(room) => last = room,
            None => return Ok(invited),
        }
    }
}

fn media_config(config: &Config, http: SocketAddr) -> media::Config {
    media::Config {
        bind: config.media.bind,
        port: config.media_port(),
        public: config.media.public.clone(),
        tcp_port: config.media.tcp.then_some(http.port()),
        udp: config.media.udp,
        workers: config.media.workers,
    }
}

fn seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| anyhow::anyhow!("the system gives no random bytes: {error}"))?;
    Ok(seed)
}
