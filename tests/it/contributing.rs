//! What the pages for contributors name exists: paths, names in files, tests, make's targets; and the rooms are the ones that
//! [`layering`](crate::layering) holds.

use std::fs;
use std::path::Path;

use crate::layering::USES;

const ARCHITECTURE: &str = include_str!("../../src/ARCHITECTURE.md");
const CONTRIBUTING: &str = include_str!("../../.github/CONTRIBUTING.md");

/// What stands between backticks, with the text before it.
fn codes(page: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = page.split('`').collect();
    parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// Folders of the project, and files in them. What a contributor has to write is in capitals (`NAME.rs`).
fn is_path(code: &str) -> bool {
    ["src/", "tests/", ".github/"].iter().any(|top| code.starts_with(top)) && !code.contains(' ')
}

fn text(path: &str) -> Result<String, String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).map_err(|e| format!("{path}: {e}"))
}

/// What a page names and the project does not have, and how many paths and names were looked at.
fn missing(page: &str) -> (Vec<String>, [usize; 2]) {
    let (mut wrong, mut paths, mut names) = (Vec::new(), 0, 0);
    let mut name = "";
    for (before, code) in codes(page) {
        if is_path(code) {
            paths += 1;
            let mut path = Path::new(env!("CARGO_MANIFEST_DIR")).join(code);
            let is_to_be_written = ["NAME", "CODE"].iter().any(|word| code.contains(word));
            if is_to_be_written {
                path.pop();
            }
            if !path.exists() {
                wrong.push(format!("there is no {code}"));
            } else if before.split_whitespace().collect::<Vec<_>>() == ["("] {
                names += 1;
                let word = name.trim_end_matches('!');
                let is_there =
                    |text: String| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word);
                if !text(code).is_ok_and(is_there) {
                    wrong.push(format!("{code} has no {name}"));
                }
            }
        }
        name = code;
    }
    (wrong, [paths, names])
}

#[test]
fn every_path_and_name_of_the_pages_exists() {
    let pages = [("ARCHITECTURE.md", ARCHITECTURE, [18, 15]), ("CONTRIBUTING.md", CONTRIBUTING, [30, 10])];
    for (page, text, least) in pages {
        let (wrong, counted) = missing(text);
        assert!(wrong.is_empty(), "{page}: {wrong:#?}");
        assert!(counted.iter().zip(least).all(|(counted, least)| *counted >= least), "{page}: {counted:?}");
    }
}

#[test]
fn a_page_that_names_what_is_not_there_is_found_out() {
    let page = "`Failure` (`src/libvirt/mod.rs`), `Fail` (`src/libvirt/mod.rs`), `src/none.rs`, `tests/none/NAME.case`";
    let (wrong, counted) = missing(page);
    let expected = ["src/libvirt/mod.rs has no Fail", "there is no src/none.rs", "there is no tests/none/NAME.case"];
    assert_eq!((wrong.as_slice(), counted), (expected.map(String::from).as_slice(), [4, 2]));
}

#[test]
fn every_command_of_the_pages_can_be_given() {
    let (modules, targets) = (text("tests/it/main.rs").unwrap(), text("Makefile").unwrap());
    let mut checked = 0;
    for page in [ARCHITECTURE, CONTRIBUTING] {
        for module in page.split_whitespace().filter_map(|word| word.trim_matches('`').strip_suffix("::")) {
            let module = module.trim_end_matches("::");
            assert!(modules.contains(&format!("mod {module};")), "tests/it has no module {module}");
            checked += 1;
        }
        let commands = page.lines().map(str::trim_start).filter_map(|line| line.strip_prefix("make "));
        let inline = codes(page).into_iter().filter_map(|(_, code)| code.strip_prefix("make "));
        for target in commands.chain(inline).filter_map(|rest| rest.split_whitespace().next()) {
            assert!(targets.contains(&format!("\n{target}:")), "the Makefile has no {target}");
            checked += 1;
        }
    }
    assert!(checked >= 6, "{checked}");
}

#[test]
fn every_recipe_is_there() {
    for recipe in ["a check", "a lint", "a driver", "a row of the decision table", "a scenario", "a call to libvirt"] {
        assert!(CONTRIBUTING.contains(&format!("\n## I want to add {recipe}\n")), "{recipe}");
    }
}

#[test]
fn the_table_of_rooms_is_the_one_that_layering_holds() {
    let rows: Vec<(String, Vec<String>)> = ARCHITECTURE
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            let uses = codes(cells[2]).into_iter().map(|(_, room)| room.to_owned()).collect();
            (cells[0].trim_end_matches(['`', ' ']).to_owned(), uses)
        })
        .collect();
    assert_eq!(rows.len(), USES.len());
    for ((room, uses), (expected, expected_uses)) in rows.iter().zip(USES) {
        assert_eq!((room.as_str(), uses.iter().map(String::as_str).collect()), (*expected, expected_uses.to_vec()));
    }
}
