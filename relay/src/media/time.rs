//! Time inside a room: microseconds on the worker's monotonic clock, and what RTCP makes of them.

pub const MILLISECOND: u64 = 1_000;
pub const SECOND: u64 = 1_000_000;

/// 1970 in NTP seconds. The monotonic clock counts from here in our sender reports: receivers only
/// compare them with each other, but some take an all-zero NTP time for "no wall clock".
const NTP_BASE: u64 = 2_208_988_800;

/// The 64-bit NTP time (RFC 3550 section 4) of a moment on the worker's clock.
#[must_use]
pub fn ntp(now: u64) -> u64 {
    let seconds = (NTP_BASE + now / SECOND) & 0xffff_ffff;
    let fraction = ((now % SECOND) << 32) / SECOND;
    (seconds << 32) | fraction
}

/// The middle 32 bits of an NTP time: units of 1/65536 s, as LSR and DLSR use them.
#[must_use]
pub fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// Microseconds of a signed difference between two NTP times.
#[must_use]
pub fn ntp_difference(later: u64, earlier: u64) -> i64 {
    let difference = later.wrapping_sub(earlier) as i64;
    ((i128::from(difference) * i128::from(SECOND)) >> 32) as i64
}

/// An NTP time moved by microseconds.
#[cfg(test)]
pub fn ntp_add(ntp: u64, microseconds: i64) -> u64 {
    let units = (i128::from(microseconds) << 32) / i128::from(SECOND);
    ntp.wrapping_add(units as u64)
}

/// Microseconds of a span in units of 1/65536 s.
#[must_use]
pub fn from_middle(span: u32) -> u64 {
    (u64::from(span) * SECOND) >> 16
}

/// Units of 1/65536 s of a span in microseconds, saturated.
#[must_use]
pub fn to_middle(span: u64) -> u32 {
    u32::try_from((span.min(65_535 * SECOND) << 16) / SECOND).unwrap_or(u32::MAX)
}

/// RTP clock ticks of a span in microseconds.
#[must_use]
pub fn ticks(span: u64, clock_rate: u32) -> u32 {
    (u128::from(span) * u128::from(clock_rate) / u128::from(SECOND)) as u32
}

/// Microseconds of a span in RTP clock ticks.
#[must_use]
pub fn micros(span: u32, clock_rate: u32) -> u64 {
    u64::from(span) * SECOND / u64::from(clock_rate.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_comes_back_from_ntp_time_within_a_microsecond() {
        let moment = 1_234_567_890;
        assert_eq!(
            ntp_difference(ntp(moment), ntp(0)).abs_diff(moment as i64),
            1
        );
        assert!(ntp_difference(ntp(5), ntp(SECOND)) < -999_990);
        assert_eq!(ntp_add(ntp(0), SECOND as i64), ntp(SECOND));
        assert_eq!(ntp_add(ntp(SECOND), -(SECOND as i64)), ntp(0));
    }

    #[test]
    fn half_a_second_is_half_of_65536() {
        assert_eq!(to_middle(SECOND / 2), 32_768);
        assert_eq!(from_middle(32_768), SECOND / 2);
        assert_eq!(to_middle(u64::MAX), 65_535 << 16);
    }

    #[test]
    fn twenty_milliseconds_are_960_opus_ticks() {
        assert_eq!(ticks(20 * MILLISECOND, 48_000), 960);
    }
}
