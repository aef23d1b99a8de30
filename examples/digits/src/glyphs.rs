//! How people write the ten digits: strokes through control points, several ways for each digit.
//!
//! A digit fills the unit square, x to the right and y down; [`crate::draw`] gives it its slant,
//! width and place on the picture.

/// Control points of one stroke, `[x, y]` each.
type Points = &'static [[f32; 2]];

/// One movement of the pen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stroke {
    /// Straight from point to point, as one draws a 1, a 4 or a 7.
    Straight(Points),
    /// A smooth curve through all points.
    Curved(Points),
}

/// The strokes of one way to write a digit.
pub(crate) type Glyph = &'static [Stroke];

use Stroke::{Curved, Straight};

/// The known ways to write `digit`, each as likely as the others.
pub(crate) fn variants(digit: u8) -> &'static [Glyph] {
    DIGITS[usize::from(digit)]
}

const DIGITS: [&[Glyph]; 10] = [ZERO, ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, EIGHT, NINE];

const ZERO: &[Glyph] = &[
    // A closed oval.
    &[Curved(&[
        [0.50, 0.00],
        [0.12, 0.18],
        [0.03, 0.50],
        [0.13, 0.84],
        [0.50, 1.00],
        [0.88, 0.82],
        [0.97, 0.50],
        [0.88, 0.18],
        [0.50, 0.00],
    ])],
    // Begun at the upper right, its ends crossing.
    &[Curved(&[
        [0.72, 0.10],
        [0.35, 0.03],
        [0.06, 0.40],
        [0.15, 0.88],
        [0.55, 1.00],
        [0.92, 0.70],
        [0.88, 0.25],
        [0.55, 0.02],
        [0.35, 0.12],
    ])],
    // Slashed.
    &[
        Curved(&[
            [0.50, 0.00],
            [0.10, 0.20],
            [0.03, 0.52],
            [0.13, 0.84],
            [0.50, 1.00],
            [0.90, 0.80],
            [0.97, 0.48],
            [0.86, 0.16],
            [0.50, 0.00],
        ]),
        Straight(&[[0.80, 0.18], [0.22, 0.84]]),
    ],
];

const ONE: &[Glyph] = &[
    // A bare stroke.
    &[Straight(&[[0.50, 0.00], [0.50, 1.00]])],
    // With an upstroke.
    &[Straight(&[[0.22, 0.26], [0.55, 0.00], [0.55, 1.00]])],
    // With an upstroke and a foot.
    &[
        Straight(&[[0.25, 0.24], [0.55, 0.00], [0.55, 1.00]]),
        Straight(&[[0.22, 1.00], [0.88, 1.00]]),
    ],
];

const TWO: &[Glyph] = &[
    // A round head and a straight foot.
    &[
        Curved(&[
            [0.08, 0.24],
            [0.28, 0.02],
            [0.70, 0.03],
            [0.88, 0.28],
            [0.62, 0.62],
            [0.08, 1.00],
        ]),
        Straight(&[[0.08, 1.00], [0.95, 0.99]]),
    ],
    // With a loop at the lower left.
    &[Curved(&[
        [0.10, 0.20],
        [0.45, 0.00],
        [0.84, 0.20],
        [0.68, 0.60],
        [0.28, 0.95],
        [0.06, 0.86],
        [0.28, 0.76],
        [0.62, 0.95],
        [0.97, 0.92],
    ])],
    // Angular.
    &[Straight(&[
        [0.10, 0.18],
        [0.48, 0.00],
        [0.88, 0.22],
        [0.08, 1.00],
        [0.95, 1.00],
    ])],
];

const THREE: &[Glyph] = &[
    // Two bows that meet in the middle.
    &[
        Curved(&[
            [0.10, 0.12],
            [0.45, 0.00],
            [0.85, 0.20],
            [0.70, 0.42],
            [0.38, 0.48],
        ]),
        Curved(&[
            [0.38, 0.48],
            [0.80, 0.56],
            [0.92, 0.78],
            [0.50, 1.00],
            [0.06, 0.88],
        ]),
    ],
    // A flat top.
    &[
        Straight(&[[0.10, 0.00], [0.88, 0.00], [0.44, 0.40]]),
        Curved(&[
            [0.44, 0.40],
            [0.85, 0.52],
            [0.90, 0.80],
            [0.50, 1.00],
            [0.06, 0.87],
        ]),
    ],
    // In one movement, with a small turn in the middle.
    &[Curved(&[
        [0.10, 0.12],
        [0.50, 0.00],
        [0.84, 0.20],
        [0.62, 0.44],
        [0.36, 0.47],
        [0.64, 0.52],
        [0.92, 0.75],
        [0.52, 1.00],
        [0.05, 0.88],
    ])],
];

const FOUR: &[Glyph] = &[
    // Open.
    &[
        Straight(&[[0.22, 0.00], [0.08, 0.60], [0.95, 0.58]]),
        Straight(&[[0.70, 0.20], [0.68, 1.00]]),
    ],
    // Closed, as printed.
    &[Straight(&[
        [0.70, 1.00],
        [0.70, 0.00],
        [0.04, 0.68],
        [0.98, 0.68],
    ])],
    // Open and rounded, its stem long.
    &[
        Curved(&[[0.14, 0.02], [0.10, 0.38], [0.34, 0.54], [0.82, 0.46]]),
        Straight(&[[0.86, 0.00], [0.78, 1.00]]),
    ],
];

