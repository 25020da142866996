//! Who is at the other end of a comet connection.

use std::net::IpAddr;

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use clinicall_comet::wire::{Login, Problem};

use super::Visitor;
use crate::{
    auth::{Right, Shown, TokenId},
    comet::renew::problem_of,
    http::{App, Client, api},
};

/// What the request's own headers tell; nobody is logged in yet.
pub(crate) fn visitor(client: Client, headers: &HeaderMap) -> Visitor {
    // a header is a stranger's words: so much of it as people need
    let text = |name: header::HeaderName| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or("").chars().take(256).collect::<String>()
    };
    Visitor {
        address: Some(client.address),
        agent: text(header::USER_AGENT),
        origin: text(header::ORIGIN),
        language: text(header::ACCEPT_LANGUAGE),
        ..Visitor::default()
    }
}

/// What becomes of a login while its connection lives.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// Unix seconds.
    pub expires: Option<u64>,
    pub token: Option<TokenId>,
}

/// Lets somebody in, as far as the login goes; without one, if guests may come.
pub(crate) async fn identify(
    app: &App,
    login: Option<Login>,
    visitor: &mut Visitor,
) -> Result<Entry, Problem> {
    let Some(login) = login else {
        (visitor.may_publish, visitor.may_listen) = (true, true);
        return match app.config.comet.guests {
            true => Ok(Entry::default()),
            false => Err(Problem::LoginFirst),
        };
    };
    let shown = match &login {
        Login::Token(token) => Shown::Token(token),
        Login::Key { user, key } => Shown::Key { user, key },
    };
    let address = visitor.address.unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let grant = app.auth.admit(address, shown).await;
    let grant = grant.map_err(|refused| {
        app.metrics.logins_failed_total.add(1);
        problem_of(refused)
    })?;
    visitor.may_publish = grant.may(Right::Publish);
    visitor.may_listen = grant.may(Right::Subscribe);
    visitor.user = Some(grant.user);
    Ok(Entry {
        expires: grant.expires,
        token: grant.token,
    })
}

/// `Authorization: Bearer TOKEN`, or `Clinicall USER:KEY`.
pub(super) async fn by_header(
    app: &App,
    headers: &HeaderMap,
    visitor: &mut Visitor,
) -> Result<Entry, Problem> {
    let header = headers.get(header::AUTHORIZATION);
    let login = match header.map(|value| value.to_str()) {
        None => None,
        Some(Ok(value)) => Some(read(value).ok_or(Problem::LoginRefused)?),
        Some(Err(_)) => return Err(Problem::LoginRefused),
    };
    identify(app, login, visitor).await
}

fn read(value: &str) -> Option<Login> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Login::Token(rest.trim().to_owned()));
    }
    let (user, key) = rest.trim().split_once(':')?;
    scheme
        .eq_ignore_ascii_case("clinicall")
        .then(|| Login::Key {
            user: user.to_owned(),
            key: key.to_owned(),
        })
}

pub(super) fn refused(problem: Problem) -> Response {
    if let Problem::TooManyTries { seconds } = problem {
        return api::Problem::too_many(&problem.to_string(), seconds.into()).into_response();
    }
    let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
    (StatusCode::UNAUTHORIZED, challenge, format!("{problem}\n")).into_response()
}
