//! The formats in which users have samples and labels, told apart by content.

pub(crate) mod archive;
pub(crate) mod arrays;
mod fit;
mod folder;
mod foreign;
pub(crate) mod formats;
mod paths;
mod preparation;

pub use arrays::{all_finite, first};
use foreign::what_is as foreign;
pub use paths::{file_of, regular, split_name};
pub use preparation::{Layout, Preparation};

use crate::Error;
use arrays::Wanted;
use flate2::read::GzDecoder;
use formats::Content;
use ndarray::ArrayD;
use std::fs::File;
use std::io::{Cursor, ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use trefoil_nn::graph::Dimension;

/// What stands for standard input in the place of a file.
const STANDARD: &str = "-";

/// Bytes at the start of a file that tell its format.
const START: u64 = 512;

/// What names an array of samples in an archive of several.
const SAMPLES: [&str; 7] = ["samples", "pictures", "inputs", "x", "X", "data", "arr_0"];
/// What names an array of labels.
const LABELS: [&str; 5] = ["labels", "y", "Y", "label", "targets"];

/// Samples of one input of a model, and where they come from.
pub(crate) struct ReadSamples {
    /// `[N, …]`, with the shape of the model's input behind the first axis.
    pub(crate) values: ArrayD<f64>,
    /// The files of a folder, one for each sample, in order; none for other sources.
    pub(crate) files: Vec<PathBuf>,
}

/// Read the samples at `path` for an input of shape `axes` of the model `model`: an .npy or .npz array (of several arrays
/// one called `x` or the like, or `FILE.npz:NAME`), MNIST idx, CIFAR-10 binary, all of them also gzipped; a PNG or JPEG
/// picture, or a folder of such pictures in the natural order of their names.
///
/// # Errors
/// If the file cannot be read, is of another format, or does not fit the preparation or the model.
pub(crate) fn samples(
    path: &Path,
    preparation: &Preparation,
    axes: &[Dimension],
    model: &str,
) -> Result<ReadSamples, Error> {
    let (content, files) = if path.is_dir() {
        folder::folder(path)?
    } else {
        (content(path, &SAMPLES, Wanted::Samples)?, Vec::new())
    };
    let values = fit::fitted(path, content, preparation, axes, model)?;
    Ok(ReadSamples { values, files })
}

/// The samples of one of several inputs, `name`: the array of that name in an .npz archive.
///
/// # Errors
/// As [`samples`]; if the file is no archive.
pub(crate) fn samples_named(
    path: &Path,
    name: &str,
    preparation: &Preparation,
    axes: &[Dimension],
    model: &str,
) -> Result<ArrayD<f64>, Error> {
    let content = content_of(path, Some(name), &SAMPLES, Wanted::Samples)?;
    fit::fitted(path, content, preparation, axes, model)
}

/// Read the labels at `path`: an .npy or .npz array of integers, MNIST idx labels, or the labels of a CIFAR-10 binary.
///
/// # Errors
/// If the file cannot be read or holds no labels.
pub fn labels(path: &Path) -> Result<ArrayD<f64>, Error> {
    match content(path, &LABELS, Wanted::Labels)? {
        Content::Array(labels) | Content::Pictures(_, Some(labels)) => Ok(labels),
        Content::Pictures(_, None) => Err(Error::new(format!(
            "{} holds pictures, not labels",
            path.display()
        ))
        .with_help("labels are an array of class numbers, an idx1 file or a CIFAR-10 binary")),
    }
}

/// The array of an .npy file, or one of an .npz archive: the one named as in `FILE.npz:NAME`, or the first of `names` that
/// is there, or the only one. Truth values are read as 0 and 1.
///
/// # Errors
/// If the file cannot be read, or holds no such array.
pub fn array(path: &Path, names: &[&str]) -> Result<ArrayD<f64>, Error> {
    match content(path, names, Wanted::Numbers)? {
        Content::Array(array) => Ok(array),
        Content::Pictures(..) => Err(Error::new(format!(
            "{} holds pictures, where an array of numbers is wanted",
            path.display()
        ))
        .with_help("name an .npy or .npz file")),
    }
}

/// The names of files without their folders, in order.
pub fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| folder::name_of(file)).collect()
}

/// What a file holds; of an archive, one array.
fn content(path: &Path, names: &[&str], wanted: Wanted) -> Result<Content, Error> {
    match split_name(path) {
        Some((file, name)) => content_of(file, Some(name), names, wanted),
        None => content_of(path, None, names, wanted),
    }
}

