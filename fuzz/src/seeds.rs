//! Whole files and messages, from which damaged ones are made.

use ndarray::{Array, Array1, Array2, Array4, ShapeBuilder};
use ndarray_npy::{NpzWriter, WriteNpyExt};
use std::io::Cursor;
use std::sync::OnceLock;
use trefoil_guard::{Classifier, Dense, Guard, GuardFile, Settings, Table, TableSettings};
use trefoil_net::{Branch, Message, Tag, encode_frame};
use trefoil_nn::{Graph, Options, Plan};

/// The plan of a small network of ten classes.
///
/// # Panics
/// If the project's own model does not compile.
pub fn small_plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let compiled = Graph::from_bytes(trefoil_digits::MODEL, "digits.onnx")
            .and_then(|graph| Plan::compile(&graph, &Options::default()));
        assert!(compiled.is_ok(), "the project's own model compiles");
        compiled.map_or_else(
            |_| Plan::of_logits(1, 10, &Options::default()),
            |(plan, _)| plan,
        )
    })
}

/// Guards of ten classes, one of each method.
fn guards() -> Vec<Guard> {
    siguard().into_iter().chain(table()).collect()
}

fn table() -> Option<Guard> {
    let settings = TableSettings {
        classes: 10,
        fraction_bits: small_plan().fraction_bits,
    };
    let means = Array2::from_shape_fn((10, 10), |(_, rank)| f64::from(10 - rank as u32) / 55.0);
    Table::new(settings, means).ok().map(Guard::Table)
}

fn siguard() -> Option<Guard> {
    let weight = |i: usize, j: usize| ((i * 7 + j * 3) % 11) as f64 / 11.0 - 0.5;
    let layer = |inputs: usize, outputs: usize| Dense {
        weights: Array2::from_shape_fn((inputs, outputs), |(i, j)| weight(i, j)),
        bias: Array1::from_elem(outputs, 0.125),
    };
    let classifier = Classifier::new(vec![layer(10, 4), layer(4, 1)]).ok()?;
    let mut settings = Settings::new(classifier.shape());
    classifier.fit(&mut settings);
    let guard = GuardFile::new(settings, classifier).ok()?;
    Some(Guard::Siguard(guard))
}

/// Of [`crate::targets::hello`].
pub fn hello() -> Vec<Vec<u8>> {
    trefoil_net::fuzzing::hellos()
}

/// Of [`crate::targets::frame`].
pub fn frame() -> Vec<Vec<u8>> {
    let message = |number: u32| Message {
        branch: Branch([number as u8; 12]),
        number,
        depth: 1,
        tag: Tag(3),
        payload: vec![7; 16 * number as usize],
    };
    [1, 2, 5]
        .map(|count: u32| encode_frame(&(0..count).map(message).collect::<Vec<_>>()))
        .to_vec()
}

/// Of [`crate::targets::request`].
pub fn request() -> Vec<Vec<u8>> {
    let requests = |guard: Guard| trefoil_serve::fuzzing::requests(small_plan(), &guard.settings());
    guards().into_iter().flat_map(requests).collect()
}

/// Of [`crate::targets::report`].
pub fn report() -> Vec<Vec<u8>> {
    trefoil_serve::fuzzing::replies(small_plan())
}

/// Of [`crate::targets::transcript`].
pub fn transcript() -> Vec<Vec<u8>> {
    trefoil_serve::fuzzing::transcripts()
}

/// Of [`crate::targets::guard_settings`].
pub fn guard_settings() -> Vec<Vec<u8>> {
    let settings = |guard: Guard| trefoil_serve::fuzzing::settings(&guard.settings());
    guards().into_iter().map(settings).collect()
}

/// Of [`crate::targets::plan`].
pub fn plan() -> Vec<Vec<u8>> {
    vec![small_plan().to_bytes()]
}

/// Of [`crate::targets::safetensors`].
pub fn safetensors() -> Vec<Vec<u8>> {
    let bytes = |guard: Guard| guard.to_bytes().ok();
    guards().into_iter().filter_map(bytes).collect()
}

/// Of [`crate::targets::npy`].
pub fn npy() -> Vec<Vec<u8>> {
    let pictures = Array4::from_shape_fn((2, 3, 4, 5), |(n, c, i, j)| (n + c * i + j) as f32);
    let mut halves = file(&Array1::from(vec![1_u16, 2, 3]));
    // The library writes no 16-bit floats; the type's name is as long.
    if let Some(at) = halves.windows(3).position(|word| word == b"<u2") {
        halves[at + 1] = b'f';
    }
    vec![
        file(&pictures),
        file(&Array::<f64, _>::from_elem((3, 2).f(), 0.5)),
        file(&Array1::from(vec![3_u8; 7])),
        file(&Array::from_elem((1, 0), -1_i64)),
        file(&Array::from_elem((), 4_i16)),
        file(&Array1::from(vec![true, false])),
        halves,
    ]
}

/// Of [`crate::targets::npz`].
pub fn npz() -> Vec<Vec<u8>> {
    let pack = |compressed: bool| {
        let mut bytes = Cursor::new(Vec::new());
        let mut archive = if compressed {
            NpzWriter::new_compressed(&mut bytes)
        } else {
            NpzWriter::new(&mut bytes)
        };
        let done = archive
            .add_array("x", &Array2::from_elem((4, 3), 0.5_f32))
            .and_then(|()| archive.add_array("y", &Array1::from(vec![1_i64, 2])))
            .and_then(|()| archive.finish().map(drop));
        done.map_or_else(|_| Vec::new(), |()| bytes.into_inner())
    };
    vec![pack(false), pack(true)]
}

/// Of [`crate::targets::idx`].
pub fn idx() -> Vec<Vec<u8>> {
    let pictures = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
    let labels = [0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4];
    let floats = [0, 0, 13, 1, 0, 0, 0, 1, 63, 128, 0, 0];
    vec![
        [&pictures[..], &[9; 12]].concat(),
        labels.to_vec(),
        floats.to_vec(),
    ]
}

/// Of [`crate::targets::cifar`].
pub fn cifar() -> Vec<Vec<u8>> {
    let mut record = vec![7_u8; 3073];
    record[100..200].fill(200);
    vec![record.clone(), record.repeat(2)]
}

/// Of [`crate::targets::lab_files`].
pub fn lab_files() -> Vec<Vec<u8>> {
    let mut seeds = [idx(), npz(), cifar()].concat();
    seeds.push(b"\"3\",1,0,1\n\"30\",0,0,1\n".to_vec());
    seeds
}

/// Of [`crate::targets::onnx`].
pub fn onnx() -> Vec<Vec<u8>> {
    vec![
        trefoil_digits::MODEL.to_vec(),
        trefoil_digits::LENET5.to_vec(),
    ]
}

fn file(array: &impl WriteNpyExt) -> Vec<u8> {
    let mut bytes = Vec::new();
    match array.write_npy(&mut bytes) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}
