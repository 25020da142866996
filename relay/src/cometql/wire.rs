//! The MySQL protocol, pure: bytes in, commands out; answers in, bytes out.
//!
//! The contract of [`connection::Connection`]: feed it bytes, drain its outputs, give each
//! statement it hands out one answer. It never holds more than one packet's worth of bytes, and
//! until somebody has logged in that is [`packet::BEFORE_LOGIN`].

pub mod answer;
pub mod auth;
pub mod connection;
pub mod handshake;
pub mod packet;
pub mod prepared;
pub mod read;
pub mod write;

/// Capability flags of the handshake, as MySQL's documentation names them.
pub mod capability {
    pub const LONG_PASSWORD: u32 = 1;
    pub const FOUND_ROWS: u32 = 1 << 1;
    pub const LONG_FLAG: u32 = 1 << 2;
    pub const CONNECT_WITH_DB: u32 = 1 << 3;
    pub const PROTOCOL_41: u32 = 1 << 9;
    pub const SSL: u32 = 1 << 11;
    pub const TRANSACTIONS: u32 = 1 << 13;
    pub const SECURE_CONNECTION: u32 = 1 << 15;
    pub const PLUGIN_AUTH: u32 = 1 << 19;
    pub const CONNECT_ATTRS: u32 = 1 << 20;
    pub const PLUGIN_AUTH_LENENC_DATA: u32 = 1 << 21;
    pub const DEPRECATE_EOF: u32 = 1 << 24;
}

/// The character set of everything here: `utf8mb4_bin`, since comparisons are exact.
pub const UTF8MB4_BIN: u8 = 46;
