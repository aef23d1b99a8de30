//! ONNX's own operator tests, every one of them: passed, refused by design, out of the format's range, or failed.

use crate::data;
use flate2::read::GzDecoder;
use ndarray::{ArrayD, IxDyn};
use prost::Message as _;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataType;
use trefoil_nn::defaults::FIRST_OPSET;
use trefoil_nn::{
    Clear, Fixed, Graph, InputError, Options, Plan, Problem, Ranges, RunRing, Secure, Weights,
    examine, ready, run, supported_operators,
};
use trefoil_ring::{Ring, Z32, Z64};
use trefoil_testkit::{World, reconstruct};

const ARCHIVE: &str = "onnx_conformance/onnx_v1.16.0_node_simple_light.tar.gz";
/// Relative and absolute.
const TOLERANCE: f64 = 1e-4;
/// Cases that are computed.
const LEAST_PASSED: usize = 679;
/// Of these, cases whose numbers fit the default formats of 32 and of 64 bits.
const LEAST_FITTING: [usize; 2] = [664, 672];

/// Parts of the messages with which uses of supported operators are refused by design.
const BY_DESIGN: &[&str] = &[
    // Only numbers are computed with: integers, texts and sequences are not.
    "inputs must be floats, integers or truth values",
    "it is not a tensor",
    "element type",
    "only FLOAT and DOUBLE are computed with",
    "which no protocol computes",
    "are not divided, which would round",
    "it divides by zero",
    // Equality of what is rounded.
    "numbers that are rounded are",
    "numbers, not truth values",
    // A plan holds no empty tensor.
    "an empty tensor",
    "its output would be empty",
    // Which shape results have must be known to everyone.
    "it must be constant",
    // Training, and results that inference does not use.
    "it is in training mode",
    "which it does not compute here",
    // Volumes.
    "sizes from 1 are supported",
    "pictures (N, C, H, W) and rows (N, C, L) are supported",
    "`nearest` is supported",
    "`stretch` is supported",
    // Functions that no protocol computes.
    "only one exponent for all elements is supported",
];

/// The files of one test.
#[derive(Default)]
struct Case {
    model: Vec<u8>,
    /// Data sets by folder: inputs and outputs by number.
    sets: BTreeMap<String, [BTreeMap<usize, Vec<u8>>; 2]>,
}

/// Computes a compiled case and compares it with what is expected.
type Run = fn(&Plan, &Weights, &[ArrayD<f64>], &[Expected]) -> Outcome;

/// A result as a test gives it.
struct Expected {
    values: ArrayD<f64>,
    /// How far its own element type rounds, relative and absolute: half precision here is computed with as any float.
    rounding: f64,
}

impl Expected {
    fn of(tensor: &pb::TensorProto) -> Self {
        let half = tensor.data_type == DataType::Float16 as i32;
        Self {
            values: numbers(tensor),
            rounding: if half { 1.0 / 2048.0 } else { 0.0 },
        }
    }
}

/// What is done with every case.
#[derive(Clone, Copy)]
struct Check {
    /// The ring that cases are compiled for.
    ring_bits: u32,
    run: Run,
}

/// Run all cases, print how they ended, and fail if one fails or fewer than `least` pass.
fn all(place: &str, ring_bits: u32, run: Run, least: usize) {
    let Some(folder) = data::folder() else { return };
    let summary = Summary::of(&folder, Check { ring_bits, run });
    summary.print(place);
    let passed = summary.passed.len();
    assert!(passed >= least, "only {passed} cases are computed");
}

#[test]
fn the_operator_tests_of_onnx() {
    all("in the clear", 64, in_the_clear, LEAST_PASSED);
}

#[test]
fn the_operator_tests_in_fixed_point() {
    all(
        "in fixed point",
        64,
        in_fixed_point::<Z64>,
        LEAST_FITTING[1],
    );
    all(
        "in fixed point, 32 bits",
        32,
        in_fixed_point::<Z32>,
        LEAST_FITTING[0],
    );
}

#[test]
fn the_operator_tests_on_three_parties() {
    all(
        "on three parties",
        64,
        on_three_parties::<Z64>,
        LEAST_FITTING[1],
    );
    all(
        "on three parties, 32 bits",
        32,
        on_three_parties::<Z32>,
        LEAST_FITTING[0],
    );
}

