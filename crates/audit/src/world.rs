//! Three parties in one process: the corrupt one's shares and keys fixed, the others' key varied.

use crate::recorder::{Received, Record, Recorder};
use crate::{AuditError, Random};
use std::cell::RefCell;
use std::thread;
use std::time::Duration;
use trefoil_mpc::{Abort, BitShare, Party, PartyConfig, Share};
use trefoil_net::{Branch, MemoryTransport, Role, Tag, memory_mesh};
use trefoil_ring::{Ring, Seed};

/// Longest wait for any one message: a protocol that hangs is reported, not waited for.
const TIMEOUT: Duration = Duration::from_mins(1);
/// The session of every run: branches, and with them streams of keys, are named alike in all runs.
const SESSION: [u8; 16] = *b"trefoil audit 01";
/// Runs whose links are made at once.
const CHUNK: usize = 64;

/// Secret inputs of a protocol: shape and values of each.
pub type Secret<R> = Vec<(Vec<usize>, Vec<R>)>;

/// What a protocol has opened to the party that returns it, in the order of its messages of step `Open`: the
/// party's shares of the opened values. Empty for a protocol that opens nothing.
pub type Opened<R> = Vec<OpenedShare<R>>;

/// A party's share of a value that was opened to it.
#[derive(Clone, Debug)]
pub enum OpenedShare<R> {
    /// Of ring elements.
    Elements(Share<R>),
    /// Of bits.
    Bits(BitShare),
}

/// Which keys are drawn anew for each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vary {
    /// Only what the corrupt party does not know: the others' key and private randomness. The audit's setting.
    Others,
    /// All keys, and the shares. A mistake: it hides a missing mask. Kept to show that it does.
    Everything,
}

/// Keys of one run.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    /// Shared by parties `i` and `i + 1`.
    edges: [[u8; 16]; 3],
    /// Of each party alone: no protocol of the product has one, SCSDF does.
    private: [[u8; 16]; 3],
}

/// One experiment: a corrupt party, a secret, and many runs that differ in what that party cannot know.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The party whose view is recorded.
    pub corrupt: Role,
    /// Everything of the experiment follows from it.
    pub seed: u64,
    /// Which of the two secrets, 0 or 1.
    pub secret: usize,
    /// Runs.
    pub runs: usize,
    /// What differs between them.
    pub vary: Vary,
}

impl Setup {
    fn keys(&self) -> impl Iterator<Item = Keys> {
        let mut fixed = Random::of(self.seed, "keys of the corrupt party");
        let base = Keys {
            edges: [fixed.key(), fixed.key(), fixed.key()],
            private: [fixed.key(), fixed.key(), fixed.key()],
        };
        let purpose = [
            "keys of the others, secret 0",
            "keys of the others, secret 1",
        ];
        let mut varied = Random::of(self.seed, purpose[self.secret & 1]);
        let (corrupt, vary) = (self.corrupt, self.vary);
        (0..self.runs).map(move |_| {
            let mut keys = base;
            keys.edges[corrupt.next().index()] = varied.key();
            keys.private[corrupt.next().index()] = varied.key();
            keys.private[corrupt.prev().index()] = varied.key();
            if vary == Vary::Everything {
                keys.edges[corrupt.index()] = varied.key();
                keys.edges[corrupt.prev().index()] = varied.key();
                keys.private[corrupt.index()] = varied.key();
            }
            keys
        })
    }

    /// Shares of the secret: the corrupt party's two components are the same for both secrets (and for all runs,
    /// but for [`Vary::Everything`]); the third makes up the difference.
    fn shares<R: Ring>(&self, secret: &Secret<R>, run: usize) -> [Vec<Share<R>>; 3] {
        let mut random = Random::of(self.seed, "components of the corrupt party");
        if self.vary == Vary::Everything {
            random = Random::of(self.seed ^ (2 * run + self.secret + 1) as u64, "components");
        }
        let mut parties: [Vec<Share<R>>; 3] = Default::default();
        for (shape, values) in secret {
            let mut components: [Vec<R>; 3] = Default::default();
            let (mine, next) = (self.corrupt.index(), self.corrupt.next().index());
            components[mine] = random.elements(values.len());
            components[next] = random.elements(values.len());
            components[self.corrupt.prev().index()] = values
                .iter()
                .zip(components[mine].iter().zip(&components[next]))
                .map(|(&v, (&a, &b))| v - a - b)
                .collect();
            for (i, party) in parties.iter_mut().enumerate() {
                let (mine, next) = (components[i].clone(), components[(i + 1) % 3].clone());
                party.push(Share::new(shape, mine, next));
            }
        }
        parties
    }
}

/// A party's private randomness and its shares, as a protocol gets them, and its channel to the client.
pub struct Inputs<R> {
    /// Shares of the secret inputs.
    pub shares: Vec<Share<R>>,
    /// A key that this party alone knows.
    pub private: Seed,
    /// Where this party's answers go.
    pub client: Client,
}

/// A party's channel to the client, which records what is sent.
///
/// The model lets a corrupt party conspire with any client: what the two other parties send to it belongs to the corrupt
/// party's view.
#[derive(Default)]
pub struct Client {
    sent: RefCell<Vec<Vec<u8>>>,
}

impl Client {
    /// Answer with the share of an output, as the service does.
    pub fn answer<R: Ring>(&self, output: &Share<R>) {
        for component in trefoil_mpc::answer(output) {
            self.send(bytemuck::cast_slice(component).to_vec());
        }
    }

    /// Send anything.
    pub fn send(&self, payload: Vec<u8>) {
        self.sent.borrow_mut().push(payload);
    }
}

