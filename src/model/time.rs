//! A moment in UTC to the millisecond: read and written as RFC 3339, and read as libvirt dates its log lines; and a time as
//! operators write it.
//!
//! Pure: whoever wants the present moment asks the system at an edge.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::model::by_text::by_text;

/// Milliseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment, `ms` later (earlier when negative).
    #[must_use]
    pub const fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Hour and minute, with the day where that is another one than that of `now`.
    pub(crate) fn hour(self, now: Self) -> String {
        let (text, today) = (self.to_string(), now.to_string());
        let day = if text[..10] == today[..10] { String::new() } else { format!("{} ", &text[..10]) };
        format!("{day}{} UTC", &text[11..16])
    }

    /// Milliseconds from `earlier` to this moment.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = if self.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        write!(f, "{:.3}", jiff::Timestamp::from_millisecond(self.0).unwrap_or(ends))
    }
}

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time (2026-11-23T06:24:00Z)")]
pub struct NotATime;

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Reads RFC 3339, also with a blank for the `T`, and a zone `Z`, `+hhmm` or `+hh:mm`.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        text.parse::<jiff::Timestamp>().map(|at| Self(at.as_millisecond())).map_err(|_| NotATime)
    }
}

by_text!(Timestamp);

/// A time with its unit: `300ms`, `90s`, `10m`, `1h`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("a time is a whole number with ms, s, m, h or d, like 300ms or 10m".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a time begins with a whole number, like 300ms")?;
    match number.checked_mul(milliseconds) {
        None => Err("that is too long".into()),
        Some(0) => Err("a limit of nothing is no limit: leave the option out".into()),
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
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
    fn an_hour_has_its_day_where_it_is_another_one() {
        let now = "2026-11-23T22:24:00Z".parse::<Timestamp>().unwrap();
        assert_eq!(now.plus(60_000).hour(now), "22:25 UTC");
        assert_eq!(now.plus(7_200_000).hour(now), "2026-11-24 00:24 UTC");
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
