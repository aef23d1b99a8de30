//! **Insecure on purpose.** The 2+1-party framework SCSDF (ESORICS 2020), as the attack needs it.
//!
//! Parties 0 and 1 hold additive shares of a value, party 2 helps: it deals multiplication triples and takes
//! signs. Its `DReLU` shows that helper a positive multiple of the input, so the sign of every activation of a network
//! is in the helper's hands (Wei et al., "Privacy Leakage in Privacy-Preserving Neural Network Inference", ESORICS
//! 2022); [`crate::attack`] turns these signs into pictures.
//!
//! The full text of the protocols was not at hand. This is the structure that the published break describes: a
//! shared positive random factor, a product by a triple from the helper, both shares of the product sent to the
//! helper, whose sign comes back as shares; the sigmoid compares `x ± 1/2` in the same way. The two partial
//! countermeasures are here as well ([`Disguise`]), because they leak too.
//!
//! Nothing of this may be used: it exists so that the audit can be seen to find what is wrong with it.

mod activation;
mod linear;
mod network;

pub use activation::{Disguise, drelu, relu, sigmoid};
pub use linear::{bilinear, mul, truncate};
pub use network::{Activation, Dense, infer};

use crate::finding::Test;
use crate::session::Received;
use crate::world::{Inputs, Secret};
use crate::{Entry, Mutant, Random};
use std::cell::Cell;
use trefoil_mpc::{Abort, MessageKind, Party};
use trefoil_net::Role;
use trefoil_ring::{Prg, Ring, Seed, Z64};

/// The party that deals triples and takes signs.
pub const HELPER: Role = Role::P2;
/// Bits of the positive factor that hides magnitudes. A value of up to 30 bits times it stays below `2^62`.
pub const FACTOR_BITS: u32 = 31;
/// The kind of message in which shares of masked values travel to the helper.
const TO_HELPER: MessageKind = MessageKind::Input;

/// One party of the framework. Parties 0 and 1 hold additive shares, as slices; the helper's are empty.
pub struct Framework<'a> {
    party: &'a Party,
    private: Prg,
    position: Cell<u32>,
}

impl<'a> Framework<'a> {
    /// `party` with a key for its own randomness.
    pub fn new(party: &'a Party, private: &Seed) -> Self {
        Self {
            party,
            private: Prg::new(private),
            position: Cell::new(0),
        }
    }

    /// This party's role.
    pub fn role(&self) -> Role {
        self.party.role()
    }

    fn helps(&self) -> bool {
        self.role() == HELPER
    }

    /// The other one of parties 0 and 1.
    fn partner(&self) -> Role {
        if self.role() == Role::P0 {
            Role::P1
        } else {
            Role::P0
        }
    }

    /// `len` words that this party alone knows.
    fn own_words(&self, len: usize) -> Vec<u64> {
        let mut words = vec![0; len];
        let position = self.position.get();
        self.position.set(
            self.private
                .fill_words(*b"SCSDF own   ", position, &mut words),
        );
        words
    }

    fn post(&self, to: Role, kind: MessageKind, elements: &[Z64]) {
        self.party
            .post(to, kind, bytemuck::cast_slice(elements).to_vec());
    }

    async fn take(&self, from: Role, kind: MessageKind, len: usize) -> Result<Vec<Z64>, Abort> {
        let bytes = self.party.take(from, kind, len * Z64::BYTES).await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }
}

/// What the helper opens: the sums of the two shares of each masked value that it received, in the order of the
/// comparisons. `received` are the messages that a recorder at the helper saw.
pub fn opened_by_helper(received: &[Received]) -> Vec<Vec<i64>> {
    let from = |role: Role| {
        received
            .iter()
            .filter(move |m| m.from == role && m.tag == TO_HELPER.tag())
            .map(|m| bytemuck::pod_collect_to_vec::<u8, Z64>(&m.payload))
    };
    let both = from(Role::P0).zip(from(Role::P1));
    both.map(|(a, b)| a.iter().zip(b).map(|(&a, b)| (a + b).to_i64()).collect())
        .collect()
}

/// The framework's comparison, plain and with both countermeasures, as controls of the audit.
pub(crate) fn controls() -> Vec<Mutant> {
    let control = |name, disguise, mistake| Mutant {
        entry: Entry::new::<Z64>(name, &[], numbers, async move |p, x| {
            compare(p, x, disguise).await
        }),
        mistake,
        noticed_by: Test::Pairs,
    };
    vec![
        control(
            "insecure: SCSDF's DReLU",
            Disguise::None,
            "the helper opens a positive multiple of the input",
        ),
        control(
            "insecure: SCSDF's DReLU, sign flipped",
            Disguise::Flip,
            "the helper opens a multiple of the input of secret sign: zero and magnitude show",
        ),
        control(
            "insecure: SCSDF's DReLU, flipped and shuffled",
            Disguise::FlipAndShuffle,
            "the helper opens multiples of the inputs in a secret order: how many are zero, and all magnitudes show",
        ),
    ]
}

async fn compare(party: &Party, inputs: &Inputs<Z64>, disguise: Disguise) -> Result<(), Abort> {
    let framework = Framework::new(party, &inputs.private);
    // Additive shares between parties 0 and 1 from the audit's replicated ones: x_0 + x_1 and x_2.
    let share = &inputs.shares[0];
    let own: Vec<Z64> = match party.role() {
        Role::P0 => share
            .mine()
            .iter()
            .zip(share.next())
            .map(|(a, b)| a + b)
            .collect(),
        Role::P1 => share.next().to_vec(),
        Role::P2 => Vec::new(),
    };
    drelu(&framework, &own, share.len(), disguise)
        .await
        .map(drop)
}

/// Numbers of up to 30 bits, and the same with the other sign.
fn numbers(random: &mut Random) -> [Secret<Z64>; 2] {
    let values: Vec<Z64> = (0..8)
        .map(|_| Z64::from_i64(random.word() as i64 >> 34))
        .collect();
    let negated = values.iter().map(|&v| -v).collect();
    [vec![(vec![8], values)], vec![(vec![8], negated)]]
}
