//! What a component does beside being drawn.

pub mod use_people;
pub mod use_title;
pub mod use_tone;
