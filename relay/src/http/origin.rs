//! Which pages may open a socket: a page of another site must not speak with this browser's
//! address (cross-site WebSocket hijacking).

use axum::http::{HeaderMap, header};

use crate::config::Config;

/// True for a page of this relay's own host, for the origins listed in `http.trusted_origins`, and
/// for clients that send no `Origin`: every browser does.
#[must_use]
pub fn is_trusted_origin(config: &Config, headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    if config
        .http
        .trusted_origins
        .iter()
        .any(|listed| listed.eq_ignore_ascii_case(origin))
    {
        return true;
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    // a proxy may have taken off TLS, so only the authority is compared
    let authority = |text: &str, default: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_suffix(default)
            .map_or(text.clone(), str::to_owned)
    };
    let (default, own) = match origin.split_once("://") {
        Some(("https", own)) => (":443", own),
        Some(("http", own)) => (":80", own),
        _ => return false,
    };
    host.is_some_and(|host| authority(host, default) == authority(own, default))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(origin: Option<&str>, host: &str) -> bool {
        let mut config = Config::dev();
        config.http.trusted_origins = vec!["https://clinic.example".to_owned()];
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        is_trusted_origin(&config, &headers)
    }

    #[test]
    fn the_relays_own_pages_and_the_clinics_site_may_call() {
        assert!(trusted(Some("https://visits.example"), "visits.example"));
        assert!(trusted(
            Some("https://visits.example"),
            "visits.example:443"
        ));
        assert!(trusted(Some("http://127.0.0.1:8443"), "127.0.0.1:8443"));
        assert!(trusted(Some("https://clinic.example"), "visits.example"));
        assert!(trusted(None, "visits.example"));
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        assert!(!trusted(Some("https://evil.example"), "visits.example"));
        assert!(!trusted(
            Some("https://visits.example.evil.example"),
            "visits.example"
        ));
        assert!(!trusted(
            Some("https://visits.example:8443"),
            "visits.example"
        ));
        assert!(!trusted(Some("null"), "visits.example"));
        assert!(!trusted(Some("file://visits.example"), "visits.example"));
    }
}
