//! Call ladders: agents on a pretend network and virtual time, the messages and news as text.

mod ladders {
    pub mod clinic;

    mod basics;
}
