//! The demo: choose who you are, see who is there, ring them, talk.
//!
//! [`app`] chooses the screen. What happens to a visit is decided in [`visit`], a pure state
//! machine; what is said about it in [`words`]. Both are tested natively; the rest lives in the
//! browser, where only [`desk`] speaks to the phone.

pub mod people;
pub mod visit;
pub mod words;

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
mod desk;
#[cfg(target_arch = "wasm32")]
mod hooks;
#[cfg(target_arch = "wasm32")]
mod pages;
#[cfg(target_arch = "wasm32")]
mod phone;

/// Shows the page.
#[cfg(target_arch = "wasm32")]
pub fn mount() {
    yew::Renderer::<app::App>::with_root(browser::root()).render();
}