/// How the cases ended, by name.
#[derive(Default)]
struct Summary {
    passed: Vec<String>,
    /// By reason.
    refused: BTreeMap<String, Vec<String>>,
    /// With the reason: the numbers do not fit the format, or are too coarse for it.
    out_of_range: Vec<String>,
    failed: Vec<String>,
}

impl Summary {
    /// Run all cases.
    fn of(folder: &Path, check: Check) -> Self {
        let mut summary = Self::default();
        for (name, case) in cases(&folder.join(ARCHIVE)) {
            let outcome = catch_unwind(AssertUnwindSafe(|| case.run(check)));
            match outcome.unwrap_or_else(|_| Outcome::Failed("it panics".into())) {
                Outcome::Passed => summary.passed.push(name),
                Outcome::Refused(why) => summary.refused.entry(why).or_default().push(name),
                Outcome::OutOfRange(why) => summary.out_of_range.push(format!("{name}: {why}")),
                Outcome::Failed(why) => summary.failed.push(format!("{name}: {why}")),
            }
        }
        summary
    }

    /// Print all, and fail if a case has failed.
    fn print(&self, place: &str) {
        for (why, names) in &self.refused {
            println!("refused, {why}: {}", names.join(" "));
        }
        for line in &self.out_of_range {
            println!("out of range, {line}");
        }
        for line in &self.failed {
            println!("FAILED {line}");
        }
        println!(
            "{place}: {} passed, {} refused by design, {} out of range, {} failed",
            self.passed.len(),
            self.refused.values().map(Vec::len).sum::<usize>(),
            self.out_of_range.len(),
            self.failed.len()
        );
        assert!(self.failed.is_empty(), "{}", self.failed.join("\n"));
    }
}

/// All tests of single operators and small graphs, by name.
fn cases(archive: &Path) -> BTreeMap<String, Case> {
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(archive).unwrap()));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        let Some(at) = parts.iter().position(|part| part.starts_with("test_")) else {
            continue;
        };
        let mut bytes = Vec::new();
        let case = cases.entry(parts[at].to_owned()).or_default();
        match parts[at + 1..] {
            ["model.onnx"] => {
                entry.read_to_end(&mut case.model).unwrap();
            }
            [set, file] => {
                let (kind, number) = file.trim_end_matches(".pb").rsplit_once('_').unwrap();
                let kind = usize::from(kind == "output");
                entry.read_to_end(&mut bytes).unwrap();
                let set = case.sets.entry(set.to_owned()).or_default();
                set[kind].insert(number.parse().unwrap(), bytes);
            }
            _ => {}
        }
    }
    cases
}

enum Outcome {
    Passed,
    Refused(String),
    /// Its numbers do not fit the format, as ranges and examination tell.
    OutOfRange(String),
    Failed(String),
}

impl Case {
    fn run(&self, check: Check) -> Outcome {
        let model = pb::ModelProto::decode(self.model.as_slice()).unwrap();
        for [inputs, outputs] in self.sets.values() {
            let tensors = |files: &BTreeMap<usize, Vec<u8>>| -> Vec<pb::TensorProto> {
                let decode = |bytes: &Vec<u8>| pb::TensorProto::decode(bytes.as_slice());
                files
                    .values()
                    .map(decode)
                    .collect::<Result<_, _>>()
                    .unwrap_or_default()
            };
            let (inputs, outputs) = (tensors(inputs), tensors(outputs));
            // Tests give as inputs what models store: shapes, axes, bounds. First only what is no
            // number is stored in the model; where that is refused, all but the first input.
            let outcome = attempt(&model, &inputs, &outputs, false, check)
                .or_else(|_| attempt(&model, &inputs, &outputs, true, check))
                .unwrap_or_else(|refusal| refusal);
            if !matches!(outcome, Outcome::Passed) {
                return outcome;
            }
        }
        Outcome::Passed
    }
}

