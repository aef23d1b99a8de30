//! Pictures in files and folders.

use super::formats::{self, Content};
use crate::Error;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};
use ndarray::{ArrayD, Axis, IxDyn, concatenate};
use std::cmp::Ordering;
use std::fs;
use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};

/// All PNG and JPEG pictures of a folder in the natural order of their names, and the files in this order. Hidden files and
/// folders in it are skipped.
///
/// # Errors
/// If there is none, one cannot be read, or they differ in size.
pub(super) fn folder(path: &Path) -> Result<(Content, Vec<PathBuf>), Error> {
    let shown = path.display();
    let (files, folders) = entries(path)?;
    if files.is_empty() {
        let inside = if folders == 0 {
            String::new()
        } else {
            format!(" itself, but {folders} in it")
        };
        return Err(Error::new(format!(
            "the folder {shown} holds no PNG or JPEG picture{inside}"
        ))
        .with_help("name a folder of .png, .jpg or .jpeg files, or an .npy array; folders in it are not looked into"));
    }
    let mut pictures = Vec::new();
    for file in files {
        let bytes = fs::read(&file).map_err(|error| {
            Error::new(format!("cannot read {}: {error}", file.display()))
                .with_help("check that you may read it")
        })?;
        let picture = picture(&file, &bytes)?;
        pictures.push((file, picture));
    }
    let stacked = stack(&pictures)?;
    let files = pictures.into_iter().map(|(file, _)| file).collect();
    Ok((Content::Pictures(stacked, None), files))
}

/// The pictures of a folder in natural order, and how many folders there are beside them.
fn entries(path: &Path) -> Result<(Vec<PathBuf>, usize), Error> {
    let failed = |error: std::io::Error| {
        let failure = Error::new(format!(
            "cannot read the folder {}: {error}",
            path.display()
        ));
        match error.kind() {
            ErrorKind::PermissionDenied => failure.with_help("check that you may read it"),
            _ => failure,
        }
    };
    let (mut files, mut folders) = (Vec::new(), 0);
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        let is_picture = ["png", "jpg", "jpeg"]
            .iter()
            .any(|ending| super::has_ending(&file, ending));
        if file.is_dir() {
            folders += 1;
        } else if is_picture && file.is_file() {
            files.push(file);
        }
    }
    files.sort_by(|a, b| natural(&name_of(a), &name_of(b)));
    Ok((files, folders))
}

/// A file's name, for messages.
pub(super) fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The natural order of names: numbers in them count as numbers, so that 2 comes before 10.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a.as_bytes(), b.as_bytes());
    while let (Some(first_a), Some(first_b)) = (rest_a.first(), rest_b.first()) {
        let order = if first_a.is_ascii_digit() && first_b.is_ascii_digit() {
            let (number_a, number_b) = (number(&mut rest_a), number(&mut rest_b));
            number_a
                .len()
                .cmp(&number_b.len())
                .then(number_a.cmp(number_b))
        } else {
            let order = first_a.cmp(first_b);
            (rest_a, rest_b) = (&rest_a[1..], &rest_b[1..]);
            order
        };
        if order.is_ne() {
            return order;
        }
    }
    // Of names that are the same but for zeros before numbers, the order still is one.
    rest_a.len().cmp(&rest_b.len()).then(a.cmp(b))
}

/// Take the digits at the start of `rest`; without zeros before them.
fn number<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = rest
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    &digits[zeros..]
}

/// Whether a file that begins so is a picture of a format that is read.
pub(super) fn is_picture(bytes: &[u8]) -> bool {
    matches!(
        image::guess_format(bytes),
        Ok(ImageFormat::Png | ImageFormat::Jpeg)
    )
}

/// One picture as (1, C, H, W), C being 1 for grey and 3 for colour, turned as its camera noted.
///
/// # Errors
/// If the bytes are none.
pub(super) fn picture(path: &Path, bytes: &[u8]) -> Result<ArrayD<f64>, Error> {
    let shown = path.display();
    let damaged = |error: &dyn std::fmt::Display| {
        Error::new(format!("{shown} cannot be read as a picture: {error}"))
            .with_help("PNG and JPEG are read; see whether another program can open it")
    };
    if !is_picture(bytes)
        && let Some((what, help)) = super::foreign(bytes)
    {
        return Err(Error::new(format!("{shown} is not PNG or JPEG, but {what}")).with_help(help));
    }
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| damaged(&error))?;
    let mut decoder = reader.into_decoder().map_err(|error| damaged(&error))?;
    // A small file may claim to be a picture that fills the memory.
    let mut limits = Limits::default();
    limits
        .reserve(decoder.total_bytes())
        .map_err(|error| damaged(&error))?;
    let orientation = decoder.orientation().map_err(|error| damaged(&error))?;
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(|error| damaged(&error))?;
    decoded.apply_orientation(orientation);
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let (channels, bytes) = match decoded {
        DynamicImage::ImageLuma8(_)
        | DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA8(_)
        | DynamicImage::ImageLumaA16(_) => (1, decoded.into_luma8().into_raw()),
        _ => (3, decoded.into_rgb8().into_raw()),
    };
    let interleaved = formats::array(
        &[1, height, width, channels],
        bytes.into_iter().map(f64::from).collect(),
    );
    Ok(interleaved
        .permuted_axes(IxDyn(&[0, 3, 1, 2]))
        .as_standard_layout()
        .into_owned())
}

/// Pictures of one size behind each other.
fn stack(pictures: &[(PathBuf, ArrayD<f64>)]) -> Result<ArrayD<f64>, Error> {
    let Some((first, sample)) = pictures.first() else {
        return Err(Error::new("there are no pictures"));
    };
    if let Some((other, picture)) = pictures
        .iter()
        .find(|(_, picture)| picture.shape() != sample.shape())
    {
        let sizes = [sample, picture].map(|p| format!("{:?}", &p.shape()[1..]));
        return Err(Error::new(format!(
            "pictures differ in channels, height, width: {} has {}, {} has {}",
            first.display(),
            sizes[0],
            other.display(),
            sizes[1]
        ))
        .with_help("bring all pictures to the size that the model takes"));
    }
    let views: Vec<_> = pictures.iter().map(|(_, picture)| picture.view()).collect();
    Ok(concatenate(Axis(0), &views).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = [
            "10.png", "a2.png", "2.png", "02.png", "1.png", "a10.png", "b.png", "2.jpg",
        ];
        names.sort_by(|a, b| natural(a, b));
        let sorted = [
            "1.png", "2.jpg", "02.png", "2.png", "10.png", "a2.png", "a10.png", "b.png",
        ];
        assert_eq!(names, sorted);
        assert_eq!(
            natural("99999999999999999999999998", "99999999999999999999999999"),
            Ordering::Less
        );
    }
}
