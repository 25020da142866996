//! What one visit showed, and what it says beside another.

use std::fmt;

use super::{Cell, PATIENCE, PATIENCE_FOR_FRAME, cells::Lossy};
use crate::{
    link::{
        speech::{Recording, Score},
        village::{Beginning, While},
    },
    tools::bench::Row,
};

// The goals of the design, each in the cells that it is about.
const SECONDS_ABOVE: f64 = 1.0;
const ACCEPTED_AUDIO: f64 = 4.0;
const SIGNALLING: f64 = 6_000.0;
/// Nearly all words of a sentence; what Opus alone leaves at 6 kbit/s is 0.91.
const UNDERSTOOD: f64 = 0.75;
const FACE_FPS: f64 = 12.0;
const LIPS_FPS: f64 = 20.0;
/// Of CIF, "about".
const LIPS_LINES: f64 = 240.0;
/// EN 301 549 section 6.5.4.
const OFFSET: f64 = 100.0;

/// One visit; where both people have a figure it is the worse one's.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Seconds from the acceptance to the first sound and the first picture.
    accepted_audio: f64,
    accepted_frame: f64,
    /// Seconds from ringing to the first sound.
    rung_audio: f64,
    /// Bytes at IP level from ringing to the first sound: signalling, everything.
    signalling: f64,
    begin_bytes: f64,
    /// Per cent of 1 s windows above the budget, both ways together.
    above: f64,
    /// kbit/s: the mean, and the most in a second.
    up: (f64, f64),
    down: (f64, f64),
    /// Per cent.
    concealed: f64,
    score: Score,
    fps: f64,
    width: f64,
    height: f64,
    freezes: f64,
    /// Milliseconds between picture and sound; `None` where the browser says none.
    offset: Option<f64>,
}

impl Figures {
    /// Of a visit that did not come about: the limits.
    pub const NONE: Self = Self {
        accepted_audio: PATIENCE.as_secs() as f64,
        accepted_frame: PATIENCE_FOR_FRAME.as_secs() as f64,
        rung_audio: PATIENCE.as_secs() as f64,
        signalling: 0.0,
        begin_bytes: 0.0,
        above: 100.0,
        up: (0.0, 0.0),
        down: (0.0, 0.0),
        concealed: 100.0,
        score: Score::NOTHING,
        fps: 0.0,
        width: 0.0,
        height: 0.0,
        freezes: 0.0,
        offset: None,
    };

    /// Of a visit over a link of this rate.
    pub fn of(
        kbps: u32,
        beginning: &Beginning,
        seen: &While,
        recorded: &[Recording; 2],
        scores: &[Score; 2],
    ) -> Self {
        let [one, other] = scores;
        let (doctor, patient) = (seen.doctor, seen.patient);
        let (up, down) = seen.kbps();
        let most = |windows: &[u64]| {
            windows
                .iter()
                .max()
                .map_or(0.0, |most| *most as f64 / 125.0)
        };
        let offsets = recorded.iter().filter_map(|recording| recording.offset);
        let smaller = if doctor.height < patient.height {
            doctor
        } else {
            patient
        };
        Self {
            accepted_audio: beginning.accepted_audio,
            accepted_frame: beginning
                .accepted_frame
                .unwrap_or(PATIENCE_FOR_FRAME.as_secs_f64()),
            rung_audio: beginning.audio,
            signalling: beginning.signalling as f64,
            begin_bytes: beginning.bytes as f64,
            above: seen.above(kbps) * 100.0,
            up: (up, most(&seen.up)),
            down: (down, most(&seen.down)),
            concealed: doctor.concealed.max(patient.concealed) * 100.0,
            score: Score {
                stoi: one.stoi.min(other.stoi),
                estoi: one.estoi.min(other.estoi),
                pesq: one.pesq.min(other.pesq),
                missed: one.missed.max(other.missed),
                windows: one.windows.min(other.windows),
            },
            fps: doctor.fps.min(patient.fps),
            width: f64::from(smaller.width),
            height: f64::from(smaller.height),
            freezes: doctor.freezes.max(patient.freezes) as f64,
            offset: offsets.map(f64::abs).reduce(f64::max),
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            score, up, down, ..
        } = self;
        write!(
            f,
            "sound {:.1} s and picture {:.1} s after the acceptance ({:.1} s after ringing, {} bytes of signalling, {} in all), \
             up {:.1} kbit/s (at most {:.1}), down {:.1} ({:.1}), {:.0} % of seconds above, {:.1} % concealed, STOI {:.2}, \
             ESTOI {:.2}, PESQ {:.1}, {:.0} % of seconds lost, {:.1} fps of {}x{}, {} freezes, offset {:.0?} ms",
            self.accepted_audio,
            self.accepted_frame,
            self.rung_audio,
            self.signalling,
            self.begin_bytes,
            up.0,
            up.1,
            down.0,
            down.1,
            self.above,
            self.concealed,
            score.stoi,
            score.estoi,
            score.pesq,
            score.missed * 100.0,
            self.fps,
            self.width,
            self.height,
            self.freezes,
            self.offset,
        )
    }
}

