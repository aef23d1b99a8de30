use super::*;
use crate::{Z32, Z64};
use proptest::prelude::*;

fn values<R: Ring>(seed: u64, len: usize) -> Vec<R> {
    (0..len as u64)
        .map(|i| {
            let mixed = (i.wrapping_add(seed)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            R::from_u64((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9))
        })
        .collect()
}

/// The definition: seven loops.
fn reference<R: Ring>(g: &Conv2d, input: &[R], weights: &[R], out: &mut [R]) {
    let [oh, ow] = g.output();
    let (cg, fg) = (g.channels / g.groups, g.filters / g.groups);
    for (index, out) in out.iter_mut().enumerate() {
        let (x, y) = (index % ow, index / ow % oh);
        let (o, n) = (index / (ow * oh) % g.filters, index / (ow * oh * g.filters));
        for c in 0..cg {
            for ky in 0..g.kernel[0] {
                for kx in 0..g.kernel[1] {
                    let iy = (y * g.strides[0] + ky * g.dilations[0]).wrapping_sub(g.pads[0]);
                    let ix = (x * g.strides[1] + kx * g.dilations[1]).wrapping_sub(g.pads[1]);
                    if iy < g.input[0] && ix < g.input[1] {
                        let channel = n * g.channels + o / fg * cg + c;
                        *out += input[(channel * g.input[0] + iy) * g.input[1] + ix]
                            * weights[((o * cg + c) * g.kernel[0] + ky) * g.kernel[1] + kx];
                    }
                }
            }
        }
    }
}

fn check<R: Ring>(seed: u64, g: &Conv2d) {
    g.check().unwrap();
    let input = values::<R>(seed, g.input_len());
    let weights = values::<R>(!seed, g.weights_len());
    let start = values::<R>(seed ^ 1, g.output_len());
    let mut expected = start.clone();
    reference(g, &input, &weights, &mut expected);
    for &level in Level::available() {
        let mut out = start.clone();
        conv2d_at(level, g, &input, &weights, &mut out);
        assert!(out == expected, "{} {g:?}", level.name());
    }
}

fn base() -> Conv2d {
    Conv2d {
        batch: 1,
        channels: 1,
        input: [5, 5],
        filters: 1,
        kernel: [3, 3],
        strides: [1, 1],
        pads: [0; 4],
        dilations: [1, 1],
        groups: 1,
    }
}

prop_compose! {
    fn geometries()(
        batch in 0_usize..4,
        groups in 1_usize..4,
        group_channels in 1_usize..4,
        group_filters in 1_usize..9,
        input in [1_usize..14, 1_usize..14],
        kernel in [1_usize..5, 1_usize..5],
        strides in [1_usize..4, 1_usize..4],
        pads in [0_usize..6, 0_usize..6, 0_usize..6, 0_usize..6],
        dilations in [1_usize..4, 1_usize..4],
    ) -> Conv2d {
        let (channels, filters) = (groups * group_channels, groups * group_filters);
        Conv2d { batch, channels, input, filters, kernel, strides, pads, dilations, groups }
    }
}

proptest! {
    #[test]
    fn agrees_with_the_definition(seed: u64, g in geometries()) {
        match g.check() {
            Ok(()) => {
                check::<Z64>(seed, &g);
                check::<Z32>(seed, &g);
            }
            Err(error) => prop_assert!(matches!(error, GeometryError::Kernel { .. }), "{error}"),
        }
    }
}

#[test]
fn layers_of_known_networks() {
    let layers = [
        Conv2d {
            batch: 3,
            filters: 20,
            input: [28, 28],
            kernel: [5, 5],
            ..base()
        },
        Conv2d {
            channels: 3,
            filters: 16,
            input: [32, 32],
            pads: [1; 4],
            ..base()
        },
        // Strided, as a residual network's shortcut.
        Conv2d {
            channels: 24,
            filters: 40,
            input: [8, 8],
            kernel: [1, 1],
            strides: [2, 2],
            ..base()
        },
        // Depthwise.
        Conv2d {
            channels: 12,
            filters: 12,
            groups: 12,
            input: [16, 16],
            pads: [1; 4],
            ..base()
        },
        // The input shrinks to one position; more steps than a block holds.
        Conv2d {
            batch: 2,
            channels: 30,
            filters: 10,
            input: [4, 4],
            kernel: [4, 4],
            ..base()
        },
        // More columns than a block holds.
        Conv2d {
            batch: 9,
            filters: 5,
            input: [18, 12],
            ..base()
        },
    ];
    for g in &layers {
        check::<Z64>(5, g);
        check::<Z32>(5, g);
    }
}

#[test]
fn impossible_geometry() {
    let zero = |g: &Conv2d, what| assert_eq!(g.check(), Err(GeometryError::Zero { what }));
    zero(
        &Conv2d {
            strides: [1, 0],
            ..base()
        },
        "strides",
    );
    zero(
        &Conv2d {
            dilations: [0, 1],
            ..base()
        },
        "dilations",
    );
    zero(
        &Conv2d {
            kernel: [3, 0],
            ..base()
        },
        "kernel",
    );
    zero(
        &Conv2d {
            groups: 0,
            ..base()
        },
        "groups",
    );
    let groups = Conv2d {
        channels: 4,
        filters: 6,
        groups: 4,
        ..base()
    };
    assert_eq!(
        groups.check(),
        Err(GeometryError::Groups {
            what: "filters",
            count: 6,
            groups: 4
        })
    );
    let wide = Conv2d {
        dilations: [1, 3],
        ..base()
    };
    assert_eq!(
        wide.check(),
        Err(GeometryError::Kernel {
            axis: "width",
            span: 7,
            padded: 5
        })
    );
    assert_eq!(
        Conv2d {
            pads: [0, 1, 0, 1],
            ..wide
        }
        .check(),
        Ok(())
    );
    for huge in [
        Conv2d {
            batch: usize::MAX / 2,
            ..base()
        },
        Conv2d {
            pads: [usize::MAX, 0, 1, 0],
            ..base()
        },
        Conv2d {
            pads: [0, usize::MAX / 4, 0, usize::MAX / 4],
            ..base()
        },
        Conv2d {
            filters: usize::MAX,
            ..base()
        },
    ] {
        assert!(
            matches!(huge.check(), Err(GeometryError::TooLarge { .. })),
            "{huge:?}"
        );
    }
}

#[test]
#[should_panic(expected = "geometry of conv2d")]
fn impossible_geometry_is_the_callers_bug() {
    conv2d::<Z32>(
        &Conv2d {
            strides: [0, 1],
            ..base()
        },
        &[],
        &[],
        &mut [],
    );
}
