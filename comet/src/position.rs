//! Where in a pipe a reader is.

use std::{fmt, str::FromStr};

/// An offset, and the life of the pipe in which it counts. Offsets of another epoch say nothing: the
/// pipe was made anew, or the relay forgot it.
///
/// Written `EPOCH-OFFSET`, both in decimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    pub epoch: u64,
    /// Of the last message that the reader has; the first message of a pipe has 1.
    pub offset: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is written EPOCH-OFFSET")]
pub struct BadPosition;

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.offset)
    }
}

impl FromStr for Position {
    type Err = BadPosition;

    fn from_str(text: &str) -> Result<Self, BadPosition> {
        let number = |text: &str| {
            // `parse` alone would take a sign
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        let (epoch, offset) = text.split_once('-').ok_or(BadPosition)?;
        match (number(epoch), number(offset)) {
            (Some(epoch), Some(offset)) => Ok(Self { epoch, offset }),
            _ => Err(BadPosition),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_as_it_is_written() {
        let position = Position {
            epoch: 7,
            offset: u64::MAX,
        };
        assert_eq!(position.to_string().parse(), Ok(position));
        for bad in [
            "",
            "7",
            "-",
            "7-",
            "+7-1",
            "7-18446744073709551616",
            "7-1-2",
        ] {
            assert_eq!(bad.parse::<Position>(), Err(BadPosition), "{bad}");
        }
    }
}
