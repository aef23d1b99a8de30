//! What is attacked: pictures of the data sets and networks that serve them.

use super::{FirstLayer, Judge, PictureClassifier, Preparation, Subject};
use crate::AuditError;
use crate::pictures::{Picture, cifar10, idx_labels, idx_pictures, orl_faces};
use std::path::Path;
use trefoil_nn::{Graph, Problem};

/// How many pictures are attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// A few digits.
    Quick,
    /// A hundred digits, and some CIFAR-10 pictures and faces.
    Full,
}

/// Pictures from which the attacker learns what pictures look like.
const PUBLIC: usize = 200;

/// The subjects in a folder with the data sets `mnist`, `cifar10`, `orl_faces` and the models `onnx_models` and
/// `cifar10_weights`.
///
/// # Errors
/// [`AuditError::File`] if the folder or a file is missing or broken, [`AuditError::Model`] if a model is.
pub fn subjects(folder: &Path, extent: Extent) -> Result<Vec<Subject>, AuditError> {
    if !folder.is_dir() {
        return Err(AuditError::File {
            path: folder.to_owned(),
            problem: "no such folder".to_owned(),
        });
    }
    let mut all = vec![digits(
        folder,
        if extent == Extent::Quick { 10 } else { 100 },
    )?];
    if extent == Extent::Full {
        all.push(photos(folder, 30)?);
        all.push(faces(folder, 10)?);
    }
    Ok(all)
}

fn load(path: &Path) -> Result<Graph, AuditError> {
    // The error names the file, too: once is enough.
    Graph::load(path).map_err(|error| match error.problem {
        Problem::Read(_) => AuditError::File {
            path: path.to_owned(),
            problem: error.problem.to_string(),
        },
        problem => AuditError::Model {
            model: path.display().to_string(),
            problem: problem.to_string(),
        },
    })
}

/// MNIST digits, and the convolutional network of the ONNX model zoo.
fn digits(folder: &Path, count: usize) -> Result<Subject, AuditError> {
    let models = folder.join("onnx_models");
    let served = load(&models.join("mnist-8.onnx"))?;
    let judge = load(&models.join("Convnet_maxpool.onnx"))?;
    let mnist = folder.join("mnist");
    let mut victims = idx_pictures(&mnist.join("t10k-images-idx3-ubyte.gz"))?;
    let mut labels = idx_labels(&mnist.join("t10k-labels-idx1-ubyte.gz"))?;
    let mut public = idx_pictures(&mnist.join("train-images-idx3-ubyte.gz"))?;
    victims.truncate(count);
    labels.truncate(count);
    public.truncate(PUBLIC);
    Ok(Subject {
        name: "MNIST digits".to_owned(),
        network: "mnist-8, first of two convolutions".to_owned(),
        layer: FirstLayer::of(&served, Preparation::scale(1, 255.0))?,
        victims,
        labels,
        public,
        judge: Judge::Classifier(Box::new(PictureClassifier::new(
            &judge,
            "Convnet_maxpool, another network",
            Preparation::scale(1, 1.0),
        )?)),
    })
}

/// What ResNet-20 was trained with.
fn photo_preparation() -> Preparation {
    Preparation::normalise([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
}

fn resnet(folder: &Path) -> Result<Graph, AuditError> {
    load(&folder.join("cifar10_weights/resnet20_akamaster_opset13.onnx"))
}

/// CIFAR-10 pictures, and ResNet-20.
fn photos(folder: &Path, count: usize) -> Result<Subject, AuditError> {
    let served = resnet(folder)?;
    let (mut victims, mut labels) = cifar10(&folder.join("cifar10/test_batch_first1000.bin.gz"))?;
    let (mut public, _) = cifar10(&folder.join("cifar10/data_batch_1.bin.gz"))?;
    victims.truncate(count);
    labels.truncate(count);
    public.truncate(PUBLIC);
    Ok(Subject {
        name: "CIFAR-10 pictures".to_owned(),
        network: "ResNet-20, first of twenty layers".to_owned(),
        layer: FirstLayer::of(&served, photo_preparation())?,
        victims,
        labels,
        public,
        judge: Judge::Classifier(Box::new(PictureClassifier::new(
            &served,
            "ResNet-20",
            photo_preparation(),
        )?)),
    })
}

/// The last picture of some people, recognised by the first five of everybody; the attacker learns from other people.
fn faces(folder: &Path, count: usize) -> Result<Subject, AuditError> {
    let served = resnet(folder)?;
    let (pictures, people) = orl_faces(&folder.join("orl_faces/orl_faces.tar.gz"))?;
    let (mut victims, mut labels) = (Vec::new(), Vec::new());
    let (mut public, mut gallery, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = 0;
    for (i, (picture, &person)) in pictures.iter().zip(&people).enumerate() {
        number = if i > 0 && people[i - 1] == person {
            number + 1
        } else {
            0
        };
        let last = people.get(i + 1) != Some(&person);
        if number < 5 {
            gallery.push(picture.clone());
            names.push(person);
        }
        if person <= count && last {
            victims.push(picture.repeated(3));
            labels.push(person);
        }
        if person > count && public.len() < PUBLIC {
            public.push(picture.repeated(3));
        }
    }
    let size = victims.first().map_or([0, 0], Picture::size);
    Ok(Subject {
        name: "ORL faces".to_owned(),
        network: "ResNet-20's first layer, run on larger pictures".to_owned(),
        layer: FirstLayer::of(&served, photo_preparation())?.resized(size),
        victims,
        labels,
        public,
        judge: Judge::Gallery {
            pictures: gallery,
            labels: names,
        },
    })
}
