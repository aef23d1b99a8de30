//! The back end of ranges: how large every number can become, before anything runs.

use super::{Backend, Clear, arrays};
use crate::need::{Extent, Need};
use crate::ready::ready;
use crate::window::{Outside, Pool2d};
use ndarray::{ArrayD, Axis, Zip};
use std::cell::RefCell;
use std::convert::Infallible;
use std::ops::Range;
use std::rc::Rc;
use trefoil_ring::Conv2d;

/// Numbers beyond this magnitude are as good as infinite: bounds stay here, so that none becomes "not a number".
const HUGE: f64 = 1e100;

/// Computes with intervals, element by element, and notes how far the operands of each protocol reach.
///
/// Intervals hold what exact arithmetic gives for any operands within theirs; the roundings of fixed-point numbers
/// add some units in the last place. On points (intervals of one number) it computes what [`Clear`] does, at the
/// same cost, which calibration uses.
///
/// Where a layer uses a value twice, plain intervals would be too wide. The patterns in which layers write
/// `min(x, 0)`, `|x|`, `max(x, y)`, `min(x, y)` and squares are known by [`Made`], and bounded exactly.
pub(crate) struct Bounds {
    /// The least positive number that reciprocals and logarithms are asked of.
    unit: f64,
    noted: RefCell<Vec<Extent>>,
}

/// A tensor between two others; a point where both are the same array.
#[derive(Clone)]
pub(crate) struct Interval {
    ends: Ends,
    made: Option<Rc<Made>>,
}

/// The ends of an interval. Two clones of one tensor share them: that is how a value is known to be used twice.
#[derive(Clone)]
struct Ends {
    low: Rc<ArrayD<f64>>,
    high: Rc<ArrayD<f64>>,
}

/// How a tensor was made, as far as later operations can use it.
enum Made {
    /// `-x`.
    Negative(Ends),
    /// `x - y`.
    Difference(Ends, Ends),
    /// `min(x, 0)`.
    NotPositive(Ends),
    /// `max(x, 0)`, and the `a`, `b` of an `x` that is `a - b`.
    Positive(Ends, Option<(Ends, Ends)>),
}

/// What is known of bits.
#[derive(Clone)]
pub(crate) struct Signs {
    /// Whether each is certain, and what it is.
    known: ArrayD<Option<bool>>,
    /// The number whose sign they are, if they are one's.
    of: Option<Ends>,
}

impl Signs {
    /// Bits that are no sign of a number that is at hand.
    fn new(known: ArrayD<Option<bool>>) -> Self {
        Self { known, of: None }
    }

    /// The least and the greatest of them, as 0 and 1.
    pub(crate) fn extremes(&self) -> [f64; 2] {
        let can_be = |bit: bool| self.known.iter().any(|&known| known != Some(!bit));
        [
            if can_be(false) { 0.0 } else { 1.0 },
            if can_be(true) { 1.0 } else { 0.0 },
        ]
    }
}

impl Ends {
    fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.low, &other.low) && Rc::ptr_eq(&self.high, &other.high)
    }
    fn is_point(&self) -> bool {
        Rc::ptr_eq(&self.low, &self.high)
    }
}

impl Interval {
    /// A tensor that is known.
    pub(crate) fn point(values: ArrayD<f64>) -> Self {
        let low = Rc::new(values.mapv_into(|v| if v.is_nan() { HUGE } else { bounded(v) }));
        let high = Rc::clone(&low);
        Self {
            ends: Ends { low, high },
            made: None,
        }
    }

    /// A tensor between two others.
    pub(crate) fn between(low: ArrayD<f64>, high: ArrayD<f64>) -> Self {
        let low = low.mapv_into(|v| if v.is_nan() { -HUGE } else { bounded(v) });
        let high = high.mapv_into(|v| if v.is_nan() { HUGE } else { bounded(v) });
        Self {
            ends: Ends {
                low: Rc::new(low),
                high: Rc::new(high),
            },
            made: None,
        }
    }

