//! The phone in the page.
