//! What the operator wants: by the options of this call, or by the plan that an earlier one saved.

use super::{parameters, saved};
use crate::cli::migrate::Migrate;
use crate::commands::Stop;
use crate::commands::hosts::pci_requests;
use crate::facts::settings::Defaults;
use crate::model::device_move::DeviceMove;
use crate::model::options::Options;
use crate::model::pci::PciAddress;
use crate::nova::scheduler::Request;
use crate::plan::Wishes;
use crate::plan::document::Plan;
use crate::preflight::Downtime;

/// The choices that a plan is made of.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The guest: name, UUID or display name.
    pub(super) instance: String,
    /// Where it runs.
    pub(super) from: String,
    /// Where it goes.
    pub(super) destination: String,
    /// What its flavor asks for.
    pub(super) request: Option<String>,
    /// What Nova stored as its requests.
    pub(super) stored: Option<Vec<Request>>,
    /// Plain host devices that are ports.
    pub(super) ports: Vec<PciAddress>,
    /// Disks to be copied.
    pub(super) copies: Vec<String>,
    /// Ports stay plugged in.
    pub(super) no_detach: bool,
    /// It is moved without its owner.
    pub(super) bypass_owner: bool,
    /// How it is done.
    pub(super) options: Options,
    /// The limit of the pause, where it is to be chosen.
    pub(super) downtime: Downtime,
    /// The devices it is to get, where that is not for this plan to choose.
    pub(super) map: Option<Vec<DeviceMove>>,
    /// The plan that is to be executed as it is.
    pub(super) saved: Option<Plan>,
}

impl Wanted {
    /// Reads the options, and the plan that they name.
    pub(super) fn of(args: &Migrate, defaults: &Defaults) -> Result<Self, Stop> {
        match &args.plan {
            Some(path) => Self::by_plan(args, saved::read(path)?),
            None => Self::by_options(args, defaults),
        }
    }

    fn by_options(args: &Migrate, defaults: &Defaults) -> Result<Self, Stop> {
        let (options, downtime) = parameters::chosen(args, defaults)?;
        let needed = |word: &Option<String>, what| {
            word.clone().ok_or_else(|| Stop::usage(format!("{what} is needed, or --plan FILE")))
        };
        Ok(Self {
            instance: needed(&args.instance, "INSTANCE")?,
            from: args.from.clone().unwrap_or_else(|| "local".to_owned()),
            destination: needed(&args.destination, "DST")?,
            request: args.request.clone(),
            stored: args.pci_requests.as_deref().map(pci_requests).transpose()?,
            ports: args.replug.clone(),
            copies: args.copy_storage.clone(),
            no_detach: args.no_replug,
            bypass_owner: args.bypass_owner.is_some(),
            options,
            downtime,
            map: None,
            saved: None,
        })
    }

    /// The words of the command line come first: whether they mean the same guest and hosts is seen when those answer.
    fn by_plan(args: &Migrate, plan: Plan) -> Result<Self, Stop> {
        let (options, downtime) = parameters::of(&plan)?;
        Ok(Self {
            instance: args.instance.clone().unwrap_or_else(|| plan.instance.uuid.clone()),
            from: args.from.clone().unwrap_or_else(|| plan.source.clone()),
            destination: args.destination.clone().unwrap_or_else(|| plan.destination.clone()),
            request: (!plan.requests.is_empty()).then(|| plan.requests.join(",")),
            stored: plan.pci_requests.clone(),
            ports: plan.ports.clone(),
            copies: options.copy_disks.keys().cloned().collect(),
            no_detach: args.no_replug,
            bypass_owner: args.bypass_owner.is_some(),
            options,
            downtime,
            map: Some(plan.map.clone()),
            saved: Some(plan),
        })
    }

    /// The part of it that the planner needs.
    pub(super) fn wishes(&self) -> Wishes<'_> {
        Wishes {
            request: self.request.as_deref(),
            ports: &self.ports,
            stored: self.stored.as_deref(),
            map: self.map.as_deref(),
        }
    }
}
