//! The room as people live it, on virtual time.

#![allow(clippy::unwrap_used)]

mod clinic;
mod collapse;
mod hostile;
mod layers;
mod loss;
mod narrow;
mod redundant;
mod repair;
mod reports;
mod switch;
mod visit;
