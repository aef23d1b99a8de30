//! Queries cut into batches, and what three parties say of them put together.

use crate::wire::PartyReport;
use crate::{Phase, Report, Seen, ServeError};
use ndarray::{ArrayD, Axis, Slice, concatenate};
use trefoil_net::Role;
use trefoil_nn::{Plan, filled};

/// Queries in batches of a plan's size, checked.
pub(crate) struct Queries {
    pub(crate) batches: Vec<Vec<ArrayD<f64>>>,
    /// How many they are, the fill of the last batch not counted.
    count: usize,
}

impl Queries {
    /// Cut one array per input of the plan, with queries along the first axis, into batches.
    ///
    /// # Errors
    /// [`ServeError::Input`].
    ///
    /// # Panics
    /// If the inputs have different numbers of queries.
    pub(crate) fn new(plan: &Plan, inputs: &[ArrayD<f64>]) -> Result<Self, ServeError> {
        let count = inputs.first().map_or(0, |input| input.shape()[0]);
        assert!(
            inputs.iter().all(|input| input.shape()[0] == count),
            "queries of each input"
        );
        let size = plan.batch;
        let mut batches = Vec::new();
        for start in (0..count).step_by(size) {
            let batch: Vec<_> = inputs
                .iter()
                .map(|input| filled(input, start, size))
                .collect();
            plan.check_inputs(&batch)?;
            batches.push(batch);
        }
        Ok(Self { batches, count })
    }

    /// The outputs of all batches, without those of the fill.
    pub(crate) fn assemble(&self, plan: &Plan, batches: &[Vec<ArrayD<f64>>]) -> Vec<ArrayD<f64>> {
        (0..plan.outputs.len())
            .map(|i| {
                let views: Vec<_> = batches.iter().map(|batch| batch[i].view()).collect();
                let all = concatenate(Axis(0), &views).unwrap_or_default();
                all.slice_axis(Axis(0), Slice::from(..self.count.min(all.shape()[0])))
                    .to_owned()
            })
            .collect()
    }
}

/// The name of a step; the guard comes behind those of the plan.
pub(crate) fn step_name(plan: &Plan, index: usize) -> &str {
    plan.steps.get(index).map_or("guard", |step| &step.name)
}

/// What three parties measured in one answer, together, where the session was `before` rounds deep before it.
///
/// # Errors
/// If one tells of fewer steps than it had (parties always have a place for the guard): nothing else that it says is worth more.
pub(crate) fn report(
    plan: &Plan,
    guarded: bool,
    before: u32,
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
        rounds: deepest(reports).saturating_sub(before),
        bytes_sent_per_party: each(&|report| report.bytes),
        wire_bytes_per_party: each(&|report| report.wire_bytes),
        frames_per_party: each(&|report| report.frames),
        phases: phases.collect(),
        seen: seen.try_into().ok(),
        ..Report::default()
    })
}

/// The rounds of a session so far. One evaluator may be a message ahead of the other: the deeper of both tells.
pub(crate) fn deepest(reports: &[PartyReport]) -> u32 {
    reports.iter().map(|report| report.depth).max().unwrap_or(0)
}
