//! The break of SCSDF on drawn digits, and on the data sets where they are.

use std::path::{Path, PathBuf};
use std::time::Instant;
use trefoil_audit::AuditError;
use trefoil_audit::attack::{
    Attack, Extent, FirstLayer, Judge, PictureClassifier, Preparation, Subject, attack, subjects,
};
use trefoil_audit::pictures::Picture;
use trefoil_nn::Graph;

fn drawn() -> Subject {
    let graph = |bytes| Graph::from_bytes(bytes, "model").unwrap();
    let plain = || Preparation::scale(1, 1.0);
    let pictures = |count, seed| {
        let (drawn, labels) = trefoil_digits::generate(count, seed);
        let one = |i| {
            let pixels = trefoil_digits::picture(&drawn, i).iter().copied().collect();
            Picture::new([1, 28, 28], pixels)
        };
        let labels: Vec<usize> = labels.into_iter().map(usize::from).collect();
        ((0..count).map(one).collect::<Vec<_>>(), labels)
    };
    let (victims, labels) = pictures(6, 1);
    let judge = PictureClassifier::new(&graph(trefoil_digits::LENET5), "LeNet-5", plain()).unwrap();
    Subject {
        name: "drawn digits".to_owned(),
        network: "LeNet-5".to_owned(),
        layer: FirstLayer::of(&graph(trefoil_digits::LENET5), plain()).unwrap(),
        victims,
        labels,
        public: pictures(60, 2).0,
        judge: Judge::Classifier(Box::new(judge)),
    }
}

fn check(attack: &Attack, least_right: f64) {
    for condition in &attack.conditions {
        println!(
            "{}: signs {:.4}, {:.1} dB, SSIM {:.3}, right {:.2}",
            condition.name, condition.signs, condition.psnr, condition.ssim, condition.right
        );
    }
    let named = |name: &str| {
        let found = attack.conditions.iter().find(|c| c.name.contains(name));
        found.unwrap_or_else(|| panic!("no condition {name}"))
    };
    for name in ["ReLU, weights known", "weights learned", "Sigmoid"] {
        let condition = named(name);
        assert!(condition.signs >= 1.0, "{name}: every sign is seen");
        assert!(
            condition.right >= least_right,
            "{name}: {}",
            condition.right
        );
        assert!(condition.ssim > 0.5, "{name}: SSIM {}", condition.ssim);
    }
    // A flipped sign tells nothing; what is left are magnitudes.
    let flipped = named("flipped: magnitudes").signs;
    assert!((flipped - 0.5).abs() < 0.02, "{flipped}");
    assert!(named("flipped: magnitudes").ssim > 2.0 * named("Trefoil").ssim);
    for guess in &attack.guesses {
        println!("{guess:?}");
        assert!(guess.is_chance(), "{guess:?}");
    }
    assert!(named("Trefoil").ssim < 0.2 && named("Trefoil").right < 0.6);
}

#[test]
fn drawn_digits_are_recovered_from_signs_and_not_from_ours() {
    let attack = attack(&drawn(), 1, &mut |_| ()).unwrap();
    check(&attack, 0.8);
    assert!(attack.png().unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn mnist_digits_are_recovered() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("TREFOIL_DATA").map_or_else(beside, PathBuf::from);
    if !folder.join("MANIFEST.md").exists() {
        println!(
            "skipped: no data in {} (set TREFOIL_DATA)",
            folder.display()
        );
        return;
    }
    // All hundred: with the ten of a quick run one picture would be a tenth of the share that is demanded.
    let subject = subjects(&folder, Extent::Full).unwrap().remove(0);
    assert_eq!(subject.victims.len(), 100);
    let start = Instant::now();
    let attack = attack(&subject, 1, &mut |_| ()).unwrap();
    println!("{:.1?}", start.elapsed());
    check(&attack, 0.9);
}

#[test]
fn a_missing_folder_and_a_missing_file_are_named_once() {
    let folder = tempfile::tempdir().unwrap();
    for (place, problem) in [
        (folder.path().join("nowhere"), "no such folder"),
        (folder.path().to_owned(), "cannot read the file"),
    ] {
        let error = subjects(&place, Extent::Quick).err().unwrap();
        assert!(matches!(error, AuditError::File { .. }), "{error:?}");
        let (text, place) = (error.to_string(), place.display().to_string());
        assert!(text.contains(problem), "{text}");
        assert_eq!(text.matches(&place).count(), 1, "{text}");
    }
}