/// # Errors
/// The outcome, if the model is not compiled.
fn attempt(
    model: &pb::ModelProto,
    inputs: &[pb::TensorProto],
    outputs: &[pb::TensorProto],
    store: bool,
    check: Check,
) -> Result<Outcome, Outcome> {
    let mut model = model.clone();
    // Models of single operators name the set in which the operator last changed.
    for opset in &mut model.opset_import {
        opset.version = opset.version.max(FIRST_OPSET);
    }
    let graph = model.graph.as_mut().unwrap();
    let mut given = Vec::new();
    for (index, (value, tensor)) in graph.input.iter().zip(inputs).enumerate() {
        let is_tensor = matches!(
            value.r#type.as_ref().and_then(|kind| kind.value.as_ref()),
            Some(pb::type_proto::Value::TensorType(_))
        );
        if !is_tensor {
            continue;
        }
        let tensor = &declared(value, tensor);
        let stored = (store && index > 0) || !is_number(tensor);
        if tensor.dims.contains(&0) && (is_number(tensor) || !stored) {
            return Err(Outcome::Refused("an empty tensor".into()));
        }
        if stored {
            let mut tensor = tensor.clone();
            tensor.name.clone_from(&value.name);
            graph.initializer.push(tensor);
        } else {
            given.push(numbers(tensor));
        }
    }
    let outputs: Vec<pb::TensorProto> = graph
        .output
        .iter()
        .zip(outputs)
        .map(|(value, tensor)| declared(value, tensor))
        .collect();
    let operators: Vec<String> = graph.node.iter().map(|node| node.op_type.clone()).collect();
    let read = Graph::from_bytes(&model.encode_to_vec(), "model.onnx");
    let compiled = read.and_then(|graph| Plan::compile(&graph, &Options::ring(check.ring_bits)));
    let (plan, weights) = match compiled {
        Ok(compiled) => compiled,
        Err(error) => return Err(refusal(&operators, &error.problem)),
    };
    plan.check().unwrap();
    // Whoever runs a plan asks this first.
    if let Err(InputError::NotFinite { .. }) = plan.check_inputs(&given) {
        return Err(Outcome::Refused("inputs that are no finite numbers".into()));
    }
    let expected: Vec<_> = outputs.iter().map(Expected::of).collect();
    Ok((check.run)(&plan, &weights, &given, &expected))
}

fn in_the_clear(
    plan: &Plan,
    weights: &Weights,
    given: &[ArrayD<f64>],
    expected: &[Expected],
) -> Outcome {
    let Ok(results) = ready(run(
        plan,
        &Clear,
        &weights.to_clear(),
        given.to_vec(),
        &mut (),
    ));
    compare(&results, expected, TOLERANCE)
}

/// Whether the client, who has model and inputs, knows that the plan's numbers are too coarse for them: then it refuses
/// to run, and a wrong result is none that anybody gets.
fn too_coarse(plan: &Plan, weights: &Weights, given: &[ArrayD<f64>], tolerance: f64) -> bool {
    let seed = *b"operators, onnx.";
    let Ok(found) = examine(plan, weights, given, seed, &mut ()) else {
        return true;
    };
    let pairs = found.rounded.iter().zip(&found.exact);
    let mut elements = pairs.flat_map(|(rounded, exact)| rounded.iter().zip(exact));
    elements.any(|(a, b)| (a - b).abs() > tolerance / 4.0 * b.abs().max(1.0))
}

fn in_fixed_point<R: RunRing>(
    plan: &Plan,
    weights: &Weights,
    given: &[ArrayD<f64>],
    expected: &[Expected],
) -> Outcome {
    if let Some(why) = out_of_range(plan, weights, given) {
        return Outcome::OutOfRange(why);
    }
    let backend = Fixed::<R>::new(plan.format(), *b"operators, onnx.");
    let encoded = weights.encode::<R>(plan).unwrap();
    let inputs = given
        .iter()
        .map(|x| backend.encode(x.view()).unwrap())
        .collect();
    let Ok(results) = ready(run(plan, &backend, &encoded, inputs, &mut ()));
    let results: Vec<_> = results.iter().map(|y| backend.decode(y.view())).collect();
    let outcome = compare(&results, expected, tolerance::<R>());
    if matches!(outcome, Outcome::Failed(_)) && too_coarse(plan, weights, given, tolerance::<R>()) {
        return Outcome::OutOfRange("numbers too coarse for it".into());
    }
    outcome
}

