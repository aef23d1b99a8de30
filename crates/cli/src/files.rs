//! The formats in which users have pictures and labels, told apart by content.

use crate::{Failure, arrays};
use clap::{Args, ValueEnum};
use flate2::read::GzDecoder;
use image::{DynamicImage, ImageReader};
use ndarray::{ArrayD, Axis, IxDyn, concatenate};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most bytes that a compressed file may become.
const MOST_BYTES: u64 = 4 << 30;
/// Bytes of a CIFAR-10 record: a label, then three planes of 32 × 32.
const CIFAR_RECORD: usize = 1 + 3 * 32 * 32;

/// How pictures become what a model takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Preparation {
    /// Divide values by 255, so that pixels lie in [0, 1]
    #[arg(long)]
    unit: bool,
    /// Subtract these, one number for each channel (after --unit)
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    mean: Vec<f64>,
    /// Divide by these, one number for each channel (after --mean)
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    std: Vec<f64>,
    /// Where the model has its channels; arrays (.npy, .npz) must come so already
    #[arg(long, value_enum, default_value_t = Layout::Nchw)]
    layout: Layout,
}

/// The order of a picture tensor's axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// Pictures, channels, height, width (PyTorch)
    #[default]
    Nchw,
    /// Pictures, height, width, channels (TensorFlow)
    Nhwc,
}

/// What a file holds.
enum Content {
    /// An array as it is.
    Array(ArrayD<f64>),
    /// Pictures (N, C, H, W), and their labels if the format has them.
    Pictures(ArrayD<f64>, Option<ArrayD<f64>>),
}

/// Read the pictures at `path`: an .npy or .npz array, MNIST idx, CIFAR-10 binary (both also gzipped), a PNG or
/// JPEG picture, or a folder of such pictures in the order of their names.
///
/// # Errors
/// If the file cannot be read, is of another format, or does not fit the preparation.
pub(crate) fn pictures(path: &Path, preparation: &Preparation) -> Result<ArrayD<f64>, Failure> {
    let mut values = match content(path)? {
        Content::Pictures(values, _) if preparation.layout == Layout::Nhwc => values
            .permuted_axes(IxDyn(&[0, 2, 3, 1]))
            .as_standard_layout()
            .into_owned(),
        Content::Pictures(values, _) | Content::Array(values) => values,
    };
    preparation.apply(path, &mut values)?;
    Ok(values)
}

/// Read the labels at `path`: an .npy or .npz array of integers, MNIST idx labels, or the labels of a CIFAR-10 binary.
///
/// # Errors
/// If the file cannot be read or holds no labels.
pub(crate) fn labels(path: &Path) -> Result<ArrayD<f64>, Failure> {
    if has_ending(path, "npz") {
        return archive(path, &["labels", "y"]);
    }
    match content(path)? {
        Content::Array(labels) | Content::Pictures(_, Some(labels)) => Ok(labels),
        Content::Pictures(_, None) => Err(Failure::new(format!(
            "{} holds pictures, not labels",
            path.display()
        ))
        .help("labels are an array of integers, an idx1 file or a CIFAR-10 binary")),
    }
}

impl Preparation {
    fn apply(&self, path: &Path, values: &mut ArrayD<f64>) -> Result<(), Failure> {
        if self.unit {
            values.mapv_inplace(|v| v / 255.0);
        }
        let axis = if self.layout == Layout::Nchw {
            1
        } else {
            values.ndim().saturating_sub(1)
        };
        for (flag, numbers) in [("--mean", &self.mean), ("--std", &self.std)] {
            if numbers.is_empty() {
                continue;
            }
            let channels = values.shape().get(axis).copied().unwrap_or(0);
            if numbers.len() != channels && numbers.len() != 1 {
                let (shown, shape) = (path.display(), values.shape());
                return Err(Failure::misuse(format!(
                    "{flag} has {} numbers, but {shown} has {channels} channels (shape {shape:?})",
                    numbers.len()
                ))
                .help("give one number for all channels, or one for each; see --layout"));
            }
            if let Some(bad) = numbers
                .iter()
                .find(|v| !v.is_finite() || (flag == "--std" && **v <= 0.0))
            {
                return Err(Failure::misuse(format!("{flag} has the number {bad}"))
                    .help("give positive numbers"));
            }
            for (channel, mut part) in values.axis_iter_mut(Axis(axis)).enumerate() {
                let number = numbers[channel % numbers.len()];
                part.mapv_inplace(|v| {
                    if flag == "--mean" {
                        v - number
                    } else {
                        v / number
                    }
                });
            }
        }
        Ok(())
    }
}

