//! The published break, carried out: signs at the helper, pictures from signs, and the same attack on the product.
//!
//! The attacker is the helper of [`crate::insecure_scsdf`], semi-honest. It knows the layers' shapes, and either the
//! first layer's weights (a public backbone, or one user with the model) or what chosen pictures of one colluding user
//! made it see. A linear decoder, fitted to public pictures, turns the signs around a pixel into a guess of the pixel;
//! the guess is then moved to the nearest picture whose activations have exactly the signs seen.

mod decoder;
mod first_layer;
mod guess;
mod judge;
mod leak;
mod learn;
mod measure;
mod recover;
mod subjects;

pub use first_layer::{FirstLayer, Preparation};
pub use guess::Guess;
pub use judge::{Judge, PictureClassifier};
pub use subjects::{Extent, subjects};

use crate::insecure_scsdf::{Disguise, FACTOR_BITS};
use crate::pictures::{Picture, psnr, ssim};
use crate::{AuditError, Random};
use decoder::{Decoder, Maps};
use leak::{Follows, Leak};
use measure::{
    each, magnitude, magnitudes, most_balanced, rate, sign_map, signs, signs_of, still_leaks,
};
use recover::nearest_with_signs;
use serde::Serialize;
use trefoil_net::Role;

/// Pictures shown of each subject.
const SHOWN: usize = 10;
/// Signs on which the product's comparison is attacked, about.
const OURS: usize = 400_000;
/// Places to which a decoder is fitted.
const SAMPLES: usize = 40_000;
/// Queries of the colluding user.
const QUERIES: usize = 60;

/// A network under attack, and the pictures that its users ask about.
pub struct Subject {
    /// What the pictures are.
    pub name: String,
    /// What the network is.
    pub network: String,
    /// Its first layer.
    pub layer: FirstLayer,
    /// The secret pictures.
    pub victims: Vec<Picture>,
    /// What they show, in the judge's classes.
    pub labels: Vec<usize>,
    /// Pictures of the same kind that the attacker has.
    pub public: Vec<Picture>,
    /// Who says what a recovered picture shows.
    pub judge: Judge,
}

/// What an attack on all pictures under one condition gave.
#[derive(Clone, Debug, Serialize)]
pub struct Condition {
    /// The protocol, and what the attacker knows.
    pub name: String,
    /// Share of activations whose sign the attacker told.
    pub signs: f64,
    /// Mean peak signal-to-noise ratio of the recovered pictures, in decibels.
    pub psnr: f64,
    /// Mean structural similarity of the recovered pictures.
    pub ssim: f64,
    /// Share of recovered pictures that the judge takes for what the originals show.
    pub right: f64,
    /// What else there is to say.
    pub note: String,
    /// The first recovered pictures.
    #[serde(skip)]
    pub pictures: Vec<Picture>,
}

/// What the attack on one subject gave.
#[derive(Clone, Debug, Serialize)]
pub struct Attack {
    /// What the pictures are.
    pub name: String,
    /// What the network is.
    pub network: String,
    /// Who said what recovered pictures show.
    pub judge: String,
    /// Pictures attacked.
    pub count: usize,
    /// Share of the originals that the judge gets right.
    pub originals_right: f64,
    /// Sign bits of one picture.
    pub bits_per_picture: usize,
    /// The attack under each condition, the product last.
    pub conditions: Vec<Condition>,
    /// How well each party of the product guesses signs.
    pub guesses: Vec<Guess>,
    /// The first originals.
    #[serde(skip)]
    pub originals: Vec<Picture>,
    /// Their signs in the filter that divides the pictures best.
    #[serde(skip)]
    pub sign_maps: Vec<Picture>,
}

/// Attack a subject; `progress` hears what is going on.
///
/// # Errors
/// If a party aborts, or the judge's network does not fit the pictures.
pub fn attack(
    subject: &Subject,
    seed: u64,
    progress: &mut dyn FnMut(&str),
) -> Result<Attack, AuditError> {
    let layer = &subject.layer;
    progress("signs at the helper, known weights");
    let attacker = Attacker::new(subject, seed)?;
    let mut conditions = vec![attacker.with_known_weights()?];
    progress("signs at the helper, learned weights");
    conditions.push(attacker.with_learned_weights()?);
    progress("two thresholds of the sigmoid");
    conditions.push(attacker.on_sigmoids()?);
    progress("the two countermeasures");
    conditions.extend(attacker.on_disguised()?);
    progress("the product's comparison");
    let (condition, guesses) = attacker.on_the_product()?;
    conditions.push(condition);
    let map = most_balanced(layer, &attacker.leaks);
    let shown = attacker.leaks.iter().take(SHOWN);
    Ok(Attack {
        name: subject.name.clone(),
        network: subject.network.clone(),
        judge: subject.judge.name(),
        count: subject.victims.len(),
        originals_right: right(subject, &subject.victims)?,
        bits_per_picture: layer.outputs(),
        conditions,
        guesses,
        originals: subject.victims.iter().take(SHOWN).cloned().collect(),
        sign_maps: shown.map(|leak| sign_map(layer, leak, map)).collect(),
    })
}