fn on_three_parties<R: RunRing>(
    plan: &Plan,
    weights: &Weights,
    given: &[ArrayD<f64>],
    expected: &[Expected],
) -> Outcome {
    if let Some(why) = out_of_range(plan, weights, given) {
        return Outcome::OutOfRange(why);
    }
    let encoded = given
        .iter()
        .map(|x| plan.format().encode_all::<R>(x.view()).unwrap());
    let all: Vec<(Vec<usize>, Vec<R>)> = weights
        .encode::<R>(plan)
        .unwrap()
        .into_iter()
        .chain(encoded)
        .map(|tensor| (tensor.shape().to_vec(), tensor.iter().copied().collect()))
        .collect();
    let outputs = World::new(1)
        .run(&all, async |party, shares| {
            let backend = Secure::<R>::new(party.fork(), plan.format());
            let (weights, inputs) = shares.split_at(plan.weights.len());
            let outputs = run(plan, &backend, weights, inputs.to_vec(), &mut ()).await;
            party.merge(&[backend.party()]);
            outputs
        })
        .unwrap();
    let result = |index: usize| {
        let shares = [0, 1, 2].map(|party: usize| &outputs[party][index]);
        let values = reconstruct(shares);
        let values = values.iter().map(|&v| plan.format().decode(v)).collect();
        ArrayD::from_shape_vec(shares[0].shape(), values).unwrap()
    };
    let results: Vec<_> = (0..plan.outputs.len()).map(result).collect();
    let outcome = compare(&results, expected, tolerance::<R>());
    if matches!(outcome, Outcome::Failed(_)) && too_coarse(plan, weights, given, tolerance::<R>()) {
        return Outcome::OutOfRange("numbers too coarse for it".into());
    }
    outcome
}

/// On shares: the errors that protocols state, 2^-14 for the roughest function (ring of 32 bits: 2^-6), and the
/// roundings of sums.
fn tolerance<R: Ring>() -> f64 {
    if R::BITS == 64 {
        4.0 / 16_384.0
    } else {
        4.0 / 64.0
    }
}

/// Where a case's numbers do not fit the plan's format, if somewhere.
fn out_of_range(plan: &Plan, weights: &Weights, given: &[ArrayD<f64>]) -> Option<String> {
    let reached = Ranges::of_samples(plan, weights, given.to_vec(), &mut ());
    let (step, room) = reached.tightest(plan.ring_bits, plan.fraction_bits);
    if room >= 0.0 {
        return None;
    }
    let place = step.and_then(|index| {
        let room = reached.headroom(index, plan.ring_bits, plan.fraction_bits)?;
        let (extent, layer) = (room.extent, plan.steps[index].layer.name());
        Some(format!(
            "{layer}, {} from {} to {}",
            extent.need.name(),
            extent.low,
            extent.high
        ))
    });
    Some(place.unwrap_or_else(|| "inputs or weights".into()))
}

/// Whether results are what is expected, each within `tolerance` of it or of 1.
fn compare(results: &[ArrayD<f64>], expected: &[Expected], tolerance: f64) -> Outcome {
    for (actual, expected) in results.iter().zip(expected) {
        let tolerance = tolerance.max(expected.rounding);
        let expected = &expected.values;
        if actual.shape() != expected.shape() {
            let (actual, expected) = (actual.shape(), expected.shape());
            return Outcome::Failed(format!("its shape is {actual:?}, not {expected:?}"));
        }
        for (a, b) in actual.iter().zip(expected) {
            // Infinities and the like are equal to themselves only.
            let close = (a - b).abs() <= tolerance * b.abs().max(1.0);
            if !close && a.to_bits() != b.to_bits() {
                return Outcome::Failed(format!("{a} instead of {b}"));
            }
        }
    }
    Outcome::Passed
}

/// Whether a model that is not compiled is refused by design.
fn refusal(operators: &[String], problem: &Problem) -> Outcome {
    let unsupported = operators
        .iter()
        .find(|&operator| !supported_operators().any(|name| name == operator));
    let message = problem.to_string();
    match (problem, unsupported) {
        (Problem::UnsupportedOperator { operator, .. }, _) => {
            Outcome::Refused(format!("operator {operator}"))
        }
        (_, Some(operator)) => Outcome::Refused(format!("operator {operator}")),
        (
            Problem::Node {
                operator, problem, ..
            },
            None,
        ) if by_design(problem) => Outcome::Refused(format!("a use of {operator}: {problem}")),
        (Problem::Node { .. }, None) => Outcome::Failed(message),
        (_, None) if by_design(&message) => Outcome::Refused("no numbers".into()),
        (_, None) => Outcome::Failed(message),
    }
}

fn by_design(message: &str) -> bool {
    BY_DESIGN.iter().any(|part| message.contains(part))
}