fn content(path: &Path) -> Result<Content, Failure> {
    if path.is_dir() {
        return folder(path);
    }
    if has_ending(path, "npz") {
        return archive(path, &["pictures", "x", "arr_0"]).map(Content::Array);
    }
    let start = beginning(path)?;
    let gzipped = start.starts_with(&[0x1f, 0x8b]);
    if start.starts_with(&[0, 0]) || gzipped || has_ending(path, "bin") {
        return binary(path, gzipped);
    }
    if image::guess_format(&start).is_ok() {
        return Ok(Content::Pictures(
            stack(path, &[(path.to_owned(), picture(path)?)])?,
            None,
        ));
    }
    arrays::read(path).map(Content::Array)
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

/// The first bytes of a file; none if it cannot be read, which the reader of its format then reports.
fn beginning(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut start = Vec::new();
    if let Ok(file) = File::open(path) {
        let read = file.take(64).read_to_end(&mut start);
        read.map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    }
    Ok(start)
}

/// The array of an .npy file, or one of an .npz archive: by the first of `names` that is there, or the only one.
///
/// # Errors
/// If the file cannot be read, or holds no such array.
pub(crate) fn named_array(path: &Path, names: &[&str]) -> Result<ArrayD<f64>, Failure> {
    if has_ending(path, "npz") {
        archive(path, names)
    } else {
        arrays::read(path)
    }
}

/// One array of an .npz archive: by the first of `names` that is there, or the only one.
fn archive(path: &Path, names: &[&str]) -> Result<ArrayD<f64>, Failure> {
    let shown = path.display();
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!(
            "{shown} is not an .npz archive, or damaged: {error}"
        ))
        .help("write it with numpy.savez(path, pictures=…, labels=…)")
    };
    let file = File::open(path).map_err(|error| {
        Failure::new(format!("cannot read {shown}: {error}")).help("check the path")
    })?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| failed(&error))?;
    let stored: Vec<String> = archive
        .file_names()
        .map(|name| name.trim_end_matches(".npy").to_owned())
        .collect();
    let only = if stored.len() == 1 {
        stored.first()
    } else {
        None
    };
    let Some(name) = names
        .iter()
        .map(|name| (*name).to_owned())
        .find(|name| stored.contains(name))
        .or(only.cloned())
    else {
        let (wanted, found) = (names.join("`, `"), stored.join("`, `"));
        return Err(
            Failure::new(format!("{shown} holds none of `{wanted}`, but `{found}`"))
                .help("name the array so, or save it alone with numpy.save"),
        );
    };
    let entry = archive
        .by_name(&format!("{name}.npy"))
        .map_err(|error| failed(&error))?;
    let bytes = limited(path, entry)?;
    arrays::parse(&format!("{name} of {shown}"), &bytes)
}

/// All of `source`, unless that is absurdly much.
fn limited(path: &Path, source: impl Read) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let shown = path.display();
    source
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(format!("{shown} is damaged: {error}")))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(
            Failure::new(format!("{shown} unpacks to more than {MOST_BYTES} bytes"))
                .help("split it into several files"),
        );
    }
    Ok(bytes)
}

/// MNIST idx, or CIFAR-10 binary.
fn binary(path: &Path, gzipped: bool) -> Result<Content, Failure> {
    let shown = path.display();
    let file =
        File::open(path).map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
    let bytes = if gzipped {
        limited(path, GzDecoder::new(file))?
    } else {
        limited(path, file)?
    };
    if let Some(content) = idx(&bytes) {
        return Ok(content);
    }
    if bytes.is_empty() || !bytes.len().is_multiple_of(CIFAR_RECORD) {
        return Err(Failure::new(format!(
            "{shown} is neither MNIST idx nor CIFAR-10 binary: {} bytes are no whole number of records of {CIFAR_RECORD}",
            bytes.len()
        ))
        .help("name an .npy, .npz, idx, CIFAR-10 .bin, PNG or JPEG file, or a folder of pictures"));
    }
    let records = || bytes.chunks_exact(CIFAR_RECORD);
    let labels = records().map(|record| f64::from(record[0])).collect();
    let pixels = records()
        .flat_map(|record| &record[1..])
        .map(|&byte| f64::from(byte))
        .collect();
    let count = bytes.len() / CIFAR_RECORD;
    Ok(Content::Pictures(
        array(&[count, 3, 32, 32], pixels),
        Some(array(&[count], labels)),
    ))
}

