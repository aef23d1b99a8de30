//! Running a plan on a back end.

use crate::backend::Secure;
use crate::backend::{Backend, Clear, Fixed, RangedBackend};
use crate::plan::{Plan, ValueId};
use crate::value::{Given, Value};
use ndarray::ArrayD;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};
use trefoil_mpc::Share;
use trefoil_ring::{Ring, Z32, Z64};

/// Is told of each step when it is done, for progress bars and times per layer.
pub trait Observer {
    /// Step `index` of the plan, of this name, took `elapsed`.
    fn step(&mut self, index: usize, name: &str, elapsed: Duration);
}

/// An observer of no steps.
impl Observer for () {
    fn step(&mut self, _: usize, _: &str, _: Duration) {}
}

impl<F: FnMut(usize, &str, Duration)> Observer for F {
    fn step(&mut self, index: usize, name: &str, elapsed: Duration) {
        self(index, name, elapsed);
    }
}

/// A run of a plan, as a future of its outputs.
pub type Running<'a, B> =
    Pin<Box<dyn Future<Output = Result<Vec<<B as Backend>::Tensor>, <B as Backend>::Error>> + 'a>>;

/// A back end whose executor this crate compiles, with all its layers: once, and not again in every
/// crate that runs plans.
pub trait PlanBackend: RangedBackend + Sized {
    /// What [`run`] does.
    fn start<'a>(
        &'a self,
        plan: &'a Plan,
        weights: &'a [Self::Tensor],
        inputs: Vec<Self::Tensor>,
        observer: &'a mut dyn Observer,
    ) -> Running<'a, Self>;
}

/// A ring whose back ends are [`PlanBackend`]: `Z32` and `Z64`.
pub trait RunRing: Ring {
    /// [`run`] in fixed point.
    fn start_fixed<'a>(
        backend: &'a Fixed<Self>,
        plan: &'a Plan,
        weights: &'a [ArrayD<Self>],
        inputs: Vec<ArrayD<Self>>,
        observer: &'a mut dyn Observer,
    ) -> Running<'a, Fixed<Self>>;

    /// [`run`] on three parties.
    fn start_secure<'a>(
        backend: &'a Secure<Self>,
        plan: &'a Plan,
        weights: &'a [Share<Self>],
        inputs: Vec<Share<Self>>,
        observer: &'a mut dyn Observer,
    ) -> Running<'a, Secure<Self>>;
}

macro_rules! run_ring {
    ($($ring:ty),*) => {$(
        impl RunRing for $ring {
            fn start_fixed<'a>(
                backend: &'a Fixed<Self>,
                plan: &'a Plan,
                weights: &'a [ArrayD<Self>],
                inputs: Vec<ArrayD<Self>>,
                observer: &'a mut dyn Observer,
            ) -> Running<'a, Fixed<Self>> {
                Box::pin(steps(plan, backend, weights, inputs, observer))
            }

            fn start_secure<'a>(
                backend: &'a Secure<Self>,
                plan: &'a Plan,
                weights: &'a [Share<Self>],
                inputs: Vec<Share<Self>>,
                observer: &'a mut dyn Observer,
            ) -> Running<'a, Secure<Self>> {
                Box::pin(steps(plan, backend, weights, inputs, observer))
            }
        }
    )*};
}

run_ring!(Z32, Z64);

impl PlanBackend for Clear {
    fn start<'a>(
        &'a self,
        plan: &'a Plan,
        weights: &'a [ArrayD<f64>],
        inputs: Vec<ArrayD<f64>>,
        observer: &'a mut dyn Observer,
    ) -> Running<'a, Self> {
        Box::pin(steps(plan, self, weights, inputs, observer))
    }
}

impl<R: RunRing> PlanBackend for Fixed<R> {
    fn start<'a>(
        &'a self,
        plan: &'a Plan,
        weights: &'a [ArrayD<R>],
        inputs: Vec<ArrayD<R>>,
        observer: &'a mut dyn Observer,
    ) -> Running<'a, Self> {
        R::start_fixed(self, plan, weights, inputs, observer)
    }
}

