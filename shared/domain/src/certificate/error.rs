//! Why bytes cannot be read as certificates or requests.

/// Why bytes are no certificate chain or request; a sentence to put after a field's path. It quotes
/// names at most, and never the bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Nothing stands there.
    #[error("must not be empty: PEM or DER is expected")]
    Empty,
    /// Neither form.
    #[error("is neither PEM (no `-----BEGIN` line) nor DER")]
    NeitherPemNorDer,
    /// The armour around the DER is broken.
    #[error("has PEM that cannot be read: {0}")]
    BrokenPem(String),
    /// Something else than asked for, a private key for one.
    #[error("holds a PEM block of `{found}` where `{expected}` is expected")]
    WrongLabel {
        /// The label that stood there, shortened.
        found: String,
        /// The label that belongs there.
        expected: &'static str,
    },
    /// DER that is no such structure.
    #[error("{what} cannot be read: {part}: {detail}")]
    BrokenDer {
        /// Which one: `certificate 2` or `the request`.
        what: String,
        /// The part of it that is broken.
        part: &'static str,
        /// What broke.
        detail: String,
    },
    /// Certificates that do not follow one another.
    #[error(
        "certificate {position} was issued by `{issuer}`, but the one after it is `{subject}`: \
         the chain must start with the leaf, each followed by its issuer"
    )]
    BrokenChain {
        /// Which certificate, counted from 1.
        position: usize,
        /// Its issuer, shortened.
        issuer: String,
        /// The subject of the next one, shortened.
        subject: String,
    },
    /// More requests than one.
    #[error("holds {0} requests where one is expected")]
    SeveralRequests(usize),
}
