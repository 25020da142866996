//! Changes to descriptions, each named for what it does to whom. Every line that an edit does not
//! speak of stays as it was, where it was.

mod bitrate;
mod candidates;
mod codecs;
mod extensions;
mod opus;

pub use bitrate::{cap_bitrate, remove_bandwidth, set_bandwidth};
pub use candidates::{remove_all_candidates, remove_candidates};
pub use codecs::{keep_codecs, prefer_codecs, remove_feedback};
pub use extensions::{keep_extensions, remove_extension};
pub use opus::{OpusParameters, set_opus_parameters};
