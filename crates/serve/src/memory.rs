//! Memory of a party's process, while sessions run and between them.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod glibc {
    use std::sync::Once;

    /// Arrays up to this many bytes come from memory that the process keeps; the largest that glibc takes (half of an arena's heap).
    const KEPT: i32 = 32 << 20;
    /// What may lie free at the end of an arena.
    const FREE: i32 = 1 << 30;
    /// What an arena grows by at least.
    const STEP: i32 = 8 << 20;

    static SET: Once = Once::new();

    /// Keep what a session frees for what it allocates next. By default glibc returns much of it to the operating system, which
    /// clears and maps the pages anew: a tenth of the time of LeNet-5 over TCP.
    #[allow(unsafe_code)]
    pub(crate) fn keep() {
        SET.call_once(|| {
            for (option, value) in [
                (libc::M_MMAP_THRESHOLD, KEPT),
                (libc::M_TRIM_THRESHOLD, FREE),
                (libc::M_TOP_PAD, STEP),
            ] {
                // SAFETY: it takes no pointer, and locks what it changes. What it refuses stays as it was.
                unsafe {
                    libc::mallopt(option, value);
                }
            }
        });
    }

    /// Give the memory that sessions have freed back to the operating system: allocators keep it, and a party that once
    /// answered a large batch would hold that much until it ends.
    #[allow(unsafe_code)]
    pub(crate) fn give_back() {
        // SAFETY: it takes no pointer, and may be called at any time by any thread.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) use glibc::{give_back, keep};

/// Elsewhere both are left to the allocator.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod elsewhere {
    pub(crate) fn keep() {}
    pub(crate) fn give_back() {}
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) use elsewhere::{give_back, keep};
