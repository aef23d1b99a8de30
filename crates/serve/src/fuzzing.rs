//! What clients and parties send each other, read as the service and the client read it: for fuzz targets.

use crate::outcome::report;
use crate::wire::{PartyReport, Reply, Request, Turn};
use crate::{BenchJob, Limits, Seen, task};
use trefoil_guard::GuardSettings;
use trefoil_mpc::Transcript;
use trefoil_net::Role;
use trefoil_nn::Plan;
use trefoil_ring::Seed;

/// Read what a client asks for, at first or in an open session, as far as a party does before it answers.
pub fn request(bytes: &[u8]) {
    if let Ok((Turn::Answer { batches, .. }, [])) = postcard::take_from_bytes(bytes) {
        // However many: counted without overflow.
        drop(Limits::default().check_batches(u64::MAX.saturating_add(batches as u64)));
    }
    match postcard::take_from_bytes(bytes) {
        Ok((Request::Infer { plan, guard, .. }, [])) => {
            let Ok(plan) = Plan::from_bytes(&plan) else {
                return;
            };
            let guard = guard.map(|guard| task::decode(&guard, &plan)).transpose();
            if let Ok(guard) = guard {
                task::hash(&plan, guard.as_ref());
            }
        }
        Ok((Request::Bench(job), [])) => drop(job.check()),
        _ => {}
    }
}

/// Requests to begin with: for a plan, with and without a guard, for a benchmark, and those of an open session.
pub fn requests(plan: &Plan, guard: &GuardSettings) -> Vec<Vec<u8>> {
    let infer = |guard: Option<Vec<u8>>| Request::Infer {
        plan: plan.to_bytes(),
        guard,
        observe: false,
    };
    let bench = Request::Bench(BenchJob {
        protocol: "relu".to_owned(),
        size: 100,
        ring_bits: 64,
        repeats: 2,
    });
    let answer = |last| Turn::Answer { batches: 2, last };
    let mut requests = encoded(&[infer(None), infer(Some(task::encode(guard))), bench]);
    requests.extend(encoded(&[answer(false), answer(true), Turn::End]));
    requests
}

/// Read what a party opens of a recorded batch, as its owner does before it computes it again.
///
/// # Panics
/// If it is taken and written otherwise.
pub fn transcript(bytes: &[u8]) {
    for role in Role::ALL {
        let seeds = Role::ALL.map(|peer| (peer != role).then_some(Seed([7; 16])));
        if let Some(read) = Transcript::from_bytes(role, &seeds, bytes) {
            // Written in the order of names, whatever order it came in.
            let written = read.to_bytes();
            let again = Transcript::from_bytes(role, &seeds, &written);
            let again = again.map(|again| (again.root(), again.to_bytes()));
            assert_eq!(
                again,
                Some((read.root(), written)),
                "what is written is read alike"
            );
        }
    }
}

/// A transcript of party 0 to begin with.
pub fn transcripts() -> Vec<Vec<u8>> {
    let entry = |number: u8| {
        let mut entry = vec![number % 2, 1 - number % 2];
        entry.extend([number; 12]);
        entry.extend(u32::from(number).to_le_bytes());
        entry.extend([number; 32]);
        entry
    };
    vec![(0..4).flat_map(entry).collect()]
}

/// Read the public half of a guard, for a plan.
pub fn guard_settings(bytes: &[u8], plan: &Plan) {
    if let Ok(settings) = task::decode(bytes, plan) {
        task::hash(plan, Some(&settings));
    }
}

/// A public half of a guard to begin with.
pub fn settings(guard: &GuardSettings) -> Vec<u8> {
    task::encode(guard)
}

/// Read what a party says, and of three reports what a client makes of them.
pub fn reply(bytes: &[u8], plan: &Plan) {
    if let Ok((Reply::Done(told) | Reply::Answered(told), [])) = postcard::take_from_bytes(bytes) {
        for guarded in [false, true] {
            let reports = vec![told.clone(), told.clone(), told.clone()];
            drop(report(plan, guarded, 3, &reports));
        }
    }
}

/// Replies to begin with: the report of a run of `plan` among them.
pub fn replies(plan: &Plan) -> Vec<Vec<u8>> {
    let told = |steps: usize| PartyReport {
        steps: vec![(0.25, 3, 400); steps],
        depth: 9,
        bytes: 1_000,
        wire_bytes: 1_200,
        frames: 8,
        seen: Some(Seen::default()),
    };
    let steps = plan.steps.len();
    encoded(&[
        Reply::Ready,
        Reply::Step(3),
        Reply::Output,
        Reply::Done(told(steps)),
        Reply::Answered(told(steps + 1)),
        Reply::Measured {
            seconds: vec![0.5, 0.25],
            rounds: [1, 2],
            bytes: 7,
        },
        Reply::Failed {
            reason: "a reason".to_owned(),
            blames: vec![Role::P1],
        },
    ])
}

fn encoded(messages: &[impl serde::Serialize]) -> Vec<Vec<u8>> {
    let bytes = messages.iter().map(postcard::to_stdvec);
    bytes.filter_map(Result::ok).collect()
}
