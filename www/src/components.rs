//! The pieces the pages are put together from.

pub mod avatar;
pub mod call_time;
pub mod icon;
pub mod notice_card;
pub mod person_card;
pub mod picture;
pub mod round_button;
