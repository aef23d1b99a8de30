//! Polynomials against known coefficients, a reference by numpy, and properties.

use proptest::prelude::*;
use trefoil_he::poly::{
    Function, Histogram, Interval, Method, Polynomial, degree_bound, fit, fit_for_error,
};

fn interval(low: f64, high: f64) -> Interval {
    Interval::new(low, high).unwrap()
}

fn close(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len(), "{actual:?} {expected:?}");
    for (a, e) in actual.iter().zip(expected) {
        assert!((a - e).abs() <= tolerance, "{actual:?} {expected:?}");
    }
}

#[test]
fn polynomials_are_found_again_by_every_method() {
    let square = Function::other("square", |x| x * x);
    let line = Function::other("line", |x| x);
    for method in [Method::Chebyshev, Method::LeastSquares, Method::Integrated] {
        for interval in [interval(-1.0, 1.0), interval(-2.0, 5.0)] {
            let fitted = fit(&line, interval, 1, method, None).unwrap();
            close(&fitted.polynomial.coefficients, &[0.0, 1.0], 1e-9);
            let fitted = fit(&square, interval, 2, method, None).unwrap();
            close(&fitted.polynomial.coefficients, &[0.0, 0.0, 1.0], 1e-8);
            assert!(fitted.max_error < 1e-7 && fitted.weighted_error < 1e-7);
        }
    }
}

/// numpy: `chebyshev.Chebyshev.interpolate(np.tanh, d, [-3, 3])` and `chebyshev.chebfit` on the same 4,001 points.
#[test]
fn tanh_on_minus_three_to_three_as_numpy_fits_it() {
    let i = interval(-3.0, 3.0);
    for (degree, interpolated, squares) in REFERENCE {
        let fitted = fit(&Function::Tanh, i, degree, Method::Chebyshev, None).unwrap();
        assert!((fitted.max_error - interpolated).abs() < 1e-9, "{fitted}");
        let fitted = fit(&Function::Tanh, i, degree, Method::LeastSquares, None).unwrap();
        assert!((fitted.weighted_error - squares).abs() < 1e-9, "{fitted}");
    }
}

const REFERENCE: [(usize, f64, f64); 4] = [
    (3, 1.633_225_399_905e-01, 7.564_921_619_822e-02),
    (5, 6.249_496_169_909e-02, 2.751_786_791_084e-02),
    (7, 2.193_728_495_386e-02, 1.007_614_590_118e-02),
    (9, 8.336_858_431_782e-03, 3.693_623_528_876e-03),
];

/// The integral of the best line through the step is x²·3/8 + x/2 on [-1, 1] (the slope of the least-squares line through a
/// step is 3/4), and its mean difference from `ReLU` is 1/8.
#[test]
fn integrated_relu_is_the_textbook_parabola() {
    let fitted = fit(
        &Function::Relu,
        interval(-1.0, 1.0),
        2,
        Method::Integrated,
        None,
    )
    .unwrap();
    close(&fitted.polynomial.coefficients, &[0.125, 0.5, 0.375], 1e-3);
}

#[test]
fn weights_draw_the_fit_to_where_the_inputs_are() {
    let i = interval(-8.0, 8.0);
    let near = Histogram::of((0..1000).map(|k| f64::from(k) / 500.0 - 1.0), i, 64);
    for function in [Function::Relu, Function::Gelu, Function::Sigmoid] {
        let flat = fit(&function, i, 3, Method::LeastSquares, None).unwrap();
        let weighted = fit(&function, i, 3, Method::LeastSquares, Some(&near)).unwrap();
        let chebyshev = fit(&function, i, 3, Method::Chebyshev, Some(&near)).unwrap();
        assert!(
            weighted.weighted_error < chebyshev.weighted_error / 2.0,
            "{function}"
        );
        assert!(weighted.max_error >= flat.max_error / 2.0, "{function}");
    }
}

#[test]
fn a_stated_error_chooses_the_degree_and_theory_is_above_it() {
    let i = interval(-4.0, 4.0);
    for function in [
        Function::Sigmoid,
        Function::Tanh,
        Function::Relu,
        Function::Gelu,
        Function::Erf,
    ] {
        let error = 0.15;
        let fitted = fit_for_error(&function, i, (error, 32), Method::Chebyshev, None).unwrap();
        assert!(fitted.max_error <= error);
        if fitted.degree > 1 {
            let lower = fit(&function, i, fitted.degree - 1, Method::Chebyshev, None).unwrap();
            assert!(lower.max_error > error, "{lower}");
        }
        let bound = degree_bound(&function, i, error);
        assert!(bound.bernstein > bound.jackson, "{bound:?}");
        assert!(
            bound.bernstein >= fitted.degree as f64,
            "{function}: {bound:?} {fitted}"
        );
    }
    let refused = fit_for_error(&Function::Relu, i, (1e-6, 32), Method::Chebyshev, None);
    assert!(refused.unwrap_err().to_string().contains("the closest is"));
}

#[test]
fn senseless_fits_are_refused() {
    let i = interval(-1.0, 1.0);
    for degree in [0, 33] {
        assert!(fit(&Function::Relu, i, degree, Method::Chebyshev, None).is_err());
    }
    let pole = Function::other("1/x", |x| 1.0 / x);
    assert!(fit(&pole, i, 3, Method::Chebyshev, None).is_err());
    assert!(Interval::new(1.0, 1.0).is_err() && Interval::new(0.0, f64::NAN).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Spaces of polynomials are nested, so least squares on the same points never get worse.
    #[test]
    fn errors_of_least_squares_never_grow_with_the_degree(
        low in -10.0..-0.1_f64, high in 0.1..10.0_f64, seed in prop::collection::vec(0_u64..50, 40),
    ) {
        let i = interval(low, high);
        let histogram = Histogram { interval: i, counts: seed };
        for function in [Function::Relu, Function::Tanh, Function::Gelu] {
            let mut last = f64::INFINITY;
            for degree in 1..=9 {
                let fitted = fit(&function, i, degree, Method::LeastSquares, Some(&histogram)).unwrap();
                prop_assert!(fitted.weighted_error <= last * (1.0 + 1e-9) + 1e-12);
                last = fitted.weighted_error;
            }
        }
    }

    #[test]
    fn the_stated_range_holds_every_value(
        coefficients in prop::collection::vec(-3.0..3.0_f64, 1..7), low in -5.0..0.0_f64, width in 0.0..6.0_f64,
    ) {
        let p = Polynomial::new(coefficients);
        let [least, most] = p.range(low, low + width);
        for k in 0..=200 {
            let value = p.at(low + width * f64::from(k) / 200.0);
            let slack = 1e-9 * value.abs().max(1.0);
            prop_assert!(least - slack <= value && value <= most + slack);
        }
    }
}
