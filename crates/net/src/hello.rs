//! The first frame of each side: who speaks to whom, in which session, about which plan.

use crate::Role;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Version of everything that goes over a connection. Only equal versions talk to each other.
pub const PROTOCOL_VERSION: u32 = 4;

/// Largest frame accepted before the peer is known.
pub(crate) const HELLO_LIMIT: u64 = 1024;

const MAGIC: &[u8; 8] = b"TREFOIL\n";

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Peer {
    /// A computing party.
    Party(Role),
    /// Who brings a model or a query.
    Client,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Party(role) => role.fmt(f),
            Self::Client => f.write_str("a client"),
        }
    }
}

/// What each side says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the sender.
    pub version: u32,
    /// The session; drawn at random for each.
    pub session: [u8; 16],
    /// The sender.
    pub from: Peer,
    /// Whom the sender believes to speak to.
    pub to: Peer,
    /// Hash of the public plan to be run.
    pub plan_hash: [u8; 32],
}

impl Hello {
    /// A hello of this version.
    pub fn new(from: Peer, to: Peer, session: [u8; 16], plan_hash: [u8; 32]) -> Self {
        Self {
            version: PROTOCOL_VERSION,
            session,
            from,
            to,
            plan_hash,
        }
    }
}

/// What an accepting party expects of a [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The party itself.
    pub role: Role,
    /// Who may connect now.
    pub expected: Vec<Peer>,
    /// The session; `None` takes any, for the caller to look at.
    pub session: Option<[u8; 16]>,
    /// The plan; `None` takes any, for the caller to look at.
    pub plan_hash: Option<[u8; 32]>,
}

impl Terms {
    /// Compares; the most telling difference is reported.
    pub(crate) fn check(&self, hello: &Hello) -> Result<(), Mismatch> {
        let own = Peer::Party(self.role);
        if hello.to != own {
            return Err(Mismatch::Receiver {
                expected: own,
                actual: hello.to,
            });
        }
        if hello.from == Peer::Client && !self.expected.contains(&Peer::Client) {
            return Err(Mismatch::Busy);
        }
        if !self.expected.contains(&hello.from) {
            return Err(Mismatch::Unexpected { from: hello.from });
        }
        compare_run(
            (
                self.session.unwrap_or(hello.session),
                self.plan_hash.unwrap_or(hello.plan_hash),
            ),
            hello,
        )
    }

    /// The answer to a hello that fits.
    pub(crate) fn answer(&self, hello: &Hello) -> Hello {
        Hello::new(
            Peer::Party(self.role),
            hello.from,
            hello.session,
            hello.plan_hash,
        )
    }
}

/// What a dialer expects of the answer to its `own` hello.
pub(crate) fn check_answer(own: &Hello, answer: &Hello) -> Result<(), Mismatch> {
    if answer.from != own.to {
        return Err(Mismatch::Sender {
            expected: own.to,
            actual: answer.from,
        });
    }
    if answer.to != own.from {
        return Err(Mismatch::Receiver {
            expected: own.from,
            actual: answer.to,
        });
    }
    compare_run((own.session, own.plan_hash), answer)
}

fn compare_run((session, plan): ([u8; 16], [u8; 32]), hello: &Hello) -> Result<(), Mismatch> {
    if hello.session != session {
        return Err(Mismatch::Session {
            expected: session,
            actual: hello.session,
        });
    }
    if hello.plan_hash != plan {
        return Err(Mismatch::Plan {
            expected: plan,
            actual: hello.plan_hash,
        });
    }
    Ok(())
}

/// In what a hello differs from what its reader expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// Another protocol version.
    #[error(
        "it speaks protocol version {actual}, expected {expected}: install the same release everywhere"
    )]
    Version {
        /// The reader's.
        expected: u32,
        /// The sender's.
        actual: u32,
    },
    /// Meant for somebody else.
    #[error("it was looking for {actual}, but this is {expected}: check the addresses")]
    Receiver {
        /// The reader.
        expected: Peer,
        /// Whom the sender addressed.
        actual: Peer,
    },
    /// An answer from somebody else.
    #[error("it is {actual}, expected {expected}: check the addresses")]
    Sender {
        /// Who was dialed.
        expected: Peer,
        /// Who answered.
        actual: Peer,
    },
    /// The certificate's pin is set, but for another role.
    #[error("it claims to be {claimed}, but its certificate is not the one pinned for that")]
    Identity {
        /// The claim.
        claimed: Peer,
    },
    /// A client came while another one's session runs.
    #[error("it is busy with another session: ask again when that has ended")]
    Busy,
    /// Nobody waits for this sender, or it is connected already.
    #[error("{from} is not expected to connect now")]
    Unexpected {
        /// The sender.
        from: Peer,
    },
    /// Another session.
    #[error("its session is {}, expected {}", hex(.actual), hex(.expected))]
    Session {
        /// The reader's.
        expected: [u8; 16],
        /// The sender's.
        actual: [u8; 16],
    },
    /// Another plan: model, shapes, formats or batch differ.
    #[error(
        "its plan has the hash {}, expected {}: the model's architecture or the settings differ",
        hex(.actual), hex(.expected)
    )]
    Plan {
        /// The reader's.
        expected: [u8; 32],
        /// The sender's.
        actual: [u8; 32],
    },
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// What a first frame may hold.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Greeting {
    Hello(Hello),
    Rejected(Mismatch),
    /// Of another version, so nothing else in it can be read.
    OtherVersion(u32),
}

