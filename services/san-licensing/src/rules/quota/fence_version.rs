//! Versions of a licence's fence. The database may lose commits (a lossy failover, a restored backup) and
//! count the same numbers again: only the nonce tells two such versions apart.

use std::fmt::{self, Display};

use uuid::Uuid;

/// A version of a fence: its number, and the nonce of the run of moves that it belongs to.
///
/// Invariant: no two moves have the same number and nonce, though the first of them be lost. So a process
/// draws a nonce whenever it did not make the move before, or does not know that it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FenceVersion {
    pub(crate) number: i64,
    pub(crate) nonce: Nonce,
}

impl FenceVersion {
    /// The version of a new fence.
    pub(crate) fn first() -> Self {
        Self {
            number: 1,
            nonce: Nonce::draw(),
        }
    }
}

/// 62 random bits; written as sixteen hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nonce(u64);

impl Nonce {
    pub(crate) fn draw() -> Self {
        Self(Uuid::new_v4().as_u64_pair().1)
    }

    /// `None` unless `text` is hexadecimal.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

impl Display for Nonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}
