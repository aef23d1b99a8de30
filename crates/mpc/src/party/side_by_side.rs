//! Branches side by side, for whoever polls them as a session goes on.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

/// Two futures of branches of one party side by side, for callers that fork branches themselves.
pub async fn together<A, B>(f: impl Future<Output = A>, g: impl Future<Output = B>) -> (A, B) {
    futures_util::future::join(f, g).await
}

/// The results of all futures, in order.
///
/// Each is polled whenever the session goes on: its futures wake nobody, and a combinator that polls only
/// what was woken would wait for ever.
pub(super) async fn all_of<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Option<Pin<Box<F>>>> = futures.map(|f| Some(Box::pin(f))).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut all = Poll::Ready(());
        for (slot, done) in running.iter_mut().zip(&mut done) {
            let Some(future) = slot else { continue };
            match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    *done = Some(output);
                    *slot = None;
                }
                Poll::Pending => all = Poll::Pending,
            }
        }
        all
    })
    .await;
    done.into_iter().flatten().collect()
}
