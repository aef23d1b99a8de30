//! The table guard: the same answers on every back end, whatever the rounding; labels and order kept; and what it costs.

use crate::build::{argmax, logits};
use ndarray::{Array2, ArrayD, ArrayView1, Axis};
use trefoil_guard::{
    FEWEST_RECORDS, Guard, GuardBackend, GuardSettings, Held, Table, TableSettings, protect,
};
use trefoil_mpc::Cost;
use trefoil_nn::{Clear, Fixed, Secure, ready};
use trefoil_ring::{Ring, Z32, Z64};
use trefoil_testkit::{
    Random, Run, Sent, World, one_traffic_shape, reconstruct, tampering_is_noticed,
};

/// Non-members' confidence vectors, of sum 1, with leads of all sizes.
fn confidences(random: &mut Random, records: usize, classes: usize) -> Array2<f64> {
    let mut rows = rows(&logits(random, records, classes, 9.0));
    for mut row in rows.rows_mut() {
        row.mapv_inplace(f64::exp);
        let sum = row.sum();
        row /= sum;
    }
    rows
}

fn table(random: &mut Random, classes: usize, fraction_bits: u32) -> Table {
    let learned = Table::learn(confidences(random, 40 * classes, classes).view()).unwrap();
    learned.table.with_fraction_bits(fraction_bits).unwrap()
}

/// Queries with many ties and near ties, as multiples of the format's unit.
fn queries(random: &mut Random, rows: usize, classes: usize, unit: f64) -> ArrayD<f64> {
    let mut z = logits(random, rows, classes, 20.0).mapv(|v| (v / unit).round() * unit);
    for (row, mut z) in z.axis_iter_mut(Axis(0)).enumerate() {
        match row % 4 {
            // All equal; two equal; neighbours one unit apart.
            0 => z.fill(1.5),
            1 => z[[classes - 1]] = z[[0]],
            2 => z[[classes - 1]] = z[[0]] + unit,
            _ => {}
        }
    }
    z
}

fn on_fixed<R: trefoil_guard::GuardRing>(
    table: &Table,
    z: &ArrayD<f64>,
    seed: [u8; 16],
) -> Array2<f64> {
    let settings = GuardSettings::Table(*table.settings());
    let backend = Fixed::<R>::new(settings.format(), seed);
    let secrets = [backend.encode(table.tensor().view()).unwrap()];
    let held = ready(Held::new(&backend, &settings, &secrets)).unwrap();
    let z = backend.encode(z.view()).unwrap();
    let out = ready(held.answer(&backend, &z)).unwrap();
    backend.decode(out.view()).into_dimensionality().unwrap()
}

/// Table and queries in the ring, as a world's inputs.
fn inputs<R: Ring>(table: &Table, z: &ArrayD<f64>) -> Vec<(Vec<usize>, Vec<R>)> {
    let format = table.settings().format();
    let encode = |t: &ArrayD<f64>| {
        let t = format.encode_all::<R>(t.view()).unwrap();
        (t.shape().to_vec(), t.iter().copied().collect())
    };
    vec![encode(&table.tensor()), encode(z)]
}

async fn answer<R: trefoil_guard::GuardRing>(
    settings: &GuardSettings,
    party: &trefoil_mpc::Party,
    shares: &[trefoil_mpc::Share<R>],
) -> Result<trefoil_mpc::Share<R>, trefoil_mpc::Abort>
where
    Secure<R>: GuardBackend<Tensor = trefoil_mpc::Share<R>, Error = trefoil_mpc::Abort>,
{
    let backend = Secure::<R>::new(party.fork(), settings.format());
    let held = Held::new(&backend, settings, &shares[..1]).await?;
    let out = held.answer(&backend, &shares[1]).await;
    party.merge(&[backend.party()]);
    out
}

fn on_parties<R: trefoil_guard::GuardRing>(
    table: &Table,
    z: &ArrayD<f64>,
    seed: u64,
) -> (Array2<f64>, Cost, Run<trefoil_mpc::Share<R>>) {
    let settings = GuardSettings::Table(*table.settings());
    let run = World::new(seed).run(&inputs::<R>(table, z), async |party, shares| {
        answer(&settings, party, shares).await
    });
    let cost = Cost {
        rounds: run.rounds(),
        bytes: run.traffic.map(|t| t.bytes_sent()),
    };
    let [a, b, c] = &run.outputs;
    let values = reconstruct([a, b, c].map(|share| share.as_ref().unwrap()));
    let values = values
        .iter()
        .map(|&v| settings.format().decode(v))
        .collect();
    let out = Array2::from_shape_vec((z.shape()[0], z.shape()[1]), values).unwrap();
    (out, cost, run)
}

