//! Queries cut into batches, and what three parties say of them put together.

use crate::wire::PartyReport;
use crate::{Phase, Report, Seen, ServeError};
use ndarray::{ArrayD, Axis, Slice, concatenate};
use trefoil_net::Role;
use trefoil_nn::{Plan, filled};

/// The queries in batches of the plan's size, checked.
pub(crate) fn batches(
    plan: &Plan,
    inputs: &[ArrayD<f64>],
    queries: usize,
) -> Result<Vec<Vec<ArrayD<f64>>>, ServeError> {
    let size = plan.batch;
    let mut batches = Vec::new();
    for start in (0..queries).step_by(size) {
        let batch: Vec<_> = inputs
            .iter()
            .map(|input| filled(input, start, size))
            .collect();
        plan.check_inputs(&batch)?;
        batches.push(batch);
    }
    Ok(batches)
}

/// All batches' outputs, without those of the fill.
pub(crate) fn assemble(
    plan: &Plan,
    batches: &[Vec<ArrayD<f64>>],
    queries: usize,
) -> Vec<ArrayD<f64>> {
    (0..plan.outputs.len())
        .map(|i| {
            let views: Vec<_> = batches.iter().map(|batch| batch[i].view()).collect();
            let all = concatenate(Axis(0), &views).unwrap_or_default();
            all.slice_axis(Axis(0), Slice::from(..queries.min(all.shape()[0])))
                .to_owned()
        })
        .collect()
}

/// The name of a step; the guard comes behind those of the plan.
pub(crate) fn step_name(plan: &Plan, index: usize) -> &str {
    plan.steps.get(index).map_or("guard", |step| &step.name)
}

/// What three parties measured, together.
///
/// # Errors
/// If one tells of fewer steps than it had (parties always have a place for the guard): nothing else that it says is worth more.
pub(crate) fn report(
    plan: &Plan,
    guarded: bool,
    reports: &[PartyReport],
) -> Result<Report, ServeError> {
    let due = plan.steps.len() + usize::from(guarded);
    let told = Role::ALL.into_iter().zip(reports);
    if let Some((role, report)) = told.into_iter().find(|(_, told)| told.steps.len() < due) {
        return Err(ServeError::Conversation {
            peer: role.to_string(),
            problem: format!("reported {} steps of {due}", report.steps.len()),
        });
    }
    let each = |f: &dyn Fn(&PartyReport) -> u64| std::array::from_fn(|role| f(&reports[role]));
    let phases = (0..due).map(|i| Phase {
        name: step_name(plan, i).to_owned(),
        seconds: reports[1..]
            .iter()
            .map(|report| report.steps[i].0)
            .fold(0.0, f64::max),
        rounds: reports
            .iter()
            .map(|report| report.steps[i].1)
            .max()
            .unwrap_or(0),
        bytes_sent: each(&|report| report.steps[i].2),
    });
    let seen: Vec<Seen> = reports
        .iter()
        .filter_map(|report| report.seen.clone())
        .collect();
    Ok(Report {
        rounds: reports
            .iter()
            .map(|report| report.rounds)
            .max()
            .unwrap_or(0),
        bytes_sent_per_party: each(&|report| report.bytes),
        wire_bytes_per_party: each(&|report| report.wire_bytes),
        frames_per_party: each(&|report| report.frames),
        phases: phases.collect(),
        seen: seen.try_into().ok(),
        ..Report::default()
    })
}