#[derive(Serialize, Deserialize)]
enum Wire {
    Hello {
        session: [u8; 16],
        from: Peer,
        to: Peer,
        plan_hash: [u8; 32],
    },
    Rejected(Mismatch),
}

impl Greeting {
    /// Magic, version (little-endian `u32`), then a postcard body that belongs to the version.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (version, wire) = match self {
            Self::Hello(hello) => {
                let Hello {
                    version,
                    session,
                    from,
                    to,
                    plan_hash,
                } = *hello;
                (
                    version,
                    Some(Wire::Hello {
                        session,
                        from,
                        to,
                        plan_hash,
                    }),
                )
            }
            Self::Rejected(mismatch) => (PROTOCOL_VERSION, Some(Wire::Rejected(*mismatch))),
            Self::OtherVersion(version) => (*version, None),
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&version.to_le_bytes());
        // Arrays and small enums into a vector: nothing that could fail.
        bytes.extend(
            wire.and_then(|wire| postcard::to_stdvec(&wire).ok())
                .unwrap_or_default(),
        );
        bytes
    }

    /// `None` for what is no greeting.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (version, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
        let version = u32::from_le_bytes(*version);
        if version != PROTOCOL_VERSION {
            return Some(Self::OtherVersion(version));
        }
        let (wire, rest) = postcard::take_from_bytes(body).ok()?;
        if !rest.is_empty() {
            return None;
        }
        Some(match wire {
            Wire::Hello {
                session,
                from,
                to,
                plan_hash,
            } => Self::Hello(Hello {
                version,
                session,
                from,
                to,
                plan_hash,
            }),
            Wire::Rejected(mismatch) => Self::Rejected(mismatch),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello() -> Hello {
        Hello::new(
            Peer::Party(Role::P2),
            Peer::Party(Role::P0),
            [7; 16],
            [9; 32],
        )
    }

    #[test]
    fn greetings_survive_the_wire() {
        let mismatch = Mismatch::Plan {
            expected: [1; 32],
            actual: [2; 32],
        };
        for greeting in [Greeting::Hello(hello()), Greeting::Rejected(mismatch)] {
            let bytes = greeting.encode();
            assert!(bytes.len() as u64 <= HELLO_LIMIT);
            assert_eq!(Greeting::decode(&[&bytes[..], &[0]].concat()), None);
            for cut in 0..bytes.len() {
                assert_eq!(Greeting::decode(&bytes[..cut]), None);
            }
            assert_eq!(Greeting::decode(&bytes), Some(greeting));
        }
        let other = Greeting::Hello(Hello {
            version: 9,
            ..hello()
        });
        assert_eq!(
            Greeting::decode(&other.encode()),
            Some(Greeting::OtherVersion(9))
        );
    }

    #[test]
    fn terms_name_what_differs() {
        let expected = vec![Peer::Party(Role::P2)];
        let (session, plan_hash) = (Some([7; 16]), Some([9; 32]));
        let terms = Terms {
            role: Role::P0,
            expected,
            session,
            plan_hash,
        };
        assert_eq!(terms.check(&hello()), Ok(()));
        let told = |hello: Hello| terms.check(&hello).unwrap_err().to_string();
        assert!(
            told(Hello {
                to: Peer::Party(Role::P1),
                ..hello()
            })
            .contains("this is party 0")
        );
        assert!(
            told(Hello {
                from: Peer::Client,
                ..hello()
            })
            .contains("busy")
        );
        assert!(
            told(Hello {
                session: [8; 16],
                ..hello()
            })
            .contains("expected 0707")
        );
        assert!(
            told(Hello {
                plan_hash: [8; 32],
                ..hello()
            })
            .contains("hash 0808")
        );
        let any = Terms {
            session: None,
            plan_hash: None,
            ..terms
        };
        assert_eq!(
            any.check(&Hello {
                session: [8; 16],
                plan_hash: [8; 32],
                ..hello()
            }),
            Ok(())
        );
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes: Vec<u8>) {
            let _ = Greeting::decode(&bytes);
            let prefixed = [MAGIC, &PROTOCOL_VERSION.to_le_bytes()[..], &bytes].concat();
            let _ = Greeting::decode(&prefixed);
        }
    }
}
