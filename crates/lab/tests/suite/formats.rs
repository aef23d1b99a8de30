//! Every data set in its original format: small files that the tests write, and the real ones.

use crate::folder;
use flate2::Compression;
use flate2::write::GzEncoder;
use image::{Rgb, RgbImage};
use ndarray::{Array2, array};
use ndarray_npy::NpzWriter;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use trefoil_lab::LabError;
use trefoil_lab::data::{DataSet, Encoding, Source, Split, generated};

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn archived(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    gzipped(&archive.into_inner().unwrap())
}

fn refused(source: Source, folder: &Path) -> String {
    DataSet::load(source, folder).unwrap_err().to_string()
}

#[test]
fn what_is_missing_is_named_with_places_and_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    for source in Source::ALL {
        let error = DataSet::load(source, folder.path()).unwrap_err();
        assert!(matches!(error, LabError::Missing { .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(source.name()), "{text}");
        assert!(
            text.contains(&folder.path().display().to_string()),
            "{text}"
        );
        assert!(text.contains("http"), "{text}");
        assert_eq!(source.name().to_lowercase().parse(), Ok(source));
    }
    assert!(
        "imagenet"
            .parse::<Source>()
            .unwrap_err()
            .contains("CINIC-10")
    );
}

fn cifar_record(labels: &[u8], first: u8) -> Vec<u8> {
    let mut record = labels.to_vec();
    record.extend((0..3072_u32).map(|i| (i as u8).wrapping_add(first)));
    record
}

#[test]
fn cifar_records_plain_and_gzipped() {
    let folder = tempfile::tempdir().unwrap();
    let batch = [cifar_record(&[3], 0), cifar_record(&[9], 7)].concat();
    write(
        folder.path(),
        "cifar-10-batches-bin/data_batch_1.bin",
        &batch,
    );
    let test = gzipped(&cifar_record(&[0], 1));
    write(
        folder.path(),
        "cifar-10-batches-bin/test_batch.bin.gz",
        &test,
    );
    let data = DataSet::load(Source::Cifar10, folder.path()).unwrap();
    assert_eq!(data.labels(), [3, 9, 0]);
    assert_eq!(
        (data.shape(), data.encoding),
        (&[3, 32, 32][..], Encoding::Pixels)
    );
    assert_eq!(data.values()[[1, 0, 0, 1]], 8);
    assert_eq!(data.values()[[2, 1, 0, 0]], 1);
    assert!((data.inputs(&[0])[[0, 0, 0, 3]] - 3.0 / 255.0).abs() < 1e-7);
    assert_eq!(data.files.len(), 2);

    let records = [cifar_record(&[19, 99], 0), cifar_record(&[1, 4], 0)].concat();
    write(folder.path(), "cifar100/train.bin", &records);
    let data = DataSet::load(Source::Cifar100, folder.path()).unwrap();
    assert_eq!((data.labels(), data.classes()), (&[99, 4][..], 100));

    write(folder.path(), "cifar100/train.bin", &records[..5000]);
    assert!(refused(Source::Cifar100, folder.path()).contains("not whole records"));
    write(
        folder.path(),
        "cifar100/train.bin",
        &cifar_record(&[0, 100], 0),
    );
    assert!(refused(Source::Cifar100, folder.path()).contains("label 100"));
    write(
        folder.path(),
        "cifar100/train.bin",
        &gzipped(&records)[..200],
    );
    assert!(refused(Source::Cifar100, folder.path()).contains("train.bin"));
}

fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, shape.len() as u8];
    for size in shape {
        file.extend(size.to_be_bytes());
    }
    file.extend(data);
    file
}

#[test]
fn idx_files_in_both_spellings() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = idx(&[2, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7]);
    write(
        folder.path(),
        "mnist/train-images-idx3-ubyte.gz",
        &gzipped(&pictures),
    );
    assert!(refused(Source::Mnist, folder.path()).contains("train-labels"));
    write(
        folder.path(),
        "mnist/train-labels.idx1-ubyte",
        &idx(&[2], &[7, 1]),
    );
    write(
        folder.path(),
        "mnist/t10k-images-idx3-ubyte",
        &idx(&[1, 2, 2], &[9; 4]),
    );
    write(
        folder.path(),
        "mnist/t10k-labels-idx1-ubyte",
        &idx(&[1], &[0]),
    );
    let data = DataSet::load(Source::Mnist, folder.path()).unwrap();
    assert_eq!(
        (data.labels(), data.shape()),
        (&[7, 1, 0][..], &[1, 2, 2][..])
    );
    assert_eq!(data.values()[[1, 0, 0, 1]], 5);

    write(
        folder.path(),
        "mnist/t10k-images-idx3-ubyte",
        &idx(&[1, 2, 2], &[9; 3]),
    );
    assert!(refused(Source::Mnist, folder.path()).contains("3 bytes of data"));
    write(
        folder.path(),
        "mnist/t10k-images-idx3-ubyte",
        &idx(&[1], &[9]),
    );
    assert!(refused(Source::Mnist, folder.path()).contains("3 axes"));
}

