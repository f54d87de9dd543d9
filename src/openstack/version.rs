//! Nova's microversions. Pure.

use std::fmt;
use std::str::FromStr;

use super::http::Response;

/// A microversion of Nova's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Microversion(u32, u32);

/// The highest that pvm has a use for: with it Nova tells what went wrong in an action's events.
const BEST: Microversion = Microversion(2, 84);
/// The lowest that serves: from here on Nova lists the migrations of one server, newest first.
const LEAST: Microversion = Microversion(2, 59);

impl fmt::Display for Microversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for Microversion {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (major, minor) = text.split_once('.').ok_or(())?;
        Ok(Self(major.parse().map_err(|_| ())?, minor.parse().map_err(|_| ())?))
    }
}

/// The microversion to ask for, by what Nova says of itself; `Err` says why there is none.
pub(super) fn negotiate(answer: &Response) -> Result<Microversion, String> {
    let version = answer.body.get("version").or_else(|| {
        let versions = answer.body.get("versions")?.as_array()?;
        versions.iter().find(|version| version.get("id").is_some_and(|id| id == "v2.1"))
    });
    let number = |key| version?.get(key)?.as_str()?.parse::<Microversion>().ok();
    let Some(highest) = number("version") else {
        return Err("Nova does not say which microversions it has".to_owned());
    };
    let lowest = number("min_version").unwrap_or(Microversion(2, 1));
    if highest < LEAST {
        return Err(format!(
            "Nova's API goes up to {highest}; pvm needs {LEAST}, with which Nova lists a server's migrations"
        ));
    }
    if lowest > BEST {
        return Err(format!("Nova's API begins at {lowest}; this pvm knows it up to {BEST}"));
    }
    Ok(highest.min(BEST))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_highest_of_both_is_taken_and_what_is_missing_is_named() {
        let asked = |low: &str, high: &str| {
            let body = json!({"version": {"id": "v2.1", "min_version": low, "version": high}});
            negotiate(&Response { body, ..Response::default() }).map(|version| version.to_string())
        };
        assert_eq!(asked("2.1", "2.104"), Ok("2.84".to_owned()));
        assert_eq!(asked("2.1", "2.60"), Ok("2.60".to_owned()));
        assert!(asked("2.1", "2.53").unwrap_err().contains("up to 2.53; pvm needs 2.59"));
        assert!(asked("2.90", "2.104").unwrap_err().contains("begins at 2.90"));
        assert!(negotiate(&Response::default()).is_err());
    }
}
