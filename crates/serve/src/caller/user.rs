//! What a user does: look at a model, and ask it.

use super::https::Call;
use super::{Caller, CallerError, first_failure, get, is_plan_of, model_path};
use crate::station::compute::outputs;
use crate::station::parts;
use crate::{Code, ModelView, Name, RequestId, UsageView};
use hyper::Method;
use hyper::body::Bytes;
use ndarray::{ArrayD, Axis, Slice, concatenate};
use std::time::{Duration, Instant};
use trefoil_mpc::{Share, combine};
use trefoil_net::Role;
use trefoil_nn::{InputError, Plan};
use trefoil_ring::{Ring, Seed, Z32, Z64};

/// How often a query is sent again when its end is not known, or its way was lost.
const TRIES: u32 = 4;
/// Between two of these.
const PAUSE: Duration = Duration::from_millis(300);

/// A model that may be asked: what all three parties tell of it alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    /// Its name.
    pub name: Name,
    /// The version that answers.
    pub version: u64,
    /// What it computes, without weights.
    pub plan: Plan,
    /// Whether its answers are guarded: then they are confidences in the place of logits.
    pub guarded: bool,
    /// Samples that this user may have computed in all, if there is an end.
    pub quota: Option<u64>,
    /// Samples that were charged to this user.
    pub used: u64,
}

impl Caller {
    /// A model and its plan, from all three parties.
    ///
    /// # Security
    /// Unequal plans are refused: a party that tells a user another plan than the others could have it share its
    /// inputs otherwise than the others compute.
    ///
    /// # Errors
    /// [`CallerError::Unequal`]; [`Code::NoSuchModel`] without a grant.
    pub fn model(&mut self, name: &Name) -> Result<Served, CallerError> {
        let path = model_path(name);
        let view: ModelView =
            self.alike("the model", &path, |view: &ModelView| format!("{view:?}"))?;
        let path = format!("{path}/plan");
        let plans = first_failure(self.call_all([get(&path), get(&path), get(&path)]))?;
        if let Some(role) = Role::ALL
            .into_iter()
            .find(|role| !is_plan_of(&view, &plans[role.index()]))
        {
            return Err(CallerError::Unequal {
                what: "the plan",
                told: format!("that of {role} has not the digest {}", view.plan),
            });
        }
        Ok(Served {
            name: name.clone(),
            version: view.version,
            plan: Plan::from_bytes(&plans[0])?,
            guarded: view.guarded,
            quota: view.quota,
            used: view.used,
        })
    }

    /// Ask: one array per input of the plan, as many samples along the first axis as one likes; they are asked in pieces of
    /// the plan's batch. The answer has one array per output.
    ///
    /// # Security
    /// Each party receives its part alone, and none of them the samples. The two copies of each component of the
    /// answer are compared.
    ///
    /// # Errors
    /// [`CallerError::Input`] before anything is sent; [`CallerError::Refused`] with a stable code.
    ///
    /// # Panics
    /// If the inputs have different numbers of samples.
    pub fn ask(
        &mut self,
        served: &Served,
        inputs: &[ArrayD<f64>],
    ) -> Result<Vec<ArrayD<f64>>, CallerError> {
        let plan = &served.plan;
        if inputs.len() != plan.inputs.len() {
            let (expected, actual) = (plan.inputs.len(), inputs.len());
            return Err(InputError::Count { expected, actual }.into());
        }
        let samples = inputs.first().map_or(0, |input| input.len_of(Axis(0)));
        assert!(
            inputs.iter().all(|input| input.len_of(Axis(0)) == samples),
            "samples of each input"
        );
        let mut answers: Vec<Vec<ArrayD<f64>>> = vec![Vec::new(); plan.outputs.len()];
        for start in (0..samples).step_by(plan.batch) {
            let end = samples.min(start + plan.batch);
            let filled: Vec<_> = inputs
                .iter()
                .map(|input| trefoil_nn::filled(input, start, plan.batch))
                .collect();
            plan.check_inputs(&filled)?;
            let piece = |input: &ArrayD<f64>| {
                input
                    .slice_axis(Axis(0), Slice::from(start..end))
                    .to_owned()
            };
            let piece: Vec<ArrayD<f64>> = inputs.iter().map(piece).collect();
            let answer = match plan.ring_bits {
                32 => self.ask_piece::<Z32>(served, &piece, end - start)?,
                _ => self.ask_piece::<Z64>(served, &piece, end - start)?,
            };
            for (all, answer) in answers.iter_mut().zip(answer) {
                all.push(answer);
            }
        }
        let join = |pieces: &Vec<ArrayD<f64>>| {
            let views: Vec<_> = pieces.iter().map(|piece| piece.view()).collect();
            // Pieces of one output differ in their number of samples alone.
            concatenate(Axis(0), &views).unwrap_or_default()
        };
        Ok(answers.iter().map(join).collect())
    }

