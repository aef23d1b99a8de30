//! Why a link ends.

/// Why nothing more comes. Final.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The peer has said goodbye.
    Goodbye,
    /// The connection ended or broke.
    Closed(String),
    /// TLS refuses what came.
    Tls(rustls::Error),
    /// A frame above the limit was announced.
    TooLarge(u64),
}

impl Failure {
    /// In words, for [`NetError::LinkDown`](crate::NetError::LinkDown).
    pub(crate) fn reason(&self, limit: u64) -> String {
        match self {
            Self::Goodbye => GOODBYE.into(),
            Self::Closed(reason) => reason.clone(),
            Self::Tls(error) => format!("TLS: {error}"),
            Self::TooLarge(bytes) => {
                format!("a frame of {bytes} bytes, above the limit of {limit}")
            }
        }
    }
}

/// A peer that was awaited has finished its run: the reason in [`NetError::LinkDown`](crate::NetError::LinkDown).
pub(crate) const GOODBYE: &str = "the peer has ended its run and said goodbye";