/// The tag of what is sent to a client, in a view: no step of a protocol has it.
pub(crate) const TO_CLIENT: Tag = Tag(u16::MAX);

/// What party `from` sent to the client in one run, as it shows in a view.
fn to_client(from: Role, sent: Vec<Vec<u8>>) -> impl Iterator<Item = Received> {
    let numbered = sent.into_iter().zip(0..);
    numbered.map(move |(payload, number)| Received {
        from,
        branch: Branch(*b"to a client "),
        number,
        tag: TO_CLIENT,
        payload,
    })
}

/// What the corrupt party received in one run, what the others sent to the client, and what was opened.
pub(crate) struct View<R> {
    pub(crate) role: Role,
    pub(crate) messages: Vec<Received>,
    pub(crate) opened: Opened<R>,
}

/// Run `protocol` as often as `setup` says and return the corrupt party's views.
///
/// # Errors
/// If a party aborts.
pub(crate) fn views<R: Ring>(
    name: &str,
    setup: &Setup,
    secret: &Secret<R>,
    protocol: &(impl AsyncFn(&Party, &Inputs<R>) -> Result<Opened<R>, Abort> + Sync),
) -> Result<Vec<View<R>>, AuditError> {
    let keys: Vec<Keys> = setup.keys().collect();
    let mut all = Vec::with_capacity(setup.runs);
    for (chunk, keys) in keys.chunks(CHUNK).enumerate() {
        all.extend(some_views(
            name,
            setup,
            secret,
            chunk * CHUNK,
            keys,
            protocol,
        )?);
    }
    Ok(all)
}

/// The views of the runs from number `first` on, one for each of `keys`.
fn some_views<R: Ring>(
    name: &str,
    setup: &Setup,
    secret: &Secret<R>,
    first: usize,
    keys: &[Keys],
    protocol: &(impl AsyncFn(&Party, &Inputs<R>) -> Result<Opened<R>, Abort> + Sync),
) -> Result<Vec<View<R>>, AuditError> {
    let mut ends: [Vec<MemoryTransport>; 3] = Default::default();
    for _ in keys {
        for (end, ends) in memory_mesh().into_iter().zip(&mut ends) {
            ends.push(end);
        }
    }
    let program = |role: Role, ends: Vec<MemoryTransport>| {
        let (mut views, mut answers) = (Vec::new(), Vec::new());
        for (run, (end, keys)) in ends.into_iter().zip(keys).enumerate() {
            let [a, b, c] = setup.shares(secret, first + run);
            let inputs = Inputs {
                shares: [a, b, c].into_iter().nth(role.index()).unwrap_or_default(),
                private: Seed(keys.private[role.index()]),
                client: Client::default(),
            };
            let config = config(role, keys);
            let aborted = |source| AuditError::Aborted {
                protocol: name.to_owned(),
                role,
                source,
            };
            if role != setup.corrupt {
                let party = Party::new(config, Box::new(end));
                complete(&party, &inputs, protocol).map_err(aborted)?;
                answers.push(inputs.client.sent.into_inner());
                continue;
            }
            let (recorder, record) = Recorder::new(end);
            let party = Party::new(config, Box::new(recorder));
            let opened = complete(&party, &inputs, protocol).map_err(aborted)?;
            views.push(View {
                role,
                messages: messages(name, role, &record)?,
                opened,
            });
        }
        Ok((views, answers))
    };
    let program = &program;
    let done: Vec<Result<Program<R>, AuditError>> = thread::scope(|scope| {
        let threads: Vec<_> = Role::ALL
            .into_iter()
            .zip(ends)
            .map(|(role, ends)| scope.spawn(move || program(role, ends)))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    let mut views = Vec::new();
    let mut answers = Vec::new();
    let mut failure = None;
    for (role, result) in Role::ALL.into_iter().zip(done) {
        match result {
            Ok((some, sent)) => {
                views.extend(some);
                answers.push((role, sent));
            }
            // Who failed first is not known; a peer's report of a broken link is the lesser news.
            Err(error) => {
                let link = |e: &AuditError| {
                    matches!(
                        e,
                        AuditError::Aborted {
                            source: Abort::Link { .. },
                            ..
                        }
                    )
                };
                if failure.as_ref().is_none_or(link) {
                    failure = Some(error);
                }
            }
        }
    }
    for (role, sent) in answers {
        for (view, sent) in views.iter_mut().zip(sent) {
            view.messages.extend(to_client(role, sent));
        }
    }
    failure.map_or(Ok(views), Err)
}

/// What a party's program leaves behind, by run: its views if it is the corrupt one, else what it sent to the client.
type Program<R> = (Vec<View<R>>, Vec<Vec<Vec<u8>>>);

fn complete<R: Ring>(
    party: &Party,
    inputs: &Inputs<R>,
    protocol: &impl AsyncFn(&Party, &Inputs<R>) -> Result<Opened<R>, Abort>,
) -> Result<Opened<R>, Abort> {
    let opened = party.run(async |party| protocol(party, inputs).await)?;
    party.finish()?;
    Ok(opened)
}

fn messages(name: &str, role: Role, record: &Record) -> Result<Vec<Received>, AuditError> {
    record.messages().map_err(|bytes| AuditError::Malformed {
        protocol: name.to_owned(),
        role,
        bytes,
    })
}

fn config(role: Role, keys: &Keys) -> PartyConfig {
    let mut seeds = [None, None, None];
    seeds[role.next().index()] = Some(Seed(keys.edges[role.index()]));
    seeds[role.prev().index()] = Some(Seed(keys.edges[role.prev().index()]));
    PartyConfig {
        role,
        session: SESSION,
        seeds,
        timeout: TIMEOUT,
    }
}
