//! Any smooth function on an interval: piecewise quadratic, the piece looked up in secret.

use crate::bilinear::{linear_part, parts};
use crate::reshare::{Part, reshare_truncated, reshare_truncated_cost};
use crate::{
    Abort, Cost, Party, Share, bilinear_cost, lookup, lookup_cost, mul, truncate, truncate_cost,
};
use trefoil_ring::{FixedPoint, Ring, power_of_two};

/// A function as quadratics `a + b u + c u^2` on pieces of one width, `u` the distance from the piece's start.
///
/// A piece serves arguments up to one width on either side of its start, because the truncation that finds
/// the piece rounds up or down.
#[derive(Clone, Debug)]
pub struct Spline<R> {
    /// Format of the argument.
    pub input: FixedPoint,
    /// Format of the result.
    pub output: FixedPoint,
    /// Low bits of the argument that lie within a piece.
    piece_shift: u32,
    index_bits: u32,
    result_shift: u32,
    coefficients: Vec<Vec<R>>,
}

impl<R: Ring> Spline<R> {
    /// Fit `f` on `[low, high)` with pieces of width `2^-width_bits` (negative for wider pieces).
    ///
    /// Arguments must stay a piece's width below `high`. `bound` is a power of two that bounds `|f|`.
    /// Both evaluators must get the same coefficients to the last bit: `f` must not call the system's mathematical
    /// library, whose results differ between machines (`libm` is portable; `+ - * /` and `sqrt` are exact).
    ///
    /// The coefficients interpolate `f` at Chebyshev nodes: the error is `|f'''| width^3 / 24` at most, plus
    /// `|f'|` half units of the input and a unit of the output.
    ///
    /// # Panics
    /// If the formats leave no room in the ring, or the pieces are narrower than a unit of the input.
    pub fn fit(
        f: impl Fn(f64) -> f64,
        interval: [f64; 2],
        width_bits: i32,
        input: FixedPoint,
        output: FixedPoint,
        bound: u32,
    ) -> Self {
        let width = power_of_two(-width_bits);
        let first = (interval[0] / width).floor() as i64;
        let pieces = ((interval[1] - interval[0]) / width).ceil() as i64 + 1;
        let index_bits = (pieces as u64).next_power_of_two().trailing_zeros();
        let fraction = input.fraction_bits as i32;
        assert!(
            fraction > width_bits,
            "pieces of a spline narrower than the input's unit"
        );
        let scale = R::BITS as i32 - 3 - 2 * fraction - bound as i32;
        assert!(
            scale >= 1,
            "a spline over {fraction} fraction bits does not fit the ring"
        );
        let mut coefficients = vec![vec![R::zero(); 1 << index_bits]; 3];
        let node = width * 0.75_f64.sqrt();
        for piece in first..first + pieces {
            let start = piece as f64 * width;
            let (up, at, down) = (f(start + node), f(start), f(start - node));
            let quadratic = [
                at,
                (up - down) / (2.0 * node),
                (up - 2.0 * at + down) / (2.0 * node * node),
            ];
            let entry = piece.rem_euclid(1 << index_bits) as usize;
            for (power, (table, value)) in coefficients.iter_mut().zip(quadratic).enumerate() {
                table[entry] = R::from_i64(
                    (value * power_of_two(scale + fraction * (2 - power as i32))).round() as i64,
                );
            }
        }
        let result_shift = (scale + 2 * fraction - output.fraction_bits as i32) as u32;
        Self {
            input,
            output,
            piece_shift: (fraction - width_bits) as u32,
            index_bits,
            result_shift,
            coefficients,
        }
    }

    /// Bits of the argument below a piece's number, for callers that find the piece themselves.
    pub(crate) fn piece_shift(&self) -> u32 {
        self.piece_shift
    }
}

/// `f(x)` by `spline`, element by element.
///
/// # Protocol
/// The number of the piece is a truncation of `x`; one [`lookup`] fetches the three coefficients; the distance `u`
/// from the piece's start is local. The quadratic is one inner product.
///
/// # Security
/// Semi-honest, see [`crate`]: composed of [`truncate`], [`lookup`] and [`mul`].
///
/// # Range and error
/// Arguments in the fitted interval (outside it the result is meaningless); error as [`Spline::fit`] states.
///
/// # Cost
/// [`spline_cost`]: 4 rounds.
pub async fn spline<R: Ring>(
    party: &Party,
    x: &Share<R>,
    spline: &Spline<R>,
) -> Result<Share<R>, Abort> {
    let piece = truncate(party, x, spline.piece_shift).await?;
    spline_at(party, x, &piece, spline).await
}

/// Cost of [`spline`] for `len` elements.
pub fn spline_cost<R: Ring>(len: usize, spline: &Spline<R>) -> Cost {
    truncate_cost::<R>(len, spline.piece_shift) + spline_at_cost(len, spline)
}

/// [`spline`] where the number of the piece is known already: 3 rounds.
pub(crate) async fn spline_at<R: Ring>(
    party: &Party,
    x: &Share<R>,
    piece: &Share<R>,
    spline: &Spline<R>,
) -> Result<Share<R>, Abort> {
    let u = x.sub(&piece.scale(R::one().shift_left(spline.piece_shift)));
    let (square, found) = party
        .join(
            async |p: &Party| mul(p, &u, &u).await,
            async |p: &Party| lookup(p, piece, spline.index_bits, &spline.coefficients).await,
        )
        .await;
    let (square, found) = (square?, found?);
    let add_products = |a: &[R], b: &[R], out: &mut [R]| {
        for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *o += a * b;
        }
    };
    let mut part = parts(party, &found[1], &u, x.len(), add_products);
    let second = parts(party, &found[2], &square, x.len(), add_products);
    let constant = linear_part(party.role(), &found[0]);
    part.iter_mut()
        .zip(second)
        .zip(constant)
        .for_each(|((p, q), c)| *p += q + Part::of(c));
    reshare_truncated(party, x.shape(), part, spline.result_shift).await
}

/// Cost of [`spline_at`] for `len` elements.
pub(crate) fn spline_at_cost<R: Ring>(len: usize, spline: &Spline<R>) -> Cost {
    bilinear_cost::<R>(len).beside(lookup_cost::<R>(len, spline.index_bits, 3))
        + reshare_truncated_cost::<R>(len, spline.result_shift)
}
