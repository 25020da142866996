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

/// Of all time.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    lost: f64,
    came: f64,
    bytes: f64,
    /// Packets of sound and of pictures.
    sent: [f64; 2],
}

type Totals = Rc<Cell<Total>>;

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
    let mut total = Total::default();
    // of what, when it was told, loss, round trip
    let mut told = Vec::new();
    let mut now = 0.0_f64;
    report.unchecked_ref::<Map>().for_each(&mut |stats, _| {
        let number = |name: &str| {
            Reflect::get(&stats, &name.into())
                .ok()
                .and_then(|value| value.as_f64())
        };
        let value = |name| number(name).unwrap_or(0.0);
        let text = |name: &str| Reflect::get(&stats, &name.into()).unwrap_or_default();
        let picture = usize::from(text("kind") == "video");
        match text("type").as_string().as_deref() {
            Some("remote-inbound-rtp") => {
                told.push((
                    picture,
                    ["timestamp", "fractionLost", "roundTripTime"].map(value),
                ));
            }
            Some("outbound-rtp") => total.sent[picture] += value("packetsSent"),
            Some("inbound-rtp") => {
                now = now.max(value("timestamp"));
                total.lost += value("packetsLost");
                total.came += value("packetsReceived");
                total.bytes += value("bytesReceived");
            }
            Some("candidate-pair") => {
                if let Some(available) = number("availableOutgoingBitrate") {
                    room = Some((available / 1_000.0) as u32);
                }
            }
            _ => {}
        }
    });
    let before = totals.replace(total);
    // of a paused picture the last word stays for ever, and that is never a good one
    let newest = told
        .iter()
        .fold(0.0, |newest, (_, [at, ..])| at.max(newest));
    let fresh = told.iter().filter(|(_, [at, ..])| *at >= newest - FRESH);
    // sound and picture go the same way: the worse of two reports on fifteen packets each says more of chance than of it,
    // and one on a speaker's silence next to nothing
    let (all, lost, rtt) = fresh.fold(
        (0.0_f64, 0.0_f64, 0.0_f64),
        |(all, lost, longest), (picture, [_, share, rtt])| {
            let sent = (total.sent[*picture] - before.sent[*picture]).max(1.0);
            (all + sent, lost + share * sent, longest.max(*rtt))
        },
    );
    let lost = lost / all.max(1.0);
    // late packets make a total shrink
    let gone = (total.lost - before.lost).max(0.0);
    let all = gone + (total.came - before.came).max(0.0);
    let missed = if all > 0.0 { gone / all } else { 0.0 };
    Sample {
        room,
        lost: (lost * 100.0) as u8,
        missed: (missed * 100.0) as u8,
        came: (total.bytes - before.bytes).max(0.0) as u32,
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
