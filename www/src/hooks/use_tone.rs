use gloo_timers::callback::Interval;
use wasm_bindgen::JsValue;
use web_sys::{AudioContext, OscillatorType};
use yew::prelude::*;

use crate::browser;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// Somebody calls: two rising notes, twice.
    Ring,
    /// Their phone rings: the long soft tone everybody knows from the telephone.
    RingBack,
}

/// One note: when it begins and how long it sounds, in seconds, and its pitch in hertz.
type Note = (f64, f64, f32);

impl Tone {
    fn notes(self) -> &'static [Note] {
        match self {
            Self::Ring => &[
                (0.0, 0.35, 587.3),
                (0.2, 0.5, 784.0),
                (0.9, 0.35, 587.3),
                (1.1, 0.5, 784.0),
            ],
            Self::RingBack => &[(0.0, 1.0, 425.0)],
        }
    }

    fn every_millis(self) -> u32 {
        match self {
            Self::Ring => 3_000,
            Self::RingBack => 4_000,
        }
    }

    /// Of full scale. The ring should be heard across a room, the ring-back only at the ear.
    fn loudness(self) -> f32 {
        match self {
            Self::Ring => 0.12,
            Self::RingBack => 0.04,
        }
    }
}

/// Sounds the tone for as long as it is wished for and the browser allows it.
#[hook]
pub fn use_tone(tone: Option<Tone>) {
    use_effect_with(tone, |&tone| {
        let ringer = tone
            .filter(|_| browser::may_sound())
            .and_then(|tone| Ringer::start(tone).ok());
        move || drop(ringer)
    });
}

struct Ringer {
    context: AudioContext,
    _again: Interval,
}

impl Ringer {
    fn start(tone: Tone) -> Result<Self, JsValue> {
        let context = AudioContext::new()?;
        sound(&context, tone)?;
        let repeated = context.clone();
        let again = Interval::new(tone.every_millis(), move || {
            // a lost audio device silences the ring; the picture and the title go on telling
            let _ = sound(&repeated, tone);
        });
        Ok(Self {
            context,
            _again: again,
        })
    }
}

impl Drop for Ringer {
    fn drop(&mut self) {
        let _ = self.context.close();
    }
}

fn sound(context: &AudioContext, tone: Tone) -> Result<(), JsValue> {
    for &(begin, length, pitch) in tone.notes() {
        let (begin, end) = (
            context.current_time() + begin,
            context.current_time() + begin + length,
        );
        let (note, volume) = (context.create_oscillator()?, context.create_gain()?);
        note.set_type(OscillatorType::Sine);
        note.frequency().set_value(pitch);
        // swell and fade: a tone that is cut clicks
        let gain = volume.gain();
        gain.set_value_at_time(0.0, begin)?;
        gain.linear_ramp_to_value_at_time(tone.loudness(), begin + 0.03)?;
        gain.linear_ramp_to_value_at_time(0.0, end)?;
        note.connect_with_audio_node(&volume)?;
        volume.connect_with_audio_node(&context.destination())?;
        note.start_with_when(begin)?;
        note.stop_with_when(end)?;
    }
    Ok(())
}
