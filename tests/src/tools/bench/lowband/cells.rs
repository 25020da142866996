//! The links that are measured.

use std::{fmt, str::FromStr};

use anyhow::{Context, Result, ensure};

use crate::{
    browser::Kind::{self, Chromium, Firefox},
    link::{Link, Loss},
};

const RATES: [u32; 6] = [16, 24, 32, 64, 150, 256];
const RTTS: [u64; 3] = [50, 300, 600];

/// A slow link and who is at its ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    pub kbps: u32,
    pub lossy: Lossy,
    pub rtt: u64,
    pub doctor: Kind,
    pub patient: Kind,
}

/// What is lost each way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lossy {
    /// Per cent, each packet for itself.
    Random(f64),
    /// [`Loss::BURSTS`].
    Bursts,
}

use Lossy::{Bursts, Random};

impl Cell {
    const fn new(kbps: u32, lossy: Lossy, rtt: u64) -> Self {
        Self {
            kbps,
            lossy,
            rtt,
            doctor: Chromium,
            patient: Chromium,
        }
    }

    /// At 300 ms, with these browsers.
    const fn between(doctor: Kind, patient: Kind, kbps: u32, lossy: Lossy) -> Self {
        Self {
            doctor,
            patient,
            ..Self::new(kbps, lossy, 300)
        }
    }

    pub fn link(self) -> Link {
        let link = Link::cell(self.kbps, 0.0, self.rtt);
        match self.lossy {
            Random(percent) => link.losing(Loss::Random(percent / 100.0)),
            Bursts => link.losing(Loss::BURSTS),
        }
    }

    /// Whether there is a picture: below 64 kbit/s nobody wants one.
    pub const fn video(self) -> bool {
        self.kbps >= 64
    }

    /// What the patient's client is told of the link: the named profile, or limits where none has this name.
    pub fn profile(self) -> serde_json::Value {
        match self.kbps {
            24 => serde_json::json!({ "audio": 20, "video": 0 }),
            kbps => serde_json::json!(format!("{kbps}k")),
        }
    }

    pub const fn browsers(self) -> (Kind, Kind) {
        (self.doctor, self.patient)
    }
}

/// Half an hour: every rate with and without loss; where loss and round trip are crossed, the rates that decide whether there is
/// speech (16), a face (64), a good picture (150); the promises of the design that are elsewhere (2 % at 16 kbit/s, 20 % at
/// 24, 600 ms at 16); and Firefox at either end and at both.
pub fn chosen() -> Vec<Cell> {
    let mut cells = Vec::new();
    for kbps in RATES {
        cells.extend([0.0, 5.0].map(|loss| Cell::new(kbps, Random(loss), 300)));
    }
    for kbps in [16, 64, 150] {
        cells.extend([Random(20.0), Bursts].map(|lossy| Cell::new(kbps, lossy, 300)));
        cells.push(Cell::new(kbps, Random(5.0), 600));
    }
    cells.extend([
        Cell::new(16, Random(2.0), 300),
        Cell::new(24, Random(20.0), 300),
        Cell::new(16, Random(0.0), 600),
        Cell::new(64, Random(5.0), 50),
        Cell::between(Chromium, Firefox, 64, Random(5.0)),
        Cell::between(Firefox, Chromium, 64, Random(5.0)),
        Cell::between(Firefox, Firefox, 16, Random(0.0)),
    ]);
    cells
}

/// Ten minutes: one of each kind.
pub fn brief() -> Vec<Cell> {
    vec![
        Cell::new(16, Random(0.0), 600),
        Cell::new(24, Random(20.0), 300),
        Cell::new(64, Random(5.0), 300),
        Cell::new(64, Bursts, 300),
        Cell::new(150, Random(0.0), 300),
        Cell::between(Chromium, Firefox, 64, Random(5.0)),
    ]
}

/// Every rate, loss and round trip, all in Chromium: about an hour and a half.
pub fn all() -> Vec<Cell> {
    let losses = [Random(0.0), Random(5.0), Random(20.0), Bursts];
    let links = RATES
        .into_iter()
        .flat_map(|kbps| losses.map(|lossy| (kbps, lossy)));
    links
        .flat_map(|(kbps, lossy)| RTTS.map(|rtt| Cell::new(kbps, lossy, rtt)))
        .collect()
}

impl FromStr for Cell {
    type Err = anyhow::Error;

    /// `64,5,300` or `64,burst,300`; `64,5,300,firefox,chromium` names the doctor's browser and the patient's.
    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split(',').collect();
        let browser = |at: usize| match words.get(at) {
            None | Some(&"chromium") => Ok(Chromium),
            Some(&"firefox") => Ok(Firefox),
            Some(other) => Err(anyhow::anyhow!("no browser `{other}`")),
        };
        ensure!(
            (3..=5).contains(&words.len()),
            "`{text}` is no cell: KBPS,LOSS,RTT, as 64,5,300"
        );
        let lossy = match words[1] {
            "burst" => Bursts,
            percent => Random(
                percent
                    .parse()
                    .context("the loss is a number in % or `burst`")?,
            ),
        };
        let kbps = words[0].parse().context("the rate is a number in kbit/s")?;
        let known = RATES.contains(&kbps);
        ensure!(known, "there are the rates {RATES:?}, and no {kbps}");
        Ok(Self {
            kbps,
            lossy,
            rtt: words[2]
                .parse()
                .context("the round trip is a number in ms")?,
            doctor: browser(3)?,
            patient: browser(4)?,
        })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kbit/s, ", self.kbps)?;
        match self.lossy {
            Random(percent) => write!(f, "{percent} % loss")?,
            Bursts => f.write_str("bursts of loss")?,
        }
        write!(f, ", {} ms", self.rtt)?;
        match self.browsers() {
            (Chromium, Chromium) => Ok(()),
            (doctor, patient) => write!(f, ", {doctor} and {patient} behind it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_named_as_it_is_printed() {
        let cell: Cell = "64,5,300".parse().unwrap();
        assert_eq!(cell.to_string(), "64 kbit/s, 5 % loss, 300 ms");
        let cell: Cell = "24,burst,600,firefox,chromium".parse().unwrap();
        assert_eq!(cell.lossy, Bursts);
        assert_eq!(cell.browsers(), (Firefox, Chromium));
        for wrong in ["", "64,5", "17,0,300", "64,much,300", "64,5,300,lynx"] {
            assert!(wrong.parse::<Cell>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_are_seventy_two_and_the_chosen_have_what_is_promised() {
        assert_eq!(all().len(), 72);
        let chosen = chosen();
        assert!(chosen.len() <= 28, "{}", chosen.len());
        for wanted in ["16,2,300", "24,20,300", "16,0,600", "64,0,300", "150,0,300"] {
            assert!(chosen.contains(&wanted.parse().unwrap()), "{wanted}");
        }
    }
}
