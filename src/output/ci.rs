//! Findings of files as the services read them that show them beside a change: GitHub Actions, and SARIF 2.1.0 for all others.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::text::printable;
use crate::model::finding::{Finding, Rule, Severity};

/// Workflow commands, one a line.
pub(crate) fn github(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        let mut properties = String::new();
        if let Some(place) = &finding.file {
            let _ = write!(properties, "file={},line={},", property(&place.name), place.line);
            if let Some(range) = &place.range {
                let _ = write!(
                    properties,
                    "col={},endLine={},endColumn={},",
                    range.column, range.end_line, range.end_column
                );
            }
        }
        let _ =
            writeln!(text, "::{command} {properties}title={}::{}", property(&finding.code), data(&sentence(finding)));
    }
    text
}

/// The workflow command of a run that ended before it had findings.
pub(crate) fn github_stopped(message: &str) -> String {
    format!("::error title=pvm::{}\n", data(message))
}

/// A run of SARIF that ended before it had results.
pub(crate) fn sarif_stopped(message: &str, exit_code: u8) -> Value {
    let mut document = sarif(&[], &[]);
    document["runs"][0]["invocations"] = json!([{
        "executionSuccessful": false,
        "exitCode": exit_code,
        "toolExecutionNotifications": [{"level": "error", "message": {"text": message}}],
    }]);
    document
}

/// What is wrong, and what to do.
fn sentence(finding: &Finding) -> String {
    match &finding.remedy {
        Some(remedy) => format!("{}\n{remedy}", finding.message),
        None => finding.message.clone(),
    }
}

/// A message: what would end it, or drive a terminal, is escaped.
fn data(text: &str) -> String {
    let safe: Vec<_> = text.split('\n').map(printable).collect();
    safe.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// One run of SARIF, with the rules that its results name.
pub(crate) fn sarif(findings: &[Finding], rules: &[&Rule]) -> Value {
    let named: Vec<&&Rule> =
        rules.iter().filter(|rule| findings.iter().any(|finding| finding.code == rule.code)).collect();
    let driver = json!({
        "name": "pvm",
        "version": env!("CARGO_PKG_VERSION"),
        "rules": named.iter().map(|rule| described(rule)).collect::<Vec<_>>(),
    });
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, &named)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn described(rule: &Rule) -> Value {
    let page: Vec<&str> = rule.page().collect();
    json!({
        "id": rule.code,
        "shortDescription": {"text": rule.summary()},
        "help": {"text": page.join("\n").trim()},
        "defaultConfiguration": {"level": level(rule.severity)},
    })
}

fn result(finding: &Finding, rules: &[&&Rule]) -> Value {
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": {"text": sentence(finding)},
    });
    if let Some(index) = rules.iter().position(|rule| finding.code == rule.code) {
        result["ruleIndex"] = json!(index);
    }
    if let Some(place) = &finding.file {
        let mut region = json!({"startLine": place.line});
        if let Some(range) = &place.range {
            region["startColumn"] = json!(range.column);
            region["endLine"] = json!(range.end_line);
            region["endColumn"] = json!(range.end_column);
        }
        result["locations"] =
            json!([{"physicalLocation": {"artifactLocation": {"uri": uri(&place.name)}, "region": region}}]);
    }
    result
}

/// A path as a URI reference: what has a meaning in one is escaped.
fn uri(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_command_is_escaped() {
        let finding = Finding {
            message: "50% of\nit\u{1b}".to_owned(),
            file: Some(crate::model::finding::FilePlace { name: "a,b:c".to_owned(), line: 3, range: None }),
            ..finding()
        };
        assert_eq!(github(&[finding]), "::warning file=a%2Cb%3Ac,line=3,title=x::50%25 of%0Ait\\u{1b}\n");
        assert_eq!(uri("/etc/a b%"), "/etc/a%20b%25");
    }

    fn finding() -> Finding {
        serde_json::from_value(json!({"code": "x", "severity": "warning", "message": ""})).unwrap()
    }
}