/// Classes, the largest score first, equal ones in their order.
fn order(row: &ArrayView1<'_, f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&i, &j| row[j].partial_cmp(&row[i]).unwrap());
    order
}

fn rows(z: &ArrayD<f64>) -> Array2<f64> {
    z.clone().into_dimensionality().unwrap()
}

fn all_back_ends_agree<R: trefoil_guard::GuardRing>(
    classes: usize,
    fraction_bits: u32,
    asked: usize,
) {
    let mut random = Random::printed(&format!("table guard, {classes} classes"));
    let table = table(&mut random, classes, fraction_bits);
    let unit = table.settings().format().ulp();
    let z = queries(&mut random, asked, classes, unit);
    let expected = table.apply(rows(&z).view());
    // Other coins of every rounding, other masks: the same answers to the last bit.
    for seed in [*b"one seed of many", *b"and another one."] {
        assert_eq!(on_fixed::<R>(&table, &z, seed), expected);
    }
    for _ in 0..2 {
        let (found, cost, _) = on_parties::<R>(&table, &z, random.word());
        assert_eq!(found, expected);
        assert_eq!(cost, table.settings().cost::<R>(asked));
    }
    for (z, s) in rows(&z).rows().into_iter().zip(expected.rows()) {
        assert_eq!(order(&z), order(&s), "{z} became {s}");
        assert_eq!(argmax(&z), argmax(&s), "{z} became {s}");
        let falling: Vec<f64> = order(&s).into_iter().map(|i| s[i]).collect();
        assert!(falling.windows(2).all(|pair| pair[0] - pair[1] >= unit));
        assert!(falling.iter().all(|&v| v >= 0.0));
        assert!((s.sum() - 1.0).abs() < f64::EPSILON * 64.0, "{s}");
        assert_eq!(falling, table.values().row(argmax(&z)).to_vec());
    }
}

#[test]
fn a_table_answers_alike_on_every_back_end_and_keeps_label_and_order() {
    all_back_ends_agree::<Z64>(2, 20, 12);
    all_back_ends_agree::<Z64>(10, 20, 40);
    all_back_ends_agree::<Z64>(33, 24, 9);
    all_back_ends_agree::<Z32>(10, 10, 12);
}

#[test]
fn repeated_queries_of_a_table_get_one_answer() {
    let mut random = Random::printed("table guard, repeated");
    let table = table(&mut random, 10, 20);
    let z = queries(&mut random, 4, 10, table.settings().format().ulp());
    let first = on_parties::<Z64>(&table, &z, random.word()).0;
    for _ in 0..20 {
        assert_eq!(on_parties::<Z64>(&table, &z, random.word()).0, first);
    }
}

/// Logits far beyond those of other guards are still compared rightly.
#[test]
fn a_table_takes_logits_up_to_its_limit() {
    let mut random = Random::printed("table guard, limits");
    let table = table(&mut random, 3, 20);
    let limit = GuardSettings::Table(*table.settings()).logit_limit(64, 20);
    let z = vec![
        limit, -limit, 0.0, -limit, limit, limit, -limit, -limit, limit,
    ];
    let z = ArrayD::from_shape_vec(vec![3, 3], z).unwrap();
    let expected = table.apply(rows(&z).view());
    assert_eq!(on_parties::<Z64>(&table, &z, random.word()).0, expected);
}

#[test]
fn a_table_costs_what_it_promises() {
    let cost = |classes, rows| {
        let settings = TableSettings {
            classes,
            fraction_bits: 20,
        };
        settings.check().unwrap();
        settings.cost::<Z64>(rows)
    };
    let (ten, hundred, many) = (cost(10, 1), cost(100, 1), cost(10, 64));
    println!("10 classes: {ten:?}\n100: {hundred:?}\n64 queries: {many:?}");
    assert!(ten.rounds <= 16 && ten.total_bytes() <= 20_000, "{ten:?}");
    assert!(
        hundred.rounds <= 20 && hundred.total_bytes() <= 800_000,
        "{hundred:?}"
    );
    assert!(many.rounds <= 16 && many.total_bytes() <= 64 * ten.total_bytes());
}