#[test]
fn location_and_purchase_as_archive_text_and_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let text = b"\"13\",0,1,1\r\n\"1\",1,0,0\n\n";
    write(
        folder.path(),
        "location30/dataset_location.tgz",
        &archived(&[("bangkok", text)]),
    );
    let packed = DataSet::load(Source::Location30, folder.path()).unwrap();
    assert_eq!(packed.labels(), [12, 0]);
    assert_eq!(packed.values(), array![[0_u8, 1, 1], [1, 0, 0]].into_dyn());
    fs::remove_file(folder.path().join("location30/dataset_location.tgz")).unwrap();

    let path = folder.path().join("location30/location30.npz");
    let mut archive = NpzWriter::new_compressed(fs::File::create(&path).unwrap());
    archive
        .add_array("x", &array![[0_u8, 1, 1], [1, 0, 0]])
        .unwrap();
    archive.add_array("y", &array![12_u8, 0]).unwrap();
    archive.finish().unwrap();
    let arrays = DataSet::load(Source::Location30, folder.path()).unwrap();
    assert_eq!(
        (arrays.values(), arrays.labels()),
        (packed.values(), packed.labels())
    );

    write(
        folder.path(),
        "purchase100/dataset_purchase",
        b"100,0,1\n1,1,1\n",
    );
    let data = DataSet::load(Source::Purchase100, folder.path()).unwrap();
    assert_eq!((data.labels(), data.classes()), (&[99, 0][..], 100));
    for (text, said) in [
        (&b"5,0,1\n6,0\n"[..], "line 2: 1 features, but 2"),
        (b"5,0,1\n6,0,x\n", "line 2: feature 2 is `x`"),
        (b"0,0,1\n", "line 1: the label is `0`"),
        (b"101,0,1\n", "label 100"),
        (b"", "no records"),
    ] {
        write(folder.path(), "purchase100/dataset_purchase", text);
        let error = refused(Source::Purchase100, folder.path());
        assert!(error.contains(said), "{error}");
    }
    write(
        folder.path(),
        "location30/dataset_location.tgz",
        &archived(&[("paris", text)]),
    );
    assert!(refused(Source::Location30, folder.path()).contains("no file `bangkok`"));
}

#[test]
fn texas_as_archive_files_and_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let (features, labels) = (&b"0,1\n1,1\n"[..], &b"100\n1\n"[..]);
    let entries = [
        ("texas/100/feats", features),
        ("texas/100/feats_desc", b"age\n"),
        ("texas/100/labels", labels),
    ];
    write(folder.path(), "dataset_texas.tgz", &archived(&entries));
    let packed = DataSet::load(Source::Texas100, folder.path()).unwrap();
    assert_eq!(packed.labels(), [99, 0]);
    fs::remove_file(folder.path().join("dataset_texas.tgz")).unwrap();
    write(folder.path(), "texas/100/feats", features);
    assert!(refused(Source::Texas100, folder.path()).contains("texas/100/labels"));
    write(folder.path(), "texas/100/labels", labels);
    let files = DataSet::load(Source::Texas100, folder.path()).unwrap();
    assert_eq!(files.values(), packed.values());
    assert_eq!(files.files.len(), 2);
    fs::remove_dir_all(folder.path().join("texas")).unwrap();

    let path = folder.path().join("texas100.npz");
    let mut one_hot = Array2::<f64>::zeros((2, 100));
    (one_hot[[0, 99]], one_hot[[1, 0]]) = (1.0, 1.0);
    let mut archive = NpzWriter::new(fs::File::create(&path).unwrap());
    archive
        .add_array("features", &array![[0.0_f64, 1.0], [1.0, 1.0]])
        .unwrap();
    archive.add_array("labels", &one_hot).unwrap();
    archive.finish().unwrap();
    let arrays = DataSet::load(Source::Texas100, folder.path()).unwrap();
    assert_eq!(
        (arrays.values(), arrays.labels()),
        (packed.values(), packed.labels())
    );
}

