//! What a rehearsal adds to a report. Pure.

use super::report::Report;
use super::verdict::{CheckResult, Row, worst};

/// A rehearsal shows that QEMU opens an image, not that it is the same one.
const OF_CONTENT: [&str; 2] = ["cdrom-media", "disk-storage"];

/// Takes in what came of the rehearsal of the one guest of this report. Where it passed, what libvirt and QEMU check before
/// the guest is paused is unknown no more.
pub(crate) fn take_in(report: &mut Report, row: &Row) {
    let passed = row.result == CheckResult::Info;
    let Report { checks, instances, unknown, verdict, .. } = report;
    for instance in instances.iter_mut() {
        for row in checks.iter_mut().chain(&mut instance.checks).filter(|row| passed && is_answered(row)) {
            row.result = CheckResult::Info;
            row.finding.remedy = None;
            row.finding.message.push_str("; the rehearsal passed");
            unknown.retain(|fact| *fact.fact != *row.finding.code);
        }
        instance.checks.push(row.clone());
        instance.verdict = worst(checks.iter().chain(&instance.checks));
        *verdict = instance.verdict;
    }
}

fn is_answered(row: &Row) -> bool {
    row.result == CheckResult::Unknown && row.rechecked && !OF_CONTENT.contains(&&*row.finding.code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::{Finding, Rule, Severity};
    use crate::model::snapshot::Unknown;
    use crate::preflight::{Compatibility, InstanceReport};

    fn row(code: &'static str, result: CheckResult, rechecked: bool) -> Row {
        let rule = Box::leak(Box::new(Rule::new(
            code,
            Severity::Error,
            " A page.\n\n # Meaning\n Some text.\n # Check by hand\n Some text.\n # Fix\n Some text.\n",
        )));
        Row { finding: Finding::new(rule, "m"), result, source: None, destination: None, rechecked }
    }

    fn report(rows: Vec<Row>) -> Report {
        let unknown = rows.iter().map(|row| Unknown::new(row.finding.code.clone(), "m")).collect();
        let instance = InstanceReport {
            name: "vm".into(),
            uuid: String::new(),
            verdict: Compatibility::Unknown,
            map: Vec::new(),
            checks: rows,
            nova: crate::plan::NovaAnswer::default(),
            unmet: None,
            estimate: None,
            downtime_limit: None,
        };
        Report {
            schema: String::new(),
            source: "a".into(),
            destination: "b".into(),
            verdict: Compatibility::Unknown,
            checks: Vec::new(),
            others: 0,
            instances: vec![instance],
            capacity: Vec::new(),
            by_libvirt: Vec::new(),
            unknown,
        }
    }

    #[test]
    fn a_rehearsal_that_passed_answers_what_it_tries_and_nothing_else() {
        let passed = row("rehearsal", CheckResult::Info, false);
        let mut tried = report(vec![row("host-paths", CheckResult::Unknown, true)]);
        take_in(&mut tried, &passed);
        assert_eq!(tried.verdict, Compatibility::Compatible);
        assert!(tried.unknown.is_empty());
        for row in
            [row("disk-storage", CheckResult::Unknown, true), row("probed-migratable", CheckResult::Unknown, false)]
        {
            let mut open = report(vec![row]);
            take_in(&mut open, &passed);
            assert_eq!((open.verdict, open.unknown.len()), (Compatibility::Unknown, 1));
        }
        let mut failed = report(Vec::new());
        take_in(&mut failed, &row("rehearsal", CheckResult::Error, false));
        assert_eq!(failed.verdict, Compatibility::Incompatible);
    }
}
