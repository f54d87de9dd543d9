//! `man/` and `completions/` are rendered from the command line's definition and committed. `UPDATE=1 cargo test --test
//! it generated::` writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap_complete::Shell;

fn man_pages(pages: &mut BTreeMap<String, String>) {
    let mut root = pvm::cli::command().disable_help_subcommand(true);
    root.build();
    for command in
        std::iter::once(&root).chain(root.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help"))
    {
        let name = if command.get_name() == "pvm" { "pvm".to_owned() } else { format!("pvm-{}", command.get_name()) };
        let command = command.clone().name(leak(&name)).bin_name(name.replacen('-', " ", 1));
        let mut page = Vec::new();
        clap_mangen::Man::new(command)
            .section("8")
            .manual("pvm manual")
            .source(concat!("pvm ", env!("CARGO_PKG_VERSION")))
            .date("")
            .render(&mut page)
            .unwrap();
        pages.insert(format!("man/{name}.8"), String::from_utf8(page).unwrap());
    }
}

/// clap wants names that live as long as the program; this test is one.
fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn completions(files: &mut BTreeMap<String, String>) {
    for (shell, name) in [(Shell::Bash, "pvm.bash"), (Shell::Zsh, "_pvm"), (Shell::Fish, "pvm.fish")] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut pvm::cli::command(), "pvm", &mut script);
        files.insert(format!("completions/{name}"), String::from_utf8(script).unwrap());
    }
}

#[test]
fn man_pages_and_completions_match_the_command_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = BTreeMap::new();
    man_pages(&mut files);
    completions(&mut files);
    if std::env::var_os("UPDATE").is_some() {
        for (name, text) in &files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    let mut stale: Vec<&str> = files
        .iter()
        .filter(|(name, text)| fs::read_to_string(root.join(name)).ok().as_ref() != Some(text))
        .map(|(name, _)| name.as_str())
        .collect();
    let committed: Vec<String> = ["man", "completions"]
        .iter()
        .flat_map(|dir| fs::read_dir(root.join(dir)).into_iter().flatten().map(move |e| (dir, e.unwrap())))
        .map(|(dir, entry)| format!("{dir}/{}", entry.file_name().to_string_lossy()))
        .collect();
    stale.extend(committed.iter().filter(|name| !files.contains_key(*name)).map(String::as_str));
    assert!(stale.is_empty(), "not as rendered from the command line (UPDATE=1 writes them): {stale:?}");
}