#[test]
fn a_tables_traffic_has_one_shape_and_tampering_is_noticed() {
    let mut random = Random::printed("table guard's traffic");
    let tables = [table(&mut random, 5, 20), table(&mut random, 5, 20)];
    let settings = GuardSettings::Table(*tables[0].settings());
    let unit = settings.format().ulp();
    let mut asked: Vec<_> = (0..5)
        .map(|i| inputs::<Z64>(&tables[i % 2], &queries(&mut random, 3, 5, unit)))
        .collect();
    asked.push(inputs(&tables[0], &ArrayD::zeros(vec![3, 5])));
    let protocol = async |party: &trefoil_mpc::Party, shares: &[trefoil_mpc::Share<Z64>]| {
        answer(&settings, party, shares).await
    };
    let first = asked[0].clone();
    one_traffic_shape("table guard", &mut random, asked.into_iter(), protocol);
    tampering_is_noticed("table guard", &mut random, &first, protocol);
    let shapes: Vec<_> = on_parties::<Z64>(&tables[1], &ArrayD::ones(vec![3, 5]), 7)
        .2
        .log
        .iter()
        .map(Sent::shape)
        .collect();
    assert!(!shapes.is_empty());
}

#[test]
fn a_table_is_the_mean_of_sorted_confidences_by_label() {
    let mut rows = Vec::new();
    for record in 0..12 {
        let lead = 0.6 + 0.02 * f64::from(record);
        // Label 1; the second place goes to and fro.
        let rest = (1.0 - lead) / 4.0;
        rows.push(if record % 2 == 0 {
            [3.0 * rest, lead, rest]
        } else {
            [rest, lead, 3.0 * rest]
        });
    }
    // Label 0, equal to another: the first counts. Too few for a row of their own.
    for _ in 0..FEWEST_RECORDS - 1 {
        rows.push([0.4, 0.4, 0.2]);
    }
    let confidences = Array2::from_shape_fn((rows.len(), 3), |(i, j)| rows[i][j]);
    let learned = Table::learn(confidences.view()).unwrap();
    assert_eq!(learned.scarce, [0, 2]);
    assert_eq!(learned.records, 21);
    let means = learned.table.means();
    let close = |found: ArrayView1<'_, f64>, expected: [f64; 3]| {
        let pairs = found.iter().zip(expected);
        assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-12), "{found}");
    };
    close(means.row(1), [0.71, 0.2175, 0.0725]);
    let all = [
        (12.0 * 0.71 + 9.0 * 0.4) / 21.0,
        (12.0 * 0.2175 + 9.0 * 0.4) / 21.0,
        (12.0 * 0.0725 + 9.0 * 0.2) / 21.0,
    ];
    close(means.row(0), all);
    close(means.row(2), all);
    let values = learned.table.values();
    assert!((values - means).iter().all(|d| d.abs() < 1e-5), "{values}");
    // Logits give the same table.
    let logits = confidences.mapv(|v: f64| v.ln() + 3.0);
    let again = Table::learn_from_logits(logits.view()).unwrap();
    assert!(
        (again.table.means() - means)
            .iter()
            .all(|d| d.abs() < 1e-12)
    );
}

/// Certain models: the mean is 1 and zeros, whose order only the format's units keep.
#[test]
fn values_stay_apart_where_the_mean_has_zeros() {
    for classes in [2, 10, 100, 300] {
        let certain = Array2::from_shape_fn((20, classes), |(_, class)| f64::from(class == 0));
        let table = Table::learn(certain.view()).unwrap().table;
        let unit = table.settings().format().ulp();
        for row in table.values().rows() {
            let row = row.to_vec();
            assert!(row.windows(2).all(|pair| pair[0] - pair[1] >= unit));
            assert!(row.iter().all(|v| (v / unit).fract() == 0.0 && *v >= 0.0));
            assert_eq!(row.iter().sum::<f64>().to_bits(), 1.0_f64.to_bits());
            assert!(row[0] >= 1.0 - 1.0 / 16.0);
            // Answers are written as 32-bit floats.
            assert!(
                row.iter()
                    .all(|&v| f64::from(v as f32).to_bits() == v.to_bits())
            );
        }
    }
}

