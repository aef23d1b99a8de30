//! The data sets of the literature.

use super::find::Finder;
use super::{DataSet, binary_features, cifar, idx, picture_folders};
use crate::LabError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A data set of the literature on membership inference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Pictures of 10 classes, 3 × 32 × 32 (Krizhevsky 2009).
    Cifar10,
    /// Pictures of 100 classes, 3 × 32 × 32 (Krizhevsky 2009).
    Cifar100,
    /// CIFAR-10's classes with pictures of `ImageNet`, 3 × 32 × 32 (Darlow et al. 2018).
    Cinic10,
    /// Histological tiles of 8 classes, scaled to 3 × 64 × 64 (Kather et al. 2016).
    ChMnist,
    /// Check-ins, 446 bits, 30 classes (Shokri et al. 2017).
    Location30,
    /// Hospital stays, 6,169 bits, 100 classes (Shokri et al. 2017).
    Texas100,
    /// Purchases, 600 bits, 100 classes (Shokri et al. 2017).
    Purchase100,
    /// Digits, 1 × 28 × 28 (`LeCun`, Cortes and Burges).
    Mnist,
    /// Clothes, 1 × 28 × 28 (Xiao et al. 2017).
    FashionMnist,
}

/// What has to be known to find a source's files.
struct Entry {
    name: &'static str,
    /// The folder beside others in a folder of data sets.
    folder: &'static str,
    /// The folder that the publishers' archive unpacks to.
    unpacked: &'static str,
    obtain: &'static str,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cifar10,
        Self::Cifar100,
        Self::Cinic10,
        Self::ChMnist,
        Self::Location30,
        Self::Texas100,
        Self::Purchase100,
        Self::Mnist,
        Self::FashionMnist,
    ];

    /// The name, as the literature writes it.
    pub fn name(self) -> &'static str {
        self.entry().name
    }

    fn entry(self) -> Entry {
        let (name, folder, unpacked, obtain) = match self {
            Self::Cifar10 => (
                "CIFAR-10",
                "cifar10",
                "cifar-10-batches-bin",
                "unpack the binary version, cifar-10-binary.tar.gz, from \
                 https://www.cs.toronto.edu/~kriz/cifar.html",
            ),
            Self::Cifar100 => (
                "CIFAR-100",
                "cifar100",
                "cifar-100-binary",
                "unpack the binary version, cifar-100-binary.tar.gz, from \
                 https://www.cs.toronto.edu/~kriz/cifar.html",
            ),
            Self::Cinic10 => (
                "CINIC-10",
                "cinic10",
                "CINIC-10",
                "unpack CINIC-10.tar.gz from https://datashare.ed.ac.uk/handle/10283/3192",
            ),
            Self::ChMnist => (
                "CH-MNIST",
                "ch_mnist",
                "ch-mnist",
                "unpack Kather_texture_2016_image_tiles_5000.zip from \
                 https://zenodo.org/record/53169",
            ),
            Self::Location30 => (
                "Location30",
                "location30",
                "location",
                "download dataset_location.tgz from https://github.com/privacytrustlab/datasets",
            ),
            Self::Texas100 => (
                "Texas100",
                "texas100",
                "texas",
                "download dataset_texas.tgz from https://github.com/privacytrustlab/datasets",
            ),
            Self::Purchase100 => (
                "Purchase100",
                "purchase100",
                "purchase",
                "download dataset_purchase.tgz from https://github.com/privacytrustlab/datasets",
            ),
            Self::Mnist => (
                "MNIST",
                "mnist",
                "MNIST/raw",
                "download the four idx files of http://yann.lecun.com/exdb/mnist",
            ),
            Self::FashionMnist => (
                "Fashion-MNIST",
                "fashion_mnist",
                "FashionMNIST/raw",
                "download the four idx files of https://github.com/zalandoresearch/fashion-mnist",
            ),
        };
        Entry {
            name,
            folder,
            unpacked,
            obtain,
        }
    }
}

impl DataSet {
    /// Read the files of `source` below `folder`: in a folder of its own (such as `location30`),
    /// in the one that the publishers' archive unpacks to, or in `folder` itself.
    ///
    /// # Errors
    /// If a file is missing: which, where it was looked for and how to obtain it; or damaged:
    /// which, and where in it.
    pub fn load(source: Source, folder: &Path) -> Result<Self, LabError> {
        let entry = source.entry();
        let own = folder.join(entry.folder);
        let finder = Finder {
            data_set: entry.name,
            folders: vec![
                own.clone(),
                own.join(entry.unpacked),
                folder.join(entry.unpacked),
                folder.to_owned(),
            ],
            obtain: entry.obtain,
        };
        match source {
            Source::Cifar10 => cifar::load_10(entry.name, &finder),
            Source::Cifar100 => cifar::load_100(entry.name, &finder),
            Source::Cinic10 => picture_folders::load_cinic(entry.name, &finder),
            Source::ChMnist => picture_folders::load_kather(entry.name, &finder),
            Source::Location30 => binary_features::load_location(entry.name, &finder),
            Source::Texas100 => binary_features::load_texas(entry.name, &finder),
            Source::Purchase100 => binary_features::load_purchase(entry.name, &finder),
            Source::Mnist | Source::FashionMnist => idx::load(entry.name, &finder),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Source {
    type Err = String;

    /// By name, whatever the case, with or without hyphens and underscores.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
        let found = Self::ALL.iter().find(|s| plain(s.name()) == plain(text));
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|source| source.name()).collect();
            format!("`{text}` is none of {}", names.join(", "))
        })
    }
}
