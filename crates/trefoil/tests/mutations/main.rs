//! Arrays in .npy files and frames on the wire that are damaged in many ways: no panic, and no more memory
//! than stated.
//!
//! Mutations are drawn from a printed seed. `TREFOIL_MUTATIONS=100000` makes as many of them,
//! `TREFOIL_SEED=…` others.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking and say why on the way"
)]

use ndarray::{Array, Array4, ShapeBuilder};
use ndarray_npy::WriteNpyExt;
use peak_alloc::PeakAlloc;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use trefoil::fuzzing::numbers;
use trefoil_net::{Branch, Message, Tag, decode_frame, encode_frame};
use trefoil_testkit::{Coins, setting};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory is counted for the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Mutations where the environment names no other number.
const DEFAULT: u64 = 4000;

/// What reading a file or a frame of `bytes` may allocate at once: elements of a byte become 64-bit floats, once
/// in the file's order and once in ours, and a header is parsed.
fn limit(bytes: usize) -> usize {
    (1 << 20) + 32 * bytes
}

/// Arrays of several types, orders and shapes.
fn arrays_in_files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    let mut write = |array: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        array(&mut bytes);
        files.push(bytes);
    };
    let pictures = Array4::from_shape_fn((2, 3, 4, 5), |(n, c, i, j)| (n + c * i + j) as f32);
    write(&|to| pictures.write_npy(to).unwrap());
    write(&|to| {
        Array::<f64, _>::from_elem((3, 2).f(), 0.5)
            .write_npy(to)
            .unwrap();
    });
    write(&|to| Array::from_elem(7, 3_u8).write_npy(to).unwrap());
    write(&|to| Array::from_elem((1, 0), -1_i64).write_npy(to).unwrap());
    write(&|to| Array::from_elem((), 4_i16).write_npy(to).unwrap());
    files
}

/// Parts of headers, in place of some of an array's bytes.
const WORDS: [&str; 16] = [
    "'<f8'",
    "'|b1'",
    "'|O'",
    "'<U4'",
    "'>i2'",
    "True",
    "False",
    "(",
    ")",
    "((((((((((((",
    "[",
    "{'descr': ",
    "18446744073709551616",
    "99999999999999999999999999999999",
    "-1",
    "(1,)*9",
];

fn damage(bytes: &mut Vec<u8>, coins: &mut Coins) {
    if coins.below(4) == 0 && bytes.len() > 128 {
        // Elements alone: what is read then must be used with care too.
        for _ in 0..=coins.below(8) {
            let at = 128 + coins.below(bytes.len() - 128);
            bytes[at] ^= 1 << coins.below(8);
        }
        return;
    }
    for _ in 0..=coins.below(3) {
        let at = coins.below(bytes.len());
        // Headers matter more than elements.
        let at = if coins.below(3) == 0 {
            at
        } else {
            at.min(coins.below(128))
        };
        match coins.below(9) {
            0 if !bytes.is_empty() => bytes[at] = coins.below(256) as u8,
            1 if !bytes.is_empty() => bytes[at] ^= 1 << coins.below(8),
            2 if !bytes.is_empty() => drop(bytes.remove(at)),
            3 => bytes.insert(at, coins.below(256) as u8),
            4 => bytes.truncate(at),
            5 => drop(bytes.splice(at..at, [0xff; 4])),
            6 => {
                let digits = [b'0' + coins.below(10) as u8; 3];
                drop(bytes.splice(at..at, digits));
            }
            7 => {
                let end = bytes.len().min(at + coins.below(8));
                drop(bytes.splice(at..end, WORDS[coins.below(WORDS.len())].bytes()));
            }
            _ => {
                let end = bytes.len().min(at + 1 + coins.below(32));
                let part = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, part));
            }
        }
    }
}

/// Damage `originals` and let `read` look at each; how many it took, and the most bytes for one.
fn check(
    what: &str,
    originals: &[Vec<u8>],
    (count, seed): (u64, u64),
    read: impl Fn(&[u8]) -> bool,
) -> (u64, usize) {
    let (mut taken, mut most) = (0, 0);
    for index in 0..count {
        let mut coins = Coins::new(seed, index);
        let mut bytes = originals[coins.below(originals.len())].clone();
        damage(&mut bytes, &mut coins);
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let result = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
        let peak = MEMORY.peak_usage().saturating_sub(before);
        match result {
            Ok(done) => taken += u64::from(done),
            Err(panic) => {
                println!("{what}: mutation {index} of seed {seed}: {bytes:02x?}");
                std::panic::resume_unwind(panic);
            }
        }
        assert!(
            peak <= limit(bytes.len()),
            "{what}: mutation {index} of seed {seed}: {peak} bytes for {}",
            bytes.len()
        );
        most = most.max(peak);
    }
    (taken, most)
}

#[test]
fn damaged_arrays_and_frames() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (count, seed) = (
        setting("TREFOIL_MUTATIONS", DEFAULT),
        setting("TREFOIL_SEED", 1),
    );
    println!("{count} mutations of seed {seed}");

    let start = std::time::Instant::now();
    let files = arrays_in_files();
    for file in &files {
        assert!(numbers("whole.npy", file).is_ok());
    }
    let read = |bytes: &[u8]| numbers("damaged.npy", bytes).is_ok();
    let (taken, most) = check("array", &files, (count, seed), read);
    let time = start.elapsed().as_secs_f64();
    println!("arrays: {taken} read; at most {most} bytes for one; {time:.1} s");
    assert!(
        taken > count / 50,
        "mutations that change too much test nothing"
    );

    let message = |number: u32, len: usize| Message {
        branch: Branch([number as u8; 12]),
        number,
        depth: 1,
        tag: Tag(3),
        payload: vec![7; len],
    };
    let frames: Vec<Vec<u8>> = [1, 2, 5]
        .map(|count: u32| {
            (0..count)
                .map(|n| message(n, 16 * n as usize))
                .collect::<Vec<_>>()
        })
        .iter()
        .map(|messages| encode_frame(messages))
        .collect();
    let read = |bytes: &[u8]| decode_frame(bytes).is_some();
    let (taken, most) = check("frame", &frames, (count, seed), read);
    println!("frames: {taken} read; at most {most} bytes for one");
}

/// Headers that a parser could follow down the whole stack, or that name more than there is.
#[test]
fn headers_made_to_hurt() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let file = |major: u8, header: &[u8]| {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([major, 0]);
        if major == 1 {
            bytes.extend((header.len() as u16).to_le_bytes());
        } else {
            bytes.extend((header.len() as u32).to_le_bytes());
        }
        bytes.extend(header);
        bytes
    };
    let refusal = |bytes: &[u8]| match numbers("hurt.npy", bytes) {
        Ok(_) => panic!("it is accepted"),
        Err(failure) => failure.to_string(),
    };
    assert!(refusal(&file(1, &[b'('; 9_000])).contains("nested"));
    assert!(refusal(&file(2, &vec![b'['; 1 << 20])).contains("header of 1048576 bytes"));
    let mut announced = file(2, b"{}");
    announced[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refusal(&announced).contains("header of 4294967295 bytes"));
    let large = "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }\n";
    assert!(refusal(&file(1, large.as_bytes())).contains("damaged"));
    let large = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,), }\n";
    assert!(refusal(&file(1, large.as_bytes())).contains("0 bytes of data"));
}
