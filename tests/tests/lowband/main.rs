//! Visits over bad links.

mod emulator;