#[test]
fn pictures_in_folders_of_classes() {
    let folder = tempfile::tempdir().unwrap();
    let save = |path: &str, side: u32, colour: [u8; 3]| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        RgbImage::from_pixel(side, side, Rgb(colour))
            .save(path)
            .unwrap();
    };
    let names = "airplane automobile bird cat deer dog frog horse ship truck";
    for (label, name) in names.split(' ').enumerate() {
        save(
            &format!("cinic10/train/{name}/a.png"),
            32,
            [label as u8, 100, 200],
        );
        save(
            &format!("cinic10/test/{name}/b.png"),
            32,
            [label as u8, 1, 2],
        );
    }
    let data = DataSet::load(Source::Cinic10, folder.path()).unwrap();
    assert_eq!(data.labels()[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    assert_eq!(data.shape(), [3, 32, 32]);
    assert_eq!(data.values()[[4, 0, 5, 5]], 4);
    assert_eq!(data.values()[[13, 2, 31, 31]], 2);
    let before = data.files[0].1.clone();
    save("cinic10/train/cat/a.png", 32, [0, 0, 1]);
    let changed = DataSet::load(Source::Cinic10, folder.path()).unwrap();
    assert_ne!(changed.files[0].1, before);
    write(folder.path(), "cinic10/train/cat/c.png", b"no picture");
    assert!(refused(Source::Cinic10, folder.path()).contains("c.png"));

    for class in 1..=8 {
        let name = format!("ch_mnist/Kather_texture_2016_image_tiles_5000/{class:02}_X/t.tif");
        save(&name, 150, [class as u8, 0, 0]);
    }
    let data = DataSet::load(Source::ChMnist, folder.path()).unwrap();
    assert_eq!((data.shape(), data.classes()), (&[3, 64, 64][..], 8));
    assert_eq!(data.values()[[7, 0, 63, 0]], 8);
    fs::remove_dir_all(
        folder
            .path()
            .join("ch_mnist/Kather_texture_2016_image_tiles_5000/08_X"),
    )
    .unwrap();
    assert!(refused(Source::ChMnist, folder.path()).contains("7 folders"));
}

#[test]
fn the_real_files() {
    let Some(folder) = folder::data() else {
        return;
    };
    let location = DataSet::load(Source::Location30, &folder).unwrap();
    assert_eq!((location.records(), location.shape()), (5010, &[446][..]));
    let path = folder.join("location30/location30.npz");
    let other = trefoil_lab::data::arrays::from_npz(&path, &["x"]).unwrap();
    assert_eq!(location.values().mapv(f64::from), other);
    let index = folder.join("location30/memguard_shuffle_index.npz");
    let split = Split::memguard(&index).unwrap();
    // The rows that the publishers of the outputs say they used, in their order.
    let path = folder.join("location30/memguard_saved_predictions.npz");
    let rows = trefoil_lab::data::arrays::from_npz(&path, &["target_row"]).unwrap();
    let rows: Vec<usize> = rows.iter().map(|&row| row as usize).collect();
    assert_eq!(rows[..1000], split.target_members);
    let labels = trefoil_lab::data::arrays::from_npz(&path, &["target_label"]).unwrap();
    let labels: Vec<usize> = labels.iter().map(|&label| label as usize).collect();
    assert_eq!(location.labels_of(&rows), labels);

    let fashion = DataSet::load(Source::FashionMnist, &folder).unwrap();
    assert_eq!(
        (fashion.records(), fashion.shape()),
        (10_000, &[1, 28, 28][..])
    );
    let cifar = DataSet::load(Source::Cifar10, &folder).unwrap();
    assert_eq!(cifar.records(), 21_000);
    let mnist = DataSet::load(Source::Mnist, &folder).unwrap();
    assert_eq!(mnist.records(), 70_000);
    assert_eq!(mnist.labels()[..4], [5, 0, 4, 1]);
}

#[test]
fn generated_data_can_be_split_like_the_real() {
    let data = generated::location_like(450, 1).unwrap();
    let split = Split::seeded(&data.name, data.records(), 100, 50, 1).unwrap();
    assert_eq!(data.inputs(&split.shadow_members).shape(), [50, 446]);
}