impl<R: RunRing> PlanBackend for Secure<R> {
    fn start<'a>(
        &'a self,
        plan: &'a Plan,
        weights: &'a [Share<R>],
        inputs: Vec<Share<R>>,
        observer: &'a mut dyn Observer,
    ) -> Running<'a, Self> {
        R::start_secure(self, plan, weights, inputs, observer)
    }
}

/// Run a checked plan: the results for `inputs` under `weights`, in the order of
/// [`Plan::outputs`]. Values are dropped after their last use.
///
/// # Errors
/// The back end's, at the first step that fails.
///
/// # Panics
/// If weights or inputs do not have the plan's number and shapes.
pub async fn run<B: PlanBackend>(
    plan: &Plan,
    backend: &B,
    weights: &[B::Tensor],
    inputs: Vec<B::Tensor>,
    observer: &mut dyn Observer,
) -> Result<Vec<B::Tensor>, B::Error> {
    backend.start(plan, weights, inputs, observer).await
}

/// [`run`] on any back end.
pub(crate) async fn steps<B: Backend>(
    plan: &Plan,
    backend: &B,
    weights: &[B::Tensor],
    inputs: Vec<B::Tensor>,
    observer: &mut dyn Observer,
) -> Result<Vec<B::Tensor>, B::Error> {
    assert_eq!(weights.len(), plan.weights.len(), "number of weights");
    assert_eq!(inputs.len(), plan.inputs.len(), "number of inputs");
    let last = last_uses(plan);
    let mut values: Vec<Slot<'_, B>> = plan.shapes.iter().map(|_| Slot::Empty).collect();
    for (port, tensor) in plan.weights.iter().zip(weights) {
        assert_eq!(
            backend.shape(tensor),
            plan.shape(port.value),
            "shape of `{}`",
            port.name
        );
        values[port.value] = Slot::Borrowed(tensor);
    }
    for (port, tensor) in plan.inputs.iter().zip(inputs) {
        assert_eq!(
            backend.shape(&tensor),
            plan.shape(port.value),
            "shape of `{}`",
            port.name
        );
        values[port.value] = Slot::Owned(Value::Number(tensor));
    }
    for (index, step) in plan.steps.iter().enumerate() {
        let start = Instant::now();
        let operands: Vec<Given<'_, B>> = step
            .inputs
            .iter()
            .filter_map(|&id| values[id].get())
            .collect();
        let output = step.layer.evaluate(backend, &operands).await?;
        debug_assert_eq!(
            output.shape(backend),
            plan.shape(step.output),
            "{}",
            step.name
        );
        values[step.output] = Slot::Owned(output);
        for &id in step.inputs.iter().chain([&step.output]) {
            if last[id] <= index {
                values[id] = Slot::Empty;
            }
        }
        observer.step(index, &step.name, start.elapsed());
    }
    Ok(plan
        .outputs
        .iter()
        .filter_map(|port| match values[port.value].get() {
            Some(Given::Number(tensor)) => Some(tensor.clone()),
            // A checked plan gives numbers, of values that are there.
            Some(Given::Bit(_)) | None => None,
        })
        .collect())
}

/// A value while a plan runs.
enum Slot<'a, B: Backend> {
    /// Not yet made, or no longer needed.
    Empty,
    /// A weight.
    Borrowed(&'a B::Tensor),
    /// An input or a step's output.
    Owned(Value<B>),
}

impl<B: Backend> Slot<'_, B> {
    fn get(&self) -> Option<Given<'_, B>> {
        match self {
            Self::Empty => None,
            &Self::Borrowed(tensor) => Some(Given::Number(tensor)),
            Self::Owned(value) => Some(value.given()),
        }
    }
}

/// The last step that uses each value; `usize::MAX` for outputs, 0 for values nobody uses.
pub(crate) fn last_uses(plan: &Plan) -> Vec<usize> {
    let mut last = vec![0; plan.shapes.len()];
    for (index, step) in plan.steps.iter().enumerate() {
        for &id in &step.inputs {
            last[id] = index;
        }
    }
    for port in &plan.outputs {
        let id: ValueId = port.value;
        last[id] = usize::MAX;
    }
    last
}