    fn ask_piece<R: Ring>(
        &mut self,
        served: &Served,
        inputs: &[ArrayD<f64>],
        samples: usize,
    ) -> Result<Vec<ArrayD<f64>>, CallerError> {
        let plan = &served.plan;
        let end = Instant::now() + self.time;
        loop {
            let id = RequestId(Self::random()?);
            let seeds = [Seed(Self::random()?), Seed(Self::random()?)];
            let parts = parts::share::<R>(inputs, plan.format(), &seeds);
            match self.send(served, id, samples, &parts) {
                Ok(bodies) => return open::<R>(plan, samples, &bodies),
                // Refused before anything was charged: a fresh id is a fresh request.
                Err(error) if error.code() == Some(Code::Busy) && Instant::now() < end => {
                    std::thread::sleep(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Send a request's parts, and again as long as its end is not known: the same id is the same request.
    fn send(
        &mut self,
        served: &Served,
        id: RequestId,
        samples: usize,
        parts: &[Vec<u8>; 3],
    ) -> Result<[Bytes; 3], CallerError> {
        let wait = self.time.as_millis();
        let alone = u8::from(self.alone);
        let path = format!(
            "{}/queries/{id}?version={}&samples={samples}&wait_ms={wait}&alone={alone}",
            model_path(&served.name),
            served.version
        );
        let mut tries = 1;
        loop {
            let call = |part: &Vec<u8>| Call {
                method: Method::PUT,
                path: &path,
                body: part.clone(),
            };
            let answered = first_failure(self.call_all(parts.each_ref().map(call)));
            let again = match &answered {
                Ok(_) => false,
                Err(CallerError::Unreachable { .. }) => true,
                Err(error) => error.code() == Some(Code::Undecided),
            };
            if !again || tries == TRIES {
                return answered;
            }
            tries += 1;
            std::thread::sleep(PAUSE);
        }
    }

    /// What was charged for a model: to this user, or to each user if this is its owner.
    ///
    /// # Errors
    /// As [`Caller::models`].
    pub fn usage(&mut self, name: &Name) -> Result<Vec<UsageView>, CallerError> {
        let path = format!("{}/usage", model_path(name));
        self.alike("the usage", &path, |usage: &Vec<UsageView>| {
            format!("{usage:?}")
        })
    }
}

/// The answer, from the three parties' shares.
fn open<R: Ring>(
    plan: &Plan,
    samples: usize,
    bodies: &[Bytes; 3],
) -> Result<Vec<ArrayD<f64>>, CallerError> {
    let shapes = outputs(plan, samples);
    let mut shares: [Vec<Share<R>>; 3] = Default::default();
    for (role, body) in Role::ALL.into_iter().zip(bodies) {
        let mut left = &body[..];
        for shape in &shapes {
            let len: usize = shape.iter().product();
            let mut component = || {
                let (bytes, rest) = left.split_at_checked(len * R::BYTES)?;
                left = rest;
                Some(parts::elements::<R>(bytes))
            };
            let malformed = || CallerError::Malformed {
                role,
                what: "shares of an answer",
            };
            let (mine, next) = (
                component().ok_or_else(malformed)?,
                component().ok_or_else(malformed)?,
            );
            shares[role.index()].push(Share::new(shape, mine, next));
        }
        if !left.is_empty() {
            return Err(CallerError::Malformed {
                role,
                what: "shares of an answer",
            });
        }
    }
    let [first, second, third] = shares;
    let mut answers = Vec::new();
    for ((a, b), c) in first.into_iter().zip(second).zip(third) {
        answers.push(plan.format().decode_all(combine(&[a, b, c])?.view()));
    }
    Ok(answers)
}