/// What a file holds; of an archive, the array `asked` for, or one of `names`.
fn content_of(
    file: &Path,
    asked: Option<&str>,
    names: &[&str],
    wanted: Wanted,
) -> Result<Content, Error> {
    if file == Path::new(STANDARD) {
        return from_standard_input(asked, names, wanted);
    }
    regular(file)?;
    let shown = file.display().to_string();
    if file.is_dir() {
        return folder::folder(file).map(|(content, _)| content);
    }
    let mut opened = File::open(file).map_err(|error| unreadable(&shown, &error))?;
    let mut start = Vec::new();
    let read = opened.by_ref().take(START).read_to_end(&mut start);
    read.and_then(|_| opened.rewind())
        .map_err(|error| unreadable(&shown, &error))?;
    let ending = Endings::of(file);
    if start.starts_with(&[0x1f, 0x8b]) {
        let bytes = archive::limited(&shown, GzDecoder::new(opened))?;
        let start = &bytes[..bytes.len().min(START as usize)];
        if is_archive(start, &ending) {
            return archive::array(&shown, Cursor::new(&bytes), asked, names, wanted)
                .map(Content::Array);
        }
        return plain(file, &bytes, &ending, wanted);
    }
    if is_archive(&start, &ending) {
        // Archives hold several arrays, of which one is read.
        return archive::array(&shown, opened, asked, names, wanted).map(Content::Array);
    }
    let mut bytes = Vec::new();
    opened
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&shown, &error))?;
    plain(file, &bytes, &ending, wanted)
}

/// What standard input holds: any file that could be named.
fn from_standard_input(
    asked: Option<&str>,
    names: &[&str],
    wanted: Wanted,
) -> Result<Content, Error> {
    const SHOWN: &str = "standard input";
    let bytes = archive::limited(SHOWN, std::io::stdin().lock())?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        archive::limited(SHOWN, GzDecoder::new(&bytes[..]))?
    } else {
        bytes
    };
    let start = &bytes[..bytes.len().min(START as usize)];
    let ending = Endings::of(Path::new(SHOWN));
    if is_archive(start, &ending) {
        let source = Cursor::new(&bytes);
        return archive::array(SHOWN, source, asked, names, wanted).map(Content::Array);
    }
    plain(Path::new(SHOWN), &bytes, &ending, wanted)
}

/// What the bytes of a file hold that is not packed.
fn plain(path: &Path, bytes: &[u8], ending: &Endings, wanted: Wanted) -> Result<Content, Error> {
    let shown = path.display().to_string();
    if bytes.starts_with(arrays::MAGIC) {
        return arrays::parse(&shown, bytes, wanted).map(Content::Array);
    }
    if folder::is_picture(bytes) {
        return Ok(Content::Pictures(folder::picture(path, bytes)?, None));
    }
    if bytes.starts_with(&[0, 0])
        && let Some(content) = formats::idx(bytes)
    {
        return Ok(content);
    }
    let cifar = formats::cifar(bytes);
    match (cifar, foreign(&bytes[..bytes.len().min(START as usize)])) {
        (Ok(content), _) if ending.is("bin") || ending.is("gz") => Ok(content),
        (_, Some((what, help))) => Err(Error::new(format!(
            "{shown} is not an .npy file, nor of another format that is read, but {what}"
        ))
        .with_help(help)),
        (Err(problem), None) if ending.is("bin") || bytes.starts_with(&[0, 0]) => Err(Error::new(
            format!("{shown} is neither MNIST idx nor CIFAR-10 binary: {problem}"),
        )
        .with_help(FORMATS)),
        _ => Err(Error::new(format!(
            "{shown} is not an .npy file, nor of another format that is read"
        ))
        .with_help(FORMATS)),
    }
}

/// What is read.
const FORMATS: &str = "name an .npy file (numpy.save writes it), .npz, idx, CIFAR-10 .bin, PNG or JPEG file, or a folder of \
     pictures";

/// The last two endings of a file's name.
struct Endings([String; 2]);

impl Endings {
    fn of(path: &Path) -> Self {
        let ending = |path: &Path| {
            let ending = path.extension().unwrap_or_default();
            ending.to_string_lossy().to_ascii_lowercase()
        };
        let stem = Path::new(path.file_stem().unwrap_or_default());
        Self([ending(path), ending(stem)])
    }

    /// Whether the name ends so, or does before `.gz`.
    fn is(&self, ending: &str) -> bool {
        let [last, before] = &self.0;
        last == ending || (last == "gz" && before == ending)
    }
}

