//! Where networks are trained.

use crate::LabError;
use burn_tensor::Device;
use std::sync::OnceLock;

static CHOSEN: OnceLock<Device> = OnceLock::new();

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processor {
    /// This machine's processor.
    Cpu,
    /// Its graphics processor, in a build with the feature `gpu`.
    Gpu,
}

/// Train all networks of this process there. To be called before the first network is made;
/// without it networks are trained on the processor.
///
/// # Errors
/// If this build cannot compute there, or networks are trained somewhere else already.
pub fn train_on(processor: Processor) -> Result<(), LabError> {
    let device = match processor {
        Processor::Cpu => Device::flex(),
        #[cfg(feature = "gpu")]
        Processor::Gpu => Device::wgpu(burn_tensor::DeviceKind::DefaultDevice),
        #[cfg(not(feature = "gpu"))]
        Processor::Gpu => {
            let problem = "was built without it; build with --features gpu, or train on the \
                           processor";
            return Err(LabError::input("training on a graphics processor", problem));
        }
    };
    let chosen = CHOSEN.get_or_init(|| device.clone());
    if *chosen == device {
        return Ok(());
    }
    let problem =
        "networks are trained on another one already; start the program anew to change it";
    Err(LabError::input("the processor for training", problem))
}

/// Where networks are trained.
pub(super) fn device() -> Device {
    CHOSEN.get_or_init(Device::flex).clone()
}

#[cfg(all(test, not(feature = "gpu")))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_in_is_said() {
        let error = train_on(Processor::Gpu).unwrap_err().to_string();
        assert!(error.contains("--features gpu"), "{error}");
        assert!(train_on(Processor::Cpu).is_ok());
        assert!(train_on(Processor::Cpu).is_ok());
    }
}
