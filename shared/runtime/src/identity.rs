//! Who is at the other end of a connection, as its client certificate says (RFC 5280, 4.2.1.6).

use std::{net::SocketAddr, sync::Arc};

use sha2::{Digest as _, Sha256};
use x509_cert::{
    Certificate,
    der::Decode as _,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// `None` on a plaintext connection.
    pub(crate) certificate: Option<Arc<ClientCertificate>>,
}

/// What identifies the holder of a client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// The URI and DNS names in its SAN extension. A SPIFFE id is a URI.
    pub(crate) names: Vec<String>,
    /// The SHA-256 of its DER, in lower-case hexadecimal.
    pub(crate) fingerprint: String,
}

impl ClientCertificate {
    /// Reads a certificate that TLS has verified. One that cannot be read has no names.
    pub(crate) fn of(der: &[u8]) -> Self {
        let certificate = Certificate::from_der(der).ok();
        let extension = certificate.as_ref().and_then(|certificate| {
            let found = certificate
                .tbs_certificate()
                .get_extension::<SubjectAltName>();
            found.ok().flatten()
        });
        let names = extension.map(|(_, extension)| names(&extension));
        Self {
            names: names.unwrap_or_default(),
            fingerprint: hex::encode(Sha256::digest(der)),
        }
    }

    /// The certificate in a log line or an error: its first name, or its fingerprint.
    pub(crate) fn label(&self) -> &str {
        self.names.first().unwrap_or(&self.fingerprint)
    }
}

fn names(extension: &SubjectAltName) -> Vec<String> {
    let names = extension.0.iter().filter_map(|name| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
        GeneralName::DnsName(name) => Some(name.as_str().to_ascii_lowercase()),
        GeneralName::OtherName(_)
        | GeneralName::Rfc822Name(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::IpAddress(_)
        | GeneralName::RegisteredId(_) => None,
    });
    names.collect()
}
