//! No two files of the crate need each other, directly or through others. A test may look at everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::layering::all_sources;

type Module = Vec<String>;

/// Each module with those it names.
fn modules() -> BTreeMap<Module, BTreeSet<Module>> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut texts = BTreeMap::new();
    for path in all_sources() {
        let inside = path.strip_prefix(&top).unwrap().with_extension("");
        let mut module: Module = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        module.retain(|part| !["mod", "lib", "main"].contains(&part.as_str()));
        if !path.to_string_lossy().ends_with("_tests.rs") {
            texts.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
    let named = |module: &Module, text: &str| -> BTreeSet<Module> {
        let paths = imports(text).into_iter().chain(inline(text));
        paths.filter_map(|path| resolve(module, &path, &texts)).filter(|target| target != module).collect()
    };
    texts.iter().map(|(module, text)| (module.clone(), named(module, text))).collect()
}

/// The file without comments and without its tests.
fn code(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let is_tests = |at: usize| {
        lines[at] == "#[cfg(test)]"
            && lines[at..].iter().find(|line| !line.starts_with("#[")).is_some_and(|line| line.contains("mod "))
    };
    let end = (0..lines.len()).find(|at| is_tests(*at)).unwrap_or(lines.len());
    lines[..end].join("\n")
}

/// Every path of every `use`.
fn imports(text: &str) -> Vec<Module> {
    let code = code(text);
    let mut found = Vec::new();
    for line in code.split("use ").skip(1) {
        let tree: String = line.chars().take_while(|c| *c != ';').filter(|c| !c.is_whitespace()).collect();
        expand(&Module::new(), &tree, &mut found);
    }
    found
}

fn expand(before: &Module, tree: &str, found: &mut Vec<Module>) {
    let (head, inside) = tree.split_once('{').map_or((tree, None), |(head, rest)| (head, rest.strip_suffix('}')));
    let path: Module =
        before.iter().cloned().chain(head.split("::").filter(|part| !part.is_empty()).map(str::to_owned)).collect();
    let Some(inside) = inside else {
        found.push(path);
        return;
    };
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&path, &inside[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Paths that stand in the code itself.
fn inline(text: &str) -> Vec<Module> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ['_', ':'].contains(&c);
    let code = code(text);
    // What ends with :: goes on in braces.
    let is_path = |word: &&str| (word.starts_with("crate::") || word.starts_with("super::")) && !word.ends_with("::");
    let words = code.split(|c| !is_part(c)).filter(is_path);
    words.map(|word| word.split("::").map(str::to_owned).collect()).collect()
}

/// The deepest module that a path names.
fn resolve(from: &Module, path: &Module, all: &BTreeMap<Module, String>) -> Option<Module> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let (mut at, rest) = match path.first()?.as_str() {
        "crate" => (Module::new(), &path[1..]),
        "self" => (from.clone(), &path[1..]),
        "super" => (from[..from.len().checked_sub(ups)?].to_vec(), &path[ups..]),
        _ => (from.clone(), &path[..]),
    };
    for part in rest {
        at.push(part.clone());
        if !all.contains_key(&at) {
            at.pop();
            break;
        }
    }
    all.contains_key(&at).then_some(at)
}

#[test]
fn no_circle_between_files() {
    let mut left = modules();
    assert!(left.values().map(BTreeSet::len).sum::<usize>() > 500, "the paths were not found");
    // Whoever names nobody that is left, or is named by nobody, is in no circle.
    loop {
        let named: BTreeSet<Module> = left.values().flatten().cloned().collect();
        let before = left.len();
        let is_in = |m: &Module| left.contains_key(m);
        let settled: Vec<Module> = left
            .iter()
            .filter(|(m, names)| !named.contains(*m) || !names.iter().any(is_in))
            .map(|(m, _)| m.clone())
            .collect();
        left.retain(|module, _| !settled.contains(module));
        if left.len() == before {
            break;
        }
    }
    let shown = left.iter().map(|(module, named)| {
        let named: Vec<_> = named.iter().filter(|m| left.contains_key(*m)).map(|m| m.join("::")).collect();
        format!("{} names {}", module.join("::"), named.join(", "))
    });
    assert!(left.is_empty(), "files that need each other:\n{}", shown.collect::<Vec<_>>().join("\n"));
}
