//! The files that people have: what is read, what is named for what it is, and in which order.

use crate::onnx::chain;
use crate::world::World;
use flate2::Compression;
use flate2::write::GzEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder, Luma, Rgb, RgbImage};
use ndarray::{Array1, Array4, ArrayD, Axis, s};
use ndarray_npy::{NpzWriter, read_npy, write_npy};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::process::Command;

const CLEAR: &str = "infer --model digits.onnx --output out.npy --backend clear";

/// The digits as pictures in a folder, named by their numbers, in the order of `names`.
fn save_pictures(world: &World, folder: &str, names: &[&str]) {
    let pictures: ArrayD<f32> = read_npy(world.path("x.npy")).unwrap();
    fs::create_dir_all(world.path(folder)).unwrap();
    for (picture, name) in pictures.outer_iter().zip(names) {
        let pixels = image::GrayImage::from_fn(28, 28, |x, y| {
            Luma([(255.0 * picture[[0, y as usize, x as usize]]).round() as u8])
        });
        pixels.save(world.path(folder).join(name)).unwrap();
    }
}

/// An .npy file of elements that the library does not write.
fn raw(kind: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let shape: Vec<String> = shape.iter().map(|size| format!("{size},")).collect();
    let shape = shape.join(" ");
    let text = format!("{{'descr': {kind}, 'fortran_order': False, 'shape': ({shape}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// A network that takes colour pictures [N, 3, 4, 5] and answers with the mean of each channel.
fn colour_model() -> Vec<u8> {
    chain(&[3, 4, 5], &["GlobalAveragePool", "Flatten"], 3)
}

#[test]
fn channels_last_arrays_are_never_reshaped_into_channels_first_models() {
    let world = World::new(1);
    fs::write(world.path("colours.onnx"), colour_model()).unwrap();
    let nhwc = Array4::from_shape_fn((2, 4, 5, 3), |(n, h, w, c)| {
        (n * 100 + c * 10) as f32 + 0.1 * (h + w) as f32
    });
    let nchw = nhwc.view().permuted_axes([0, 3, 1, 2]);
    write_npy(world.path("nhwc.npy"), &nhwc).unwrap();
    write_npy(world.path("nchw.npy"), &nchw.as_standard_layout()).unwrap();
    let run = "infer --model colours.onnx --output out.npy --backend clear --input";
    let words = [
        "[2, 4, 5, 3]",
        "[N, 3, 4, 5]",
        "height, width, channels",
        "--layout nhwc",
        "array.transpose(0, 3, 1, 2)",
    ];
    world.refused(&format!("{run} nhwc.npy"), 1, &words);
    let refused = world.run(&format!("{run} nhwc.npy --json"));
    assert!(!refused.error().contains("reshape"), "{}", refused.error());
    // What the help says gives the right answer.
    world.run(&format!("{run} nchw.npy")).succeeded();
    let right = world.answers();
    world
        .run(&format!("{run} nhwc.npy --layout nhwc"))
        .succeeded();
    assert_eq!(world.answers(), right);
}

#[test]
fn numbers_of_sixteen_bits_and_integers_are_read() {
    let world = World::new(2);
    world.run(&format!("{CLEAR} --input x.npy")).succeeded();
    let right = world.answers();
    let pictures: ArrayD<f32> = read_npy(world.path("x.npy")).unwrap();
    let halves: Vec<u8> = pictures
        .iter()
        .flat_map(|&v| half::f16::from_f32(v).to_le_bytes())
        .collect();
    fs::write(
        world.path("half.npy"),
        raw("'<f2'", pictures.shape(), &halves),
    )
    .unwrap();
    world.run(&format!("{CLEAR} --input half.npy")).succeeded();
    let gap = (&world.answers() - &right).mapv(f32::abs);
    assert!(gap.iter().all(|&gap| gap < 0.05), "{gap}");
    let bytes = pictures.mapv(|v| (255.0 * v).round());
    write_npy(world.path("int32.npy"), &bytes.mapv(|v| v as i32)).unwrap();
    write_npy(world.path("int64.npy"), &bytes.mapv(|v| v as i64)).unwrap();
    let answers = ["int32.npy", "int64.npy"].map(|file| {
        world
            .run(&format!("{CLEAR} --unit --input {file}"))
            .succeeded();
        world.answers()
    });
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn packed_arrays_and_archives_of_several_are_read() {
    let world = World::new(3);
    world.run(&format!("{CLEAR} --input x.npy")).succeeded();
    let right = world.answers();
    let whole = fs::read(world.path("x.npy")).unwrap();
    fs::write(world.path("x.npy.gz"), gzip(&whole)).unwrap();
    let pictures: ArrayD<f32> = read_npy(world.path("x.npy")).unwrap();
    let mut archive = NpzWriter::new_compressed(File::create(world.path("many.npz")).unwrap());
    archive.add_array("other", &(&pictures * 0.5)).unwrap();
    archive.add_array("wanted", &pictures).unwrap();
    archive.finish().unwrap();
    let archive = fs::read(world.path("many.npz")).unwrap();
    fs::write(world.path("many.npz.gz"), gzip(&archive)).unwrap();
    for file in ["x.npy.gz", "many.npz:wanted"] {
        world.run(&format!("{CLEAR} --input {file}")).succeeded();
        assert_eq!(world.answers(), right, "{file}");
    }
    let words = ["many.npz", "`other`", "`wanted`", "many.npz:"];
    world.refused(&format!("{CLEAR} --input many.npz"), 1, &words);
    world.refused(&format!("{CLEAR} --input many.npz.gz"), 1, &words[1..3]);
    let words = ["no array `gone`", "`wanted`"];
    world.refused(&format!("{CLEAR} --input many.npz:gone"), 1, &words);
}

#[test]
fn what_is_no_array_is_named_for_what_it_is() {
    let world = World::new(2);
    let pictures: ArrayD<f32> = read_npy(world.path("x.npy")).unwrap();
    write_npy(world.path("bool.npy"), &pictures.mapv(|v| v > 0.5)).unwrap();
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n";
    for (name, content) in [
        ("lfs.npy", lfs.as_bytes()),
        ("lfs.npz", lfs.as_bytes()),
        ("page.npy", b"<!DOCTYPE html><html></html>"),
        ("empty.npy", b""),
        ("table.csv", b"\xef\xbb\xbfa,b\n1,2\n"),
        ("pickle.npy", b"\x80\x04\x95\x00\x00"),
        ("hdf5.h5", b"\x89HDF\r\n\x1a\n\x00"),
        ("scan.tif", b"II*\0\x08\0\0\0"),
        ("packed.npy.xz", b"\xfd7zXZ\0\0"),
    ] {
        fs::write(world.path(name), content).unwrap();
    }
    for (file, word) in [
        ("bool.npy", "truth values (bool)"),
        ("lfs.npy", "Git LFS pointer"),
        ("lfs.npz", "git lfs pull"),
        ("page.npy", "a web page"),
        ("empty.npy", "empty (0 bytes)"),
        ("table.csv", "text, with a byte order mark"),
        ("pickle.npy", "a Python pickle"),
        ("hdf5.h5", "an HDF5 file"),
        ("scan.tif", "a TIFF picture"),
        ("packed.npy.xz", ".gz are read"),
    ] {
        world.refused(&format!("{CLEAR} --input {file}"), 1, &[file, word]);
        assert!(
            !world
                .run(&format!("{CLEAR} --input {file} --json"))
                .error()
                .contains("damaged")
        );
    }
}

#[test]
fn text_labels_are_told_the_order_of_the_classes_and_truth_values_are_classes() {
    let world = World::new(2);
    let text: Vec<u8> = "ab"
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    fs::write(world.path("text.npy"), raw("'<U1'", &[2], &text)).unwrap();
    fs::write(
        world.path("objects.npy"),
        raw("'|O'", &[2], b"\x80\x04\x95"),
    )
    .unwrap();
    for file in ["text.npy", "objects.npy"] {
        let run = format!("{CLEAR} --input x.npy --labels {file}");
        world.refused(&run, 1, &[file, "text", "CLASSES.index"]);
        assert!(
            !world
                .run(&format!("{run} --json"))
                .error()
                .contains("astype")
        );
    }
    write_npy(world.path("truths.npy"), &Array1::from(vec![true, false])).unwrap();
    let told = world.run(&format!("{CLEAR} --input x.npy --labels truths.npy --json"));
    assert!(told.json()["accuracy"].is_number());
}

#[test]
fn a_folder_is_read_in_natural_order_without_what_is_hidden_and_says_so() {
    let world = World::new(3);
    save_pictures(&world, "folder", &["1.png", "2.png", "10.png"]);
    fs::write(world.path("folder/._1.png"), "a note of another system").unwrap();
    fs::write(world.path("folder/.DS_Store"), "hidden").unwrap();
    fs::create_dir(world.path("folder/3.png")).unwrap();
    fs::create_dir(world.path("folder/.thumbnails")).unwrap();
    let run = format!("{CLEAR} --unit --input folder");
    let told = world.run(&format!("{run} --json")).json();
    assert_eq!(
        told["files"],
        serde_json::json!(["1.png", "2.png", "10.png"]),
        "{told}"
    );
    let answers = world.answers();
    world.run(&format!("{CLEAR} --input x.npy")).succeeded();
    for (row, right) in answers.outer_iter().zip(world.answers().outer_iter()) {
        let gap = (&row - &right).mapv(f32::abs);
        assert!(gap.iter().all(|&gap| gap < 0.05), "{gap}");
    }
    let said = world.run(&run).stdout;
    assert!(said.contains("natural order"), "{said}");
    assert!(said.contains("from 1.png to 10.png"), "{said}");
    fs::create_dir_all(world.path("classes/cats")).unwrap();
    let words = ["classes", "holds no PNG", "folders in it"];
    world.refused(&format!("{CLEAR} --input classes"), 1, &words);
}

/// A picture that a camera held on its side, with the note that says so.
#[test]
fn pictures_are_turned_as_their_camera_noted() {
    let world = World::new(1);
    fs::write(world.path("colours.onnx"), colour_model()).unwrap();
    // Upright it is 5 wide and 4 high; stored it is 4 wide and 5 high, to be turned by 90 degrees.
    let stored = RgbImage::from_fn(4, 5, |_, y| Rgb([10, 50 * y as u8, 200]));
    let note = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
    encoder.set_exif_metadata(note).unwrap();
    let (width, height) = stored.dimensions();
    encoder
        .write_image(&stored, width, height, image::ExtendedColorType::Rgb8)
        .unwrap();
    fs::write(world.path("side.jpg"), bytes).unwrap();
    let run = "infer --model colours.onnx --input side.jpg --output out.npy --backend clear";
    world.run(run).succeeded();
    let answers = world.answers();
    for (mean, right) in answers.iter().zip([10.0, 100.0, 200.0]) {
        assert!((mean - right).abs() < 3.0, "{answers}");
    }
}

#[test]
fn a_pipe_is_refused_at_once_wherever_a_file_is_read() {
    let world = World::new(2);
    let made = Command::new("mkfifo").arg(world.path("pipe")).status();
    assert!(made.unwrap().success());
    symlink(world.path("pipe"), world.path("link")).unwrap();
    let words = ["it is a pipe", "save what comes out of it to a file"];
    for arguments in [
        "infer --model digits.onnx --output out.npy --input pipe",
        "infer --model digits.onnx --output out.npy --input link",
        "infer --model pipe --output out.npy --input x.npy",
        "infer --model digits.onnx --output out.npy --input x.npy --labels pipe",
        "infer --model digits.onnx --output out.npy --input x.npy --guard pipe",
        "infer --model digits.onnx --output out.npy --input x.npy --parties pipe",
        "infer --model digits.onnx --output out.npy --input x.npy --calibrate pipe",
        "infer --model digits.onnx --output out.npy --input x.npy --verify pipe --public x.npy",
        "inspect pipe",
        "inspect digits.onnx --calibrate pipe",
        "estimate pipe --network lan",
        "party --config pipe",
        "lab run pipe",
        "attack --members pipe --nonmembers x.npy",
        "guard train --members pipe --non-members x.npy --output g.safetensors",
        "guard apply --guard pipe --input x.npy --output out.npy",
        "verify plan --queries 9 --model pipe --samples x.npy",
        "verify fingerprint make --model digits.onnx --natural pipe --out f.json",
        "verify fingerprint check --model digits.onnx --fingerprint pipe",
    ] {
        world.refused(arguments, 1, &words);
    }
    world.refused(
        &format!("{CLEAR} --input /dev/zero"),
        1,
        &["it is a device"],
    );
}

#[test]
fn a_single_sample_may_lack_the_first_axis_and_two_are_told() {
    let world = World::new(2);
    let pictures: ArrayD<f32> = read_npy(world.path("x.npy")).unwrap();
    let one = pictures.index_axis(Axis(0), 1).to_owned();
    let square = one.slice(s![0, .., ..]).to_owned();
    write_npy(world.path("one.npy"), &one).unwrap();
    write_npy(world.path("square.npy"), &square).unwrap();
    world.run(&format!("{CLEAR} --input one.npy")).succeeded();
    let words = ["one sample", "array.reshape(1, 1, 28, 28)"];
    world.refused(&format!("{CLEAR} --input square.npy"), 1, &words);
}
