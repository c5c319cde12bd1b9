//! Does what settings say: first all that can fail, then the rest.

use std::time::Duration;

use unkai_core::process;

use super::error::EnvError;
use super::handle::Control;
use super::plan::Plan;
use super::rules::{Action, Measure, Spec};
use super::{exit, sys};
use crate::{Dump, Quantity, Reports, Rule, Trigger, Watcher, Watching};

/// How often the watcher looks, if no window is shorter.
const TICK: Duration = Duration::from_secs(1);

pub(super) fn start(plan: Plan) -> Result<Control, EnvError> {
    if plan.is_empty() {
        return Ok(Control { watching: None });
    }
    if !process::is_in_use() {
        return Err(EnvError::NoProfile);
    }
    if plan.at_exit.is_some() {
        exit::register().ok_or(EnvError::AtExit)?;
    }
    let watching = watch(&plan)?;
    // From here on nothing fails.
    if let Some(path) = plan.at_exit {
        exit::write_to(path);
    }
    if let Some(sampling) = plan.sampling {
        process::set_sampling(sampling);
    }
    match plan.is_on {
        Some(true) => process::resume(),
        Some(false) => process::pause(),
        None => {}
    }
    Ok(Control { watching })
}

/// Starts the watcher of the rules and of the signal.
fn watch(plan: &Plan) -> Result<Option<Watching>, EnvError> {
    if plan.rules.is_empty() && plan.signal.is_none() {
        return Ok(None);
    }
    if let Some(reports) = &plan.reports {
        reports.check().map_err(EnvError::Reports)?;
    }
    let windows = plan.rules.iter().filter_map(|rule| rule.measure.window());
    let mut watcher = Watcher::new().every(windows.fold(TICK, Duration::min));
    for spec in &plan.rules {
        watcher = watcher.rule(rule(spec, plan.reports.as_ref())?);
    }
    let (Some(signal), Some(reports)) = (plan.signal, &plan.reports) else {
        return watcher.start().map(Some).map_err(EnvError::Start);
    };
    let trigger = Trigger::new();
    let is_taken = |name: &&str| plan.rules.iter().any(|rule| rule.name == **name);
    let name = ["signal", "unkai-signal"];
    let name = name
        .iter()
        .find(|name| !is_taken(name))
        .unwrap_or(&"signal");
    let asked = Rule::new(*name, trigger.pulled()).report_or_complain(reports.clone());
    // The handler before the watcher: a handler can be taken back without a trace.
    let handler = sys::on_signal(signal.number(), trigger).map_err(|source| EnvError::Signal {
        signal: signal.number(),
        source,
    })?;
    match watcher.rule(asked).start() {
        Ok(watching) => Ok(Some(watching)),
        Err(error) => {
            sys::not_on_signal(handler);
            Err(EnvError::Start(error))
        }
    }
}

/// The rule that was typed.
fn rule(spec: &Spec, reports: Option<&Reports>) -> Result<Rule, EnvError> {
    let quantity = quantity(spec.measure);
    let condition = if spec.rises {
        quantity.rises_to(spec.threshold.number())
    } else {
        quantity.falls_to(spec.threshold.number())
    };
    let mut rule = Rule::new(&spec.name, condition);
    if let Some(value) = spec.clear {
        rule = rule.clear_at(value.number());
    }
    if let Some(time) = spec.cool_down {
        rule = rule.cool_down(time);
    }
    if let Some(times) = spec.at_most {
        rule = rule.at_most(times);
    }
    let actions = if spec.actions.is_empty() {
        DEFAULT_ACTIONS
    } else {
        &spec.actions
    };
    for action in actions {
        rule = act(rule, action, reports)?;
    }
    Ok(rule)
}

fn quantity(measure: Measure) -> Quantity {
    match measure {
        Measure::Live => Quantity::LiveBytes,
        Measure::Rss => Quantity::ResidentBytes,
        Measure::Share => Quantity::ShareOfLimit,
        Measure::Limit => Quantity::ShareOfProcessLimit,
        Measure::Site => Quantity::LargestSiteBytes,
        Measure::Growth { window } => Quantity::Growth { window },
        Measure::Rate { window } => Quantity::AllocationRate { window },
    }
}

fn act(rule: Rule, action: &Action, reports: Option<&Reports>) -> Result<Rule, EnvError> {
    Ok(match (action, reports) {
        (Action::Report(format), Some(reports)) => {
            let reports = reports.clone();
            rule.report_or_complain(match format {
                Some(format) => reports.format(*format),
                None => reports,
            })
        }
        (Action::Dump, Some(reports)) => {
            rule.dump(Dump::to(reports.dir()).map_err(EnvError::Dump)?)
        }
        (Action::Closer { interval, time }, _) => rule.look_closer(*interval, *time),
        #[cfg(feature = "log")]
        (Action::Log, _) => rule.log(),
        // A plan with such an action is not made.
        _ => rule,
    })
}

/// What a rule does that does not say.
#[cfg(feature = "log")]
const DEFAULT_ACTIONS: &[Action] = &[Action::Report(None), Action::Log];
#[cfg(not(feature = "log"))]
const DEFAULT_ACTIONS: &[Action] = &[Action::Report(None)];
