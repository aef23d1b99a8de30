//! The output guards: SIGuard on a small membership classifier, and the table guard.

use crate::world::Secret;
use crate::{AuditError, Entry, Random};
use ndarray::{Array1, Array2};
use trefoil_guard::{
    Classifier, Dense, GuardError, GuardSettings, Held, LoadedClassifier, NetworkShape, Settings,
    Steps, TableSettings, Variant, protect,
};
use trefoil_nn::Secure;
use trefoil_ring::Z64;

/// Queries of a batch: packed bits of a column fill whole bytes.
const ROWS: usize = 8;
/// Classes of the guarded model.
const CLASSES: usize = 3;
/// Neurons of the classifier.
const HIDDEN: usize = 8;

/// One search of two steps: each kind of message that a longer one sends, too.
fn settings(variant: Variant) -> Result<Settings, GuardError> {
    let shape = NetworkShape {
        inputs: CLASSES,
        hidden: vec![HIDDEN],
    };
    // The ranges are public: those of the largest weights that the secrets below have.
    let largest = shape.layers().into_iter().map(|(inputs, outputs)| Dense {
        weights: Array2::ones((inputs, outputs)),
        bias: Array1::ones(outputs),
    });
    let largest = Classifier::new(largest.collect())?;
    let mut settings = Settings::new(shape);
    settings.variant = variant;
    settings.steps = Steps {
        outer: 1,
        inner: 2,
        beta: 0.5,
    };
    largest.fit(&mut settings);
    largest.check(&settings)?;
    Ok(settings)
}

/// Weights and logits are secret: random weights and confident queries, and all with the other sign.
fn secrets(settings: &Settings) -> impl Fn(&mut Random) -> [Secret<Z64>; 2] + use<> {
    let (shapes, format) = (settings.shape.tensors(), settings.format());
    move |random| {
        let mut some: Vec<(Vec<usize>, Vec<f64>)> = shapes
            .iter()
            .map(|shape| {
                let len = shape.iter().product();
                let values = (0..len).map(|_| random.real(-1.0, 1.0)).collect();
                (shape.clone(), values)
            })
            .collect();
        let mut logits = vec![0.0; ROWS * CLASSES];
        for row in logits.chunks_mut(CLASSES) {
            row.fill_with(|| random.real(-2.0, 2.0));
            row[random.below(CLASSES)] += 8.0;
        }
        some.push((vec![ROWS, CLASSES], logits));
        [1.0, -1.0].map(|sign| {
            let encoded = some.iter().map(|(shape, values)| {
                let values = values.iter().map(|v| format.encode(sign * v)).collect();
                (shape.clone(), values)
            });
            encoded.collect()
        })
    }
}

fn entry(name: &'static str, variant: Variant) -> Result<Entry, AuditError> {
    let settings = settings(variant).map_err(|error| AuditError::Model {
        model: name.to_owned(),
        problem: error.to_string(),
    })?;
    Ok(Entry::new::<Z64>(
        name,
        &["trefoil_guard::protect"],
        secrets(&settings),
        async move |p, x| {
            let backend = Secure::<Z64>::new(p.fork(), settings.format());
            let (tensors, logits) = x.shares.split_at(settings.shape.tensors().len());
            let network = LoadedClassifier::new(&backend, &settings, tensors).await?;
            protect(&backend, &settings, &network, &logits[0]).await?;
            p.merge(&[backend.party()]);
            Ok(())
        },
    ))
}

/// Table and logits are secret: falling rows and random logits, some of them equal; and a table that falls otherwise, with the
/// order of the logits turned round.
fn table() -> Entry {
    let settings = TableSettings {
        classes: CLASSES,
        fraction_bits: 20,
    };
    let format = settings.format();
    let secrets = move |random: &mut Random| -> [Secret<Z64>; 2] {
        let mut logits = [0.0; ROWS * CLASSES];
        for row in logits.chunks_mut(CLASSES) {
            row.fill_with(|| random.real(-8.0, 8.0));
            if random.below(4) == 0 {
                row.fill(row[0]);
            }
        }
        [([0.9, 0.09, 0.01], 1.0), ([0.5, 0.3, 0.2], -1.0)].map(|(row, sign)| {
            let table = row.repeat(CLASSES);
            let encode = |v: &f64| format.encode(*v);
            vec![
                (vec![CLASSES, CLASSES], table.iter().map(encode).collect()),
                (
                    vec![ROWS, CLASSES],
                    logits.iter().map(|v| format.encode(sign * v)).collect(),
                ),
            ]
        })
    };
    let settings = GuardSettings::Table(settings);
    Entry::new::<Z64>(
        "guard, by a table",
        &["trefoil_guard::Held::answer"],
        secrets,
        async move |p, x| {
            let backend = Secure::<Z64>::new(p.fork(), settings.format());
            let (tensors, logits) = x.shares.split_at(1);
            let guard = Held::new(&backend, &settings, tensors).await?;
            guard.answer(&backend, &logits[0]).await?;
            p.merge(&[backend.party()]);
            Ok(())
        },
    )
}

pub(super) fn entries() -> Result<Vec<Entry>, AuditError> {
    Ok(vec![
        entry("guard", Variant::Fast)?,
        entry("guard, as printed", Variant::Faithful)?,
        table(),
    ])
}
