//! The demo: choose who you are, see who is there, ring them, talk.
//!
//! `main` mounts, [`app`] chooses the screen. What happens to a visit is decided in [`visit`], a
//! pure state machine; what is said about it in [`words`]; only [`desk`] speaks to the phone.

mod app;
mod browser;
mod components;
mod desk;
mod hooks;
mod pages;
mod people;
mod phone;
mod visit;
mod words;

fn main() {
    yew::Renderer::<app::App>::with_root(browser::root()).render();
}
