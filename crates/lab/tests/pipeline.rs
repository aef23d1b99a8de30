//! A small experiment from end to end.
// Clippy's exception for tests does not reach their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Mutex;
use trefoil_lab::data::Split;
use trefoil_lab::maps::Family;
use trefoil_lab::pipeline::{
    Cache, Config, Outcome, Parties, Progress, Records, Sample, Scale, curve, run, run_on,
};

const CONFIG: &str = r#"
    name = "small"
    softmaxes = ["as19", "secureml"]
    checked = 3
    [data]
    records = 520
    target = 100
    shadow = 50
    canaries = { mislabelled = 10, foreign = 10 }
    [target]
    architecture = "mlp"
    hidden = [32]
    epochs = 20
    batch = 16
    sgd = { rate = 0.1 }
    [references]
    models = 4
    parallel = 2
    [membership]
    epochs = 10
    attack_epochs = 10
    sgd = { rate = 0.01 }
    [guard]
    outer = 2
    inner = [3]
    beta = [0.5, 1.0]
    tuned_on = 20
    repeats = 2
    [defences]
    table = true
    memguard = true
    label_only = true
    hamp = { entropy = 0.5, entropy_weight = 0.01 }
    private = { epsilon = 8.0, delta = 1e-3, clip = 1.0, epochs = 2, batch = 20, sgd = { rate = 0.2 } }
"#;

/// Stands in for three parties: the answers of fixed point, off by a little.
struct Off(f64);

impl Parties for Off {
    fn answer(&mut self, sample: &Sample<'_>) -> Result<ndarray::Array2<f64>, String> {
        assert_eq!(sample.queries.shape(), [3, 446]);
        Ok(&sample.answers + self.0)
    }
}

fn experiment(config: &Config, folder: &Path) -> (Outcome, Vec<String>) {
    let cache = Cache::new(folder.to_owned()).unwrap();
    let trained = Mutex::new(Vec::new());
    let outcome = run(
        config,
        Path::new("no such folder"),
        &cache,
        Some(&mut Off(1e-3)),
        &|p| {
            if let Progress::Epoch(what, epoch) = p
                && epoch.number == epoch.of
            {
                trained.lock().unwrap().push(what.to_owned());
            }
        },
    );
    let trained = trained.into_inner().unwrap();
    (outcome.unwrap(), trained)
}

#[test]
fn a_second_run_trains_nothing_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::parse(CONFIG, Scale::Small).unwrap();
    let (first, trained) = experiment(&config, folder.path());
    assert!(trained.iter().any(|what| what == "target"));
    assert!(
        trained
            .iter()
            .filter(|what| what.starts_with("reference model"))
            .count()
            == 4
    );
    assert!((first.difference.unwrap() - 1e-3).abs() < 1e-9);
    let text = first.report.terminal();
    for part in [
        "as19 guarded",
        "adaptive",
        "HAMP",
        "DP-SGD",
        "MemGuard",
        "table guard",
        "out of distribution",
        "What answers are good for",
        "Labels changed in all guarded answers: 0",
        "RMIA",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    // What is exported is what the attacks got, and `trefoil attack` reads.
    first.write_answers(&folder.path().join("answers")).unwrap();
    let file = folder
        .path()
        .join("answers/table guard/shadow_nonmembers.npy");
    let read: ndarray::Array2<f64> = ndarray_npy::read_npy(file).unwrap();
    let table = first.evaluations.iter().find(|e| e.name == "table guard");
    let answers = &table.unwrap().answers;
    assert_eq!(&read, answers.shadow.nonmembers.confidences());
    let (second, trained) = experiment(&config, folder.path());
    assert_eq!(trained, Vec::<String>::new());
    assert_eq!(first.report.data, second.report.data);
}

#[test]
fn nothing_is_chosen_on_the_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().to_owned()).unwrap();
    let mut config = Config::parse(CONFIG, Scale::Small).unwrap();
    config.defences = trefoil_lab::pipeline::Defences::default();
    let experiment = |change: &dyn Fn(&mut Split)| {
        let loaded = Records::load(&config, folder.path()).unwrap();
        let mut split = loaded.split.clone();
        change(&mut split);
        let records = Records::of(config.seed, loaded.data, split);
        run_on(&config, &records, &cache, None, &|_| ()).unwrap()
    };
    let decisions = |outcome: &Outcome| outcome.report.data["results"].to_string();
    let plain = experiment(&|_| ());
    // Other non-members to be judged by: the guard stays, what is found changes.
    let judged = experiment(&|split| {
        let half = split.evaluation_nonmembers.len() / 2;
        split.evaluation_nonmembers.truncate(half);
    });
    assert_eq!(plain.guard.digest(), judged.guard.digest());
    assert_ne!(decisions(&plain), decisions(&judged));
    // The evaluation's records given to the defender: another guard.
    let swapped = experiment(&|split| {
        std::mem::swap(
            &mut split.evaluation_nonmembers,
            &mut split.defence_nonmembers,
        );
    });
    assert_ne!(plain.guard.digest(), swapped.guard.digest());
}

#[test]
fn several_seeds_give_means_and_their_own_runs() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().to_owned()).unwrap();
    let mut config = Config::parse(CONFIG, Scale::Small).unwrap();
    config.defences = trefoil_lab::pipeline::Defences::default();
    config.softmaxes.truncate(1);
    config.checked = 0;
    let run = |config: &Config| run(config, Path::new(""), &cache, None, &|_| ()).unwrap();
    let singles = [3, 4].map(|seed| {
        run(&Config {
            seed,
            ..config.clone()
        })
    });
    config.seeds = vec![3, 4];
    let both = run(&config);
    let rows = both.report.data["over_seeds"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["answers"] == "plaintext" && row["attack"] == "conf")
        .unwrap();
    let areas = singles.each_ref().map(|single| {
        let results = &single.evaluations[0].results;
        let conf = results.attacks.iter().find(|a| a.attack == "conf");
        conf.unwrap().evaluation.auc.value
    });
    let mean = row["auc"]["value"].as_f64().unwrap();
    assert!((mean - f64::midpoint(areas[0], areas[1])).abs() < 1e-12);
    // 200 non-members in all are too few for a rate at 0.1 %.
    assert!(row["pooled_tpr"].is_null());
    assert!(both.report.sections[0].heading.contains("2 seeds"));
    assert_eq!(both.target, singles[0].target);
}

#[test]
fn maps_are_compared_with_the_table_seed_by_seed() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::new(folder.path().to_owned()).unwrap();
    let one = Config::parse(CONFIG, Scale::Paper).unwrap();
    let nowhere = Path::new("no such folder");
    let tried = [Family::Table, Family::Blend(1.0), Family::Learnt(1.0)];
    let found = |config: &Config, tried: &[Family]| curve(config, tried, nowhere, &cache, &|_| ());
    assert!(found(&one, &tried).is_err());
    let two = one.with_seeds(2);
    assert!(found(&two, &tried[1..]).is_err());
    let report = found(&two, &tried).unwrap();
    let points = report.data["curve"].as_array().unwrap();
    assert_eq!(points.len(), 3);
    for point in points {
        assert_eq!(point["order_kept"], 1.0, "{point}");
    }
    let value = |at: usize, name: &str| points[at][name]["value"].as_f64().unwrap();
    assert_eq!(
        (value(0, "nll_to_table"), value(0, "auc_to_table")),
        (0.0, 0.0)
    );
    // Its own confidences say more of a record than a table does.
    assert!(value(1, "right_to_table") > 0.0, "{report:?}");
    assert_eq!(report.data["chosen"].as_array().unwrap().len(), 2);
}
