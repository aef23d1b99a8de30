//! The attack on the product's own comparison: every bit that a party receives, and every XOR of two, is tried as a
//! guess of the sign.

use super::leak::Views;
use crate::statistics::wilson;
use serde::Serialize;
use trefoil_net::Role;
use trefoil_ring::Bits;

/// Confidence of the stated interval.
const CONFIDENCE: f64 = 0.999;

/// How well a party of the product guesses signs.
#[derive(Clone, Debug, Serialize)]
pub struct Guess {
    /// The party.
    pub party: Role,
    /// Guesses tried: bits of its view that belong to an activation, and XORs of two.
    pub candidates: usize,
    /// Activations on which the best one was tested; it was chosen on others.
    pub tested: usize,
    /// Share of them whose sign it told.
    pub rate: f64,
    /// 99.9 % interval of that share around what guessing gives if nothing leaks, 1/2.
    pub chance: [f64; 2],
}

impl Guess {
    /// In words.
    pub fn sentence(&self) -> String {
        if self.candidates == 0 {
            return format!("{} receives nothing to guess by", self.party);
        }
        format!(
            "{}: the best of {} guesses tells {:.2} % of {} signs (chance: {:.2} to {:.2} %)",
            self.party,
            self.candidates,
            100.0 * self.rate,
            self.tested,
            100.0 * self.chance[0],
            100.0 * self.chance[1]
        )
    }

    /// Whether the rate is what chance gives.
    pub fn is_chance(&self) -> bool {
        (self.chance[0]..=self.chance[1]).contains(&self.rate)
    }
}

/// Bits that a party can read off its view for each of the activations, one vector a candidate.
pub(crate) fn candidates(views: &Views, party: Role) -> Vec<Bits> {
    let len = views.negative.len();
    let mut all = Vec::new();
    for message in &views.received[party.index()] {
        let bytes = &message.payload;
        let bit = |at: usize| bytes[at / 8] >> (at % 8) & 1 == 1;
        let bits = 8 * bytes.len();
        if bits >= 64 * len {
            // Elements, one or several a value: top and lowest bit.
            for part in 0..bits / (64 * len) {
                for within in [0, 63] {
                    all.push(
                        (0..len)
                            .map(|i| bit((part * len + i) * 64 + within))
                            .collect(),
                    );
                }
            }
        } else {
            // Packed planes of a bit a value.
            for plane in 0..bits / len {
                all.push((0..len).map(|i| bit(plane * len + i)).collect());
            }
        }
    }
    all
}

/// Choose the candidate that tells signs best on the first half of `pictures`, and test it on the second.
///
/// The sign itself is hidden from the choice of what to flip: a candidate that is always wrong counts as right.
pub(crate) fn best_guess(pictures: &[Views], party: Role) -> (Guess, Vec<Vec<bool>>) {
    let (train, test) = pictures.split_at(pictures.len().div_ceil(2));
    let width = pictures
        .first()
        .map_or(0, |views| candidates(views, party).len());
    let count = width * (width + 1) / 2;
    let mut agree = vec![0_usize; count];
    let mut trained = 0;
    for views in train {
        let own = candidates(views, party);
        let signs: Bits = views.negative.iter().copied().collect();
        trained += signs.len();
        for (i, (a, b)) in pairs(width).enumerate() {
            agree[i] += signs.len() - differing(&own, a, b, &signs);
        }
    }
    let advantage = |&i: &usize| agree[i].abs_diff(trained - agree[i]);
    let best = (0..count).max_by_key(advantage);
    let (mut hits, mut tested) = (0, 0);
    let mut guesses = Vec::new();
    for (number, views) in pictures.iter().enumerate() {
        let len = views.negative.len();
        let guess: Vec<bool> = match best {
            Some(best) => {
                let own = candidates(views, party);
                let (a, b) = pairs(width).nth(best).unwrap_or_default();
                let flip = 2 * agree[best] < trained;
                let value = |i: usize| own[a].get(i) ^ (a != b && own[b].get(i)) ^ flip;
                (0..len).map(value).collect()
            }
            // A party that receives nothing has nothing to go by.
            None => vec![false; len],
        };
        if number >= train.len() && !test.is_empty() && best.is_some() {
            tested += len;
            let right = guess.iter().zip(&views.negative);
            hits += right.filter(|(a, b)| a == b).count();
        }
        guesses.push(guess);
    }
    let guess = Guess {
        party,
        candidates: count,
        tested,
        rate: if tested == 0 {
            0.5
        } else {
            hits as f64 / tested as f64
        },
        chance: wilson(tested / 2, tested, CONFIDENCE),
    };
    (guess, guesses)
}

fn pairs(width: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..width).flat_map(|a| (0..=a).map(move |b| (a, b)))
}

/// Places where candidate `a` (XOR `b`, if another) differs from `signs`.
fn differing(own: &[Bits], a: usize, b: usize, signs: &Bits) -> usize {
    let mut count = 0;
    for (i, sign) in signs.words().iter().enumerate() {
        let other = if a == b { 0 } else { own[b].words()[i] };
        count += (own[a].words()[i] ^ other ^ sign).count_ones() as usize;
    }
    count
}