fn is_archive(start: &[u8], ending: &Endings) -> bool {
    let is_zip = start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06");
    // A name that promises an archive, unless it is known what else it is.
    is_zip || (ending.is("npz") && foreign(start).is_none() && !start.starts_with(arrays::MAGIC))
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

fn unreadable(shown: &str, error: &std::io::Error) -> Error {
    let failure = Error::new(format!("cannot read {shown}: {error}"));
    match error.kind() {
        ErrorKind::NotFound => failure.with_help("check the path; it is relative to this folder"),
        ErrorKind::PermissionDenied => failure.with_help("check that you may read it"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::preparation::Layout;
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use image::{GrayImage, Luma, Rgb, RgbImage};
    use ndarray::{Array1, Array4, array as values};
    use ndarray_npy::NpzWriter;
    use std::fs;
    use std::io::Write;

    /// A model that takes anything of these axes.
    fn free(axes: usize) -> Vec<Dimension> {
        vec![Dimension::Free("N".into()); axes]
    }

    fn pictures(path: &Path, preparation: &Preparation) -> Result<ArrayD<f64>, Error> {
        samples(path, preparation, &free(4), "model.onnx").map(|samples| samples.values)
    }

    fn read(path: &Path) -> ArrayD<f64> {
        pictures(path, &Preparation::default()).unwrap()
    }

    #[test]
    fn idx_and_cifar_are_read_plain_and_gzipped() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, packed) = (
            folder.path().join("t10k-images-idx3-ubyte"),
            folder.path().join("images.gz"),
        );
        let mut idx = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
        idx.extend(0..12);
        fs::write(&plain, &idx).unwrap();
        let mut gz = GzEncoder::new(File::create(&packed).unwrap(), Compression::fast());
        gz.write_all(&idx).unwrap();
        gz.finish().unwrap();
        assert_eq!(read(&plain).shape(), [2, 1, 2, 3]);
        assert!((read(&plain)[[1, 0, 1, 2]] - 11.0).abs() < 1e-9);
        assert_eq!(read(&plain), read(&packed));
        fs::write(&plain, &idx[..20]).unwrap();
        assert!(pictures(&plain, &Preparation::default()).is_err());

        let cifar = folder.path().join("batch.bin");
        let mut record = vec![7];
        record.extend((0..3072).map(|i| (i / 1024) as u8));
        fs::write(&cifar, [record.clone(), record].concat()).unwrap();
        assert_eq!(labels(&cifar).unwrap(), values![7.0, 7.0].into_dyn());
        let read = read(&cifar);
        assert_eq!(
            (read.shape(), read[[1, 2, 31, 31]]),
            (&[2, 3, 32, 32][..], 2.0)
        );
    }

    #[test]
    fn archives_are_read_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digits.npz");
        let mut archive = NpzWriter::new_compressed(File::create(&path).unwrap());
        archive
            .add_array("pictures", &Array4::<f32>::ones((2, 1, 3, 3)))
            .unwrap();
        archive
            .add_array("labels", &Array1::from(vec![4_u8, 5]))
            .unwrap();
        archive.finish().unwrap();
        assert_eq!(read(&path).shape(), [2, 1, 3, 3]);
        assert_eq!(labels(&path).unwrap(), values![4.0, 5.0].into_dyn());
        fs::write(&path, b"no zip").unwrap();
        assert!(pictures(&path, &Preparation::default()).is_err());
    }

    #[test]
    fn folders_of_pictures_are_prepared() {
        let folder = tempfile::tempdir().unwrap();
        RgbImage::from_pixel(4, 2, Rgb([255, 0, 51]))
            .save(folder.path().join("b.png"))
            .unwrap();
        RgbImage::from_pixel(4, 2, Rgb([0, 255, 51]))
            .save(folder.path().join("a.png"))
            .unwrap();
        fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
        let (unit, mean, std) = (true, vec![0.5, 0.5, 0.2], vec![0.5]);
        let preparation = Preparation {
            unit,
            mean: mean.clone(),
            std: std.clone(),
            layout: Layout::Nchw,
        };
        let read = pictures(folder.path(), &preparation).unwrap();
        assert_eq!(read.shape(), [2, 3, 2, 4]);
        assert_eq!(
            (read[[0, 0, 0, 0]], read[[1, 0, 1, 3]]),
            (-1.0, 1.0),
            "a before b"
        );
        assert!(read[[0, 2, 0, 0]].abs() < 1e-12);
        let preparation = Preparation {
            unit,
            mean,
            std,
            layout: Layout::Nhwc,
        };
        assert_eq!(
            pictures(folder.path(), &preparation).unwrap().shape(),
            [2, 2, 4, 3]
        );
        let two = Preparation {
            mean: vec![1.0, 2.0],
            ..Preparation::default()
        };
        assert!(pictures(folder.path(), &two).is_err());
        GrayImage::from_pixel(4, 2, Luma([9]))
            .save(folder.path().join("c.png"))
            .unwrap();
        let error = pictures(folder.path(), &Preparation::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("a.png") && error.contains("c.png"),
            "{error}"
        );
        assert_eq!(
            self::read(&folder.path().join("c.png")).shape(),
            [1, 1, 2, 4]
        );
    }
}
