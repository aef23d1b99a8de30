//! Rows of numbers divided by one number each.

use crate::bilinear::{bilinear_cost, bilinear_truncated_cost, dot, mul, mul_truncated};
use crate::reciprocal::{Normal, magnitude, magnitude_cost, narrow, narrow_cost};
use crate::spline::{spline_at, spline_at_cost};
use crate::{Abort, Cost, Party, Positive, Share, Spline};
use trefoil_ring::{FixedPoint, Ring};

/// A row's divisor after [`scale_rows`]: a number in `[1/2, 1)`, known to nobody.
#[derive(Clone)]
pub struct RowScale<R>(Share<R>);

/// How the divisors of a range are inverted.
struct Inversion<R> {
    normal: Normal,
    spline: Spline<R>,
    /// Fraction bits of the inverse.
    bits: u32,
}

impl<R: Ring> Inversion<R> {
    fn new(range: Positive) -> Self {
        let normal = Normal::new::<R>(range, 1);
        let bits = normal.result_bits::<R>();
        let spline = normal.spline(|v| 1.0 / v, FixedPoint::new(bits));
        Self {
            normal,
            spline,
            bits,
        }
    }

    /// Bits by which a row times its power of two is shifted back to `format`.
    fn down(&self, format: FixedPoint) -> u32 {
        assert!(
            self.normal.top > format.fraction_bits,
            "divisors below 1 at {} fraction bits",
            format.fraction_bits
        );
        self.normal.top - format.fraction_bits
    }
}

/// Each row of `x` (rows × n) times the power of two that brings `total` (rows) to `[1/2, 1)`: what can be computed of the
/// quotients before an inverse is known, for functions whose sign does not depend on the scale of their argument.
///
/// # Protocol
/// The comparisons of [`crate::reciprocal`] give the power of two; a product applies it.
///
/// # Security
/// Semi-honest, see [`crate`]: composed of [`crate::msb`], bit products and [`mul_truncated`].
///
/// # Range and error
/// `|x| <= total` in each row, `total` in `range`. Off by less than a unit.
///
/// # Cost
/// [`scale_rows_cost`]: 6 rounds.
///
/// # Panics
/// If `x` is no matrix with a row for each element of `total`.
pub async fn scale_rows<R: Ring>(
    party: &Party,
    x: &Share<R>,
    total: &Share<R>,
    format: FixedPoint,
    range: Positive,
) -> Result<(Share<R>, RowScale<R>), Abort> {
    let inversion = Inversion::<R>::new(range);
    let (factor, argument) = find(party, x, total, &inversion).await?;
    let factor = repeat(&factor, x.shape());
    let scaled = mul_truncated(party, x, &factor, inversion.down(format)).await?;
    Ok((scaled, RowScale(argument)))
}

/// Cost of [`scale_rows`] for a matrix of rows × n.
pub fn scale_rows_cost<R: Ring>(
    rows: usize,
    n: usize,
    format: FixedPoint,
    range: Positive,
) -> Cost {
    let inversion = Inversion::<R>::new(range);
    magnitude_cost::<R>(rows, &inversion.normal)
        + bilinear_truncated_cost::<R>(rows * n, inversion.down(format))
}

/// The quotients whose numerators and denominators [`scale_rows`] has scaled.
///
/// # Security
/// Semi-honest, see [`crate`]: a spline and [`mul_truncated`].
///
/// # Range and error
/// As [`scale_rows`], with the same `range`: quotients off by three units and a relative `2^-24` at most.
///
/// # Cost
/// [`divide_scaled_cost`]: 6 rounds.
pub async fn divide_scaled<R: Ring>(
    party: &Party,
    scaled: &Share<R>,
    scale: &RowScale<R>,
    range: Positive,
) -> Result<Share<R>, Abort> {
    let inversion = Inversion::<R>::new(range);
    let inverse = invert(party, &scale.0, &inversion).await?;
    mul_truncated(
        party,
        scaled,
        &repeat(&inverse, scaled.shape()),
        inversion.bits,
    )
    .await
}

/// Cost of [`divide_scaled`] for a matrix of rows × n.
pub fn divide_scaled_cost<R: Ring>(rows: usize, n: usize, range: Positive) -> Cost {
    let inversion = Inversion::<R>::new(range);
    invert_cost(rows, &inversion) + bilinear_truncated_cost::<R>(rows * n, inversion.bits)
}

/// Each row of `x` (rows × n) divided by its element of `total` (rows).
///
/// # Protocol
/// [`scale_rows`] and [`divide_scaled`] with the inversion beside the scaling.
///
/// # Security
/// Semi-honest, see [`crate`].
///
/// # Range and error
/// `|x| <= total` in each row, `total` in `range`; off by three units and a relative `2^-24` at most.
///
/// # Cost
/// [`divide_rows_cost`]: 10 rounds.
///
/// # Panics
/// As [`scale_rows`].
pub async fn divide_rows<R: Ring>(
    party: &Party,
    x: &Share<R>,
    total: &Share<R>,
    format: FixedPoint,
    range: Positive,
) -> Result<Share<R>, Abort> {
    let inversion = Inversion::<R>::new(range);
    let (factor, argument) = find(party, x, total, &inversion).await?;
    let factor = repeat(&factor, x.shape());
    let (inverse, scaled) = party
        .join(
            async |p: &Party| invert(p, &argument, &inversion).await,
            async |p: &Party| mul_truncated(p, x, &factor, inversion.down(format)).await,
        )
        .await;
    let inverse = repeat(&inverse?, x.shape());
    mul_truncated(party, &scaled?, &inverse, inversion.bits).await
}