    /// The least and the greatest number of all elements.
    pub(crate) fn extremes(&self) -> [f64; 2] {
        let least = self.ends.low.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.ends.high.iter().copied();
        [least, greatest.fold(f64::NEG_INFINITY, f64::max)]
    }

    fn low(&self) -> &ArrayD<f64> {
        &self.ends.low
    }
    fn high(&self) -> &ArrayD<f64> {
        &self.ends.high
    }
    fn is_point(&self) -> bool {
        self.ends.is_point()
    }
    fn with(mut self, made: Made) -> Self {
        self.made = Some(Rc::new(made));
        self
    }

    /// A function that rises in every operand, of both ends.
    fn rising(&self, f: impl Fn(&ArrayD<f64>) -> ArrayD<f64>) -> Self {
        if self.is_point() {
            return Self::point(f(self.low()));
        }
        Self::between(f(self.low()), f(self.high()))
    }

    /// A function that falls, of both ends.
    fn falling(&self, f: impl Fn(&ArrayD<f64>) -> ArrayD<f64>) -> Self {
        if self.is_point() {
            return Self::point(f(self.low()));
        }
        Self::between(f(self.high()), f(self.low()))
    }

    /// The middle, and the distance of the ends from it; none for points.
    fn middle(&self) -> (ArrayD<f64>, Option<ArrayD<f64>>) {
        if self.is_point() {
            return (self.low().clone(), None);
        }
        let middle = (self.low() + self.high()) / 2.0;
        let radius = (self.high() - self.low()) / 2.0;
        (middle, Some(radius))
    }
}

fn bounded(value: f64) -> f64 {
    value.clamp(-HUGE, HUGE)
}

impl Bounds {
    /// The back end for numbers whose least positive one is `unit`.
    pub(crate) fn new(unit: f64) -> Self {
        let noted = RefCell::default();
        Self { unit, noted }
    }

    /// What has been noted since the last call.
    pub(crate) fn take(&self) -> Vec<Extent> {
        self.noted.take()
    }

    /// Note how far `x` reaches, which is needed for `need`.
    pub(crate) fn note(&self, need: Need, x: &Interval) {
        let [low, high] = x.extremes();
        self.note_extent(Extent { need, low, high });
    }

    fn note_extent(&self, extent: Extent) {
        let mut noted = self.noted.borrow_mut();
        match noted.iter_mut().find(|old| old.need == extent.need) {
            Some(old) => old.widen(&extent),
            None => noted.push(extent),
        }
    }

    /// `x` as a value that the ring must hold.
    fn value(&self, x: Interval) -> Interval {
        self.note(Need::Value, &x);
        x
    }

    /// `x` as a product that the ring must hold before it is rounded.
    fn product(&self, x: Interval) -> Interval {
        self.note(Need::Product, &x);
        x
    }

    /// A bilinear function of two intervals. `f` computes it, of magnitudes too.
    fn bilinear(
        &self,
        x: &Interval,
        y: &Interval,
        f: impl Fn(&ArrayD<f64>, &ArrayD<f64>) -> ArrayD<f64>,
    ) -> Interval {
        let ((x, x_radius), (y, y_radius)) = (x.middle(), y.middle());
        let middle = f(&x, &y);
        let magnitude = |a: &ArrayD<f64>| a.mapv(f64::abs);
        let radius = match (x_radius, y_radius) {
            (None, None) => return self.product(Interval::point(middle)),
            (Some(r), None) => f(&r, &magnitude(&y)),
            (None, Some(r)) => f(&magnitude(&x), &r),
            (Some(r), Some(s)) => f(&magnitude(&x), &s) + f(&r, &(magnitude(&y) + &s)),
        };
        self.product(Interval::between(&middle - &radius, middle + radius))
    }

