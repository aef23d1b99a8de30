//! What an owner does: push, retire, grant.

use super::https::Call;
use super::{Caller, CallerError, first_failure, model_path};
use crate::station::parts;
use crate::station::views::PushHead;
use crate::{ModelView, Name, task};
use hyper::Method;
use ndarray::ArrayD;
use trefoil_guard::Guard;
use trefoil_nn::{Plan, Weights};
use trefoil_ring::{Seed, Z32, Z64};

impl Caller {
    /// Push a model and its guard as shares, under a version greater than those before. When this returns, it answers at
    /// all three parties in the place of the version before; returns its version.
    ///
    /// # Security
    /// Party 0 receives seeds, parties 1 and 2 a seed and masked values each.
    ///
    /// # Errors
    /// Weights or a guard that do not fit the plan, before anything is sent; [`CallerError::Refused`] with a stable code.
    pub fn push(
        &mut self,
        name: &Name,
        plan: &Plan,
        weights: &Weights,
        guard: Option<&Guard>,
    ) -> Result<u64, CallerError> {
        plan.check_weights(weights)?;
        let settings = guard.map(Guard::settings);
        if let Some(settings) = &settings {
            task::check(settings, plan)?;
        }
        let bodies: [Vec<ModelView>; 3] = self.each("the models", "/v1/models")?;
        let versions = bodies
            .iter()
            .flatten()
            .filter(|view| view.name == name.as_str());
        let version = versions.map(|view| view.version).max().unwrap_or(0) + 1;
        let head = PushHead {
            push: Self::random()?,
            plan: plan.to_bytes(),
            guard: settings.as_ref().map(task::encode),
        };
        let of_guard = guard.map(Guard::tensors).unwrap_or_default();
        let held = weights.held();
        let tensors: Vec<&ArrayD<f64>> = held.iter().map(AsRef::as_ref).chain(&of_guard).collect();
        let seeds = [Seed(Self::random()?), Seed(Self::random()?)];
        let shared = match plan.ring_bits {
            32 => parts::share::<Z32>(tensors, plan.format(), &seeds),
            _ => parts::share::<Z64>(tensors, plan.format(), &seeds),
        };
        let path = format!("{}/versions/{version}", model_path(name));
        let head = head.encode();
        let calls = shared.map(|part| Call {
            method: Method::PUT,
            path: &path,
            body: [&head[..], &part].concat(),
        });
        first_failure(self.call_all(calls))?;
        Ok(version)
    }

    /// Retire a model: it answers nothing more, and all three wipe its shares.
    ///
    /// # Errors
    /// [`CallerError::Refused`]; if a party could not be reached, call it again.
    pub fn retire(&mut self, name: &Name) -> Result<(), CallerError> {
        let path = model_path(name);
        self.tell_all(&Method::DELETE, &path, &[])
    }

    /// Let a user ask a model, up to `quota` samples in all, or without end.
    ///
    /// # Errors
    /// [`CallerError::Refused`]; if a party could not be reached, call it again.
    pub fn grant(
        &mut self,
        name: &Name,
        user: &Name,
        quota: Option<u64>,
    ) -> Result<(), CallerError> {
        let path = format!("{}/grants/{user}", model_path(name));
        // Plain numbers always encode.
        let body =
            serde_json::to_vec(&crate::station::views::GrantBody { quota }).unwrap_or_default();
        self.tell_all(&Method::PUT, &path, &body)
    }

    /// Let a user no longer ask a model.
    ///
    /// # Errors
    /// [`CallerError::Refused`]; if a party could not be reached, call it again.
    pub fn revoke(&mut self, name: &Name, user: &Name) -> Result<(), CallerError> {
        let path = format!("{}/grants/{user}", model_path(name));
        self.tell_all(&Method::DELETE, &path, &[])
    }

    fn tell_all(&mut self, method: &Method, path: &str, body: &[u8]) -> Result<(), CallerError> {
        let call = || Call {
            method: method.clone(),
            path,
            body: body.to_vec(),
        };
        first_failure(self.call_all([call(), call(), call()])).map(drop)
    }
}
