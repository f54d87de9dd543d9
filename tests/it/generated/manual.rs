//! The manual: what the command line's definition knows, and what `man/text` says besides.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use pvm::internals::model::finding::Rule;
use pvm::internals::model::outcome::Outcome;

use super::roff::{entry, escape, markdown, title};

/// Pages that are written by hand: name and section.
const BY_HAND: &[(&str, &str)] = &[("pvm.yaml", "5"), ("pvm-guide", "7"), ("pvm-openstack", "7")];

/// Sections that every page of a command has, in this order.
pub const SECTIONS: &[&str] =
    &["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "FILES", "ENVIRONMENT", "SEE ALSO"];

/// Where the texts are.
pub fn texts() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("man/text")
}

/// Every page by its path.
pub fn pages() -> BTreeMap<String, String> {
    let root = definition();
    let mut names = vec![("pvm".to_owned(), "8"), ("pvm-findings".to_owned(), "7")];
    names.extend(visible(&root).map(|command| (format!("pvm-{}", command.get_name()), "8")));
    names.extend(BY_HAND.iter().map(|(name, section)| ((*name).to_owned(), *section)));
    names.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    let mut pages = BTreeMap::new();
    for (name, section) in &names {
        let mut page = title(name, section);
        page += &match *section {
            "8" => command_page(&root, name),
            "7" if name == "pvm-findings" => findings(),
            _ => markdown(&text_of(name)),
        };
        page += &see_also(&names, name);
        pages.insert(format!("man/{name}.{section}"), page);
    }
    pages
}

/// The command line as a page needs it: with every derived value worked out.
pub fn definition() -> Command {
    let mut root = pvm::internals::cli::command().disable_help_subcommand(true);
    root.build();
    root
}

/// The subcommands that are shown to people.
pub fn visible(root: &Command) -> impl Iterator<Item = &Command> {
    root.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn text_of(name: &str) -> String {
    let path = texts().join(format!("{name}.md"));
    fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}: each page has a text, at least # EXAMPLES", path.display()))
}

fn command_page(root: &Command, name: &str) -> String {
    let command = match name.strip_prefix("pvm-") {
        None => root,
        Some(sub) => root.find_subcommand(sub).expect("it is a subcommand"),
    };
    let text = text_of(name);
    let (before, examples) = text.split_once("# EXAMPLES").unwrap_or_else(|| panic!("{name}: no # EXAMPLES"));
    let about = command.get_about().expect("each command says what it does").to_string();
    let mut page = format!(".SH NAME\n{} \\- {}\n.SH SYNOPSIS\n", escape(name), escape(about.trim_end_matches('.')));
    synopsis(command, &name.replacen('-', " ", 1), &mut page);
    let long = command.get_long_about().map_or_else(|| format!("{about}."), ToString::to_string);
    let _ = writeln!(page, ".SH DESCRIPTION\n{}", escape(&long).replace("\n\n", "\n.PP\n"));
    if name == "pvm" {
        page += ".SH COMMANDS\n";
        for command in visible(root) {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            entry(&mut page, &format!("\\fBpvm\\-{}\\fR(8)", escape(command.get_name())), &about);
        }
    }
    options(command, name == "pvm", &mut page);
    page += &markdown(before);
    page += &markdown(&format!("# EXAMPLES{examples}"));
    page += ".SH EXIT STATUS\n";
    for (outcome, meaning) in Outcome::ALL {
        entry(&mut page, &format!("\\fB{}\\fR", outcome.code()), meaning);
    }
    page + &markdown(&text_of("common"))
}

fn own(command: &Command, with_global: bool) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(move |arg| {
        let is_standard = ["help", "version"].contains(&arg.get_id().as_str());
        !arg.is_hide_set() && !is_standard && (with_global || !arg.is_global_set())
    })
}

fn synopsis(command: &Command, name: &str, page: &mut String) {
    let _ = writeln!(page, ".SY \"{}\"", escape(name));
    for arg in own(command, command.get_name() == "pvm").filter(|arg| !arg.is_positional()) {
        let (flag, value) = (flag(arg), value(arg));
        let _ = writeln!(
            page,
            ".RB [ {flag}{}]",
            if value.is_empty() { " ".to_owned() } else { format!(" \\ \\fI{value}\\fR") }
        );
    }
    for arg in own(command, false).filter(|arg| arg.is_positional()) {
        let many = if arg.get_num_args().is_some_and(|n| n.max_values() > 1) { "\\ .\\|.\\|." } else { "" };
        let name = format!("\\fI{}\\fR{many}", value(arg));
        let _ = writeln!(page, "{}", if arg.is_required_set() { name } else { format!("[{name}]") });
    }
    if command.has_subcommands() && command.get_name() == "pvm" {
        *page += "\\fICOMMAND\\fR\n";
    }
    *page += ".YS\n";
}

