//! What a file is that cannot be read, told by its first bytes.

/// What begins with `start`, and what to do about it; nothing if it is not known.
pub(crate) fn what_is(start: &[u8]) -> Option<(&'static str, &'static str)> {
    const TEXT: &str =
        "read it and save an array: numpy.save(path, numpy.loadtxt(file, delimiter=\",\"))";
    const PICTURE: &str = "convert it to PNG or JPEG";
    let begins = |with: &[u8]| start.starts_with(with);
    let known: [(bool, &str, &str); 16] = [
        (
            start.is_empty(),
            "empty (0 bytes)",
            "see whether its copy or download was complete",
        ),
        (
            begins(b"version https://git-lfs.github.com/"),
            "a Git LFS pointer: a note that stands for the file, which was not fetched",
            "fetch the file itself: git lfs pull",
        ),
        (
            is_page(start),
            "a web page, not the file that it was meant to be",
            "download the file itself, not the page about it",
        ),
        (
            begins(b"\x89HDF\r\n"),
            "an HDF5 file",
            "read it with h5py and save the array: numpy.save(path, file[\"name\"][:])",
        ),
        (
            begins(b"MATLAB 5.0 MAT-file"),
            "a MATLAB file",
            "read it with scipy.io.loadmat and save the array with numpy.save",
        ),
        (
            begins(b"PAR1"),
            "a Parquet file",
            "read it with pandas and save frame.to_numpy() with numpy.save",
        ),
        (
            start.first() == Some(&0x80)
                && start
                    .get(1)
                    .is_some_and(|version| (2..=5).contains(version)),
            "a Python pickle",
            "load it where it comes from, and save the array in it with numpy.save",
        ),
        (begins(b"GIF8"), "a GIF picture", PICTURE),
        (begins(b"BM"), "a BMP picture", PICTURE),
        (
            begins(b"II*\0") || begins(b"MM\0*"),
            "a TIFF picture",
            PICTURE,
        ),
        (
            begins(b"RIFF") && start.get(8..12) == Some(b"WEBP".as_slice()),
            "a WebP picture",
            PICTURE,
        ),
        (
            start.get(4..8) == Some(b"ftyp".as_slice()),
            "a HEIC, AVIF or MP4 file",
            PICTURE,
        ),
        (
            begins(b"%PDF"),
            "a PDF document",
            "save the pictures in it as PNG or JPEG",
        ),
        (
            begins(b"BZh") || begins(b"\xfd7zXZ") || begins(b"7z\xbc\xaf") || begins(b"(\xb5/\xfd"),
            "packed in a way that is not read",
            "unpack it first; of packed files, .gz are read",
        ),
        (
            begins(b"\xef\xbb\xbf"),
            "text, with a byte order mark",
            TEXT,
        ),
        (is_text(start), "text", TEXT),
    ];
    let found = known.into_iter().find(|(is, ..)| *is);
    found.map(|(_, what, help)| (what, help))
}

fn is_page(start: &[u8]) -> bool {
    let start = start.trim_ascii_start();
    ["<!doctype html", "<html"].iter().any(|tag| {
        start
            .get(..tag.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(tag.as_bytes()))
    })
}

fn is_text(start: &[u8]) -> bool {
    let printed = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    start.len() > 1 && start.iter().all(printed)
}
