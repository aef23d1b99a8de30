//! The formats of MNIST (idx), CIFAR-10 (binary records) and the ORL faces (PGM in a tar archive), gzipped.

use super::Picture;
use crate::AuditError;
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest decompressed file that is read: the largest real one has 47 MB.
const MOST_BYTES: u64 = 256 << 20;

fn problem(path: &Path, problem: impl Into<Problem>) -> AuditError {
    AuditError::File {
        path: path.to_owned(),
        problem: problem.into().0,
    }
}

/// What is wrong with a file, in words.
struct Problem(String);

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Problem {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

fn gunzip(path: &Path) -> Result<Vec<u8>, AuditError> {
    let file = File::open(path).map_err(|error| problem(path, error))?;
    let mut bytes = Vec::new();
    GzDecoder::new(file)
        .take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| problem(path, error))?;
    Ok(bytes)
}

fn picture(shape: [usize; 3], bytes: &[u8]) -> Picture {
    Picture::new(shape, bytes.iter().map(|&v| f32::from(v) / 255.0).collect())
}

/// An idx file of bytes: its dimensions and content.
fn idx(path: &Path, dimensions: usize) -> Result<(Vec<usize>, Vec<u8>), AuditError> {
    let mut bytes = gunzip(path)?;
    let head = 4 + 4 * dimensions;
    if bytes.len() < head || bytes[..4] != [0, 0, 8, dimensions as u8] {
        let message = format!("is no idx file of bytes in {dimensions} dimensions");
        return Err(problem(path, message));
    }
    let sizes: Vec<usize> = bytes[4..head]
        .chunks_exact(4)
        .map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]]) as usize)
        .collect();
    let expected = sizes.iter().try_fold(1_usize, |a, &b| a.checked_mul(b));
    let content = bytes.split_off(head);
    if expected != Some(content.len()) {
        let message = format!("holds {} bytes for dimensions {sizes:?}", content.len());
        return Err(problem(path, message));
    }
    Ok((sizes, content))
}

/// The pictures of an `idx3-ubyte.gz` file.
///
/// # Errors
/// [`AuditError::File`] if it cannot be read or is no such file.
pub fn idx_pictures(path: &Path) -> Result<Vec<Picture>, AuditError> {
    let (sizes, content) = idx(path, 3)?;
    let shape = [1, sizes[1], sizes[2]];
    let area = (sizes[1] * sizes[2]).max(1);
    Ok(content
        .chunks_exact(area)
        .map(|p| picture(shape, p))
        .collect())
}

/// The labels of an `idx1-ubyte.gz` file.
///
/// # Errors
/// As [`idx_pictures`].
pub fn idx_labels(path: &Path) -> Result<Vec<usize>, AuditError> {
    let (_, content) = idx(path, 1)?;
    Ok(content.into_iter().map(usize::from).collect())
}

/// Pictures (3 × 32 × 32) and labels of a gzipped file of CIFAR-10's binary records.
///
/// # Errors
/// As [`idx_pictures`].
pub fn cifar10(path: &Path) -> Result<(Vec<Picture>, Vec<usize>), AuditError> {
    const RECORD: usize = 1 + 3 * 32 * 32;
    let bytes = gunzip(path)?;
    if bytes.is_empty() || bytes.len() % RECORD != 0 || bytes.chunks(RECORD).any(|r| r[0] > 9) {
        let message = format!("is no file of CIFAR-10 records of {RECORD} bytes");
        return Err(problem(path, message));
    }
    let records = bytes.chunks_exact(RECORD);
    Ok(records
        .map(|record| (picture([3, 32, 32], &record[1..]), usize::from(record[0])))
        .unzip())
}