    /// The arguments of a function of positive numbers, none below the unit.
    fn positive(&self, x: &Interval) -> Interval {
        self.note(Need::Positive, x);
        if x.is_point() {
            return x.clone();
        }
        x.rising(|end| end.mapv(|v| v.max(self.unit)))
    }
}

/// The least and the greatest of an element's products.
fn products(x: &Interval, y: &Interval) -> Interval {
    if x.is_point() && y.is_point() {
        return Interval::point(x.low() * y.low());
    }
    if x.ends.is(&y.ends) {
        let [a, b] = [x.low(), x.high()].map(|end| end * end);
        let crosses = Zip::from(x.low())
            .and(x.high())
            .map_collect(|&low, &high| low <= 0.0 && high >= 0.0);
        let least = smaller(a.clone(), &b);
        let least = Zip::from(&least)
            .and(&crosses)
            .map_collect(|&least, &crosses| if crosses { 0.0 } else { least });
        return Interval::between(least, larger(a, &b));
    }
    let corners = [
        x.low() * y.low(),
        x.low() * y.high(),
        x.high() * y.low(),
        x.high() * y.high(),
    ];
    let [first, rest @ ..] = &corners;
    let least = rest.iter().fold(first.clone(), smaller);
    let greatest = rest.iter().fold(first.clone(), larger);
    Interval::between(least, greatest)
}

fn smaller(mut x: ArrayD<f64>, y: &ArrayD<f64>) -> ArrayD<f64> {
    x.zip_mut_with(y, |x, &y| *x = x.min(y));
    x
}
fn larger(mut x: ArrayD<f64>, y: &ArrayD<f64>) -> ArrayD<f64> {
    x.zip_mut_with(y, |x, &y| *x = x.max(y));
    x
}

impl Backend for Bounds {
    type Tensor = Interval;
    type Bits = Signs;
    type Error = Infallible;