/// The helper, with what it saw of the plain protocol and what it learned from public pictures.
struct Attacker<'a> {
    subject: &'a Subject,
    seed: u64,
    /// From signs to pixels.
    decoder: Decoder,
    /// What it saw of each victim.
    leaks: Vec<Leak>,
}

impl<'a> Attacker<'a> {
    fn new(subject: &'a Subject, seed: u64) -> Result<Self, AuditError> {
        let layer = &subject.layer;
        let simulated = simulate(subject, |picture| signs(&layer.apply(picture)));
        let mut attacker = Self {
            subject,
            seed,
            decoder: Decoder::fit(layer, &simulated, SAMPLES, seed),
            leaks: Vec::new(),
        };
        attacker.leaks = attacker.run_all(Follows::Relu, Disguise::None)?;
        Ok(attacker)
    }

    fn seed_of(&self, what: &str, i: usize) -> u64 {
        Random::of(self.seed ^ i as u64, what).word()
    }

    /// All victims' queries through the broken protocol.
    fn run_all(&self, follows: Follows, disguise: Disguise) -> Result<Vec<Leak>, AuditError> {
        each(&self.subject.victims, |i, victim| {
            let seed = self.seed_of("victims", i);
            leak::scsdf(&self.subject.layer, victim, follows, disguise, seed)
        })
    }

    fn with_known_weights(&self) -> Result<Condition, AuditError> {
        let layer = &self.subject.layer;
        let recovered = each(&self.leaks, |_, leak| {
            let maps = signs_of(leak);
            let guess = self.decoder.decode(layer, &maps);
            Ok(nearest_with_signs(layer, &maps, &guess))
        })?;
        let name = "SCSDF, ReLU, weights known";
        condition(
            self.subject,
            name,
            rate(&self.leaks),
            recovered,
            String::new(),
        )
    }

    /// A user who works with the helper asks about public pictures; the model is not needed.
    fn with_learned_weights(&self) -> Result<Condition, AuditError> {
        let layer = &self.subject.layer;
        let queries: Vec<Picture> = self.subject.public.iter().take(QUERIES).cloned().collect();
        let answers = each(&queries, |i, query| {
            let seed = self.seed_of("queries", i);
            leak::scsdf(layer, query, Follows::Relu, Disguise::None, seed)
        })?;
        let seen: Vec<(Picture, Maps)> = queries
            .into_iter()
            .zip(&answers)
            .map(|(query, leak)| (query, signs_of(leak)))
            .collect();
        let learned = learn::learned(layer, &seen, self.seed);
        let decoder = Decoder::fit(layer, &seen, SAMPLES, self.seed);
        let recovered = each(&self.leaks, |_, leak| {
            let maps = signs_of(leak);
            Ok(nearest_with_signs(
                &learned,
                &maps,
                &decoder.decode(layer, &maps),
            ))
        })?;
        let note = format!(
            "{} queries of one user; cosine of learned and served filters {:.3}",
            seen.len(),
            learn::likeness(&learned, layer)
        );
        let name = "SCSDF, ReLU, weights learned";
        condition(self.subject, name, rate(&self.leaks), recovered, note)
    }

    /// The sigmoid compares with two thresholds: two signs an activation.
    fn on_sigmoids(&self) -> Result<Condition, AuditError> {
        let both = self.subject.layer.with_thresholds(&[0.5, -0.5]);
        let simulated = simulate(self.subject, |picture| signs(&both.apply(picture)));
        let decoder = Decoder::fit(&both, &simulated, SAMPLES, self.seed);
        let leaks = self.run_all(Follows::Sigmoid, Disguise::None)?;
        let recovered = each(&leaks, |_, leak| {
            let maps = signs_of(leak);
            Ok(nearest_with_signs(
                &both,
                &maps,
                &decoder.decode(&both, &maps),
            ))
        })?;
        let name = "SCSDF, Sigmoid, weights known";
        condition(self.subject, name, rate(&leaks), recovered, String::new())
    }

