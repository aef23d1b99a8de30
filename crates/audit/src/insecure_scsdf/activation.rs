//! The broken part: `DReLU`, and what is built of it.

use super::linear::{add_to, mul};
use super::{FACTOR_BITS, Framework, HELPER, TO_HELPER};
use trefoil_mpc::{Abort, MessageKind};
use trefoil_net::Role;
use trefoil_ring::{Ring, Z64};

/// What parties 0 and 1 do to a masked value before the helper sees it: the published countermeasures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disguise {
    /// Nothing: the framework as published.
    None,
    /// Each element's sign is flipped at random.
    Flip,
    /// Signs are flipped, then the elements are shuffled.
    FlipAndShuffle,
}

/// Shares of `x >= 0`, as 0 or 1, of `len` elements.
///
/// # Protocol
/// Parties 0 and 1 each draw a positive number; the sum `r` multiplies `x` by a triple; both send their shares of
/// `r x` to the helper, which adds them up, takes the sign and shares it again.
///
/// # Security
/// **None**: `r > 0`, so the helper learns the sign of `x` and about its magnitude.
///
/// # Errors
/// As every message.
pub async fn drelu(
    framework: &Framework<'_>,
    x: &[Z64],
    len: usize,
    disguise: Disguise,
) -> Result<Vec<Z64>, Abort> {
    let factor: Vec<Z64> = if framework.helps() {
        Vec::new()
    } else {
        let words = framework.own_words(len);
        let half = words
            .iter()
            .map(|&w| Z64::from_u64((w >> (65 - FACTOR_BITS)) + 1));
        half.collect()
    };
    let mut masked = mul(framework, &factor, x, len).await?;
    if framework.helps() {
        let mut sum = framework.take(Role::P0, TO_HELPER, len).await?;
        add_to(&mut sum, &framework.take(Role::P1, TO_HELPER, len).await?);
        let signs = framework.party.draw::<Z64>(Role::P0, len);
        let rest: Vec<Z64> = sum
            .iter()
            .zip(signs)
            .map(|(v, share)| Z64::from_u64(u64::from(!v.is_negative())) - share)
            .collect();
        framework.post(Role::P1, MessageKind::Reshare, &rest);
        return Ok(Vec::new());
    }
    let hidden = Hidden::draw(framework, len, disguise);
    hidden.apply(&mut masked);
    framework.post(HELPER, TO_HELPER, &masked);
    let signs = if framework.role() == Role::P0 {
        framework.party.draw(HELPER, len)
    } else {
        framework.take(HELPER, MessageKind::Reshare, len).await?
    };
    Ok(hidden.undo(framework.role(), &signs))
}

/// Shares of `max(x, 0)`, exact.
///
/// # Errors
/// As every message.
pub async fn relu(
    framework: &Framework<'_>,
    x: &[Z64],
    len: usize,
    disguise: Disguise,
) -> Result<Vec<Z64>, Abort> {
    let positive = drelu(framework, x, len, disguise).await?;
    mul(framework, &positive, x, len).await
}

/// Shares of the clamp of `x + 1/2` to `[0, 1]`, the framework's sigmoid, for numbers of `fraction_bits`.
///
/// # Protocol
/// With `a = [x + 1/2 >= 0]` and `b = [x - 1/2 >= 0]` it is `a (x + 1/2) - b (x - 1/2)`: two comparisons, so that
/// the helper learns on which side of two thresholds each input is.
///
/// # Errors
/// As every message.
pub async fn sigmoid(
    framework: &Framework<'_>,
    x: &[Z64],
    len: usize,
    fraction_bits: u32,
    disguise: Disguise,
) -> Result<Vec<Z64>, Abort> {
    let half = match framework.role() {
        Role::P0 => Z64::one_half(fraction_bits),
        _ => Z64::default(),
    };
    let up: Vec<Z64> = x.iter().map(|&v| v + half).collect();
    let down: Vec<Z64> = x.iter().map(|&v| v - half).collect();
    let mut out = relu(framework, &up, len, disguise).await?;
    let above = relu(framework, &down, len, disguise).await?;
    out.iter_mut().zip(above).for_each(|(v, w)| *v -= w);
    Ok(out)
}

trait OneHalf {
    fn one_half(fraction_bits: u32) -> Self;
}

impl OneHalf for Z64 {
    fn one_half(fraction_bits: u32) -> Self {
        Self::from_u64(1 << (fraction_bits - 1))
    }
}

/// What parties 0 and 1 hide from the helper.
struct Hidden {
    flipped: Vec<bool>,
    /// Element `i` is sent at place `order[i]`.
    order: Vec<usize>,
}

impl Hidden {
    fn draw(framework: &Framework<'_>, len: usize, disguise: Disguise) -> Self {
        let words = |len| -> Vec<u64> {
            let drawn: Vec<Z64> = framework.party.draw(framework.partner(), len);
            drawn.iter().map(|w| w.to_u64()).collect()
        };
        let flipped = match disguise {
            Disguise::None => vec![false; len],
            _ => words(len).iter().map(|w| w & 1 == 1).collect(),
        };
        let mut order: Vec<usize> = (0..len).collect();
        if disguise == Disguise::FlipAndShuffle {
            for (i, word) in words(len).into_iter().enumerate() {
                let rest = (len - i) as u128;
                order.swap(i, i + ((u128::from(word) * rest) >> 64) as usize);
            }
        }
        Self { flipped, order }
    }

    fn apply(&self, values: &mut [Z64]) {
        let mut sent = vec![Z64::default(); values.len()];
        for ((&v, &flip), &to) in values.iter().zip(&self.flipped).zip(&self.order) {
            sent[to] = if flip { -v } else { v };
        }
        values.copy_from_slice(&sent);
    }

    /// Shares of the bits before the disguise: a flipped one is 1 less the helper's.
    fn undo(&self, role: Role, signs: &[Z64]) -> Vec<Z64> {
        let one = Z64::from_u64(u64::from(role == Role::P0));
        let places = self.flipped.iter().zip(&self.order);
        places
            .map(|(&flip, &at)| if flip { one - signs[at] } else { signs[at] })
            .collect()
    }
}
