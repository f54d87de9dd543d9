//! A moment in UTC to the millisecond: read and written as RFC 3339, and read as libvirt dates its log lines.
//!
//! Pure: whoever wants the present moment asks the system at an edge.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const MS_PER_DAY: i64 = 86_400_000;

/// Milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment, `ms` later (earlier when negative).
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Days since the epoch of a date in the proleptic Gregorian calendar.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that a leap day is the last day of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day that many days after the epoch.
const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0.div_euclid(MS_PER_DAY));
        let ms = self.0.rem_euclid(MS_PER_DAY);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
    }
}

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time (2026-11-23T06:24:00Z)")]
pub struct NotATime;

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Reads `2026-11-23T06:24:00[.fraction]` with `T` or a blank, and a zone `Z`, `+hhmm` or `+hh:mm`.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let number = |range: std::ops::Range<usize>| -> Result<i64, NotATime> {
            let part = text.get(range).ok_or(NotATime)?;
            if !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(NotATime);
            }
            part.parse().map_err(|_| NotATime)
        };
        let bytes = text.as_bytes();
        let separators = [(4, b"--"), (7, b"--"), (10, b"T "), (13, b"::"), (16, b"::")];
        if bytes.len() < 20 || separators.iter().any(|(at, ok)| !ok.contains(&bytes[*at])) {
            return Err(NotATime);
        }
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
        let fraction_end =
            if bytes[19] == b'.' { 20 + bytes[20..].iter().take_while(|b| b.is_ascii_digit()).count() } else { 19 };
        let ms = match fraction_end {
            20 => return Err(NotATime),
            19 => 0,
            end => {
                let kept = end.min(23);
                number(20..kept)? * 10_i64.pow(u32::try_from(23 - kept).map_err(|_| NotATime)?)
            }
        };
        let zone = match &bytes[fraction_end..] {
            b"Z" => 0,
            rest @ ([b'+' | b'-', _, _, _, _] | [b'+' | b'-', _, _, b':', _, _]) => {
                let hours = number(fraction_end + 1..fraction_end + 3)?;
                let minutes = number(text.len() - 2..text.len())?;
                let sign = if rest[0] == b'-' { -1 } else { 1 };
                if hours > 23 || minutes > 59 {
                    return Err(NotATime);
                }
                sign * (hours * 60 + minutes) * 60_000
            }
            _ => return Err(NotATime),
        };
        // 60 is a leap second, which the epoch does not count.
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return Err(NotATime);
        }
        if date(days(year, month, day)) != (year, month, day) {
            return Err(NotATime);
        }
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second.min(59);
        Ok(Self(seconds * 1000 + ms - zone))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(|e| serde::de::Error::custom(format_args!("{text:?}: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_rfc_3339_and_libvirts_log_dates() {
        let at = "2026-11-23T06:24:00.125Z".parse::<Timestamp>().unwrap();
        assert_eq!(at, Timestamp(1_795_415_040_125));
        assert_eq!(at.to_string(), "2026-11-23T06:24:00.125Z");
        assert_eq!("2026-11-23 06:24:00.125+0000".parse(), Ok(at));
        assert_eq!("2026-11-23T08:24:00.1259999+02:00".parse(), Ok(at));
        assert_eq!("1970-01-01T00:00:00Z".parse(), Ok(Timestamp(0)));
        assert_eq!("2000-02-29T00:00:00Z".parse(), Ok(Timestamp(951_782_400_000)));
        assert_eq!("2026-11-23T06:24:00.5Z".parse(), Ok(at.plus(375)));
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for text in [
            "",
            "2026-11-23",
            "2026-11-23T06:24:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T06:24:00.Z",
            "+026-11-23T06:24:00Z",
            "2026-11-23T06:24:00+1",
            "2026-11-23T06:24:00é00",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotATime), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn display_and_parse_are_inverse(ms in -62_135_596_800_000_i64..253_402_300_800_000) {
            prop_assert_eq!(Timestamp(ms).to_string().parse::<Timestamp>().unwrap(), Timestamp(ms));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = text.parse::<Timestamp>();
        }
    }
}