/// The ORL faces from their `.tar.gz`: pictures, and the number of the person on each, ordered by person and
/// number of the picture.
///
/// # Errors
/// As [`idx_pictures`].
pub fn orl_faces(path: &Path) -> Result<(Vec<Picture>, Vec<usize>), AuditError> {
    let bytes = gunzip(path)?;
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut faces = Vec::new();
    for entry in archive.entries().map_err(|error| problem(path, error))? {
        let mut entry = entry.map_err(|error| problem(path, error))?;
        let name = entry
            .path()
            .map_err(|error| problem(path, error))?
            .into_owned();
        if name.extension().is_none_or(|extension| extension != "pgm") {
            continue;
        }
        // .../s<person>/<number>.pgm
        let number = |text: Option<&std::ffi::OsStr>| {
            let text = text?.to_str()?;
            text.trim_start_matches('s').parse::<usize>().ok()
        };
        let person = number(name.parent().and_then(Path::file_name));
        let which = number(name.file_stem());
        let (Some(person), Some(which)) = (person, which) else {
            let message = format!("{} is not named s<person>/<number>.pgm", name.display());
            return Err(problem(path, message));
        };
        let mut content = Vec::new();
        entry
            .read_to_end(&mut content)
            .map_err(|error| problem(path, error))?;
        let face = pgm(&content)
            .ok_or_else(|| problem(path, format!("{} is no PGM file of bytes", name.display())))?;
        faces.push((person, which, face));
    }
    if faces.is_empty() {
        return Err(problem(path, "holds no PGM file"));
    }
    faces.sort_by_key(|(person, which, _)| (*person, *which));
    Ok(faces
        .into_iter()
        .map(|(person, _, face)| (face, person))
        .unzip())
}

/// A binary PGM file with at most 255 grey levels.
fn pgm(bytes: &[u8]) -> Option<Picture> {
    let mut rest = bytes.strip_prefix(b"P5")?;
    let mut numbers = [0_usize; 3];
    for number in &mut numbers {
        let start = rest.iter().position(|b| !b.is_ascii_whitespace())?;
        rest = &rest[start..];
        let end = rest.iter().position(|b| !b.is_ascii_digit())?;
        *number = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
        rest = &rest[end..];
    }
    let [width, height, most] = numbers;
    let content = rest.get(1..)?;
    let fits = most > 0 && most < 256 && width.checked_mul(height) == Some(content.len());
    fits.then(|| {
        let pixels = content.iter().map(|&v| f32::from(v) / most as f32);
        Picture::new([1, height, width], pixels.collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;
    use std::path::PathBuf;

    fn gzipped(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let mut encoder = GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap();
        (folder, path)
    }

    #[test]
    fn idx_files_are_read() {
        let mut bytes = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        bytes.extend([0, 255, 51, 0]);
        let (_folder, path) = gzipped("pictures.gz", &bytes);
        let pictures = idx_pictures(&path).unwrap();
        assert_eq!(pictures[1], Picture::new([1, 1, 2], vec![0.2, 0.0]));
        assert!(idx_labels(&path).is_err());
        bytes.pop();
        let (_folder, path) = gzipped("pictures.gz", &bytes);
        let error = idx_pictures(&path).unwrap_err().to_string();
        assert!(error.contains("3 bytes"), "{error}");
    }

    #[test]
    fn records_are_read() {
        let mut bytes = vec![7; 2 * 3073];
        let (_folder, path) = gzipped("records.gz", &bytes);
        let (pictures, labels) = cifar10(&path).unwrap();
        assert_eq!((pictures.len(), labels), (2, vec![7, 7]));
        bytes[3073] = 10;
        let (_folder, path) = gzipped("records.gz", &bytes);
        assert!(cifar10(&path).is_err());
    }

    #[test]
    fn faces_are_read_in_order() {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, value) in [("x/s2/1.pgm", 30), ("x/s1/10.pgm", 20), ("x/s1/2.pgm", 10)] {
            let content = [b"P5\n2 1\n255\n".as_slice(), &[value, 0]].concat();
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, name, content.as_slice())
                .unwrap();
        }
        let (_folder, path) = gzipped("faces.tar.gz", &tar.into_inner().unwrap());
        let (faces, people) = orl_faces(&path).unwrap();
        assert_eq!(people, [1, 1, 2]);
        let first: Vec<f32> = faces.iter().map(|f| f.pixels[0] * 255.0).collect();
        assert_eq!(first, [10.0, 20.0, 30.0]);
        assert!(pgm(b"P5\n2 2\n255\n\x01").is_none() && pgm(b"P5").is_none());
    }
}
