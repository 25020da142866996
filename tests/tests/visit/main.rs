//! A first visit: a doctor and a patient, each with a browser, and one relay.
//!
//! `cargo xtask test visit` runs these. Every story has people of its own on a shared stage
//! (`clinicall_tests::story`), so they may run side by side.

mod answering;
mod attack_18;
mod crossing;
mod endings;
mod jssip;
mod login;
mod networks;
mod restarting;
mod sipjs;
mod tabs;
mod talking;
