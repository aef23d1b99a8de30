//! Who watches long work.

use trefoil_serve::Progress;

/// Is told what is going on, and how far it is where there is something to count. Every call of the library that may take long
/// takes one; `&mut |_, _| ()` looks at nothing.
pub type Watch<'a> = dyn FnMut(&'static str, Option<Progress>) + 'a;

/// Step `index` of `steps`, of a batch of several.
pub(crate) fn step(
    (batch, batches): (usize, usize),
    (index, steps): (usize, usize),
    name: &str,
) -> Progress {
    Progress::Step {
        batch,
        batches,
        index,
        steps,
        name: name.to_owned(),
    }
}
