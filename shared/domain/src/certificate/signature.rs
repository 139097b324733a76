//! The proof of possession in a request (RFC 2986): its signature by its own key. Without it, anybody
//! could get a certificate for somebody else's key.

use der::{Decode, asn1::ObjectIdentifier};
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use ring::signature::{
    ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512,
    UnparsedPublicKey, VerificationAlgorithm,
};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::{
    elements::{BIT_STRING, OBJECT_IDENTIFIER, SEQUENCE, within},
    parsed::{KeyKind, ParsedRequest},
};

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const ECDSA_SHA224: ObjectIdentifier = oid("1.2.840.10045.4.3.1");
const ECDSA_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = oid("1.2.840.10045.4.3.4");
const RSA_SHA256: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = oid("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = oid("1.2.840.113549.1.1.13");
const RSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");
const PURE_ED25519: ObjectIdentifier = oid("1.3.101.112");

/// Octets of the field of P-521, which is longer than twice the shortest digest.
const P_521_OCTETS: usize = 66;
/// The sizes of RSA keys whose signatures are verified, in bits.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=8192;

/// Why a request proves no possession. The message follows a field's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The key in the request did not sign it.
    #[error(
        "is not signed by the key in it, so it does not prove possession of the private key \
         (RFC 2986): create the request again and sign it with that private key"
    )]
    NotByItsKey,
    /// A signature that cannot be verified here.
    #[error(
        "is signed by an unsupported algorithm: use SHA-256, SHA-384 or SHA-512; for RSA, a key of \
         at most 8192 bits with PKCS #1 v1.5, or PSS with a salt as long as the digest"
    )]
    UnknownAlgorithm,
}

impl ParsedRequest {
    /// Verifies that the key in the request signed it. Skips keys that cannot be ordered, and Ed448,
    /// which no dependency can verify.
    ///
    /// # Errors
    /// If the signature is wrong, or of an unsupported algorithm.
    pub fn verify_signature(&self) -> Result<(), SignatureError> {
        let kind = self.key.kind;
        let is_verifiable = match kind {
            KeyKind::Rsa => self.key.bits >= *RSA_BITS.start(),
            KeyKind::Ec => self.key.bits > 0,
            KeyKind::Ed25519 => true,
            KeyKind::Ed448 | KeyKind::Other => false,
        };
        if !is_verifiable {
            return Ok(());
        }
        let signed = SignedRequest::read(&self.der).ok_or(SignatureError::NotByItsKey)?;
        match (kind, signed.algorithm) {
            (KeyKind::Rsa, _) if !RSA_BITS.contains(&self.key.bits) => {
                Err(SignatureError::UnknownAlgorithm)
            }
            (KeyKind::Rsa, RSA_SHA256) => signed.verify(&[&RSA_PKCS1_2048_8192_SHA256]),
            (KeyKind::Rsa, RSA_SHA384) => signed.verify(&[&RSA_PKCS1_2048_8192_SHA384]),
            (KeyKind::Rsa, RSA_SHA512) => signed.verify(&[&RSA_PKCS1_2048_8192_SHA512]),
            // The digest is in the parameters; try each instead of parsing them.
            (KeyKind::Rsa, RSA_PSS) => signed.verify(&[
                &RSA_PSS_2048_8192_SHA256,
                &RSA_PSS_2048_8192_SHA384,
                &RSA_PSS_2048_8192_SHA512,
            ]),
            (KeyKind::Ed25519, PURE_ED25519) => signed.verify(&[&ED25519]),
            (KeyKind::Ec, ECDSA_SHA224) => signed.verify_ecdsa::<Sha224>(self.key.bits),
            (KeyKind::Ec, ECDSA_SHA256) => signed.verify_ecdsa::<Sha256>(self.key.bits),
            (KeyKind::Ec, ECDSA_SHA384) => signed.verify_ecdsa::<Sha384>(self.key.bits),
            (KeyKind::Ec, ECDSA_SHA512) => signed.verify_ecdsa::<Sha512>(self.key.bits),
            (_, _) => Err(SignatureError::UnknownAlgorithm),
        }
    }
}

/// The parts of a request that its signature involves.
struct SignedRequest<'a> {
    /// The signed octets, exactly as in the request.
    message: &'a [u8],
    algorithm: ObjectIdentifier,
    signature: &'a [u8],
    /// The key's octets, without its algorithm.
    public_key: Vec<u8>,
}

impl<'a> SignedRequest<'a> {
    fn read(document: &'a [u8]) -> Option<Self> {
        let mut outer = within(SEQUENCE, document).ok()?;
        let info = outer.take(SEQUENCE).ok()?;
        let mut algorithm = within(SEQUENCE, outer.take(SEQUENCE).ok()?.whole).ok()?;
        let algorithm = algorithm.take(OBJECT_IDENTIFIER).ok()?;
        // The first octet is the number of unused bits, 0 in a signature.
        let signature = outer.take(BIT_STRING).ok()?.content.strip_prefix(&[0])?;
        let mut parts = within(SEQUENCE, info.whole).ok()?;
        parts.next().ok()??;
        parts.take(SEQUENCE).ok()?;
        let key = parts.take(SEQUENCE).ok()?;
        let key = SubjectPublicKeyInfoRef::from_der(key.whole).ok()?;
        Some(Self {
            message: info.whole,
            algorithm: ObjectIdentifier::from_bytes(algorithm.content).ok()?,
            signature,
            public_key: key.subject_public_key.raw_bytes().to_vec(),
        })
    }

    fn verify(&self, by: &[&'static dyn VerificationAlgorithm]) -> Result<(), SignatureError> {
        let is_good = by.iter().any(|algorithm| {
            let key = UnparsedPublicKey::new(*algorithm, &self.public_key);
            key.verify(self.message, self.signature).is_ok()
        });
        is_good.then_some(()).ok_or(SignatureError::NotByItsKey)
    }

    fn verify_ecdsa<D: Digest>(&self, bits: u32) -> Result<(), SignatureError> {
        let digest = D::digest(self.message);
        let (key, digest) = (self.public_key.as_slice(), &digest[..]);
        let is_good = match bits {
            256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(key).and_then(|key| {
                let signature = p256::ecdsa::Signature::from_der(self.signature)?;
                key.verify_prehash(digest, &signature)
            }),
            384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(key).and_then(|key| {
                let signature = p384::ecdsa::Signature::from_der(self.signature)?;
                key.verify_prehash(digest, &signature)
            }),
            521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(key).and_then(|key| {
                let signature = p521::ecdsa::Signature::from_der(self.signature)?;
                // A shorter digest is the same number with leading zeros.
                let mut whole = vec![0; P_521_OCTETS.saturating_sub(digest.len())];
                whole.extend_from_slice(digest);
                key.verify_prehash(&whole, &signature)
            }),
            _ => return Err(SignatureError::UnknownAlgorithm),
        };
        is_good.map_err(|_| SignatureError::NotByItsKey)
    }
}
