//! clouds.yaml and secure.yaml, where every OpenStack client looks for them.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::access::{Access, AccessError};
use super::fields::Fields;
use crate::model::near_miss::near_miss;
use crate::model::regular::read_regular_text;

/// More than the clouds of any operator.
const MOST_BYTES: u64 = 1 << 20;

/// Where the files may be: a file named by the environment, else the first of these directories that has one.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    pub(super) clouds: Option<PathBuf>,
    pub(super) secure: Option<PathBuf>,
    pub(super) directories: Vec<PathBuf>,
}

/// Reads the entry with this name.
pub(super) fn read(name: &str, places: &Places) -> Result<Access, AccessError> {
    let Some(path) = find(places.clouds.as_ref(), &places.directories, "clouds") else {
        let looked: Vec<String> = places.directories.iter().map(|place| place.display().to_string()).collect();
        return Err(AccessError::Absent(format!("cloud {name}: there is no clouds.yaml in {}", looked.join(", "))));
    };
    let clouds = load(&path)?;
    let entry = clouds.get(name).ok_or_else(|| {
        let names: Vec<&str> = clouds.keys().map(String::as_str).collect();
        let hint = near_miss(name, &names)
            .map_or_else(|| format!("; it has: {}", names.join(", ")), |near| format!("; did you mean {near}?"));
        AccessError::Absent(format!("{} has no cloud {name}{hint}", path.display()))
    })?;
    let mut fields = Fields::default();
    let mut add = |path: &Path, entry: &Value| {
        fields.add_entry(entry).map_err(|key| {
            AccessError::Wrong(format!("{}: cloud {name}: {key} is a number: put it into quotes", path.display()))
        })
    };
    if let Some(profile) = entry.get("profile").and_then(Value::as_str) {
        let public = find(None, &places.directories, "clouds-public");
        let shared = public.as_ref().map(|path| load(path)).transpose()?;
        let Some((public, shared)) = public.zip(shared.as_ref().and_then(|clouds| clouds.get(profile))) else {
            let why = format!("profile {profile} is in no clouds-public.yaml: write auth_url into the cloud itself");
            return Err(AccessError::Wrong(format!("{}: cloud {name}: {why}", path.display())));
        };
        add(&public, shared)?;
    }
    add(&path, entry)?;
    if let Some(secure) = find(places.secure.as_ref(), &places.directories, "secure")
        && let Some(entry) = load(&secure)?.get(name)
    {
        add(&secure, entry)?;
    }
    Access::of(&fields, Some(name), &format!("{}: cloud {name}", path.display()))
}

/// The file of this name without its ending.
fn find(named: Option<&PathBuf>, directories: &[PathBuf], stem: &str) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.clone());
    }
    let all =
        directories.iter().flat_map(|place| ["yaml", "yml", "json"].map(|end| place.join(format!("{stem}.{end}"))));
    all.into_iter().find(|path| path.exists())
}

/// The entries of a file. The reader's own message may quote the line, which may hold a password: only its number is said.
fn load(path: &Path) -> Result<Map<String, Value>, AccessError> {
    let text = read_regular_text(path, MOST_BYTES)
        .map_err(|error| AccessError::Absent(format!("cannot read {}: {error}", path.display())))?;
    let document: Value = serde_yaml::from_str(&text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        AccessError::Wrong(format!("{}:{line}: this is not YAML", path.display()))
    })?;
    let clouds = document.get("clouds").or_else(|| document.get("public-clouds"));
    clouds
        .and_then(Value::as_object)
        .cloned()
        .ok_or_else(|| AccessError::Wrong(format!("{}: it has no clouds", path.display())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the test makes the files")]

    use super::*;

    #[test]
    fn the_first_directory_wins_and_secure_yaml_adds_the_secret() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write =
            |dir: &tempfile::TempDir, name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let cloud = "clouds:\n  c:\n    region_name: R\n    auth: {auth_url: 'http://k:5000/v3', username: u, project_name: p}\n";
        write(&one, "clouds.yaml", cloud);
        write(&two, "clouds.yaml", "clouds: {d: {}}");
        write(&two, "secure.yaml", "clouds: {c: {auth: {password: hush}}}");
        let directories = vec![one.path().to_owned(), two.path().to_owned()];
        let places = Places { directories, ..Places::default() };
        let access = read("c", &places).unwrap();
        assert_eq!((access.region.as_deref(), access.cloud.as_deref()), (Some("R"), Some("c")));
        let AccessError::Absent(said) = read("e", &places).unwrap_err() else { panic!() };
        assert!(said.contains("has no cloud e"), "{said}");
        // A file that is named is the only one.
        let places = Places { clouds: Some(two.path().join("clouds.yaml")), ..places };
        assert!(matches!(read("c", &places), Err(AccessError::Absent(_))));
    }

    #[test]
    fn a_broken_file_is_not_quoted() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("clouds.yaml"), "clouds:\n  c: {auth: {password: 'hush}}\n").unwrap();
        let places = Places { directories: vec![dir.path().to_owned()], ..Places::default() };
        let AccessError::Wrong(said) = read("c", &places).unwrap_err() else { panic!() };
        assert!(said.contains("clouds.yaml:") && !said.contains("hush"), "{said}");
    }
}
