//! Webhooks: every event is told to the addresses of the configuration, signed, in the order of its
//! room, and again until it was taken or is too old.
//!
//! What is owed lies in the store ([`crate::store::outbox`]); [`schedule`] decides what goes out
//! when, [`client`] speaks HTTP, and one task for each webhook carries from one to the other.
//! Addresses come from the configuration file alone and redirects are not followed, so no event and
//! no page can make the relay ask anything of another server.

pub mod client;
pub mod schedule;
pub mod sign;

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::{
    clock::unix_ms,
    config::{Secret, Webhook},
    events::Events,
    http::post::Poster,
    log::Throttle,
    metrics::Metrics,
    store::{Store, StoreError, outbox},
};
use client::{Client, Failed, Request};
use schedule::{Item, Policy, Schedule, Verdict};

/// Deliveries of one webhook held in memory; the rest waits in the store.
const LOADED: usize = 5000;

/// After the store has failed.
const STORE_PAUSE: Duration = Duration::from_secs(5);

static FAILING: Throttle = Throttle::new(5, Duration::from_secs(60));

/// Which events a webhook is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The address, by which its deliveries are known in the store.
    pub url: String,
    /// `call.ended`, or `call.*`; all when empty.
    pub events: Vec<String>,
}

impl Filter {
    #[must_use]
    pub fn of(webhook: &Webhook) -> Self {
        Self {
            url: webhook.url.clone(),
            events: webhook.events.clone(),
        }
    }

    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.events.is_empty()
            || self
                .events
                .iter()
                .any(|wanted| match wanted.strip_suffix('*') {
                    Some(start) => kind.starts_with(start),
                    None => kind == wanted,
                })
    }
}

