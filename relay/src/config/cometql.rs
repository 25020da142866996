//! `[cometql]`.

use std::{net::SocketAddr, path::PathBuf};

use super::{Config, Key, Secret, problem::Wrong, section};

section! {
    /// CometQL: the MySQL protocol, by which a back end in any language rings people and sends them
    /// messages: `INSERT INTO conference (name, user_id, message) VALUES ('1', 2, '')`.
    pub struct CometQl {
        /// Address and port to listen on (TCP), 3307 as CppComet has it. Off unless set. Keep it
        /// where only the back end reaches it; with a certificate clients may use TLS here too.
        pub listen: Option<SocketAddr> = None => r#""127.0.0.1:3307""#,
        /// The one password, for any user name. Pages that use CppComet's tokens sign them with it
        /// too, followed by the tenant's number.
        pub password: Option<Secret> = None => r#""CometQLPassword1""#,
        /// TLS with a certificate of its own (chain, PEM), where clients know this port by another name
        /// than the pages; else with `http.cert`.
        pub cert: Option<PathBuf> = None => r#""/etc/clinicall/sql.pem""#,
        /// Its private key (PEM).
        pub key: Option<PathBuf> = None => r#""/etc/clinicall/sql-key.pem""#,
        /// Take `mysql_native_password` (SHA-1) too, which every client knows. Without it only
        /// `caching_sha2_password`, which clients know since MySQL 8.
        pub native_password: bool = true,
        /// Open connections at a time.
        pub connections: usize = 500,
        /// How long a connection may be silent before it is closed.
        pub idle_seconds: u64 = 28_800,
    }
}

/// The password with `--dev`, on loopback alone.
const DEV_PASSWORD: &str = "demo-clinic";
const DEV_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 3307);

impl Config {
    pub(super) fn fill_in_cometql_for_dev(&mut self) {
        let cometql = &mut self.cometql;
        if cometql.password.is_none() {
            cometql.password = Some(Secret(DEV_PASSWORD.to_owned()));
            cometql.listen = cometql.listen.or(Some(DEV_LISTEN));
        }
    }

    pub(super) fn check_cometql(&self, dev: bool) -> Result<(), Wrong> {
        let cometql = &self.cometql;
        let wrong = |key: &str, what: &str, hint: &str| {
            Err(Wrong {
                key: format!("cometql.{key}"),
                what: what.to_owned(),
                hint: hint.to_owned(),
            })
        };
        let password = cometql.password.as_ref().map_or("", |secret| &secret.0);
        match cometql.listen {
            Some(listen) if dev && !listen.ip().is_loopback() => {
                return wrong(
                    "listen",
                    "is not a loopback address",
                    "`--dev` serves this machine alone; leave `--dev` away to be seen by others",
                );
            }
            Some(_) if password.is_empty() => {
                return wrong(
                    "password",
                    "is missing",
                    "whoever reaches the port may ring anybody",
                );
            }
            _ => {}
        }
        if !dev && password == DEV_PASSWORD {
            return wrong(
                "password",
                "is the demo password",
                "everybody knows it; take another",
            );
        }
        if cometql.cert.is_some() != cometql.key.is_some() {
            let key = if cometql.cert.is_some() {
                "key"
            } else {
                "cert"
            };
            return wrong(key, "is missing", "a certificate and its key go together");
        }
        if cometql.connections == 0 || cometql.idle_seconds == 0 {
            let key = if cometql.connections == 0 {
                "connections"
            } else {
                "idle_seconds"
            };
            return wrong(key, "is 0", "leave `listen` out to turn CometQL off");
        }
        Ok(())
    }
}
