//! The instruction set that kernels are compiled for, chosen at run time.

use std::sync::OnceLock;

/// An instruction set that the kernels have a version for. All versions give identical results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the compiler's target guarantees (SSE2 on `x86_64`).
    Portable,
    /// AVX2.
    Avx2,
    /// AVX-512 with the F, BW, DQ, VL, IFMA and VNNI extensions (Ice Lake, Zen 4 and later).
    Avx512,
}

impl Level {
    /// The levels that this processor has, the best last.
    pub fn available() -> &'static [Self] {
        static LEVELS: OnceLock<Vec<Level>> = OnceLock::new();
        LEVELS.get_or_init(|| {
            let all = [Self::Portable, Self::Avx2, Self::Avx512];
            all.into_iter().filter(|level| level.detect()).collect()
        })
    }

    /// The best level that this processor has.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::Portable)
    }

    /// Whether this processor has the level.
    pub fn is_available(self) -> bool {
        Self::available().contains(&self)
    }

    /// The level's name: `portable`, `avx2` or `avx512`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn detect(self) -> bool {
        match self {
            Self::Portable => true,
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            Self::Avx512 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512ifma")
                    && is_x86_feature_detected!("avx512vnni")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detect(self) -> bool {
        self == Self::Portable
    }
}

/// Work whose loops the compiler vectorises for the level that it is run at.
pub(crate) trait Job {
    /// What the work returns.
    type Output;

    /// Do the work. Implementations are `#[inline(always)]`, and so is what they call in their
    /// inner loops: only code inlined into [`run`] is compiled for the level.
    fn run(self) -> Self::Output;
}

/// Run `job`, compiled for `level`.
///
/// # Panics
/// If the processor lacks `level`.
#[allow(unsafe_code)]
pub(crate) fn run<J: Job>(level: Level, job: J) -> J::Output {
    assert!(
        level.is_available(),
        "this processor lacks {}",
        level.name()
    );
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX2, asserted above.
        Level::Avx2 => unsafe { x86::run_avx2(job) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has these extensions, asserted above.
        Level::Avx512 => unsafe { x86::run_avx512(job) },
        _ => job.run(),
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Job;

    #[target_feature(enable = "avx2")]
    pub(super) fn run_avx2<J: Job>(job: J) -> J::Output {
        job.run()
    }

    #[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512ifma,avx512vnni")]
    pub(super) fn run_avx512<J: Job>(job: J) -> J::Output {
        job.run()
    }
}
