//! What is kept in the same change as a message: a relay that dies right afterwards has both or
//! neither, so that whoever asks again is answered and not obeyed twice.

use std::fmt;

use clinicall_comet::hub::Draft;

use crate::store::{Changes, StoreError, idempotency};

/// Written along with a message, of which `T` is known by then.
pub struct Along<T>(Box<Write<T>>);

type Write<T> = dyn FnOnce(&mut Changes<'_>, T) -> Result<(), StoreError> + Send;

impl<T> Along<T> {
    pub fn new(
        write: impl FnOnce(&mut Changes<'_>, T) -> Result<(), StoreError> + Send + 'static,
    ) -> Self {
        Self(Box::new(write))
    }

    pub(super) fn write(self, changes: &mut Changes<'_>, about: T) -> Result<(), StoreError> {
        (self.0)(changes, about)
    }
}

impl<T> fmt::Debug for Along<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Along")
    }
}

/// A publication of a page's own, by the page's number for it: what is asked again after the relay
/// was started anew is not published again.
#[derive(Clone, Debug)]
pub(super) struct Own {
    page: String,
    number: String,
}

impl Own {
    pub fn of(draft: &Draft) -> Option<Self> {
        let (user, page, number) = draft.asked_by()?;
        // no API key has such a name
        let page = ["page:", user.unwrap_or(""), "/", page].concat();
        let number = number.to_string();
        Some(Self { page, number })
    }

    /// The offset it got when it was published before, after `since`.
    pub fn known(&self, changes: &Changes<'_>, since: u64) -> Result<Option<u64>, StoreError> {
        let kept = idempotency::get(changes, &self.page, &self.number)?;
        let kept = kept.filter(|kept| kept.at >= since);
        let offset = kept.and_then(|kept| <[u8; 8]>::try_from(kept.body).ok());
        Ok(offset.map(u64::from_be_bytes))
    }

    pub fn keep(&self, changes: &mut Changes<'_>, at: u64, offset: u64) -> Result<(), StoreError> {
        let kept = idempotency::Answer {
            at,
            request: [0; 32],
            status: 0,
            body: offset.to_be_bytes().to_vec(),
        };
        // each one that is kept makes room for two
        idempotency::expire(changes, at.saturating_sub(idempotency::KEEP), 2)?;
        idempotency::put(changes, &self.page, &self.number, &kept)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clinicall_comet::Body;

    use super::*;
    use crate::{
        comet::{Handle, Settings},
        config::Config,
        store::{Store, idempotency::Receipt},
    };

    #[tokio::test]
    async fn a_receipt_and_its_message_are_kept_both_or_neither() {
        let store = Store::open(None).unwrap();
        let settings = Settings::from_config(&Config::dev());
        let comet = Handle::start(store.clone(), settings, Arc::default(), |_| {});
        comet.set_history("web_ward", 10).await.unwrap();
        let body = || Body::json("1").unwrap();
        let receipt = Receipt {
            caller: "site".to_owned(),
            key: "visit-42".to_owned(),
            request: [7; 32],
        };
        let along = Along::new(move |changes, offset: u64| {
            receipt.keep(changes, 1, 201, offset.to_string().into_bytes())
        });
        let published = comet.publish("web_ward", "e", body(), None, Some(along));
        assert_eq!(published.await.unwrap().position.offset, 1);
        let kept = store.read(|view| idempotency::get(view, "site", "visit-42"));
        assert_eq!(kept.unwrap().unwrap().body, b"1");
        // a receipt that cannot be kept takes its message with it
        let full = || StoreError::Refused("no room".to_owned());
        let along = Along::new(move |_, _| Err(full()));
        let refused = comet.publish("web_ward", "e", body(), None, Some(along));
        assert!(refused.await.is_err());
        let along = Along::new(move |_, _| Err(full()));
        assert!(comet.send("2", "e", body(), Some(along)).await.is_err());
        assert_eq!(comet.history("web_ward", 9).await.unwrap().len(), 1);
        assert!(comet.queued("2").await.unwrap().is_empty());
    }
}
