//! Replicated (2-of-3) shares: party `i` holds `x_i` (`mine`) and `x_{i+1}` (`next`).
//!
//! ```text
//! x = x_0 + x_1 + x_2        party 0: (x_0, x_1)   the mask, independent of every input
//!                            party 1: (x_1, x_2)   half the mask, and the masked value
//!                            party 2: (x_2, x_0)   the masked value, and the other half
//! ```
//! Party 0 knows the whole mask `x_0 + x_1`; parties 1 and 2, the evaluators, both know the masked
//! value `x_2 = x - x_0 - x_1` and one half of the mask each.

use ndarray::{ArrayD, ArrayViewD, IxDyn};
use std::fmt;
use trefoil_net::Role;
use trefoil_ring::{Bits, Ring, Z32};

/// One party's share of a tensor. `Debug` shows the shape alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Share<R> {
    shape: Vec<usize>,
    mine: Vec<R>,
    next: Vec<R>,
}

impl<R: Ring> Share<R> {
    /// Pair the two components, row-major.
    ///
    /// # Panics
    /// If a component's length does not fit the shape.
    pub fn new(shape: &[usize], mine: Vec<R>, next: Vec<R>) -> Self {
        let len: usize = shape.iter().product();
        assert_eq!(
            (mine.len(), next.len()),
            (len, len),
            "components of a share of shape {shape:?}"
        );
        Self {
            shape: shape.to_vec(),
            mine,
            next,
        }
    }

    /// The share of a public tensor: the masked value is the tensor, the mask 0.
    pub fn public(role: Role, values: &ArrayD<R>) -> Self {
        let zeros = vec![R::zero(); values.len()];
        let masked = values.iter().copied().collect();
        match role {
            Role::P0 => Self::new(values.shape(), zeros.clone(), zeros),
            Role::P1 => Self::new(values.shape(), zeros, masked),
            Role::P2 => Self::new(values.shape(), masked, zeros),
        }
    }

    /// Dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.mine.len()
    }

    /// Whether no element is shared.
    pub fn is_empty(&self) -> bool {
        self.mine.is_empty()
    }

    /// The component `x_i` of party `i`.
    pub fn mine(&self) -> &[R] {
        &self.mine
    }

    /// The component `x_{i+1}` of party `i`.
    pub fn next(&self) -> &[R] {
        &self.next
    }

    /// The same elements modulo `2^32`. Local.
    pub(crate) fn narrow(&self) -> Share<Z32> {
        let narrow = |x: &[R]| x.iter().map(|v| Z32::from_u64(v.to_u64())).collect();
        Share::new(&self.shape, narrow(&self.mine), narrow(&self.next))
    }

    /// The same elements in another shape.
    ///
    /// # Panics
    /// If the shape holds another number of elements.
    #[must_use]
    pub fn reshape(mut self, shape: &[usize]) -> Self {
        assert_eq!(
            shape.iter().product::<usize>(),
            self.len(),
            "reshape of {:?} to {shape:?}",
            self.shape
        );
        self.shape = shape.to_vec();
        self
    }

    /// Apply a linear map (a permutation, a slice, a sum …) to both components.
    #[must_use]
    pub fn map(&self, f: impl Fn(ArrayViewD<'_, R>) -> ArrayD<R>) -> Self {
        let (mine, next) = (f(self.view(&self.mine)), f(self.view(&self.next)));
        let shape = mine.shape().to_vec();
        Self::new(&shape, row_major(mine), row_major(next))
    }

    /// Apply a linear map of two shares to both pairs of components.
    #[must_use]
    pub fn zip(
        &self,
        other: &Self,
        f: impl Fn(ArrayViewD<'_, R>, ArrayViewD<'_, R>) -> ArrayD<R>,
    ) -> Self {
        let mine = f(self.view(&self.mine), other.view(&other.mine));
        let next = f(self.view(&self.next), other.view(&other.next));
        let shape = mine.shape().to_vec();
        Self::new(&shape, row_major(mine), row_major(next))
    }

    /// Apply a linear map of several shares to both components of all.
    #[must_use]
    pub fn join(shares: &[&Self], f: impl Fn(&[ArrayViewD<'_, R>]) -> ArrayD<R>) -> Self {
        let [mine, next] = [Self::mine, Self::next].map(|of: fn(&Self) -> &[R]| {
            let views: Vec<_> = shares.iter().map(|share| share.view(of(share))).collect();
            f(&views)
        });
        let shape = mine.shape().to_vec();
        Self::new(&shape, row_major(mine), row_major(next))
    }

    fn view<'a>(&self, component: &'a [R]) -> ArrayViewD<'a, R> {
        view(&self.shape, component)
    }

    /// `self + other`, element by element, same shape.
    #[must_use]
    pub fn add(&self, other: &Self) -> Self {
        self.each(other, |a, b| a + b)
    }

    /// `self - other`, element by element, same shape.
    #[must_use]
    pub fn sub(&self, other: &Self) -> Self {
        self.each(other, |a, b| a - b)
    }

    fn each(&self, other: &Self, f: impl Fn(R, R) -> R) -> Self {
        assert_eq!(
            self.shape, other.shape,
            "operands of an element-wise operation"
        );
        let zip = |x: &[R], y: &[R]| x.iter().zip(y).map(|(&a, &b)| f(a, b)).collect();
        Self::new(
            &self.shape,
            zip(&self.mine, &other.mine),
            zip(&self.next, &other.next),
        )
    }

    /// `-self`.
    #[must_use]
    pub fn neg(&self) -> Self {
        self.scale(-R::one())
    }

    /// `factor * self` in the ring: no truncation.
    #[must_use]
    pub fn scale(&self, factor: R) -> Self {
        let scale = |x: &[R]| x.iter().map(|&a| a * factor).collect();
        Self::new(&self.shape, scale(&self.mine), scale(&self.next))
    }

    /// `self + constant` for a public constant.
    #[must_use]
    pub fn add_constant(mut self, role: Role, constant: R) -> Self {
        if let Some(masked) = self.masked_mut(role) {
            for x in masked {
                *x += constant;
            }
        }
        self
    }

    /// The masked value `x_2` (evaluators).
    ///
    /// # Panics
    /// At party 0, which does not hold it.
    pub(crate) fn masked(&self, role: Role) -> &[R] {
        assert_ne!(role, Role::P0, "party 0 holds no masked value");
        if role == Role::P1 {
            &self.next
        } else {
            &self.mine
        }
    }

    fn masked_mut(&mut self, role: Role) -> Option<&mut [R]> {
        match role {
            Role::P0 => None,
            Role::P1 => Some(&mut self.next),
            Role::P2 => Some(&mut self.mine),
        }
    }

    /// An evaluator's half of the mask: `x_1` at party 1, `x_0` at party 2.
    pub(crate) fn half_mask(&self, role: Role) -> &[R] {
        assert_ne!(role, Role::P0, "party 0 holds the whole mask");
        if role == Role::P1 {
            &self.mine
        } else {
            &self.next
        }
    }

    /// The whole mask `x_0 + x_1` (party 0).
    pub(crate) fn mask(&self) -> Vec<R> {
        self.mine
            .iter()
            .zip(&self.next)
            .map(|(&a, &b)| a + b)
            .collect()
    }

    /// An evaluator's share from its half of the mask and the masked value.
    pub(crate) fn evaluated(
        role: Role,
        shape: &[usize],
        half_mask: Vec<R>,
        masked: Vec<R>,
    ) -> Self {
        if role == Role::P1 {
            Self::new(shape, half_mask, masked)
        } else {
            Self::new(shape, masked, half_mask)
        }
    }
}

