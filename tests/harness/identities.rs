//! Authorities and certificates of clients and services, as files, and channels that show them.

use std::path::{Path, PathBuf};

use licet_runtime::{peer::PeerChannel, tls::Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};

/// An authority of client certificates.
pub(crate) struct ClientAuthority(CertifiedIssuer<'static, KeyPair>);

/// The years of a certificate that is valid now.
pub(crate) const VALID: (i32, i32) = (2020, 2060);

impl ClientAuthority {
    pub(crate) fn new() -> Self {
        let mut wanted = params(VALID);
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(wanted, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes a certificate with these URIs, its key and the authority: the three files of `licet serve`.
    pub(crate) fn issue(
        &self,
        folder: &Path,
        file: &str,
        uris: &[&str],
        years: (i32, i32),
    ) -> [PathBuf; 3] {
        let mut wanted = params(years);
        let names = uris
            .iter()
            .map(|uri| SanType::URI((*uri).try_into().unwrap()));
        wanted.subject_alt_names = names.collect();
        if !uris.is_empty() {
            let loopback = SanType::IpAddress([127, 0, 0, 1].into());
            wanted.subject_alt_names.push(loopback);
        }
        let key = KeyPair::generate().unwrap();
        let signed = wanted.signed_by(&key, &self.0).unwrap();
        let files = ["pem", "key", "ca"].map(|kind| folder.join(format!("{file}.{kind}")));
        let texts = [signed.pem(), key.serialize_pem(), self.0.pem()];
        for (path, text) in files.iter().zip(texts) {
            replace(path, &text);
        }
        files
    }
}

fn params((from, to): (i32, i32)) -> CertificateParams {
    let mut wanted = CertificateParams::new(Vec::new()).unwrap();
    wanted.not_before = rcgen::date_time_ymd(from, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(to, 1, 1);
    wanted
}

/// Replaces a file at once, as a certificate manager does.
pub(crate) fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// A channel that shows a certificate.
pub(crate) fn channel(address: std::net::SocketAddr, tls: &Tls) -> PeerChannel {
    PeerChannel::open(&format!("https://{address}"), "test", Some(tls)).unwrap()
}
