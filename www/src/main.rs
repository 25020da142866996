//! Mounts the demo.

#[cfg(target_arch = "wasm32")]
fn main() {
    clinicall_www::mount();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a browser: `cargo xtask demo` builds it and opens the door.");
}