    /// The two countermeasures: signs are hidden, magnitudes are not.
    fn on_disguised(&self) -> Result<Vec<Condition>, AuditError> {
        let (subject, layer) = (self.subject, &self.subject.layer);
        let mut random = Random::of(self.seed, "simulated factors");
        // The attacker knows how the factor is drawn: two uniform summands.
        let mut factor = || {
            let half = 1.0 + (1_u64 << (FACTOR_BITS - 1)) as f64;
            random.real(0.0, half) + random.real(0.0, half)
        };
        let unit = (-f64::from(leak::FRACTION_BITS)).exp2();
        let simulated = simulate(subject, |picture| {
            let outputs = layer.apply(picture);
            let seen = outputs.iter().map(|z| f64::from(z.abs()) / unit * factor());
            seen.map(magnitude).collect()
        });
        let decoder = Decoder::fit(layer, &simulated, SAMPLES, self.seed);
        let plain = "SCSDF, signs flipped: magnitudes";
        let shuffled = "SCSDF, flipped and shuffled";
        [
            (Disguise::Flip, plain),
            (Disguise::FlipAndShuffle, shuffled),
        ]
        .into_iter()
        .map(|(disguise, name)| {
            let leaks = self.run_all(Follows::Relu, disguise)?;
            let recovered = each(&leaks, |_, leak| {
                Ok(decoder.decode(layer, &magnitudes(&leak.opened)))
            })?;
            condition(subject, name, rate(&leaks), recovered, still_leaks(&leaks))
        })
        .collect()
    }

    fn on_the_product(&self) -> Result<(Condition, Vec<Guess>), AuditError> {
        let layer = &self.subject.layer;
        let victims = &self.subject.victims;
        let some = OURS
            .div_ceil(layer.outputs())
            .clamp(4, victims.len().max(4));
        let views = each(&victims[..some.min(victims.len())], |i, victim| {
            leak::ours(layer, victim, self.seed_of("ours", i))
        })?;
        let mut guesses = Vec::new();
        let mut at_evaluator = Vec::new();
        for party in Role::ALL {
            let (guess, signs) = guess::best_guess(&views, party);
            if party == Role::P2 {
                at_evaluator = signs;
            }
            guesses.push(guess);
        }
        let recovered = each(&at_evaluator, |_, guessed| {
            // No picture has these signs, so there is no nearest one.
            let maps: Maps = guessed
                .iter()
                .map(|&n| if n { -1.0 } else { 1.0 })
                .collect();
            Ok(self.decoder.decode(layer, &maps))
        })?;
        let rate = guesses.iter().map(|g| g.rate).fold(0.0, f64::max);
        let note = "party 2's best guess out of all bits it receives and all XORs of two";
        let name = "Trefoil, ReLU, weights known";
        let condition = condition(self.subject, name, rate, recovered, note.to_owned())?;
        Ok((condition, guesses))
    }
}

fn simulate(subject: &Subject, mut maps: impl FnMut(&Picture) -> Maps) -> Vec<(Picture, Maps)> {
    let pair = |picture: &Picture| (picture.clone(), maps(picture));
    subject.public.iter().map(pair).collect()
}

fn condition(
    subject: &Subject,
    name: &str,
    signs: f64,
    recovered: Vec<Picture>,
    note: String,
) -> Result<Condition, AuditError> {
    let pairs = || recovered.iter().zip(&subject.victims);
    let count = recovered.len().max(1) as f64;
    Ok(Condition {
        name: name.to_owned(),
        signs,
        psnr: pairs().map(|(a, b)| psnr(a, b)).sum::<f64>() / count,
        ssim: pairs().map(|(a, b)| ssim(a, b)).sum::<f64>() / count,
        right: right(subject, &recovered)?,
        note,
        pictures: recovered.into_iter().take(SHOWN).collect(),
    })
}

/// Share of pictures in which the judge sees what the originals show.
fn right(subject: &Subject, pictures: &[Picture]) -> Result<f64, AuditError> {
    let classes = each(pictures, |_, picture| subject.judge.class(picture))?;
    let hits = classes.iter().zip(&subject.labels).filter(|(a, b)| a == b);
    Ok(hits.count() as f64 / pictures.len().max(1) as f64)
}