fn flag(arg: &Arg) -> String {
    let long = arg.get_long().map(|long| format!("\\-\\-{}", escape(long)));
    long.or_else(|| arg.get_short().map(|short| format!("\\-{short}"))).unwrap_or_default()
}

fn value(arg: &Arg) -> String {
    if !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
        return String::new();
    }
    let names = arg.get_value_names().unwrap_or_default();
    escape(&names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}

fn options(command: &Command, is_root: bool, page: &mut String) {
    *page += ".SH OPTIONS\n";
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in own(command, is_root) {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    headings.sort_by_key(Option::is_some);
    for heading in headings {
        if let Some(heading) = heading {
            let _ = writeln!(page, ".SS {}", escape(heading));
        }
        for arg in own(command, is_root).filter(|arg| arg.get_help_heading() == heading) {
            option(arg, page);
        }
    }
    if !is_root {
        let global: Vec<String> = command
            .get_arguments()
            .filter(|arg| arg.is_global_set())
            .map(|arg| format!("\\fB{}\\fR", flag(arg)))
            .collect();
        let _ = writeln!(
            page,
            ".SS Global options\n{} stand before or after the subcommand; \\fBpvm\\fR(8) describes them.",
            global.join(",\n")
        );
    }
}

fn option(arg: &Arg, page: &mut String) {
    let mut term = match (arg.is_positional(), arg.get_short()) {
        (true, _) => String::new(),
        (false, Some(short)) if arg.get_long().is_some() => format!("\\fB\\-{short}\\fR, \\fB{}\\fR", flag(arg)),
        (false, _) => format!("\\fB{}\\fR", flag(arg)),
    };
    let value = value(arg);
    if !value.is_empty() {
        let join = if term.is_empty() {
            ""
        } else if arg.is_require_equals_set() {
            "="
        } else {
            " "
        };
        let _ = write!(term, "{join}\\fI{value}\\fR");
    }
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let takes = !value.is_empty();
    let default =
        if takes && !default.is_empty() { format!(" [default: {}]", default.join(", ")) } else { String::new() };
    entry(page, &term, &format!("{help}{default}"));
    let possible: Vec<_> =
        arg.get_possible_values().into_iter().filter(|value| takes && !value.is_hide_set()).collect();
    if !possible.is_empty() {
        *page += ".RS\n";
        for value in possible {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            entry(page, &format!("\\fB{}\\fR", escape(value.get_name())), &help);
        }
        *page += ".RE\n";
    }
}

fn findings() -> String {
    let rules = pvm::internals::commands::explain::rules();
    let mut page = ".SH NAME\npvm\\-findings \\- every finding of pvm, with its remedy\n.SH DESCRIPTION\n".to_owned();
    page += "Each finding has a code that does not change.\n\\fBpvm explain\\fR \\fICODE\\fR prints the same text.\n";
    for rule in rules {
        let _ = writeln!(page, ".SS {} ({})\n{}", escape(rule.code), rule.severity, escape(&rule.summary()));
        page += &markdown(&finding_text(rule));
    }
    page
}

/// The page of a finding, whose headings would be sections of their own.
fn finding_text(rule: &Rule) -> String {
    let (mut text, mut fenced) = (String::new(), false);
    for line in rule.page() {
        fenced ^= line.starts_with("```");
        match line.strip_prefix("# ").filter(|_| !fenced) {
            Some(heading) => drop(writeln!(text, "\n**{heading}**\n")),
            None => drop(writeln!(text, "{line}")),
        }
    }
    text
}

fn see_also(names: &[(String, &str)], of: &str) -> String {
    let others = names.iter().filter(|(name, _)| name != of);
    let mut list: Vec<_> = others.map(|(name, section)| format!(".BR {} ({section})", escape(name))).collect();
    list.extend([".BR virsh (1)".to_owned(), ".BR systemd.timer (5)".to_owned()]);
    format!(".SH SEE ALSO\n{}\n", list.join(" ,\n"))
}
