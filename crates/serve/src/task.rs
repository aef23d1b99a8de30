//! What a session computes: a plan, and a guard over its logits.

use crate::ServeError;
use trefoil_guard::{GuardError, GuardSettings};
use trefoil_nn::Plan;

/// The digest that client and parties compare before anything is shared: of the plan, and of the guard's public half.
pub(crate) fn hash(plan: &Plan, guard: Option<&GuardSettings>) -> [u8; 32] {
    let Some(settings) = guard else {
        return plan.hash();
    };
    let mut hasher = blake3::Hasher::new_derive_key("trefoil plan and guard");
    hasher.update(&plan.hash());
    hasher.update(&encode(settings));
    *hasher.finalize().as_bytes()
}

/// A guard's public half, for the request.
pub(crate) fn encode(settings: &GuardSettings) -> Vec<u8> {
    // Plain structures of numbers always encode.
    postcard::to_stdvec(settings).unwrap_or_default()
}

/// The counterpart of [`encode`], checked against the plan: it may come from anyone.
pub(crate) fn decode(bytes: &[u8], plan: &Plan) -> Result<GuardSettings, ServeError> {
    let Ok((settings, [])) = postcard::take_from_bytes::<GuardSettings>(bytes) else {
        return Err(ServeError::Conversation {
            peer: "the client".into(),
            problem: "sent a guard that makes no sense; do both run the same version?".into(),
        });
    };
    check(&settings, plan)?;
    Ok(settings)
}

/// Check that a guard fits a plan's output and numbers.
///
/// # Errors
/// Another number of classes, an output that is not one vector of logits a query, another ring or number format.
pub fn check(settings: &GuardSettings, plan: &Plan) -> Result<(), GuardError> {
    settings.check()?;
    let setting = |name, value: String, problem: String| {
        Err(GuardError::Setting {
            name,
            value,
            problem,
        })
    };
    match plan.logits_shape() {
        Some([_, classes]) if classes == settings.classes() => {}
        Some([_, actual]) => {
            return Err(GuardError::Width {
                expected: settings.classes(),
                actual,
            });
        }
        None => {
            let problem =
                "it guards one vector of logits a query, and the model gives something else";
            return setting("classes", settings.classes().to_string(), problem.into());
        }
    }
    if !settings.fits_ring(plan.ring_bits) {
        let problem = "it needs the ring of 64 bits; leave --ring 32 out".to_owned();
        return setting("ring", plan.ring_bits.to_string(), problem);
    }
    if plan.fraction_bits != settings.fraction_bits() {
        let problem = format!("the model's numbers have {}", plan.fraction_bits);
        return setting(
            "fraction_bits",
            settings.fraction_bits().to_string(),
            problem,
        );
    }
    Ok(())
}
