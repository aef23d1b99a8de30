//! Memory of a service between sessions.

/// Give the memory that sessions have freed back to the operating system: allocators keep it, and a party that once
/// answered a large batch would hold that much until it ends.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub(crate) fn give_back() {
    // SAFETY: it takes no pointer, and may be called at any time by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Elsewhere that is left to the allocator.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