#[test]
fn what_no_table_can_be_made_of_is_refused() {
    let mut random = Random::printed("table guard, refused");
    let good = confidences(&mut random, 60, 4);
    let message = |rows: &Array2<f64>| match Table::learn(rows.view()) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    };
    let few = good.slice(ndarray::s![..9, ..]).to_owned();
    assert!(
        message(&few).contains("take 10 or more"),
        "{}",
        message(&few)
    );
    let mut wrong = good.clone();
    wrong[[7, 2]] = f64::NAN;
    assert!(message(&wrong).contains("row 7"));
    wrong[[7, 2]] = 2.0;
    assert!(message(&wrong).contains("row 7"));
    assert!(message(&Array2::ones((20, 1))).contains("2 to 1000 classes"));
    let table = Table::learn(good.view()).unwrap().table;
    let format = |bits| table.with_fraction_bits(bits).err().map(|e| e.to_string());
    assert!(format(4).unwrap().contains("fraction bits"));
    assert!(format(25).unwrap().contains("32-bit floats"));
    assert!(format(12).is_none());
    let settings = *table.settings();
    let mut means = table.means().clone();
    means.swap([1, 0], [1, 3]);
    let error = Table::new(settings, means).err().unwrap().to_string();
    assert!(
        error.contains("row 1") && error.contains("falling"),
        "{error}"
    );
    let error = Table::new(settings, table.means() * 1.1).err().unwrap();
    assert!(error.to_string().contains("row 0"), "{error}");
}

#[test]
fn guard_files_hold_either_guard_and_old_ones_are_still_read() {
    let mut random = Random::printed("guard files");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("g.safetensors");
    let table = table(&mut random, 6, 20);
    Guard::Table(table.clone()).save(&path).unwrap();
    let Guard::Table(read) = Guard::load(&path).unwrap() else {
        panic!("another guard");
    };
    assert!(read == table);
    let error = trefoil_guard::GuardFile::load(&path).err().unwrap();
    assert!(error.to_string().contains("table guard"), "{error}");

    let h = crate::build::classifier(&mut random, 6, &[8, 4]);
    let settings = crate::build::settings(&h, trefoil_guard::Steps::default());
    let guard = trefoil_guard::GuardFile::new(settings.clone(), h).unwrap();
    guard.save(&path).unwrap();
    let Guard::Siguard(read) = Guard::load(&path).unwrap() else {
        panic!("another guard");
    };
    assert!(read.digest() == guard.digest());

    // The files before there were versions: the same without two keys.
    let current = std::fs::read(&path).unwrap();
    let rewritten = |from: &str, to: &str| {
        let header = u64::from_le_bytes(current[..8].try_into().unwrap()) as usize;
        let text = std::str::from_utf8(&current[8..8 + header]).unwrap();
        assert!(text.contains(from), "{text}");
        let text = text.replace(from, to);
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes.extend(&current[8 + header..]);
        std::fs::write(&path, bytes).unwrap();
        Guard::load(&path).map(|guard| guard.digest())
    };
    let renamed = rewritten("trefoil.guard.version", "something.else");
    assert_eq!(renamed.unwrap(), guard.digest());
    let newer = rewritten(
        "\"trefoil.guard.version\":\"2\"",
        "\"trefoil.guard.version\":\"3\"",
    );
    let error = newer.err().unwrap().to_string();
    assert!(error.contains("its version is 3"), "{error}");
    let unknown = rewritten("\"siguard\"", "\"sorcery\"");
    let error = unknown.err().unwrap().to_string();
    assert!(error.contains("`sorcery` is unknown"), "{error}");
    // A file that says of itself what it is not.
    let other = rewritten("\"siguard\"", "\"table\"");
    assert!(other.is_err());
}

#[test]
fn siguard_is_the_same_under_its_common_name() {
    let mut random = Random::printed("siguard by either name");
    let h = crate::build::classifier(&mut random, 4, &[8, 4]);
    let settings = crate::build::settings(&h, trefoil_guard::Steps::default());
    let z = logits(&mut random, 5, 4, 8.0);
    let direct = crate::build::on_clear(&settings, &h, &z);
    let common = GuardSettings::Siguard(settings.clone());
    let held = ready(Held::new(&Clear, &common, &h.tensors())).unwrap();
    let found = ready(held.answer(&Clear, &z)).unwrap();
    assert_eq!(found, direct.into_dyn());
    let network = ready(trefoil_guard::LoadedClassifier::public(
        &Clear, &settings, &h,
    ))
    .unwrap();
    assert_eq!(
        found,
        ready(protect(&Clear, &settings, &network, &z)).unwrap()
    );
}
