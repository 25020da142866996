//! `getStats` every second, in the few numbers the quality policy looks at.

use std::{cell::Cell, rc::Rc};

use js_sys::{Map, Reflect};
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::RtcPeerConnection;

use super::{peer::Tell, promise::when, sender::lines_of};
use crate::{phone::PeerNews, quality::Sample};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setInterval)]
    fn set_interval(callback: &JsValue, milliseconds: f64) -> f64;
    #[wasm_bindgen(js_name = clearInterval)]
    fn clear_interval(id: f64);
}

const EVERY: f64 = 1_000.0;
/// Reports about sound and picture that are of one time, in milliseconds.
const FRESH: f64 = 1_500.0;

/// Measures as long as it lives.
pub(super) struct Meter {
    id: f64,
    _tick: Closure<dyn Fn()>,
}

/// Of all time: packets lost and come, bytes.
type Totals = Rc<Cell<(f64, f64, f64)>>;

impl Meter {
    pub fn start(connection: &RtcPeerConnection, tell: &Tell) -> Self {
        let totals = Totals::default();
        let (connection, tell) = (connection.clone(), tell.clone());
        let tick = Closure::<dyn Fn()>::new(move || {
            let (senders, totals, tell) = (connection.clone(), totals.clone(), tell.clone());
            when(connection.get_stats().unchecked_ref(), move |report| {
                if let Ok(report) = report {
                    tell(PeerNews::Measured(sample(&senders, &report, &totals)));
                }
            });
        });
        Self {
            id: set_interval(tick.as_ref(), EVERY),
            _tick: tick,
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        clear_interval(self.id);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn sample(connection: &RtcPeerConnection, report: &JsValue, totals: &Totals) -> Sample {
    let mut room = None;
    let (mut gone, mut came, mut bytes) = (0.0, 0.0, 0.0);
    // when it was told, loss, round trip
    let mut told = Vec::new();
    let mut now = 0.0_f64;
    report.unchecked_ref::<Map>().for_each(&mut |stats, _| {
        let number = |name: &str| {
            Reflect::get(&stats, &name.into())
                .ok()
                .and_then(|value| value.as_f64())
        };
        let kind = Reflect::get(&stats, &"type".into()).unwrap_or_default();
        match kind.as_string().as_deref() {
            Some("remote-inbound-rtp") => {
                let value = |name| number(name).unwrap_or(0.0);
                told.push(["timestamp", "fractionLost", "roundTripTime"].map(value));
            }
            Some("inbound-rtp") => {
                now = now.max(number("timestamp").unwrap_or(0.0));
                gone += number("packetsLost").unwrap_or(0.0);
                came += number("packetsReceived").unwrap_or(0.0);
                bytes += number("bytesReceived").unwrap_or(0.0);
            }
            Some("candidate-pair") => {
                if let Some(available) = number("availableOutgoingBitrate") {
                    room = Some((available / 1_000.0) as u32);
                }
            }
            _ => {}
        }
    });
    // of a paused picture the last word stays for ever, and that is never a good one
    let newest = told.iter().fold(0.0, |newest, [at, ..]| at.max(newest));
    let fresh = told.iter().filter(|[at, ..]| *at >= newest - FRESH);
    // sound and picture go the same way: the worse of two reports on fifteen packets each says more of chance than of it
    let (count, lost, rtt) = fresh.fold(
        (0.0_f64, 0.0_f64, 0.0_f64),
        |(count, lost, rtt), [_, more, longer]| (count + 1.0, lost + more, rtt.max(*longer)),
    );
    let lost = lost / count.max(1.0);
    let before = totals.replace((gone, came, bytes));
    // late packets make a total shrink
    let gone = (gone - before.0).max(0.0);
    let all = gone + (came - before.1).max(0.0);
    let missed = if all > 0.0 { gone / all } else { 0.0 };
    Sample {
        room,
        lost: (lost * 100.0) as u8,
        missed: (missed * 100.0) as u8,
        came: (bytes - before.2).max(0.0) as u32,
        rtt: (rtt * 1_000.0) as u32,
        untold: if told.is_empty() {
            0
        } else {
            (now - newest) as u32
        },
        lines: picture_lines(connection),
    }
}

/// Of the picture we send, whether paused or not.
fn picture_lines(connection: &RtcPeerConnection) -> u32 {
    let senders = connection.get_senders().into_iter();
    senders
        .filter_map(|sender| sender.unchecked_into::<web_sys::RtcRtpSender>().track())
        .filter(|track| track.kind() == "video")
        .map(|track| lines_of(&track))
        .sum()
}