/// Of a visit that no link limits.
pub fn own(figures: &Figures) -> Vec<Row> {
    let what = |what: &str| format!("no link but the codec and this machine: {what}");
    vec![
        Row::alone(what("concealed speech"), "%", hundredth(figures.concealed)),
        Row::alone(
            what("STOI missing to 1"),
            "of 1",
            hundredth(1.0 - figures.score.stoi),
        ),
    ]
}

fn hundredth(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

/// Ours beside JsSIP's.
pub fn rows(cell: Cell, ours: &Figures, jssip: &Figures) -> Vec<Row> {
    let both = |of: fn(&Figures) -> f64| (hundredth(of(ours)), hundredth(of(jssip)));
    let less = |what: &str, unit, of| {
        let (ours, jssip) = both(of);
        Row::less(format!("{cell}: {what}"), unit, ours, jssip)
    };
    let more = |what: &str, unit, of| {
        let (ours, jssip) = both(of);
        Row::more(format!("{cell}: {what}"), unit, ours, jssip)
    };
    let slow = cell.kbps == 16 && cell.rtt == 600;
    let lost = match cell.lossy {
        Lossy::Random(percent) => percent,
        Lossy::Bursts => f64::INFINITY,
    };
    let least = match cell.kbps {
        16 => 2.0,
        _ => 20.0,
    };
    let mut rows = vec![
        less("first audio after the acceptance", "s", |it| {
            it.accepted_audio
        })
        .goal_if(slow, ACCEPTED_AUDIO),
        less("first audio after ringing", "s", |it| it.rung_audio),
        less("signalling until then, at IP level", "bytes", |it| {
            it.signalling
        })
        .goal_if(slow, SIGNALLING),
        less("all bytes until then, at IP level", "bytes", |it| {
            it.begin_bytes
        }),
        less("seconds above the budget", "%", |it| it.above).goal(SECONDS_ABOVE),
        less("sent up", "kbit/s", |it| it.up.0),
        less("sent up, most in a second", "kbit/s", |it| it.up.1),
        less("sent down", "kbit/s", |it| it.down.0),
        less("sent down, most in a second", "kbit/s", |it| it.down.1),
        less("concealed speech", "%", |it| it.concealed),
    ];
    rows.extend([
        more("STOI", "of 1", |it| it.score.stoi).goal_if(lost <= least, UNDERSTOOD),
        more("ESTOI", "of 1", |it| it.score.estoi),
        more("PESQ", "MOS", |it| it.score.pesq),
        less("seconds of speech lost", "%", |it| it.score.missed * 100.0),
    ]);
    if cell.video() {
        let (face, lips) = (cell.kbps == 64, cell.kbps >= 150);
        let fps = if lips { LIPS_FPS } else { FACE_FPS };
        rows.extend([
            less("first frame after the acceptance", "s", |it| {
                it.accepted_frame
            }),
            more("frame rate", "fps", |it| it.fps).goal_if(lost <= 5.0 && (face || lips), fps),
            more("lines of the picture", "pixels", |it| it.height)
                .goal_if(lost <= 5.0 && lips, LIPS_LINES),
            less("freezes", "in 12 s", |it| it.freezes),
        ]);
        if let (Some(ours), Some(jssip)) = (ours.offset, jssip.offset) {
            let what = format!("{cell}: picture and sound apart");
            rows.push(Row::less(what, "ms", ours.round(), jssip.round()).goal(OFFSET));
        }
    }
    rows
}