impl<R> fmt::Debug for Share<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

/// A row-major view of a component.
pub(crate) fn view<'a, R>(shape: &[usize], component: &'a [R]) -> ArrayViewD<'a, R> {
    match ArrayViewD::from_shape(IxDyn(shape), component) {
        Ok(view) => view,
        Err(_) => unreachable!("a share's components fit its shape"),
    }
}

fn row_major<R: Clone>(array: ArrayD<R>) -> Vec<R> {
    if array.is_standard_layout() {
        let (vec, offset) = array.into_raw_vec_and_offset();
        if offset.unwrap_or(0) == 0 {
            return vec;
        }
        return vec[offset.unwrap_or(0)..].to_vec();
    }
    array.iter().cloned().collect()
}

/// One party's XOR share of a vector of bits, replicated as [`Share`] is. `Debug` shows the length alone.
#[derive(Clone, PartialEq, Eq)]
pub struct BitShare {
    mine: Bits,
    next: Bits,
}

impl BitShare {
    /// Pair the two components.
    ///
    /// # Panics
    /// If they differ in length.
    pub fn new(mine: Bits, next: Bits) -> Self {
        assert_eq!(mine.len(), next.len(), "components of a bit share");
        Self { mine, next }
    }

    /// The share of public bits.
    pub fn public(role: Role, bits: &Bits) -> Self {
        let zeros = Bits::zeros(bits.len());
        match role {
            Role::P0 => Self::new(zeros.clone(), zeros),
            Role::P1 => Self::new(zeros, bits.clone()),
            Role::P2 => Self::new(bits.clone(), zeros),
        }
    }

    /// Bits.
    pub fn len(&self) -> usize {
        self.mine.len()
    }

    /// Whether there are no bits.
    pub fn is_empty(&self) -> bool {
        self.mine.is_empty()
    }

    /// The component `x_i` of party `i`.
    pub fn mine(&self) -> &Bits {
        &self.mine
    }

    /// The component `x_{i+1}` of party `i`.
    pub fn next(&self) -> &Bits {
        &self.next
    }

    /// The XOR of two bit vectors of one length.
    #[must_use]
    pub fn xor(&self, other: &Self) -> Self {
        let xor = |x: &Bits, y: &Bits| {
            assert_eq!(x.len(), y.len(), "operands of xor");
            Bits::from_words(
                x.len(),
                x.words()
                    .iter()
                    .zip(y.words())
                    .map(|(a, b)| a ^ b)
                    .collect(),
            )
        };
        Self::new(xor(&self.mine, &other.mine), xor(&self.next, &other.next))
    }

    /// The complement.
    #[must_use]
    pub fn not(&self, role: Role) -> Self {
        let ones = Bits::from_words(self.len(), vec![u64::MAX; Bits::words_for(self.len())]);
        self.xor(&Self::public(role, &ones))
    }

    /// Apply a linear map (a slice, a permutation, a repetition) to both components.
    #[must_use]
    pub fn map(&self, f: impl Fn(&Bits) -> Bits) -> Self {
        Self::new(f(&self.mine), f(&self.next))
    }

    /// The masked bits (evaluators); see [`Share::masked`].
    pub(crate) fn masked(&self, role: Role) -> &Bits {
        assert_ne!(role, Role::P0, "party 0 holds no masked value");
        if role == Role::P1 {
            &self.next
        } else {
            &self.mine
        }
    }

    /// The whole mask (party 0), as words.
    pub(crate) fn mask(&self) -> Vec<u64> {
        self.mine
            .words()
            .iter()
            .zip(self.next.words())
            .map(|(a, b)| a ^ b)
            .collect()
    }
}

impl fmt::Debug for BitShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BitShare")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