    fn shape(&self, x: &Interval) -> Vec<usize> {
        x.low().shape().to_vec()
    }
    fn public(&self, values: &ArrayD<f64>) -> Interval {
        self.value(Interval::point(values.clone()))
    }
    fn add(&self, x: &Interval, y: &Interval) -> Interval {
        if x.is_point() && y.is_point() {
            return self.value(Interval::point(x.low() + y.low()));
        }
        // y + max(x - y, 0)
        for (x, y) in [(x, y), (y, x)] {
            if let Some(Made::Positive(_, Some((a, b)))) = y.made.as_deref()
                && b.is(&x.ends)
                && a.low.shape() == b.low.shape()
            {
                let low = larger(ArrayD::clone(&a.low), &b.low);
                let high = larger(ArrayD::clone(&a.high), &b.high);
                return self.value(Interval::between(low, high));
            }
        }
        self.value(Interval::between(x.low() + y.low(), x.high() + y.high()))
    }
    fn sub(&self, x: &Interval, y: &Interval) -> Interval {
        if x.is_point() && y.is_point() {
            return self.value(Interval::point(x.low() - y.low()));
        }
        match y.made.as_deref() {
            // x - max(x, 0)
            Some(Made::Positive(of, _)) if of.is(&x.ends) => {
                let least = self.value(x.rising(|end| end.mapv(|v| v.min(0.0))));
                return least.with(Made::NotPositive(x.ends.clone()));
            }
            // max(x, 0) - min(x, 0)
            Some(Made::NotPositive(of)) if matches!(x.made.as_deref(), Some(Made::Positive(it, _)) if it.is(of)) =>
            {
                let least = larger(of.low.mapv(|v| v.max(0.0)), &of.high.mapv(|v| -v));
                let greatest = larger(-&*of.low, &of.high);
                return self.value(Interval::between(least, greatest));
            }
            // x - max(x - y, 0)
            Some(Made::Positive(_, Some((a, b))))
                if a.is(&x.ends) && a.low.shape() == b.low.shape() =>
            {
                let low = smaller(ArrayD::clone(&a.low), &b.low);
                let high = smaller(ArrayD::clone(&a.high), &b.high);
                return self.value(Interval::between(low, high));
            }
            _ => {}
        }
        let difference = Interval::between(x.low() - y.high(), x.high() - y.low());
        self.value(difference)
            .with(Made::Difference(x.ends.clone(), y.ends.clone()))
    }
    fn neg(&self, x: &Interval) -> Interval {
        x.falling(|end| -end).with(Made::Negative(x.ends.clone()))
    }
    fn add_public(&self, x: &Interval, y: &ArrayD<f64>) -> Interval {
        self.value(x.rising(|end| end + y))
    }
    fn mul_integer(&self, x: &Interval, factor: i64) -> Interval {
        let factor = factor as f64;
        let scaled = |end: &ArrayD<f64>| end * factor;
        self.value(if factor < 0.0 {
            x.falling(scaled)
        } else {
            x.rising(scaled)
        })
    }
    fn sum(&self, x: &Interval, axis: usize) -> Interval {
        self.value(x.rising(|end| end.sum_axis(Axis(axis))))
    }
    fn reshape(&self, x: &Interval, shape: &[usize]) -> Interval {
        if *x.low().shape() == *shape {
            return x.clone();
        }
        x.rising(|end| Clear.reshape(end, shape))
    }
    fn permute(&self, x: &Interval, axes: &[usize]) -> Interval {
        x.rising(|end| Clear.permute(end, axes))
    }
    fn slice(&self, x: &Interval, axis: usize, range: Range<usize>) -> Interval {
        x.rising(|end| Clear.slice(end, axis, range.clone()))
    }
    fn concat(&self, parts: &[&Interval], axis: usize) -> Interval {
        let join = |end: fn(&Interval) -> &ArrayD<f64>| {
            let ends: Vec<_> = parts.iter().map(|part| end(part)).collect();
            Clear.concat(&ends, axis)
        };
        if parts.iter().all(|part| part.is_point()) {
            return Interval::point(join(Interval::low));
        }
        Interval::between(join(Interval::low), join(Interval::high))
    }
    fn broadcast(&self, x: &Interval, shape: &[usize]) -> Interval {
        if *x.low().shape() == *shape {
            return x.clone();
        }
        x.rising(|end| Clear.broadcast(end, shape))
    }
    fn windows(&self, x: &Interval, pool: &Pool2d, outside: Outside<f64>) -> Interval {
        x.rising(|end| Clear.windows(end, pool, outside))
    }

    fn bits_shape(&self, bits: &Signs) -> Vec<usize> {
        bits.known.shape().to_vec()
    }
    fn not(&self, bits: &Signs) -> Signs {
        Signs::new(bits.known.mapv(|known| known.map(|bit| !bit)))
    }
    fn xor(&self, x: &Signs, y: &Signs) -> Signs {
        let known = Zip::from(&x.known).and(&y.known);
        Signs::new(known.map_collect(|&x, &y| Some(x? ^ y?)))
    }
    fn arrange_bits(&self, parts: &[&Signs], places: &ArrayD<usize>) -> Signs {
        let parts: Vec<_> = parts.iter().map(|part| &part.known).collect();
        Signs::new(arrays::arranged(&parts, places))
    }

