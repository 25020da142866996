//! Visits over bad links.

mod button;
mod emulator;
mod moving;
mod slow;
mod speech;
