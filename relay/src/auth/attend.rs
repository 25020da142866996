//! Answers the signal task's questions about people, each in a task of its own, and tells it whose
//! login was taken back.

use std::time::Duration;

use clinicall_sip::Millis;
use tokio::sync::mpsc;

use super::{Auth, Revoked};
use crate::{
    clock::unix_seconds,
    config::Config,
    signal::{Handle, Note, Question, Stopped, Told},
};

/// Questions that wait for a task; as many as the signal task has requests waiting.
const QUESTIONS: usize = 1_024;
/// What is left of a deadline for the way back.
const MARGIN: Duration = Duration::from_secs(1);

/// Starts attending to the signal task.
pub async fn attend(auth: &Auth, config: &Config, signal: &Handle) -> Result<(), Stopped> {
    let (questions, mut asked) = mpsc::channel(QUESTIONS);
    let deadline = Duration::from_millis(config.login.webhook_deadline_ms) + MARGIN;
    let deadline = Millis(u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX));
    let (calls, guesses) = (auth.asks_about_calls(), auth.guesses().clone());
    signal
        .run(move |exchange, _| exchange.attach_doorman(deadline, calls, guesses))
        .await?;
    signal.tell(Note::Doorman(questions)).await?;

    let (own, way_back) = (auth.clone(), signal.clone());
    tokio::spawn(async move {
        while let Some((ask, question)) = asked.recv().await {
            let (auth, signal) = (own.clone(), way_back.clone());
            tokio::spawn(async move {
                let told = answer(&auth, question).await;
                let shown = match &told {
                    Told::Token(Ok((grant, _))) => {
                        grant.token.map(|token| (grant.user.clone(), token))
                    }
                    _ => None,
                };
                // the relay may be stopping
                let _ = signal
                    .run(move |exchange, now| exchange.told(now, ask, told))
                    .await;
                // taken back between the question and the answer, when there was nothing to close
                if let Some((user, token)) = shown.filter(|(_, token)| auth.is_revoked(*token)) {
                    let token = Some(token);
                    let _ = signal
                        .run(move |exchange, now| exchange.revoke(now, &Revoked { user, token }))
                        .await;
                }
            });
        }
    });
    let mut revocations = auth.revocations();
    let signal = signal.clone();
    tokio::spawn(async move {
        while let Some(revoked) = revocations.recv().await {
            let done = signal.run(move |exchange, now| exchange.revoke(now, &revoked));
            if done.await.is_err() {
                return;
            }
        }
    });
    Ok(())
}

async fn answer(auth: &Auth, question: Question) -> Told {
    match question {
        Question::Keys { user } => Told::Keys(auth.sip_keys(&user).await),
        Question::Token { token } => Told::Token(auth.token(&token.0).await.map(|grant| {
            let left = grant
                .expires
                .map_or(u64::MAX, |at| at.saturating_sub(unix_seconds()));
            // a token within its skew is good for a moment
            (grant, Millis::from_secs(left.clamp(1, YEAR)))
        })),
        Question::Call { from, to } => Told::Call(auth.may_call(&from, &to).await),
    }
}

/// Seconds; longer than any socket.
const YEAR: u64 = 31_536_000;
