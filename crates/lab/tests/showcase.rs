//! The experiment that is part of the crate: what its files are, and what they show.
// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ndarray::Array2;
use trefoil_lab::attacks::Attacker;
use trefoil_lab::pipeline::{Outcome, Parties, Sample};
use trefoil_lab::showcase::{GUARDED, Showcase, UNGUARDED};

/// Stands in for three parties: the answers of fixed point, off by a little.
struct Off(f64);

impl Parties for Off {
    fn answer(&mut self, sample: &Sample<'_>) -> Result<Array2<f64>, String> {
        assert_eq!(sample.queries.shape(), [3, 446]);
        Ok(&sample.answers + self.0)
    }
}

/// Area under the curve of an attack on answers of this name.
fn auc(outcome: &Outcome, answers: &str, attack: &str, attacker: Attacker) -> f64 {
    let mut all = outcome.evaluations.iter();
    let found = all.find(|evaluation| evaluation.name == answers).unwrap();
    let mut all = found.results.attacks.iter();
    let found = all.find(|result| result.attack == attack && result.attacker == attacker);
    found.unwrap().evaluation.auc.value
}

#[test]
fn what_is_shipped_is_what_its_recipe_says() {
    let showcase = Showcase::shipped().unwrap();
    let outcome = showcase
        .evaluate(1, 3, Some(&mut Off(1e-3)), &|_| ())
        .unwrap();
    assert!((outcome.difference.unwrap() - 1e-3).abs() < 1e-9);
    // Records of another seed would not be known by heart.
    for evaluation in &outcome.evaluations {
        let accuracy = evaluation.results.accuracy.unwrap();
        assert!(accuracy.members > 0.99, "{accuracy:?}");
        assert!((0.4..0.65).contains(&accuracy.nonmembers), "{accuracy:?}");
    }
    assert_eq!(outcome.report.data["labels_changed"], 0);
    let auc = |answers, attack, attacker| auc(&outcome, answers, attack, attacker);
    let open = auc(UNGUARDED, "conf", Attacker::Standard);
    let guarded = auc(GUARDED, "conf", Attacker::Adaptive);
    assert!(open > 0.85 && guarded < open - 0.1, "{open} {guarded}");
    // What uses labels alone is as it was.
    for floor in ["correctness", "label noise"] {
        let open = auc(UNGUARDED, floor, Attacker::Standard);
        let guarded = auc(GUARDED, floor, Attacker::Standard);
        assert!((open - guarded).abs() < 1e-12, "{floor}: {open} {guarded}");
    }
}

#[cfg(feature = "train")]
mod making {
    use super::*;
    use std::fs;
    use trefoil_lab::showcase::Recipe;

    fn small() -> Recipe {
        let shipped = Showcase::shipped().unwrap().recipe;
        Recipe {
            records: 700,
            target: 120,
            shadow: 60,
            hidden: vec![16],
            epochs: 30,
            batch: 8,
            ..shipped
        }
    }

    #[test]
    fn the_same_recipe_makes_the_same_files_which_are_read_again() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&one, &two] {
            let made = Showcase::make(&small(), &|_| ()).unwrap();
            made.write(folder.path()).unwrap();
        }
        for file in fs::read_dir(one.path()).unwrap() {
            let name = file.unwrap().file_name();
            let read = |folder: &tempfile::TempDir| fs::read(folder.path().join(&name)).unwrap();
            // The metadata of guards has no order: its content is compared below.
            if !name.to_string_lossy().ends_with("safetensors") {
                assert_eq!(read(&one), read(&two), "{}", name.display());
            }
        }
        let [one, two] = [&one, &two].map(|folder| Showcase::load(folder.path()).unwrap());
        assert_eq!(one.recipe, small());
        assert_eq!(one.target.guard.digest(), two.target.guard.digest());
        assert_eq!(
            one.references[1].guard.digest(),
            two.references[1].guard.digest()
        );
        let outcome = one.evaluate(2, 0, None, &|_| ()).unwrap();
        assert_eq!(outcome.difference, None);
        let accuracy = outcome.evaluations[0].results.accuracy.unwrap();
        assert!(accuracy.members > accuracy.nonmembers + 0.2, "{accuracy:?}");
        assert_eq!(outcome.report.data["labels_changed"], 0);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = |folder: &std::path::Path| Showcase::load(folder).err().unwrap().to_string();
        assert!(error(folder.path()).contains("recipe.toml"));
        fs::write(folder.path().join("recipe.toml"), "seed = 1").unwrap();
        assert!(error(folder.path()).contains("missing field"));
        let too_few = Recipe {
            shadow: 0,
            ..small()
        };
        assert!(Showcase::make(&too_few, &|_| ()).is_err());
    }
}