const FIVE: &[Glyph] = &[
    // The bar first, then neck and belly.
    &[
        Straight(&[[0.86, 0.00], [0.22, 0.01], [0.15, 0.45]]),
        Curved(&[
            [0.15, 0.45],
            [0.50, 0.36],
            [0.90, 0.60],
            [0.74, 0.93],
            [0.40, 1.00],
            [0.06, 0.88],
        ]),
    ],
    // In one movement, close to an S.
    &[Curved(&[
        [0.90, 0.03],
        [0.38, 0.02],
        [0.15, 0.28],
        [0.50, 0.44],
        [0.88, 0.66],
        [0.68, 0.96],
        [0.08, 0.92],
    ])],
    // Neck and belly first; the bar stands apart.
    &[
        Curved(&[
            [0.22, 0.05],
            [0.17, 0.46],
            [0.55, 0.40],
            [0.90, 0.68],
            [0.60, 0.98],
            [0.06, 0.90],
        ]),
        Straight(&[[0.30, 0.02], [0.96, 0.00]]),
    ],
];

const SIX: &[Glyph] = &[
    // A bent stem.
    &[Curved(&[
        [0.74, 0.02],
        [0.30, 0.30],
        [0.09, 0.66],
        [0.30, 0.97],
        [0.70, 0.97],
        [0.88, 0.72],
        [0.60, 0.50],
        [0.26, 0.58],
        [0.12, 0.78],
    ])],
    // A steep stem and a small bowl.
    &[Curved(&[
        [0.46, 0.00],
        [0.18, 0.45],
        [0.13, 0.80],
        [0.48, 1.00],
        [0.84, 0.80],
        [0.60, 0.57],
        [0.20, 0.70],
    ])],
    // A curled top.
    &[Curved(&[
        [0.88, 0.16],
        [0.60, 0.00],
        [0.25, 0.20],
        [0.07, 0.60],
        [0.30, 0.97],
        [0.75, 0.95],
        [0.88, 0.68],
        [0.55, 0.48],
        [0.14, 0.64],
    ])],
];

const SEVEN: &[Glyph] = &[
    // Bare.
    &[Straight(&[[0.05, 0.00], [0.95, 0.00], [0.40, 1.00]])],
    // Barred.
    &[
        Straight(&[[0.05, 0.02], [0.95, 0.00], [0.42, 1.00]]),
        Straight(&[[0.28, 0.52], [0.88, 0.48]]),
    ],
    // With a serif, its stem bent.
    &[
        Straight(&[[0.08, 0.20], [0.09, 0.02], [0.93, 0.02]]),
        Curved(&[[0.93, 0.02], [0.58, 0.45], [0.44, 1.00]]),
    ],
];

const EIGHT: &[Glyph] = &[
    // In one movement, crossing in the middle.
    &[Curved(&[
        [0.82, 0.16],
        [0.50, 0.00],
        [0.18, 0.18],
        [0.38, 0.44],
        [0.76, 0.64],
        [0.82, 0.88],
        [0.50, 1.00],
        [0.14, 0.86],
        [0.24, 0.62],
        [0.62, 0.44],
        [0.84, 0.24],
        [0.80, 0.12],
    ])],
    // Two rings.
    &[
        Curved(&[
            [0.50, 0.00],
            [0.20, 0.10],
            [0.20, 0.36],
            [0.50, 0.46],
            [0.80, 0.36],
            [0.80, 0.10],
            [0.50, 0.00],
        ]),
        Curved(&[
            [0.50, 0.46],
            [0.12, 0.60],
            [0.12, 0.88],
            [0.50, 1.00],
            [0.88, 0.88],
            [0.88, 0.60],
            [0.50, 0.46],
        ]),
    ],
    // Begun at the upper right, open there.
    &[Curved(&[
        [0.88, 0.06],
        [0.42, 0.03],
        [0.20, 0.24],
        [0.50, 0.46],
        [0.85, 0.74],
        [0.50, 1.00],
        [0.12, 0.78],
        [0.48, 0.48],
        [0.90, 0.10],
    ])],
];

const NINE: &[Glyph] = &[
    // A ring and a straight stem.
    &[
        Curved(&[
            [0.84, 0.18],
            [0.50, 0.00],
            [0.14, 0.20],
            [0.24, 0.46],
            [0.60, 0.48],
            [0.86, 0.24],
        ]),
        Straight(&[[0.87, 0.10], [0.82, 1.00]]),
    ],
    // A curved tail.
    &[Curved(&[
        [0.85, 0.25],
        [0.50, 0.00],
        [0.12, 0.22],
        [0.30, 0.48],
        [0.70, 0.42],
        [0.86, 0.20],
        [0.88, 0.60],
        [0.62, 0.96],
        [0.18, 0.94],
    ])],
    // A stem that leans.
    &[
        Curved(&[
            [0.80, 0.15],
            [0.45, 0.00],
            [0.10, 0.26],
            [0.38, 0.48],
            [0.82, 0.20],
        ]),
        Straight(&[[0.82, 0.16], [0.54, 1.00]]),
    ],
];