/// Cost of [`divide_rows`] for a matrix of rows × n.
pub fn divide_rows_cost<R: Ring>(
    rows: usize,
    n: usize,
    format: FixedPoint,
    range: Positive,
) -> Cost {
    let inversion = Inversion::<R>::new(range);
    let scaled = bilinear_truncated_cost::<R>(rows * n, inversion.down(format));
    magnitude_cost::<R>(rows, &inversion.normal)
        + invert_cost(rows, &inversion).beside(scaled)
        + bilinear_truncated_cost::<R>(rows * n, inversion.bits)
}

/// Each row of `x` (rows × n) divided by its Euclidean norm; a row of zeros stays one.
///
/// # Protocol
/// The square of the norm, never rounded, is brought to `[1/4, 1)` by a power of four; the row times the root of that
/// power, exact, meets the spline of the inverse root.
///
/// # Security
/// Semi-honest, see [`crate`]: composed of [`dot`], [`crate::msb`], bit products, a spline and products.
///
/// # Range and error
/// The norm's square, at twice the fraction bits, below `2^(bits - 2)` of the ring. Off by a unit and a relative `2^-20`
/// (64-bit ring), however short the row.
///
/// # Cost
/// [`unit_rows_cost`]: 11 rounds, 12 for wide rows.
///
/// # Panics
/// If `x` is no matrix.
pub async fn unit_rows<R: Ring>(
    party: &Party,
    x: &Share<R>,
    format: FixedPoint,
) -> Result<Share<R>, Abort> {
    let root = Root::<R>::new();
    let square = dot(party, x, x).await?;
    let (factor, argument) = magnitude(party, &square, &root.normal, root.normal.factor(1)).await?;
    let invert = async |p: &Party| {
        let (argument, piece) = narrow(p, &argument, &root.normal, &root.spline).await?;
        spline_at(p, &argument, &piece, &root.spline).await
    };
    if x.shape()[1] >= WIDE_ROW {
        let inverse = mul(party, &invert(party).await?, &factor).await?;
        let inverse = repeat(&inverse, x.shape());
        return mul_truncated(party, x, &inverse, root.down(format)).await;
    }
    let factor = repeat(&factor, x.shape());
    let scale = async |p: &Party| mul(p, x, &factor).await;
    let (inverse, scaled) = party.join(invert, scale).await;
    let inverse = repeat(&inverse?, x.shape());
    mul_truncated(party, &scaled?, &inverse, root.down(format)).await
}

/// Columns from which [`unit_rows`] multiplies the two factors of a row with each other first: a round more, and one product
/// less for each element. That is where a step of the guard, which takes some 50 rounds and 600 bytes a class, loses as small a
/// part in rounds as it wins in bytes.
const WIDE_ROW: usize = 64;

/// Cost of [`unit_rows`] for a matrix of rows × n.
pub fn unit_rows_cost<R: Ring>(rows: usize, n: usize, format: FixedPoint) -> Cost {
    let root = Root::<R>::new();
    let inverse =
        narrow_cost(rows, &root.normal, &root.spline) + spline_at_cost(rows, &root.spline);
    let factors = if n >= WIDE_ROW {
        inverse + bilinear_cost::<R>(rows)
    } else {
        inverse.beside(bilinear_cost::<R>(rows * n))
    };
    bilinear_cost::<R>(rows)
        + magnitude_cost::<R>(rows, &root.normal)
        + factors
        + bilinear_truncated_cost::<R>(rows * n, root.down(format))
}

/// How the squares of norms are rooted and inverted.
struct Root<R> {
    normal: Normal,
    spline: Spline<R>,
    /// Fraction bits of the inverse root.
    bits: u32,
}

impl<R: Ring> Root<R> {
    fn new() -> Self {
        let (low, high) = (0, R::BITS - 2);
        let normal = Normal::new::<R>(Positive { low, high }, 2);
        // The scaled row has half the ring's bits.
        let bits = normal.argument_bits().min(R::BITS / 2 - 3);
        let spline = normal.spline(|v| 1.0 / v.sqrt(), FixedPoint::new(bits));
        Self {
            normal,
            spline,
            bits,
        }
    }

    /// `x 2^p` is the unit vector's element times `2^(top / 2)` and the root.
    fn down(&self, format: FixedPoint) -> u32 {
        self.normal.top / 2 + self.bits - format.fraction_bits
    }
}

/// The power of two of each total, and the totals times it.
async fn find<R: Ring>(
    party: &Party,
    x: &Share<R>,
    total: &Share<R>,
    inversion: &Inversion<R>,
) -> Result<(Share<R>, Share<R>), Abort> {
    assert!(
        x.shape().len() == 2 && x.shape()[0] == total.len(),
        "rows of shape {:?} by {} totals",
        x.shape(),
        total.len()
    );
    magnitude(party, total, &inversion.normal, inversion.normal.factor(1)).await
}

async fn invert<R: Ring>(
    party: &Party,
    argument: &Share<R>,
    inversion: &Inversion<R>,
) -> Result<Share<R>, Abort> {
    let (argument, piece) = narrow(party, argument, &inversion.normal, &inversion.spline).await?;
    spline_at(party, &argument, &piece, &inversion.spline).await
}

fn invert_cost<R: Ring>(rows: usize, inversion: &Inversion<R>) -> Cost {
    narrow_cost(rows, &inversion.normal, &inversion.spline)
        + spline_at_cost(rows, &inversion.spline)
}

/// Each element once for every column.
fn repeat<R: Ring>(x: &Share<R>, shape: &[usize]) -> Share<R> {
    let n = shape[1];
    let repeat = |c: &[R]| c.iter().flat_map(|&v| std::iter::repeat_n(v, n)).collect();
    Share::new(shape, repeat(x.mine()), repeat(x.next()))
}
