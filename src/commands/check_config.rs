//! `pvm check-config`.

mod correct;

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::hosts::Hosts;
use super::{Context, OrStop as _, Stop, explain};
use crate::cli::check_config::CheckConfig;
use crate::facts::{self, nova_files};
use crate::model::finding::{Finding, Severity};
use crate::model::format::Format;
use crate::model::outcome::Outcome;
use crate::model::pci::PciAddress;
use crate::model::snapshot::{ConfigDoc, Snapshot};
use crate::nova::config;
use crate::nova::config::Devices;
use crate::nova::config::Machine;
use crate::nova::config::Matcher;
use crate::nova::config::NoHost;
use crate::nova::config::ParsedConfig;
use crate::nova::config::View;
use crate::nova::config::allow;
use crate::nova::config::compare;
use crate::nova::config::request_report::{self, RequestReport};
use crate::nova::config::trace;
use crate::nova::lints;
use crate::output::text::printable;
use crate::output::{StdoutError, check_config as text, ci, findings};

/// `pvm.check-config/1`.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    #[serde(flatten)]
    config: ConfigDoc,
    findings: Vec<Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestReport>,
    /// With `--host`: every device and the spec that wins for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<Vec<Won>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    traces: Vec<Trace>,
}

#[derive(Debug, Serialize)]
struct Won {
    address: PciAddress,
    spec: Option<usize>,
}

/// What is said besides the findings in the files.
#[derive(Default)]
struct Answers {
    findings: Vec<Finding>,
    request: Option<RequestReport>,
    winners: Option<Vec<(PciAddress, Option<usize>)>>,
    traces: Vec<(PciAddress, Vec<trace::Step>)>,
}

/// One `--trace`.
#[derive(Debug, Serialize)]
struct Trace {
    device: String,
    steps: Vec<TraceStep>,
}

#[derive(Debug, Serialize)]
struct TraceStep {
    spec: usize,
    /// Absent for the one that wins.
    miss: Option<&'static str>,
}

/// Runs the command.
pub(crate) fn run(context: &Context, args: &CheckConfig) -> Result<Outcome, Stop> {
    let hosts = Hosts::new(context)?;
    let paths = if args.paths.is_empty() { &context.global.nova_config } else { &args.paths };
    let inputs = nova_files::read(&context.global.root, paths).or_stop(Outcome::Unknown)?;
    if inputs.is_empty() {
        if let Some(named) = paths.first() {
            return Err(Stop::unknown(format!("{} has no *.conf", named.display())));
        }
        let places = nova_files::places();
        return Err(Stop::unknown(format!("no nova.conf was found in {places}; name one: pvm check-config PATH")));
    }
    known_codes(&args.allow)?;
    let snapshot = match &args.host {
        Some(name) => Some(facts::gather(&hosts.parse(name)?, &hosts.options)?),
        None => None,
    };
    let other = args.compare.as_ref().map(|other| other_side(context, &hosts, other)).transpose()?;
    let traces = traces(args, snapshot.as_ref())?;
    let (inputs, failure) = if args.fix || args.diff {
        let config = load(inputs.clone(), snapshot.as_ref());
        let matcher = Matcher::new(&config.device_specs);
        let found =
            find(context, args, &lints::Subject { config: &config, matcher: &matcher, host: snapshot.as_ref() });
        let corrected = correct::correct(context, args.diff, inputs, &config, &found)?;
        (corrected.inputs, corrected.failure)
    } else {
        (inputs, Outcome::Unknown)
    };
    let mut config = load(inputs, snapshot.as_ref());
    if !paths.is_empty() {
        config.refuse_nothing();
    }
    let matcher = Matcher::new(&config.device_specs);
    let subject = lints::Subject { config: &config, matcher: &matcher, host: snapshot.as_ref() };
    let found = find(context, args, &subject);
    let worst = found.iter().map(|d| d.severity).max();
    if args.diff || (args.fix && reads_stdin(paths)) {
        // Standard output is the patch or the file.
        for finding in found.iter().filter(|finding| finding.severity == Severity::Error) {
            context.printer.complain(findings::render(finding, &config, crate::output::width()).trim_end());
        }
        return Ok(outcome(&config, worst, args.strict));
    }
    let mut answers = Answers {
        request: args.request.as_ref().map(|text| request_report::report(text, &subject)),
        winners: subject.host.map(|_| subject.winners()),
        traces: traces.into_iter().map(|(address, view)| (address, trace::walk(&matcher, &view))).collect(),
        ..Answers::default()
    };
    answers.findings.extend(answers.request.iter().flat_map(|request| request.findings.clone()));
    if let Some((doc, name)) = &other {
        answers.findings.extend(compare::compare(&config.document(), doc, name));
    }
    answers
        .findings
        .retain(|finding| finding.severity == Severity::Error || !args.allow.contains(&finding.code.to_string()));
    let worst = worst.into_iter().chain(answers.findings.iter().map(|f| f.severity)).max();
    report(context, &config, &found, answers).or_stop(failure)?;
    Ok(outcome(&config, worst, args.strict))
}

fn reads_stdin(paths: &[PathBuf]) -> bool {
    paths.iter().any(|path| path == Path::new("-"))
}

