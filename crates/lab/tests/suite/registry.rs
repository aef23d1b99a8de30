//! What is a row of the attacks is in every table.

use ndarray::{Array2, Array3};
use trefoil_lab::Sides;
use trefoil_lab::attacks::rmia::Population;
use trefoil_lab::attacks::{
    ATTACKS, Attacker, Evidence, MembershipModel, MembershipTrainer, Neighbours, Outputs,
    References, run_all,
};
use trefoil_lab::random::Stream;
use trefoil_lab::report::{Report, Results};

/// Forty records of three classes, surer of their label by `sure`.
fn outputs(sure: f64, seed: u64) -> Outputs {
    let mut stream = Stream::new(seed, "outputs");
    let mut confidences = Array2::zeros((40, 3));
    let mut labels = Vec::new();
    for mut row in confidences.rows_mut() {
        let label = stream.below(3);
        let p = 0.4 + sure + 0.2 * stream.unit();
        row.fill((1.0 - p) / 2.0);
        row[label] = p;
        labels.push(label);
    }
    Outputs::new("outputs", confidences, labels).unwrap()
}

/// Six models, every other of which was trained on a record.
fn models(outputs: &Outputs) -> References {
    let mut stream = Stream::new(9, "models");
    let shape = (6, outputs.records(), outputs.classes());
    let confidences = Array3::from_shape_simple_fn(shape, || 0.2 + 0.2 * stream.unit());
    let trained = Array2::from_shape_fn((6, outputs.records()), |(m, r)| (m + r) % 2 == 0);
    References::new("models", confidences, trained).unwrap()
}

fn copies(outputs: &Outputs) -> Neighbours {
    let all = outputs.confidences();
    let (records, classes) = all.dim();
    let copies = Array3::from_shape_fn((2, records, classes), |(_, r, c)| all[[r, c]]);
    Neighbours::new("copies", copies).unwrap()
}

/// Knows nothing.
struct Coin;

impl MembershipTrainer for Coin {
    fn train(
        &self,
        _: Sides<&Array2<f64>>,
        _: u64,
    ) -> Result<Box<dyn MembershipModel>, trefoil_lab::LabError> {
        Ok(Box::new(Self))
    }
}

impl MembershipModel for Coin {
    fn likelihood(&self, features: &Array2<f64>) -> Result<Vec<f64>, trefoil_lab::LabError> {
        Ok(vec![0.5; features.nrows()])
    }
}

#[test]
fn every_row_is_in_the_table_the_page_and_the_data() {
    let sides = |seed| Sides::new(outputs(0.3, seed), outputs(0.0, seed + 1));
    let (target, shadow) = (sides(1), sides(3));
    let (about, about_own) = (target.as_ref().map(models), shadow.as_ref().map(models));
    let (near, near_own) = (target.as_ref().map(copies), shadow.as_ref().map(copies));
    let population = Some(Population {
        target: &target.nonmembers,
        references: &about.nonmembers,
    });
    let evidence = Evidence {
        shadow: Some(&shadow),
        references: Some(&about),
        shadow_references: Some(&about_own),
        undefended: Some(&about),
        shadow_undefended: Some(&about_own),
        population,
        shadow_population: population,
        neighbours: Some(&near),
        shadow_neighbours: Some(&near_own),
        trainer: Some(&Coin),
        ..Evidence::new(&target)
    };
    let battery = run_all(&evidence).unwrap();
    assert_eq!(battery.skipped, []);
    let results = Results::new("all", &target, &battery, Attacker::Adaptive, 1).unwrap();
    let mut report = Report::new("all");
    report.section("Attacks").results(&results);
    let (table, page) = (results.table().terminal(), report.html().unwrap());
    let data = serde_json::to_value(&results).unwrap();
    let names: Vec<&str> = ATTACKS.iter().map(|attack| attack.name()).collect();
    let listed = data["attacks"].as_array().unwrap().iter();
    let listed: Vec<&str> = listed.map(|row| row["attack"].as_str().unwrap()).collect();
    assert_eq!(listed, names);
    for name in names {
        assert!(table.contains(&format!(" {name} ")), "{name}: {table}");
        assert!(page.contains(name), "{name}");
    }
    // On less evidence what is missing is said of each.
    let bare = run_all(&Evidence::new(&target)).unwrap();
    assert_eq!(bare.verdicts.len() + bare.skipped.len(), ATTACKS.len());
    assert!(
        bare.skipped
            .iter()
            .all(|skipped| !skipped.reason.is_empty())
    );
}
