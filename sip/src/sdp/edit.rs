//! Changes to descriptions, each named for what it does to whom. Every line that an edit does not
//! speak of stays as it was, where it was.

mod bitrate;
mod candidates;
mod chromium;
mod codecs;
mod extensions;
mod opus;
mod packets;
mod picture;
mod red;

pub use bitrate::{application_specific, bandwidth, cap_bitrate, remove_bandwidth, set_bandwidth};
pub use candidates::{remove_all_candidates, remove_candidates};
pub use chromium::{ChromiumBitrates, set_chromium_bitrates};
pub use codecs::{keep_codecs, prefer_codecs, remove_feedback};
pub use extensions::{keep_extensions, remove_extension};
pub use opus::{OpusParameters, set_opus_parameters};
pub use packets::{cap_packet_time, remove_packet_times, set_packet_time};
pub use picture::{
    PictureLimits, keep_layers, limit_picture, receive_simulcast, remove_scalability,
    remove_simulcast,
};
pub use red::{prefer_red, remove_red};