/// A tensor as its model declares it: files of tests store bfloat16 as 16-bit integers.
fn declared(value: &pb::ValueInfoProto, tensor: &pb::TensorProto) -> pb::TensorProto {
    let mut tensor = tensor.clone();
    if let Some(pb::type_proto::Value::TensorType(kind)) =
        value.r#type.as_ref().and_then(|kind| kind.value.as_ref())
        && kind.elem_type == DataType::Bfloat16 as i32
    {
        tensor.data_type = DataType::Bfloat16 as i32;
    }
    tensor
}

fn is_number(tensor: &pb::TensorProto) -> bool {
    matches!(
        DataType::try_from(tensor.data_type),
        Ok(DataType::Float | DataType::Double | DataType::Float16 | DataType::Bfloat16)
    )
}

/// The elements of a tensor of a test.
fn numbers(tensor: &pb::TensorProto) -> ArrayD<f64> {
    let shape: Vec<usize> = tensor.dims.iter().map(|&size| size as usize).collect();
    let raw = tensor.raw_data.as_slice();
    if raw.is_empty() && tensor.data_type != DataType::Float as i32 && !tensor.int32_data.is_empty()
    {
        let is_half = tensor.data_type == DataType::Float16 as i32;
        let is_whole = !is_half && tensor.data_type < 21;
        if is_half || is_whole {
            let value = |&word: &i32| {
                if is_half {
                    half(word as u16)
                } else {
                    f64::from(word)
                }
            };
            let values = tensor.int32_data.iter().map(value).collect();
            return ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap_or_default();
        }
    }
    let values: Vec<f64> = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) if raw.is_empty() => {
            tensor.float_data.iter().map(|&v| f64::from(v)).collect()
        }
        Ok(DataType::Float) => words(raw, |bytes| f64::from(f32::from_le_bytes(bytes))),
        Ok(DataType::Double) => words(raw, f64::from_le_bytes),
        Ok(DataType::Int64) => words(raw, |bytes| i64::from_le_bytes(bytes) as f64),
        Ok(DataType::Int32) => words(raw, |bytes| f64::from(i32::from_le_bytes(bytes))),
        Ok(DataType::Bool | DataType::Uint8) => words(raw, |[byte]| f64::from(byte)),
        Ok(DataType::Int8) => words(raw, |bytes| f64::from(i8::from_le_bytes(bytes))),
        Ok(DataType::Int16) => words(raw, |bytes| f64::from(i16::from_le_bytes(bytes))),
        Ok(DataType::Uint16) => words(raw, |bytes| f64::from(u16::from_le_bytes(bytes))),
        Ok(DataType::Uint32) => words(raw, |bytes| f64::from(u32::from_le_bytes(bytes))),
        Ok(DataType::Uint64) => words(raw, |bytes| u64::from_le_bytes(bytes) as f64),
        Ok(DataType::Float16) => words(raw, |bytes| half(u16::from_le_bytes(bytes))),
        Ok(DataType::Bfloat16) => words(raw, |bytes: [u8; 2]| {
            f64::from(f32::from_le_bytes([0, 0, bytes[0], bytes[1]]))
        }),
        _ if tensor.data_type == 21 || tensor.data_type == 22 => {
            // Two integers of 4 bits in a byte, the lower half first; each byte in a word of its own, where there are
            // no raw bytes.
            let words = tensor.int32_data.iter().map(|&word| word as u8);
            let raw: Vec<u8> = raw.iter().copied().chain(words).collect();
            let signed = |half: u8| match tensor.data_type {
                22 if half > 7 => f64::from(half) - 16.0,
                _ => f64::from(half),
            };
            let halves = raw.iter().flat_map(|&byte| [byte & 15, byte >> 4]);
            halves.map(signed).take(shape.iter().product()).collect()
        }
        _ => Vec::new(),
    };
    ArrayD::from_shape_vec(IxDyn(&shape), values).unwrap_or_default()
}

/// The value of a half-precision number, by another way than the importer's: through the bits of a double.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (u64::from(bits >> 10 & 31), u64::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction as f64 / 16_777_216.0,
        31 => f64::from_bits(2047 << 52 | fraction << 42),
        _ => f64::from_bits((exponent + 1008) << 52 | fraction << 42),
    };
    if bits >> 15 == 1 {
        -magnitude
    } else {
        magnitude
    }
}

fn words<const N: usize>(raw: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let (chunks, rest) = raw.as_chunks::<N>();
    assert!(rest.is_empty());
    chunks.iter().map(|&chunk| number(chunk)).collect()
}
