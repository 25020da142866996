//! The packets before the login: the greeting, the client's answer, a switch of the method.

use super::{
    UTF8MB4_BIN,
    auth::{Method, Nonce},
    capability as cap,
    read::{Malformed, Reader},
    write::nul_text,
};
use crate::cometql::VERSION;

/// What this server can do. No compression, no LOCAL INFILE, no several statements in one query.
pub const OURS: u32 = cap::LONG_PASSWORD
    | cap::FOUND_ROWS
    | cap::LONG_FLAG
    | cap::CONNECT_WITH_DB
    | cap::PROTOCOL_41
    | cap::TRANSACTIONS
    | cap::SECURE_CONNECTION
    | cap::PLUGIN_AUTH
    | cap::CONNECT_ATTRS
    | cap::PLUGIN_AUTH_LENENC_DATA
    | cap::DEPRECATE_EOF;

/// `SERVER_STATUS_AUTOCOMMIT`: every statement is done for good when it is answered.
pub const AUTOCOMMIT: u16 = 2;
/// `SERVER_STATUS_IN_TRANS`: BEGIN was said. PHP's PDO believes this flag rather than itself.
pub const IN_TRANSACTION: u16 = 1;

/// The greeting, protocol 10.
#[must_use]
pub fn greeting(connection: u32, method: Method, nonce: &Nonce, tls: bool) -> Vec<u8> {
    let capabilities = OURS | if tls { cap::SSL } else { 0 };
    let [low_a, low_b, high_a, high_b] = capabilities.to_le_bytes();
    let mut out = vec![10];
    nul_text(&mut out, VERSION);
    out.extend_from_slice(&connection.to_le_bytes());
    out.extend_from_slice(&nonce.0[..8]);
    out.push(0);
    out.extend_from_slice(&[low_a, low_b, UTF8MB4_BIN]);
    out.extend_from_slice(&AUTOCOMMIT.to_le_bytes());
    out.extend_from_slice(&[high_a, high_b]);
    // the nonce and the NUL that follows it
    out.push(nonce.0.len() as u8 + 1);
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(&nonce.0[8..]);
    out.push(0);
    nul_text(&mut out, method.name());
    out
}

/// Asks for another method, with a nonce of its own.
#[must_use]
pub fn switch(method: Method, nonce: &Nonce) -> Vec<u8> {
    let mut out = vec![0xFE];
    nul_text(&mut out, method.name());
    out.extend_from_slice(&nonce.0);
    out.push(0);
    out
}

/// What a client says to the greeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// Nothing yet: TLS comes first.
    Tls,
    Login(Login),
}

/// A login, by the greeting's answer or by COM_CHANGE_USER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub capabilities: u32,
    pub user: String,
    pub proof: Vec<u8>,
    pub database: Option<String>,
    /// The method the proof was made by, as the client names it.
    pub method: Option<String>,
}

impl Hello {
    pub fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let capabilities = reader.u32()?;
        // clients before MySQL 4.1 say something else altogether
        if capabilities & cap::PROTOCOL_41 == 0 {
            return Err(Malformed);
        }
        // the largest packet, the character set, 23 reserved bytes
        reader.take(4 + 1 + 23)?;
        if capabilities & cap::SSL != 0 && reader.is_empty() {
            return Ok(Self::Tls);
        }
        let user = reader.text_until_nul()?.to_owned();
        let proof = if capabilities & cap::PLUGIN_AUTH_LENENC_DATA != 0 {
            reader.lenenc_bytes()?
        } else if capabilities & cap::SECURE_CONNECTION != 0 {
            let length = reader.u8()?;
            reader.take(usize::from(length))?
        } else {
            reader.until_nul()
        };
        let proof = proof.to_vec();
        let mut text = |flag| -> Result<Option<String>, Malformed> {
            if capabilities & flag == 0 || reader.is_empty() {
                return Ok(None);
            }
            let text = reader.text_until_nul()?;
            Ok((!text.is_empty()).then(|| text.to_owned()))
        };
        // the connection attributes after these tell about the client's machine; nobody needs them
        Ok(Self::Login(Login {
            capabilities,
            user,
            proof,
            database: text(cap::CONNECT_WITH_DB)?,
            method: text(cap::PLUGIN_AUTH)?,
        }))
    }
}

impl Login {
    /// COM_CHANGE_USER, after its first byte. The capabilities stay what they were.
    pub fn change_user(payload: &[u8], capabilities: u32) -> Result<Self, Malformed> {
        let mut reader = Reader::new(payload);
        let user = reader.text_until_nul()?.to_owned();
        let length = reader.u8()?;
        let proof = reader.take(usize::from(length))?.to_vec();
        let database = reader.text_until_nul()?;
        let database = (!database.is_empty()).then(|| database.to_owned());
        let mut method = None;
        if !reader.is_empty() {
            reader.u16()?;
            if capabilities & cap::PLUGIN_AUTH != 0 && !reader.is_empty() {
                method = Some(reader.text_until_nul()?.to_owned());
            }
        }
        Ok(Self {
            capabilities,
            user,
            proof,
            database,
            method,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the mariadb client sends for `-u root -D CometQL_v1`, with a proof of zeros.
    fn login() -> Vec<u8> {
        let capabilities =
            cap::PROTOCOL_41 | cap::SECURE_CONNECTION | cap::CONNECT_WITH_DB | cap::PLUGIN_AUTH;
        let mut bytes = capabilities.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 1, 45]);
        bytes.extend_from_slice(&[0; 23]);
        bytes.extend_from_slice(b"root\0\x14");
        bytes.extend_from_slice(&[0; 20]);
        bytes.extend_from_slice(b"CometQL_v1\0mysql_native_password\0");
        bytes
    }

    #[test]
    fn a_login_is_read() {
        let Ok(Hello::Login(read)) = Hello::parse(&login()) else {
            panic!("no login");
        };
        assert_eq!(read.user, "root");
        assert_eq!(read.proof, [0; 20]);
        assert_eq!(read.database.as_deref(), Some("CometQL_v1"));
        assert_eq!(read.method.as_deref(), Some("mysql_native_password"));
    }

    #[test]
    fn a_login_cut_anywhere_is_malformed_or_shorter() {
        let whole = login();
        for length in 0..whole.len() {
            if let Ok(Hello::Login(read)) = Hello::parse(&whole[..length]) {
                assert!(length >= 58 && read.proof.len() == 20);
            }
        }
    }

    #[test]
    fn a_wish_for_tls_comes_without_a_name() {
        let mut bytes = (cap::PROTOCOL_41 | cap::SSL).to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0; 28]);
        assert_eq!(Hello::parse(&bytes), Ok(Hello::Tls));
    }
}
