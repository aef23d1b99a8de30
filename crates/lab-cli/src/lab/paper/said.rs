//! What `SIGuard` (NDSS 2025) prints, as printed: the numbers that ours stand beside.

/// The five attacks of its tables, by the names of the lab.
pub(super) const ATTACKS: [&str; 5] = ["NN-M", "conf", "entr", "Mentr", "LiRA"];
/// The softmaxes of its Table X, in its order.
pub(super) const SOFTMAXES: [&str; 4] = ["secureml", "crypten", "piranha", "as19"];

/// Balanced accuracies in %, one for each of [`ATTACKS`].
pub(super) type Five = [f64; 5];

/// One data set in Tables II, III and X.
pub(super) struct Attacked {
    pub(super) data: &'static str,
    /// Table II, plaintext: the lowest and the highest of the five.
    pub(super) plaintext: [f64; 2],
    /// Table III: without and with the guard.
    pub(super) overall: [Five; 2],
    /// Table X without the guard, for each of [`SOFTMAXES`].
    pub(super) unguarded: [Five; 4],
    /// Table X with it.
    pub(super) guarded: [Five; 4],
}

/// Tables II, III and X. Location30's `LiRA` under the guard over AS19 is taken from the difference that Table X prints (its 71.73 less
/// 1.07); Table III has 71.00.
#[rustfmt::skip]
pub(super) const ATTACKED: [Attacked; 5] = [
    Attacked {
        data: "CIFAR-10",
        plaintext: [57.51, 60.48],
        overall: [[57.60, 58.35, 56.80, 58.75, 61.95], [50.30, 57.35, 52.00, 57.60, 44.05]],
        unguarded: [[51.68, 56.95, 50.11, 57.56, 86.56], [57.26, 58.56, 56.71, 58.68, 61.58], [55.75, 59.11, 55.80, 59.08, 26.88], [57.51, 58.81, 57.15, 59.10, 60.76]],
        guarded: [[51.36, 57.10, 50.08, 57.46, 86.41], [54.61, 58.10, 53.63, 58.26, 46.66], [55.70, 59.06, 55.78, 59.03, 26.85], [51.03, 58.31, 52.83, 58.06, 42.06]],
    },
    Attacked {
        data: "CIFAR-100",
        plaintext: [70.10, 82.53],
        overall: [[68.85, 73.00, 65.10, 73.00, 82.55], [54.45, 67.10, 53.45, 67.85, 67.20]],
        unguarded: [[53.00, 65.88, 52.15, 66.20, 90.90], [71.43, 77.20, 73.65, 77.36, 82.58], [68.01, 75.68, 67.81, 75.73, 60.40], [69.78, 74.30, 66.40, 74.31, 82.30]],
        guarded: [[53.00, 65.88, 52.15, 66.20, 90.88], [51.85, 61.50, 52.63, 60.08, 64.91], [59.00, 73.81, 60.91, 73.85, 58.46], [51.88, 69.78, 54.88, 69.01, 64.85]],
    },
    Attacked {
        data: "CH-MNIST",
        plaintext: [68.50, 77.95],
        overall: [[76.95, 72.10, 70.50, 71.50, 69.60], [50.90, 54.45, 48.90, 55.70, 61.55]],
        unguarded: [[74.70, 69.25, 58.20, 71.90, 64.10], [77.75, 77.60, 76.70, 76.80, 69.05], [65.00, 67.75, 66.35, 67.75, 35.35], [76.95, 72.10, 70.50, 71.50, 69.60]],
        guarded: [[56.15, 60.00, 48.85, 60.65, 55.40], [48.35, 53.30, 52.35, 53.05, 56.50], [55.45, 64.10, 57.10, 64.05, 34.85], [50.90, 54.60, 48.90, 55.65, 61.65]],
    },
    Attacked {
        data: "Location30",
        plaintext: [72.00, 99.26],
        overall: [[98.93, 92.40, 92.40, 92.86, 71.73], [51.86, 50.00, 50.00, 50.00, 71.00]],
        unguarded: [[88.66, 86.53, 67.26, 87.06, 72.80], [99.06, 92.53, 92.73, 92.13, 72.06], [81.93, 86.40, 82.00, 86.40, 54.13], [98.93, 92.40, 92.40, 92.86, 71.73]],
        guarded: [[69.86, 66.13, 39.66, 67.26, 71.66], [50.26, 50.00, 50.00, 50.00, 70.33], [72.00, 82.33, 73.00, 82.33, 52.73], [51.86, 50.00, 50.00, 50.00, 70.66]],
    },
    Attacked {
        data: "Texas100",
        plaintext: [73.58, 77.38],
        overall: [[78.00, 75.85, 73.00, 75.65, 72.70], [53.90, 58.40, 52.45, 59.15, 72.55]],
        unguarded: [[54.58, 75.58, 58.63, 75.80, 73.06], [77.23, 76.50, 73.61, 76.73, 74.38], [77.00, 81.23, 76.80, 81.25, 53.88], [78.36, 76.61, 72.88, 76.56, 73.28]],
        guarded: [[53.98, 70.78, 57.78, 71.03, 65.76], [47.75, 60.16, 54.38, 59.45, 73.53], [63.10, 76.30, 65.88, 76.28, 50.70], [50.78, 58.46, 52.95, 58.36, 71.31]],
    },
];

