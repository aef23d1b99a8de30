//! Seeds beside what they mask: whatever a party saw may be the key of the pad of something else that it saw.

use crate::Random;
use crate::finding::{Finding, Test, finding};
use crate::repeats::{Changes, poisson_tail};
use crate::sample::COMPARED;
use crate::sample::{Layout, Sample, Word};
use std::collections::HashMap;
use trefoil_ring::{Prg, Seed};

/// Windows of a view that are tried as seeds: those at the ends of messages first, then any.
const WINDOWS: usize = 4096;
/// Bytes of each expansion: whoever masks with a generator begins at its start.
const EXPANSION: usize = 64;
/// What a seed expands to.
type Pad = [u8; EXPANSION];
/// Bytes of the generator's seed, and of a seed of BLAKE3.
const LENGTHS: [usize; 2] = [16, 32];
/// The streams of the generator that are tried beside the branch of the message that holds the window.
const STREAMS: [[u8; 12]; 2] = [[0; 12], *b"client share"];

/// Expand 16 and 32 bytes from everywhere in a view as seeds, and look for the expansion as a pad: a received word
/// that changes between runs as the expansion does, so that without it (added, subtracted or by XOR) it is a constant.
///
/// The words' own uniformity says nothing here: seed and masked value are uniform each, and unrelated in any linear way.
pub(crate) fn seeds(sample: &Sample, layout: &Layout, random: &mut Random) -> Finding {
    let views = sample.first();
    let mut words: HashMap<Changes, Word> = HashMap::new();
    for word in layout.words.iter().filter(|word| word.bytes >= 4) {
        let changes = Changes::of(word.bytes, views.map(|view| word.of(view)));
        // A constant is under no mask: other tests see it.
        let changes = changes.into_iter().filter(|changes| !changes.none());
        words.extend(changes.map(|changes| (changes, *word)));
    }
    // The lengths of words that occur, but for those at ends of messages.
    let lengths: Vec<usize> = [8, 4]
        .into_iter()
        .filter(|&bytes| layout.words.iter().any(|word| word.bytes == bytes))
        .collect();
    let (mut events, mut expected, mut tried) = (0_usize, 0.0, 0_usize);
    let mut place = None;
    for window in windows(sample, random) {
        let branch = sample.shapes[0][window.message].branch;
        for pads in window.expansions(&views, branch) {
            tried += 1;
            for (&bytes, at) in lengths
                .iter()
                .flat_map(|bytes| (0..EXPANSION).step_by(*bytes).map(move |at| (bytes, at)))
            {
                let value = |pad: &[u8; EXPANSION]| {
                    let mut word = [0; 8];
                    word[..bytes].copy_from_slice(&pad[at..at + bytes]);
                    u64::from_le_bytes(word)
                };
                expected += words.len() as f64 * Changes::chance(bytes);
                for changes in Changes::of(bytes, pads.each_ref().map(value)) {
                    if let Some(word) = words.get(&changes) {
                        events += 1;
                        place.get_or_insert((window, *word));
                    }
                }
            }
        }
    }
    let text = match place {
        None => format!("{tried} expansions mask nothing"),
        Some((
            Window {
                bytes, at, message, ..
            },
            word,
        )) => format!(
            "{bytes} bytes from byte {at} of message {message} ({}) expand to the mask of {}",
            sample.origin(message),
            sample.place(&word)
        ),
    };
    let effect = if events == 0 { 0.0 } else { 1.0 };
    finding(Test::Seeds, poisson_tail(events, expected), effect, 1, text)
}

/// Some bytes of a message, tried as a seed.
#[derive(Clone, Copy)]
struct Window {
    message: usize,
    /// First byte in the message.
    at: usize,
    /// First byte in the view.
    start: usize,
    bytes: usize,
}

impl Window {
    /// What the generators of this project make of the window in each view: per generator and stream one pad a view.
    fn expansions(&self, views: &[&Vec<u8>; COMPARED], branch: [u8; 12]) -> Vec<[Pad; COMPARED]> {
        let seeds = views.map(|view| &view[self.start..self.start + self.bytes]);
        if self.bytes == 32 {
            return vec![seeds.map(|seed| {
                let mut pad = [0; EXPANSION];
                let mut hasher = blake3::Hasher::new();
                hasher.update(seed);
                hasher.finalize_xof().fill(&mut pad);
                pad
            })];
        }
        let streams = STREAMS.into_iter().chain([branch]);
        let pads = |stream| {
            seeds.map(|seed| {
                let mut pad = [0; EXPANSION];
                let key = Seed(std::array::from_fn(|i| seed[i]));
                Prg::new(&key).fill(stream, 0, &mut pad);
                pad
            })
        };
        streams.map(pads).collect()
    }
}

/// The windows that are tried: all if they are few, else those at the ends of messages and some between.
fn windows(sample: &Sample, random: &mut Random) -> Vec<Window> {
    let (mut ends, mut between) = (Vec::new(), Vec::new());
    for &(message, start, len) in &sample.spans {
        for bytes in LENGTHS {
            for at in 0..=len.saturating_sub(bytes) {
                if at + bytes > len {
                    continue;
                }
                let window = Window {
                    message,
                    at,
                    start: start + at,
                    bytes,
                };
                if at == 0 || at + bytes == len {
                    ends.push(window);
                } else {
                    between.push(window);
                }
            }
        }
    }
    let some = random.choose(WINDOWS, ends.len());
    let more = random.choose(WINDOWS - some.len(), between.len());
    let some = some.into_iter().map(|i| ends[i]);
    some.chain(more.into_iter().map(|i| between[i])).collect()
}
