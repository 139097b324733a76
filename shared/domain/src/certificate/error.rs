//! Errors of parsing certificates and requests.

/// Why bytes cannot be parsed as a certificate chain or request. The message follows a field's path; it
/// quotes names at most, never the bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Empty.
    #[error("must not be empty: expected PEM or DER")]
    Empty,
    /// Neither PEM nor DER.
    #[error("is neither PEM (no `-----BEGIN` line) nor DER")]
    NeitherPemNorDer,
    /// Malformed PEM.
    #[error("contains malformed PEM: {0}")]
    BrokenPem(String),
    /// A private key, sent by mistake.
    #[error(
        "contains a private key, which must not leave its owner: nothing of it was stored; send the \
         certificate or the request alone, and replace the key"
    )]
    PrivateKey,
    /// A PEM block of another kind.
    #[error("contains a PEM block `{found}` instead of `{expected}`")]
    WrongLabel {
        /// The label found, shortened.
        found: String,
        /// The expected label.
        expected: &'static str,
    },
    /// DER of another structure.
    #[error("cannot parse {what}: {part}: {detail}")]
    BrokenDer {
        /// The document: `certificate 2` or `the request`.
        what: String,
        /// The broken part.
        part: &'static str,
        /// The error.
        detail: String,
    },
    /// Certificates that do not form a chain.
    #[error(
        "certificate {position} was issued by `{issuer}`, but the next certificate is `{subject}`: \
         start with the leaf, and follow each certificate by its issuer's"
    )]
    BrokenChain {
        /// The certificate, counted from 1.
        position: usize,
        /// Its issuer, shortened.
        issuer: String,
        /// The subject of the next certificate, shortened.
        subject: String,
    },
    /// More than one request.
    #[error("contains {0} requests instead of one")]
    SeveralRequests(usize),
}