/// Starts a task for each webhook of the configuration; they end with the runtime. What is left of
/// a webhook that is no longer there stays in the store, should it come back.
pub fn start(
    webhooks: &[Webhook],
    store: &Store,
    events: &Events,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<()> {
    if webhooks.is_empty() {
        return Ok(());
    }
    for webhook in webhooks {
        let client = Client(Poster::new(webhook.ca.as_deref())?);
        let hook = Hook {
            url: webhook.url.clone(),
            shown: client::shown(&webhook.url),
            secret: webhook.secret.clone().unwrap_or(Secret(String::new())),
            timeout: Duration::from_secs(webhook.timeout_seconds),
            policy: Policy {
                concurrent: webhook.concurrent,
                give_up_ms: webhook.give_up_seconds.saturating_mul(1000),
                ..Policy::default()
            },
            client,
            store: store.clone(),
            metrics: metrics.clone(),
        };
        tokio::spawn(Arc::new(hook).run(events.written()));
    }
    Ok(())
}

#[derive(Debug)]
struct Hook {
    url: String,
    /// The address without what may be secret in it.
    shown: String,
    secret: Secret,
    timeout: Duration,
    policy: Policy,
    client: Client,
    store: Store,
    metrics: Arc<Metrics>,
}

impl Hook {
    async fn run(self: Arc<Self>, mut written: watch::Receiver<()>) {
        let mut schedule = Schedule::new(self.policy);
        let mut loaded = 0;
        let mut under_way = JoinSet::new();
        loop {
            written.mark_unchanged();
            if let Err(error) = self.load(&mut schedule, &mut loaded) {
                tracing::error!(%error, webhook = self.shown, "the outbox cannot be read");
                tokio::time::sleep(STORE_PAUSE).await;
                continue;
            }
            while let Some(item) = schedule.next(unix_ms()) {
                under_way.spawn(self.clone().deliver(item));
            }
            tokio::select! {
                changed = written.changed() => if changed.is_err() { return },
                Some(done) = under_way.join_next() => match done {
                    Ok((number, verdict)) => schedule.settle(number, verdict),
                    Err(error) => {
                        // a delivery that panicked is asked for again from the start
                        tracing::error!(%error, "a delivery broke");
                        under_way.abort_all();
                        schedule = Schedule::new(self.policy);
                        loaded = 0;
                    }
                },
                () = sleep_until(schedule.wake_at()) => {}
            }
        }
    }

    /// Takes more from the store while there is room.
    fn load(&self, schedule: &mut Schedule, loaded: &mut u64) -> Result<(), StoreError> {
        // in big steps, so that a long queue is not read row by row
        if schedule.len() > LOADED / 2 {
            return Ok(());
        }
        let after = *loaded;
        let more = self
            .store
            .read(|view| outbox::deliveries(view, &self.url, after, LOADED / 2))?;
        for delivery in more {
            *loaded = delivery.number;
            schedule.add(Item {
                number: delivery.number,
                lane: delivery.head.lane,
                kind: delivery.head.kind,
                event: delivery.head.event,
                since: delivery.head.since,
                attempts: delivery.head.attempts,
                not_before: delivery.head.not_before,
            });
        }
        Ok(())
    }

    /// Sends one and writes down what came of it before anything that follows it is sent.
    async fn deliver(self: Arc<Self>, item: Item) -> (u64, Verdict) {
        let outcome = self.post(&item).await;
        let verdict = match &outcome {
            Ok(()) => Verdict::Done,
            Err(failed) => self
                .policy
                .verdict(unix_ms(), &item, failed.retry_after_ms(), roll()),
        };
        let why = outcome
            .err()
            .map(|failed| failed.to_string())
            .unwrap_or_default();
        self.tell(&item, verdict, &why);
        let (hook, number) = (self.clone(), item.number);
        let written = self.store.write(move |changes| match verdict {
            Verdict::Done => outbox::done(changes, &hook.url, number),
            Verdict::Retry { at } => outbox::failed(changes, &hook.url, number, at, &why),
            Verdict::Bury => outbox::bury(changes, &hook.url, number, &why),
        });
        if let Err(error) = written.await {
            tracing::error!(%error, webhook = self.shown, "a delivery was not written down");
            // rather twice than never: it is still in the store
            return (
                number,
                Verdict::Retry {
                    at: unix_ms() + 60_000,
                },
            );
        }
        (number, verdict)
    }

    async fn post(&self, item: &Item) -> Result<(), Failed> {
        if self.policy.is_too_old(unix_ms(), item) {
            return Err(Failed::TooOld);
        }
        let body = self
            .store
            .read(|view| outbox::body(view, &self.url, item.number));
        let body = match body {
            Ok(Some(body)) => body,
            // somebody else has settled it
            Ok(None) => return Ok(()),
            Err(error) => return Err(Failed::Store(error.to_string())),
        };
        let signature = sign::header(&self.secret, unix_ms() / 1000, &body);
        let request = Request {
            url: &self.url,
            signature: &signature,
            kind: &item.kind,
            event: item.event,
            attempt: item.attempts.saturating_add(1),
            body,
        };
        self.client.post(request, self.timeout).await
    }

    fn tell(&self, item: &Item, verdict: Verdict, why: &str) {
        match verdict {
            Verdict::Done => self.metrics.webhook_delivered_total.add(1),
            Verdict::Retry { .. } => self.metrics.webhook_failed_total.add(1),
            Verdict::Bury => self.metrics.webhook_dead_total.add(1),
        }
        if verdict == Verdict::Done {
            return;
        }
        if let Some(left_out) = FAILING.admit(Instant::now().into_std()) {
            let given_up = verdict == Verdict::Bury;
            tracing::warn!(
                webhook = self.shown,
                event = item.event,
                attempt = item.attempts.saturating_add(1),
                given_up,
                why,
                left_out,
                "a webhook was not delivered"
            );
        }
    }
}

async fn sleep_until(at: Option<u64>) {
    match at {
        Some(at) => tokio::time::sleep(Duration::from_millis(at.saturating_sub(unix_ms()))).await,
        None => std::future::pending().await,
    }
}

/// For the jitter; a system without random bytes has none.
fn roll() -> u32 {
    getrandom::u32().unwrap_or(0)
}

#[cfg(test)]
mod tests;