/// An idx file of bytes: labels (one axis), or pictures (three), which get a channel axis.
fn idx(bytes: &[u8]) -> Option<Content> {
    let (magic, mut rest) = bytes.split_first_chunk::<4>()?;
    let [0, 0, 8, axes] = *magic else { return None };
    let mut shape = Vec::new();
    for _ in 0..axes {
        let (size, after) = rest.split_first_chunk::<4>()?;
        shape.push(u32::from_be_bytes(*size) as usize);
        rest = after;
    }
    let elements = shape
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size))?;
    if elements != rest.len() {
        return None;
    }
    let values = rest.iter().map(|&byte| f64::from(byte)).collect();
    match shape[..] {
        [_] => Some(Content::Array(array(&shape, values))),
        [count, height, width] => Some(Content::Pictures(
            array(&[count, 1, height, width], values),
            None,
        )),
        _ => None,
    }
}

fn array(shape: &[usize], values: Vec<f64>) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), values).unwrap_or_default()
}

/// All PNG and JPEG pictures of a folder, in the order of their names.
fn folder(path: &Path) -> Result<Content, Failure> {
    let shown = path.display();
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("cannot read the folder {shown}: {error}"))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| failed(&error))? {
        let file = entry.map_err(|error| failed(&error))?.path();
        if ["png", "jpg", "jpeg"]
            .iter()
            .any(|ending| has_ending(&file, ending))
        {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(
            Failure::new(format!("the folder {shown} holds no PNG or JPEG picture"))
                .help("name a folder of .png, .jpg or .jpeg files, or an .npy array"),
        );
    }
    let mut pictures = Vec::new();
    for file in files {
        let picture = picture(&file)?;
        pictures.push((file, picture));
    }
    Ok(Content::Pictures(stack(path, &pictures)?, None))
}

/// One picture as (1, C, H, W), C being 1 for grey and 3 for colour.
fn picture(path: &Path) -> Result<ArrayD<f64>, Failure> {
    let shown = path.display();
    let damaged = |error: &dyn std::fmt::Display| {
        Failure::new(format!("{shown} cannot be read as a picture: {error}"))
            .help("PNG and JPEG are read")
    };
    let reader = ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|error| damaged(&error))?;
    let decoded = reader.decode().map_err(|error| damaged(&error))?;
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let (channels, bytes) = match decoded {
        DynamicImage::ImageLuma8(_)
        | DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA8(_) => (1, decoded.into_luma8().into_raw()),
        _ => (3, decoded.into_rgb8().into_raw()),
    };
    let interleaved = array(
        &[1, height, width, channels],
        bytes.into_iter().map(f64::from).collect(),
    );
    Ok(interleaved
        .permuted_axes(IxDyn(&[0, 3, 1, 2]))
        .as_standard_layout()
        .into_owned())
}

/// Pictures of one size behind each other.
fn stack(path: &Path, pictures: &[(PathBuf, ArrayD<f64>)]) -> Result<ArrayD<f64>, Failure> {
    let Some((first, sample)) = pictures.first() else {
        return Err(Failure::new(format!(
            "{} holds no pictures",
            path.display()
        )));
    };
    if let Some((other, picture)) = pictures
        .iter()
        .find(|(_, picture)| picture.shape() != sample.shape())
    {
        let sizes = [sample, picture].map(|p| format!("{:?}", &p.shape()[1..]));
        return Err(Failure::new(format!(
            "pictures differ in channels, height, width: {} has {}, {} has {}",
            first.display(),
            sizes[0],
            other.display(),
            sizes[1]
        ))
        .help("bring all pictures to the size that the model takes"));
    }
    let views: Vec<_> = pictures.iter().map(|(_, picture)| picture.view()).collect();
    Ok(concatenate(Axis(0), &views).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use image::{GrayImage, Luma, Rgb, RgbImage};
    use ndarray::{Array1, Array4, array as values};
    use ndarray_npy::NpzWriter;
    use std::io::Write;

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
