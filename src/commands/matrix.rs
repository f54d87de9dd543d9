//! `pvm preflight --matrix`.

use super::drain::cordon;
use super::hosts::Hosts;
use super::preflight::ask_about;
use super::{Context, OrStop as _, Stop};
use crate::cli::preflight::Preflight;
use crate::facts::{self, HostRef};
use crate::model::causes::sentence;
use crate::model::outcome::Outcome;
use crate::model::snapshot::{Domain, Snapshot};
use crate::output::matrix as output;
use crate::preflight::matrix::{self, Asked};
use crate::preflight::{Compatibility, Terms};

/// Runs the command.
pub(crate) fn run(context: &Context, args: &Preflight) -> Result<Outcome, Stop> {
    let hosts = Hosts::new(context)?;
    let named = hosts.parse_all(std::iter::once(&args.source).chain(&args.destinations))?;
    let asked: Vec<HostRef> = named.into_iter().map(|member| member.host).collect();
    let answers = facts::gather_all(&asked, &hosts.options);
    let mut fleet: Vec<Asked> = Vec::new();
    for (host, answer) in asked.iter().zip(answers) {
        if let Ok(snapshot) = &answer {
            let before = fleet.iter().filter_map(|(_, known)| known.as_ref().ok());
            for known in before {
                super::hosts::is_another(known, snapshot, host)?;
            }
        }
        fleet.push((host.label(), answer.map_err(|error| sentence(&error))));
    }
    if fleet.iter().filter(|(_, answer)| answer.is_ok()).count() < 2 {
        let why = fleet.iter().find_map(|(label, answer)| Some(format!(": {label}: {}", answer.as_ref().err()?)));
        return Err(match why {
            Some(why) => Stop::unknown(format!("fewer than two hosts could be asked{why}")),
            None => Stop::usage("a matrix needs two hosts or more"),
        });
    }
    let of = |host: &Snapshot| -> Vec<Domain> {
        matrix::asked(host, &args.instance).into_iter().map(|at| host.domains[at].clone()).collect()
    };
    let guests: Vec<Domain> = fleet.iter().flat_map(|(_, answer)| answer.iter().flat_map(of)).collect();
    let drains = cordon::drains(context);
    for (host, (_, answer)) in asked.iter().zip(&mut fleet) {
        if let Ok(snapshot) = answer {
            ask_about(snapshot, host, &hosts, context, &guests);
            cordon::note(drains.as_ref(), &mut snapshot.host);
        }
    }
    let terms = Terms { policies: hosts.options.settings.policies(), ..Terms::default() };
    let matrix = matrix::matrix(&fleet, &args.instance, &terms);
    if matrix.rows.is_empty() && !args.instance.is_empty() {
        return Err(Stop::unknown(format!("no host has a domain {}", args.instance.join(", "))));
    }
    output::print(&context.printer, &matrix).or_stop(Outcome::Unknown)?;
    // The worst that a guest has as its best.
    let best = matrix.rows.iter().map(|row| row.answers.first().map_or(Compatibility::Unknown, |best| best.verdict));
    Ok(best.max().map_or(Outcome::Fine, |worst| worst.outcome(args.strict)))
}