/// Table IV: data set; share of right labels and NN-M in %, without a defence, with the guard, and with HAMP.
pub(super) const HAMP: [(&str, [[f64; 2]; 3]); 3] = [
    ("CIFAR-10", [[90.70, 59.20], [90.70, 52.53], [87.20, 50.00]]),
    (
        "CIFAR-100",
        [[63.15, 73.05], [63.15, 53.68], [62.75, 50.00]],
    ),
    ("CINIC-10", [[82.95, 52.40], [82.95, 51.32], [81.55, 50.00]]),
];

/// The classes of Table V's columns.
pub(super) const CLASSES: [usize; 4] = [8, 10, 30, 100];

/// A search of `inner` steps, three times: seconds and megabytes for each of [`CLASSES`].
pub(super) struct Searched {
    pub(super) inner: u32,
    pub(super) seconds: [f64; 4],
    pub(super) megabytes: [f64; 4],
}

/// Table V, on a LAN.
#[rustfmt::skip]
pub(super) const LAN: [Searched; 6] = [
    Searched { inner: 10, seconds: [0.99, 1.09, 1.30, 2.41], megabytes: [4.66, 5.38, 17.52, 130.12] },
    Searched { inner: 19, seconds: [1.83, 1.87, 2.38, 5.13], megabytes: [8.54, 9.87, 32.16, 240.50] },
    Searched { inner: 38, seconds: [3.55, 5.04, 4.77, 9.06], megabytes: [16.73, 19.36, 63.64, 489.18] },
    Searched { inner: 75, seconds: [6.91, 7.03, 9.59, 18.02], megabytes: [32.68, 37.84, 124.96, 963.60] },
    Searched { inner: 150, seconds: [14.41, 14.86, 19.10, 36.78], megabytes: [65.10, 75.41, 249.29, 1925.19] },
    Searched { inner: 300, seconds: [30.51, 32.04, 38.87, 85.34], megabytes: [129.87, 150.46, 497.71, 3848.34] },
];

/// Table VI, on a WAN.
#[rustfmt::skip]
pub(super) const WAN: [Searched; 2] = [
    Searched { inner: 10, seconds: [113.97, 126.43, 186.89, 418.61], megabytes: [4.45, 5.17, 17.05, 129.90] },
    Searched { inner: 19, seconds: [209.65, 225.86, 352.57, 768.77], megabytes: [8.15, 9.48, 31.79, 245.11] },
];

/// A training of so many records: share of right labels in % and seconds, plain, with HAMP and with DP-SGD.
pub(super) struct Trained {
    pub(super) records: usize,
    pub(super) accuracy: [f64; 3],
    pub(super) seconds: [f64; 3],
}