/// A code that is misspelt, or that cannot be left out, would silence nothing, and nobody would see it.
fn known_codes(codes: &[String]) -> Result<(), Stop> {
    let rules = explain::rules();
    for code in codes {
        match rules.iter().find(|rule| rule.code == *code) {
            None => return Err(Stop::usage(format!("--allow: {}", explain::unknown_code(code, &rules)))),
            Some(rule) if rule.severity == Severity::Error => {
                return Err(Stop::usage(format!("--allow: {code} is an error, which cannot be left out")));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn load(inputs: Vec<config::Input>, snapshot: Option<&Snapshot>) -> ParsedConfig {
    match snapshot {
        Some(snapshot) => {
            let hostname = Some(snapshot.host.name.clone()).filter(|name| !name.is_empty());
            config::load(inputs, &Devices(&snapshot.devices), &Machine { hostname, address: None })
        }
        None => config::load(inputs, &NoHost, &Machine::default()),
    }
}

/// Everything to say about a configuration, sorted by place, without what is allowed.
fn find(context: &Context, args: &CheckConfig, subject: &lints::Subject<'_>) -> Vec<Finding> {
    let config = subject.config;
    let comments: Vec<_> = config.sources.iter().map(|(id, file)| (id, allow::comments(file))).collect();
    let rules = explain::rules();
    for (id, comment) in comments.iter().flat_map(|(id, comments)| comments.iter().map(move |comment| (id, comment))) {
        for code in comment.codes.iter().filter(|code| !rules.iter().any(|rule| rule.code == **code)) {
            let place = format!("{}:{}", config.sources.file(*id).name, comment.line);
            context.printer.complain(&printable(&format!("{place}: {}", explain::unknown_code(code, &rules))));
        }
    }
    let mut found = config.findings.clone();
    found.extend(lints::run(subject));
    found.retain(|finding| {
        finding.severity == Severity::Error
            || !(args.allow.contains(&finding.code.to_string()) || allow::is_allowed(finding, config, &comments))
    });
    found.sort_by_key(|d| (d.text.primary.as_ref().map(|label| label.span), std::cmp::Reverse(d.severity)));
    found
}

/// The other copy: a snapshot or a host, else files.
fn other_side(context: &Context, hosts: &Hosts, name: &str) -> Result<(ConfigDoc, String), Stop> {
    let path = Path::new(name);
    if path.exists() {
        if let Ok(snapshot) = facts::remote::file::load(path) {
            return Ok((snapshot.config, name.to_owned()));
        }
        let inputs = nova_files::read(&context.global.root, &[path.to_owned()]).or_stop(Outcome::Unknown)?;
        return Ok((load(inputs, None).document(), name.to_owned()));
    }
    let snapshot = facts::gather(&hosts.parse(name)?, &hosts.options)?;
    Ok((snapshot.config, name.to_owned()))
}

/// The devices that are to be traced.
fn traces(args: &CheckConfig, host: Option<&Snapshot>) -> Result<Vec<(PciAddress, View)>, Stop> {
    let trace = |text: &String| {
        let address: PciAddress = text.parse().map_err(|e| Stop::usage(format!("--trace {text}: {e}")))?;
        let device = host.and_then(|host| host.device(address));
        let device = device.ok_or_else(|| Stop::unknown(format!("{address} is not a device of this host")))?;
        let parent = device.parent_addr.and_then(|parent| host.and_then(|host| host.device(parent)));
        Ok((address, View::of(device, parent)))
    };
    args.trace.iter().map(trace).collect()
}

fn report(context: &Context, config: &ParsedConfig, found: &[Finding], answers: Answers) -> Result<(), StdoutError> {
    if context.global.output == Format::Table {
        let mut out = String::new();
        for (address, steps) in &answers.traces {
            out.push_str(&text::trace(&address.to_string(), steps, config));
        }
        if let Some(winners) = answers.winners.as_ref().filter(|_| answers.traces.is_empty()) {
            out.push_str(&text::winners(winners, config));
        }
        if let Some(request) = &answers.request {
            out.push_str(&text::request(request, config));
        }
        // What is not an error is a note to somebody who asked for the result only.
        let told = |finding: &&Finding| !context.printer.quiet || finding.severity == Severity::Error;
        out.extend(answers.findings.iter().filter(told).map(text::finding));
        let width = crate::output::width();
        out.extend(found.iter().filter(told).map(|finding| findings::render(finding, config, width)));
        out.push_str(&findings::summary(found, config));
        return context.printer.result(&out);
    }
    let mut document = config.document();
    document.nova_accepts = config.nova_accepts_with(found);
    let mut findings: Vec<Finding> = found.iter().map(|finding| config.sources.located(finding.clone())).collect();
    findings.extend(answers.findings);
    match context.global.output {
        Format::Github => return context.printer.result(&ci::github(&findings)),
        Format::Sarif => return context.printer.document(&ci::sarif(&findings, &explain::rules())),
        _ => {}
    }
    let step = |step: trace::Step| TraceStep { spec: step.index, miss: step.miss.map(config::matching::Miss::as_str) };
    let trace = |(address, steps): (PciAddress, Vec<trace::Step>)| Trace {
        device: address.to_string(),
        steps: steps.into_iter().map(step).collect(),
    };
    context.printer.document(&Document {
        schema: "pvm.check-config/1",
        config: document,
        findings,
        request: answers.request,
        devices: answers.winners.map(|all| all.into_iter().map(|(address, spec)| Won { address, spec }).collect()),
        traces: answers.traces.into_iter().map(trace).collect(),
    })
}

/// Errors before what is unknown before warnings.
fn outcome(config: &ParsedConfig, worst: Option<Severity>, strict: bool) -> Outcome {
    match worst {
        Some(Severity::Error) => Outcome::Findings,
        _ if config.nova_accepts().is_none() => Outcome::Unknown,
        Some(Severity::Warning) if strict => Outcome::Findings,
        _ => Outcome::Fine,
    }
}
