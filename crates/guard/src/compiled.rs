//! The guard on every back end, compiled once.

use crate::{LoadedClassifier, Settings, Variant, faithful, guard};
use ndarray::ArrayD;
use std::future::Future;
use std::pin::Pin;
use trefoil_mpc::Share;
use trefoil_nn::{Backend, Clear, Fixed, Priced, RangedBackend, RunRing, Secure};
use trefoil_ring::{Z32, Z64};

/// A run of a guard, as a future of the guarded confidences.
pub type Guarding<'a, B> =
    Pin<Box<dyn Future<Output = Result<<B as Backend>::Tensor, <B as Backend>::Error>> + 'a>>;

/// A back end whose guard this crate compiles: once, and not again in every crate that guards.
pub trait GuardBackend: RangedBackend + Sized {
    /// What [`crate::protect`] does.
    fn start<'a>(
        &'a self,
        settings: &'a Settings,
        network: &'a LoadedClassifier<Self>,
        logits: &'a Self::Tensor,
    ) -> Guarding<'a, Self>;
}

/// A ring whose back ends are [`GuardBackend`]: `Z32` and `Z64`.
pub trait GuardRing: RunRing {
    /// [`crate::protect`] in fixed point.
    fn guard_fixed<'a>(
        backend: &'a Fixed<Self>,
        settings: &'a Settings,
        network: &'a LoadedClassifier<Fixed<Self>>,
        logits: &'a ArrayD<Self>,
    ) -> Guarding<'a, Fixed<Self>>;

    /// [`crate::protect`] on three parties.
    fn guard_secure<'a>(
        backend: &'a Secure<Self>,
        settings: &'a Settings,
        network: &'a LoadedClassifier<Secure<Self>>,
        logits: &'a Share<Self>,
    ) -> Guarding<'a, Secure<Self>>;

    /// What [`crate::protect`] will cost.
    #[expect(clippy::ptr_arg, reason = "shapes are the tensors of this back end")]
    fn guard_priced<'a>(
        backend: &'a Priced<Self>,
        settings: &'a Settings,
        network: &'a LoadedClassifier<Priced<Self>>,
        logits: &'a Vec<usize>,
    ) -> Guarding<'a, Priced<Self>>;
}

// The futures hold many tensors: not on the caller's stack.
macro_rules! by_variant {
    ($backend:expr, $settings:expr, $network:expr, $logits:expr) => {
        match $settings.variant {
            Variant::Fast => Box::pin(guard($backend, $settings, $network, $logits)),
            Variant::Faithful => Box::pin(faithful($backend, $settings, $network, $logits)),
        }
    };
}

// SIGuard needs more bits than the ring of 32 has, and its settings are refused there before anything runs
// (`GuardSettings::fits_ring`): none of it is compiled. The table guard does without.
macro_rules! refused {
    ($backend:expr, $settings:expr, $network:expr, $logits:expr) => {{
        let _ = ($backend, $settings, $network, $logits);
        unreachable!("SIGuard in the ring of 32 bits: such settings do not fit it")
    }};
}

macro_rules! guard_ring {
    ($ring:ty, $guard:ident) => {
        impl GuardRing for $ring {
            fn guard_fixed<'a>(
                backend: &'a Fixed<Self>,
                settings: &'a Settings,
                network: &'a LoadedClassifier<Fixed<Self>>,
                logits: &'a ArrayD<Self>,
            ) -> Guarding<'a, Fixed<Self>> {
                $guard!(backend, settings, network, logits)
            }

            fn guard_secure<'a>(
                backend: &'a Secure<Self>,
                settings: &'a Settings,
                network: &'a LoadedClassifier<Secure<Self>>,
                logits: &'a Share<Self>,
            ) -> Guarding<'a, Secure<Self>> {
                $guard!(backend, settings, network, logits)
            }

            fn guard_priced<'a>(
                backend: &'a Priced<Self>,
                settings: &'a Settings,
                network: &'a LoadedClassifier<Priced<Self>>,
                logits: &'a Vec<usize>,
            ) -> Guarding<'a, Priced<Self>> {
                $guard!(backend, settings, network, logits)
            }
        }
    };
}

guard_ring!(Z64, by_variant);
guard_ring!(Z32, refused);

impl GuardBackend for Clear {
    fn start<'a>(
        &'a self,
        settings: &'a Settings,
        network: &'a LoadedClassifier<Self>,
        logits: &'a ArrayD<f64>,
    ) -> Guarding<'a, Self> {
        by_variant!(self, settings, network, logits)
    }
}

impl<R: GuardRing> GuardBackend for Fixed<R> {
    fn start<'a>(
        &'a self,
        settings: &'a Settings,
        network: &'a LoadedClassifier<Self>,
        logits: &'a ArrayD<R>,
    ) -> Guarding<'a, Self> {
        R::guard_fixed(self, settings, network, logits)
    }
}

impl<R: GuardRing> GuardBackend for Secure<R> {
    fn start<'a>(
        &'a self,
        settings: &'a Settings,
        network: &'a LoadedClassifier<Self>,
        logits: &'a Share<R>,
    ) -> Guarding<'a, Self> {
        R::guard_secure(self, settings, network, logits)
    }
}

impl<R: GuardRing> GuardBackend for Priced<R> {
    fn start<'a>(
        &'a self,
        settings: &'a Settings,
        network: &'a LoadedClassifier<Self>,
        logits: &'a Vec<usize>,
    ) -> Guarding<'a, Self> {
        R::guard_priced(self, settings, network, logits)
    }
}
