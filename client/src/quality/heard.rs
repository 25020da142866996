//! Whether what we send is still reported about.

use super::{FLOODED, Sample};

/// A receiver of pictures reports once a second: ms until a report is overdue while little of all else comes either,
/// and until it is in any case. Reports of three seconds in a row are not lost by chance.
const OVERDUE: u32 = 1_400;
const UNHEARD: u32 = 4_000;
/// Samples with a report in time before one can be overdue. Others report every five seconds: of theirs two in a row are.
/// A link that collapses a few seconds after the call began is to be noticed.
const PROMPT: u8 = 3;

#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Reports that came in time, up to [`PROMPT`].
    prompt: u8,
    /// Bytes that come in a second, times four.
    usual: u32,
}

impl Heard {
    /// A second has passed; `before`: the sample of the one before.
    pub fn measured(&mut self, before: &Sample, sample: &Sample) {
        self.prompt = match before.untold {
            // one that comes now is late
            before if before > OVERDUE + 1_000 && sample.untold < before => 0,
            _ if (1..=OVERDUE).contains(&sample.untold) => (self.prompt + 1).min(PROMPT),
            _ => self.prompt,
        };
        if sample.untold <= OVERDUE {
            let before = Some(self.usual).filter(|usual| *usual > 0);
            let before = before.unwrap_or(sample.came.saturating_mul(4));
            self.usual = (before - before / 4).saturating_add(sample.came);
        }
    }

    /// Not even the receiver's reports come through any more. In a link that has filled up both ways they take
    /// seconds, and most are lost: what they would tell is plain before they do.
    pub fn is_silent(&self, sample: &Sample) -> bool {
        let overdue = sample.untold > OVERDUE;
        let little = sample.missed >= FLOODED || sample.came < self.usual / 8;
        self.prompt == PROMPT && (sample.untold > UNHEARD || overdue && little)
    }
}

/// What the last report tells is of the link as it is now.
pub(super) fn is_news(sample: &Sample) -> bool {
    sample.untold <= 2 * OVERDUE
}
