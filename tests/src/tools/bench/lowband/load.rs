//! The first load of a page over a slow link: our client beside JsSIP, compressed as the relay serves them.
//!
//! From the click on a link to the page, nothing of it in the cache, until its script can make a phone: markup, script
//! and module; and of ours until the call button can be pressed, which fetches the phone later (`clinicall/button`;
//! JsSIP's button waits for JsSIP). The login is not in it. The pages are as small as `cargo xtask bench size` knows how to make them.

use std::{fs, path::Path, time::Duration};

use anyhow::Result;
use serde_json::json;

use super::Row;
use crate::{
    browser::{Browser, Kind},
    clinic::{Clinic, Plan, scratch},
    link::{
        Link,
        wire::{NEAR, Wire},
    },
    tools::{pkg, say, wasm},
};

const RATES: [u32; 3] = [16, 64, 150];
const RTT: u64 = 300;
/// 250 kB over 16 kbit/s.
const PATIENCE: Duration = Duration::from_secs(150);
/// The relay closes what is idle for so long; what TCP knows of the good link goes with it.
const IDLE: Duration = Duration::from_secs(11);

const PAGE: &str = "<!doctype html><meta charset=\"utf-8\"><title>A visit</title>";
/// Loads a page in a frame; resolves in milliseconds when its script says that it is ready.
const LOAD: &str = "const begun = performance.now();
    const frame = document.createElement('iframe');
    const ready = new Promise((resolve) => { globalThis.ready = resolve; });
    frame.src = arg;
    document.body.append(frame);
    await ready;
    return performance.now() - begun;";

pub fn rows() -> Result<Vec<Row>> {
    let folder = scratch("load")?;
    pages(&folder)?;
    let wire = Wire::lay(Link::good())?;
    let mut plan = Plan::new(&folder, &["patient"]);
    plan.net = Some(wire.near());
    plan.address = Some(NEAR);
    let clinic = Clinic::open(&plan)?;
    let secure = clinic.address();
    let with = json!({ "secure": secure.trim_end_matches('/') });
    let browser = Browser::launch_with(Kind::Chromium, Some(wire.far()), &with)?;
    let mut rows = Vec::new();
    for kbps in RATES {
        let [ours, button, jssip] = ["clinicall", "button", "jssip"].map(|name| -> Result<f64> {
            wire.becomes(Link::good());
            // every page has a cache of its own
            let page = browser.open(&clinic.address())?;
            std::thread::sleep(IDLE);
            wire.becomes(Link::cell(kbps, 0.0, RTT));
            let took: Result<f64> = page.eval_within(PATIENCE, LOAD, json!(format!("{name}.html")));
            wire.becomes(Link::good());
            let _ = page.close();
            let seconds = (took? / 100.0).round() / 10.0;
            say(format_args!(
                "first load of {name} at {kbps} kbit/s: {seconds} s"
            ));
            Ok(seconds)
        });
        let until = |what: &str| format!("first load at {kbps} kbit/s, {RTT} ms, until {what}");
        for (what, ours) in [
            (until("the button can be pressed"), button),
            (until("a phone can be made"), ours),
        ] {
            match (ours, &jssip) {
                (Ok(ours), Ok(jssip)) => rows.push(Row::less(what, "s", ours, *jssip)),
                (ours, jssip) => {
                    for error in [ours.as_ref().err(), jssip.as_ref().err()]
                        .into_iter()
                        .flatten()
                    {
                        say(format_args!("{what}: {error:#}"));
                    }
                }
            }
        }
    }
    drop(browser);
    drop(clinic);
    fs::remove_dir_all(folder)?;
    Ok(rows)
}

/// `index.html`, `clinicall.html`, `button.html` and `jssip.html` with what they need, each compressed.
fn pages(folder: &Path) -> Result<()> {
    let dist = pkg::make()?;
    fs::create_dir_all(folder.join("dist"))?;
    let module = "dist/clinicall_client_bg.wasm";
    fs::copy(dist.join("clinicall_client_bg.wasm"), folder.join(module))?;
    let mut files = vec![folder.join(module)];
    let preload = format!("<link rel=\"preload\" href=\"{module}\" as=\"fetch\" crossorigin>");
    for (name, head) in [
        ("index", ""),
        ("clinicall", preload.as_str()),
        ("button", ""),
        ("jssip", ""),
    ] {
        let (page, script) = (format!("{name}.html"), format!("{name}.js"));
        let mut text = [PAGE, head].concat();
        if name != "index" {
            text += &format!("<script type=\"module\" src=\"{script}\"></script>");
            let source = crate::repo::path("tests/js/load").join(name);
            wasm::minify(&source.with_extension("mjs"), &folder.join(&script), true)?;
            files.push(folder.join(script));
        }
        fs::write(folder.join(&page), text + "<body></body>")?;
        files.push(folder.join(page));
    }
    wasm::weigh(&files, true).map(drop)
}