    async fn mul(&self, x: &Interval, y: &Interval) -> Result<Interval, Infallible> {
        Ok(self.product(products(x, y)))
    }
    async fn mul_public(&self, x: &Interval, y: &ArrayD<f64>) -> Result<Interval, Infallible> {
        let factor = self.public(y);
        self.mul(x, &factor).await
    }
    async fn matmul(&self, x: &Interval, y: &Interval) -> Result<Interval, Infallible> {
        Ok(self.bilinear(x, y, |x, y| {
            let Ok(out) = ready(Clear.matmul(x, y));
            out
        }))
    }
    async fn conv2d(
        &self,
        x: &Interval,
        w: &Interval,
        bias: Option<&Interval>,
        geometry: &Conv2d,
    ) -> Result<Interval, Infallible> {
        let out = self.bilinear(x, w, |x, w| {
            let Ok(out) = ready(Clear.conv2d(x, w, None, geometry));
            out
        });
        Ok(match bias {
            Some(bias) => {
                let bias = self.reshape(bias, &[geometry.filters, 1, 1]);
                // The bias is added before the rounding.
                self.product(self.add(&out, &bias))
            }
            None => out,
        })
    }
    async fn relu(&self, x: &Interval) -> Result<Interval, Infallible> {
        self.note(Need::Compared, x);
        let difference = match x.made.as_deref() {
            Some(Made::Difference(a, b)) => Some((a.clone(), b.clone())),
            _ => None,
        };
        let positive = x.rising(|end| end.mapv(|v| v.max(0.0)));
        Ok(positive.with(Made::Positive(x.ends.clone(), difference)))
    }
    async fn is_negative(&self, x: &Interval) -> Result<Signs, Infallible> {
        self.note(Need::Compared, x);
        let known = Zip::from(x.low()).and(x.high()).map_collect(|&low, &high| {
            match (low < 0.0, high < 0.0) {
                (_, true) => Some(true),
                (false, false) => Some(false),
                _ => None,
            }
        });
        let of = Some(x.ends.clone());
        Ok(Signs { known, of })
    }
    async fn and(&self, x: &Signs, y: &Signs) -> Result<Signs, Infallible> {
        let known = Zip::from(&x.known).and(&y.known);
        Ok(Signs::new(known.map_collect(|&x, &y| match (x, y) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        })))
    }
    async fn numbers(&self, bits: &Signs) -> Result<Interval, Infallible> {
        let number = |open: f64| {
            let known = |known: Option<bool>| known.map_or(open, |bit| f64::from(u8::from(bit)));
            bits.known.mapv(known)
        };
        if bits.known.iter().all(Option::is_some) {
            return Ok(Interval::point(number(0.0)));
        }
        Ok(Interval::between(number(0.0), number(1.0)))
    }
    async fn select(
        &self,
        bits: &Signs,
        x: &Interval,
        y: &Interval,
    ) -> Result<Interval, Infallible> {
        // |y|, as -y where y is negative and y elsewhere.
        let magnitude = bits.of.as_ref().is_some_and(|of| of.is(&y.ends))
            && matches!(x.made.as_deref(), Some(Made::Negative(of)) if of.is(&y.ends));
        let chosen = |x: &ArrayD<f64>, y: &ArrayD<f64>, open: fn(f64, f64) -> f64| {
            Zip::from(&bits.known)
                .and(x)
                .and(y)
                .map_collect(|&known, &x, &y| match known {
                    Some(true) => x,
                    Some(false) => y,
                    None => open(x, y),
                })
        };
        if x.is_point() && y.is_point() && bits.known.iter().all(Option::is_some) {
            return Ok(Interval::point(chosen(x.low(), y.low(), f64::min)));
        }
        let least = if magnitude { |_, _| 0.0 } else { f64::min };
        Ok(Interval::between(
            chosen(x.low(), y.low(), least),
            chosen(x.high(), y.high(), f64::max),
        ))
    }
    async fn max(&self, x: &Interval, axis: usize) -> Result<Interval, Infallible> {
        self.note(Need::Compared, x);
        Ok(x.rising(|end| {
            let Ok(out) = ready(Clear.max(end, axis));
            out
        }))
    }
    async fn argmax_one_hot(&self, x: &Interval, axis: usize) -> Result<Interval, Infallible> {
        self.note(Need::Compared, x);
        if x.is_point() {
            let Ok(hot) = ready(Clear.argmax_one_hot(x.low(), axis));
            return Ok(Interval::point(hot));
        }
        Ok(unit_interval(x))
    }
    async fn exp(&self, x: &Interval) -> Result<Interval, Infallible> {
        self.note(Need::Exponent, x);
        Ok(self.value(x.rising(|end| end.mapv(f64::exp))))
    }
    async fn reciprocal(&self, x: &Interval) -> Result<Interval, Infallible> {
        let x = self.positive(x);
        Ok(self.value(x.falling(|end| end.mapv(f64::recip))))
    }
    async fn rsqrt(&self, x: &Interval) -> Result<Interval, Infallible> {
        let x = self.positive(x);
        Ok(self.value(x.falling(|end| end.mapv(|v| v.sqrt().recip()))))
    }
    async fn sqrt(&self, x: &Interval) -> Result<Interval, Infallible> {
        let x = self.positive(x);
        // As a product of the argument and its reciprocal root.
        self.note(
            Need::Value,
            &x.falling(|end| end.mapv(|v| v.max(self.unit).sqrt().recip())),
        );
        Ok(self.product(x.rising(|end| end.mapv(f64::sqrt))))
    }
    async fn sigmoid(&self, x: &Interval) -> Result<Interval, Infallible> {
        Ok(x.rising(|end| end.mapv(|v| (1.0 + (-v).exp()).recip())))
    }
    async fn tanh(&self, x: &Interval) -> Result<Interval, Infallible> {
        Ok(x.rising(|end| end.mapv(f64::tanh)))
    }
    async fn log(&self, x: &Interval) -> Result<Interval, Infallible> {
        let x = self.positive(x);
        Ok(self.value(x.rising(|end| end.mapv(f64::ln))))
    }
    async fn erf(&self, x: &Interval) -> Result<Interval, Infallible> {
        Ok(x.rising(|end| end.mapv(libm::erf)))
    }
    async fn log_softmax(&self, x: &Interval, axis: usize) -> Result<Interval, Infallible> {
        // The largest is subtracted first: plain intervals would not know that nothing lies above it.
        let spread = self.note_spread(x, axis);
        if x.is_point() {
            let Ok(soft) = ready(Clear.log_softmax(x.low(), axis));
            return Ok(Interval::point(soft));
        }
        let count = x.low().shape()[axis] as f64;
        let shape = x.low().raw_dim();
        let low = ArrayD::from_elem(shape.clone(), -spread - count.ln());
        Ok(self.value(Interval::between(low, ArrayD::zeros(shape))))
    }
    async fn softmax(&self, x: &Interval, axis: usize) -> Result<Interval, Infallible> {
        self.note_spread(x, axis);
        if x.is_point() {
            let Ok(soft) = ready(Clear.softmax(x.low(), axis));
            return Ok(Interval::point(soft));
        }
        Ok(unit_interval(x))
    }
    async fn join<A, B>(
        &self,
        f: impl AsyncFnOnce(&Self) -> A,
        g: impl AsyncFnOnce(&Self) -> B,
    ) -> (A, B) {
        (f(self).await, g(self).await)
    }
}

impl Bounds {
    /// Note how far below the greatest along `axis` elements lie, which is returned too.
    fn note_spread(&self, x: &Interval, axis: usize) -> f64 {
        let greatest = x.high().fold_axis(Axis(axis), -HUGE, |&a, &b| a.max(b));
        let least = x.low().fold_axis(Axis(axis), HUGE, |&a, &b| a.min(b));
        let high = (greatest - least).iter().copied().fold(0.0, f64::max);
        self.note_extent(Extent {
            need: Need::Spread,
            low: 0.0,
            high,
        });
        high
    }
}

/// From 0 to 1, in the shape of `x`.
fn unit_interval(x: &Interval) -> Interval {
    let shape = x.low().raw_dim();
    Interval::between(ArrayD::zeros(shape.clone()), ArrayD::ones(shape))
}
