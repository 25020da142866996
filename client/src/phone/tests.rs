//! Stories of doctors and patients on virtual time: one phone, a pretend browser, a pretend server.

mod clinic;

mod calling;
mod foreign;
mod narrow;
mod resuming;
mod ringing;
mod tokens;
mod trouble;
