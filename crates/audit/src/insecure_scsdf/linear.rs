//! Products by triples that the helper deals, and truncation.

use super::{Framework, HELPER};
use trefoil_mpc::{Abort, MessageKind};
use trefoil_net::Role;
use trefoil_ring::{Ring, Z64};

/// A bilinear map of ring elements that adds to its output.
pub trait Bilinear: Fn(&[Z64], &[Z64], &mut [Z64]) {}
impl<F: Fn(&[Z64], &[Z64], &mut [Z64])> Bilinear for F {}

/// Shares of `map(x, y)`; `lens` are the lengths of `x`, `y` and the result.
///
/// # Protocol
/// Beaver's: the helper deals shares of random `a`, `b` and of `map(a, b)`; parties 0 and 1 open `x - a` and
/// `y - b`. This part of the framework is sound.
///
/// # Errors
/// As every message.
pub async fn bilinear(
    framework: &Framework<'_>,
    x: &[Z64],
    y: &[Z64],
    lens: [usize; 3],
    map: impl Bilinear,
) -> Result<Vec<Z64>, Abort> {
    let [len_x, len_y, len] = lens;
    let party = framework.party;
    if framework.helps() {
        let mut a: Vec<Z64> = party.draw(Role::P0, len_x);
        let mut b: Vec<Z64> = party.draw(Role::P0, len_y);
        let c: Vec<Z64> = party.draw(Role::P0, len);
        add_to(&mut a, &party.draw::<Z64>(Role::P1, len_x));
        add_to(&mut b, &party.draw::<Z64>(Role::P1, len_y));
        let mut rest: Vec<Z64> = c.iter().map(|&v| -v).collect();
        map(&a, &b, &mut rest);
        framework.post(Role::P1, MessageKind::Deal, &rest);
        return Ok(Vec::new());
    }
    let a: Vec<Z64> = party.draw(HELPER, len_x);
    let b: Vec<Z64> = party.draw(HELPER, len_y);
    let mut z = if framework.role() == Role::P0 {
        party.draw(HELPER, len)
    } else {
        framework.take(HELPER, MessageKind::Deal, len).await?
    };
    let mut opened: Vec<Z64> = x.iter().zip(&a).map(|(x, a)| x - a).collect();
    opened.extend(y.iter().zip(&b).map(|(y, b)| y - b));
    framework.post(framework.partner(), MessageKind::Open, &opened);
    let theirs = framework
        .take(framework.partner(), MessageKind::Open, len_x + len_y)
        .await?;
    add_to(&mut opened, &theirs);
    let (e, f) = opened.split_at(len_x);
    // xy = ab + a f + e b + e f, and party 0 adds the last term to its shares.
    map(&a, f, &mut z);
    map(e, &b, &mut z);
    if framework.role() == Role::P0 {
        map(e, f, &mut z);
    }
    Ok(z)
}

/// Shares of the element-wise product of two vectors of `len` elements.
///
/// # Errors
/// As every message.
pub async fn mul(
    framework: &Framework<'_>,
    x: &[Z64],
    y: &[Z64],
    len: usize,
) -> Result<Vec<Z64>, Abort> {
    bilinear(framework, x, y, [len; 3], |a, b, out: &mut [Z64]| {
        for (out, (&a, &b)) in out.iter_mut().zip(a.iter().zip(b)) {
            *out += a * b;
        }
    })
    .await
}

/// Shares of `x / 2^shift`, each party on its own (SecureML): off by a unit, and grossly wrong with probability
/// `2^(bits of x + 1 - 64)`.
pub fn truncate(framework: &Framework<'_>, x: &[Z64], shift: u32) -> Vec<Z64> {
    let own = |&v: &Z64| match framework.role() {
        Role::P0 => v.shift_right(shift),
        _ => -(-v).shift_right(shift),
    };
    x.iter().map(own).collect()
}

pub(super) fn add_to(x: &mut [Z64], y: &[Z64]) {
    x.iter_mut().zip(y).for_each(|(x, &y)| *x += y);
}
