//! Futures that never wait.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The output of a future that never waits, such as those of [`crate::Clear`] and
/// [`crate::Fixed`].
///
/// # Panics
/// If it waits.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a computation in the clear never waits"),
    }
}
