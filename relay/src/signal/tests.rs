//! Stories of doctors and patients on virtual time: real agents as phones, media of paper.

mod answering;
mod anything;
mod clinic;
mod conference;
mod crossing;
mod doors;
mod hostile;
mod leaving;
mod logging_in;
mod messages;
mod plane;
mod resuming;
mod rooms;
mod round_trips;

use clinic::Clinic;