/// Table VII, CIFAR-10.
#[rustfmt::skip]
pub(super) const TRAINED: [Trained; 8] = [
    Trained { records: 5000, accuracy: [71.77, 57.56, 37.96], seconds: [599.0, 4971.0, 7868.0] },
    Trained { records: 10000, accuracy: [81.17, 71.18, 45.22], seconds: [1371.0, 8908.0, 13180.0] },
    Trained { records: 15000, accuracy: [85.24, 80.83, 47.99], seconds: [2058.0, 11814.0, 18565.0] },
    Trained { records: 20000, accuracy: [87.29, 85.42, 50.26], seconds: [2743.0, 15108.0, 24091.0] },
    Trained { records: 25000, accuracy: [88.58, 87.59, 52.97], seconds: [3464.0, 3595.0, 29188.0] },
    Trained { records: 30000, accuracy: [90.29, 89.30, 52.27], seconds: [4047.0, 4260.0, 34397.0] },
    Trained { records: 35000, accuracy: [90.86, 90.06, 54.62], seconds: [4798.0, 4657.0, 44377.0] },
    Trained { records: 40000, accuracy: [91.65, 90.99, 57.70], seconds: [4656.0, 4554.0, 45161.0] },
];

/// Table VIII, CIFAR-100.
#[rustfmt::skip]
pub(super) const TRAINED_100: [Trained; 8] = [
    Trained { records: 5000, accuracy: [31.86, 28.16, 7.82], seconds: [596.0, 4893.0, 7850.0] },
    Trained { records: 10000, accuracy: [47.00, 43.86, 10.37], seconds: [1333.0, 8740.0, 13100.0] },
    Trained { records: 15000, accuracy: [53.85, 52.95, 11.41], seconds: [2023.0, 2272.0, 18512.0] },
    Trained { records: 20000, accuracy: [59.62, 59.18, 13.84], seconds: [2763.0, 2904.0, 24042.0] },
    Trained { records: 25000, accuracy: [62.80, 61.85, 14.99], seconds: [3433.0, 2356.0, 14212.0] },
    Trained { records: 30000, accuracy: [65.58, 64.92, 14.59], seconds: [1968.0, 1281.0, 16837.0] },
    Trained { records: 35000, accuracy: [67.24, 66.65, 16.37], seconds: [2344.0, 1502.0, 24263.0] },
    Trained { records: 40000, accuracy: [68.14, 68.08, 16.56], seconds: [2703.0, 1662.0, 27750.0] },
];

/// Table IX, after 150, 100 and 150 epochs: data set; shares of right labels in training and in test in %, plain, with HAMP and with
/// DP-SGD. Of its rows of times the text of the paper that is at hand does not tell which is whose.
pub(super) const FIXED: [(&str, [[f64; 2]; 3]); 3] = [
    ("CIFAR-10", [[99.33, 88.73], [96.60, 83.59], [44.90, 44.36]]),
    ("CINIC-10", [[84.85, 77.04], [82.34, 75.80], [42.53, 42.08]]),
    (
        "CIFAR-100",
        [[96.83, 62.18], [93.50, 59.99], [10.33, 10.31]],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Table II's columns are the extremes of Table X's.
    #[test]
    fn tables_agree_with_each_other() {
        let extremes = |five: &Five| {
            let low = five.iter().copied().fold(f64::INFINITY, f64::min);
            (low, five.iter().copied().fold(0.0, f64::max))
        };
        let cifar = &ATTACKED[0];
        assert_eq!(extremes(&cifar.unguarded[0]), (50.11, 86.56));
        assert_eq!(extremes(&cifar.unguarded[2]), (26.88, 59.11));
        let location = &ATTACKED[3];
        assert_eq!(extremes(&location.unguarded[3]), (71.73, 98.93));
        for (overall, as19) in location.overall[0].iter().zip(&location.unguarded[3]) {
            assert!((overall - as19).abs() < 1e-9);
        }
    }
}
