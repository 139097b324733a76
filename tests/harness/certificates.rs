//! Real X.509 certificates for given names and dates, as a certificate authority would sign them.

use std::time::Duration;

use chrono::TimeDelta;
use licet_domain::clock::Instant;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};

/// The contents of a certificate.
pub(crate) struct Wanted<'a> {
    /// The common name comes first.
    pub(crate) names: &'a [String],
    pub(crate) not_before: Instant,
    pub(crate) not_after: Instant,
}

/// An authority that signs many leaves quickly, because all have one key.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    key: KeyPair,
}

/// A signed certificate.
pub(crate) struct Leaf {
    pub(crate) der: Vec<u8>,
    pub(crate) pem: String,
    pub(crate) serial_hex: String,
    /// The issuer's name.
    pub(crate) issuer_der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(common_name: &str) -> Self {
        let mut wanted = CertificateParams::new(Vec::new()).unwrap();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted.distinguished_name = DistinguishedName::new();
        wanted
            .distinguished_name
            .push(DnType::CommonName, common_name);
        wanted.not_before = rcgen::date_time_ymd(2020, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(2060, 1, 1);
        let issuer = CertifiedIssuer::self_signed(wanted, KeyPair::generate().unwrap()).unwrap();
        Self {
            issuer,
            key: KeyPair::generate().unwrap(),
        }
    }

    /// Signs a leaf with this serial, as PEM text.
    pub(crate) fn sign_as(&self, serial: [u8; 16], wanted: &Wanted<'_>) -> String {
        let mut leaf = CertificateParams::new(wanted.names.to_vec()).unwrap();
        leaf.distinguished_name = DistinguishedName::new();
        leaf.distinguished_name
            .push(DnType::CommonName, wanted.names[0].as_str());
        leaf.serial_number = Some(serial.to_vec().into());
        leaf.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(wanted.not_before);
        leaf.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(wanted.not_after);
        leaf.signed_by(&self.key, &self.issuer).unwrap().pem()
    }

    /// Signs a leaf with a new serial.
    pub(crate) fn sign(&self, names: &[String], not_before: Instant, not_after: Instant) -> Leaf {
        let serial = uuid::Uuid::new_v4();
        let mut leaf = CertificateParams::new(names.to_vec()).unwrap();
        leaf.distinguished_name = DistinguishedName::new();
        leaf.distinguished_name.push(DnType::CommonName, "leaf");
        leaf.serial_number = Some(serial.as_bytes().to_vec().into());
        leaf.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(not_before);
        leaf.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_epoch(not_after);
        let signed = leaf.signed_by(&self.key, &self.issuer).unwrap();
        let parsed = licet_domain::certificate::parse_chain(signed.der()).unwrap();
        Leaf {
            der: signed.der().to_vec(),
            pem: signed.pem(),
            serial_hex: parsed[0].serial_hex.clone(),
            issuer_der: parsed[0].issuer_der.clone(),
        }
    }
}

fn since_epoch(instant: Instant) -> Duration {
    Duration::from_micros(u64::try_from(instant.as_micros()).unwrap())
}

/// A chain of leaf and issuer as PEM text, for a validity of `days` from `now` on.
pub(crate) fn chain_for(names: &[String], now: Instant, days: i64) -> String {
    let not_after = now
        .checked_add(TimeDelta::days(days) - TimeDelta::seconds(1))
        .unwrap();
    chain(&Wanted {
        names,
        not_before: now,
        not_after,
    })
}

/// A chain of leaf and issuer as PEM text, for a new key.
pub(crate) fn chain(wanted: &Wanted<'_>) -> String {
    chain_of_key(wanted, &new_key())
}

pub(crate) fn new_key() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// A chain of leaf and issuer as PEM text, for this key.
pub(crate) fn chain_of_key(wanted: &Wanted<'_>, key: &KeyPair) -> String {
    chain_of(wanted, key, IsCa::NoCa)
}

/// A chain of leaf and issuer as PEM text, whose leaf has CA:TRUE or CA:FALSE.
pub(crate) fn chain_marked(wanted: &Wanted<'_>, is_authority: bool) -> String {
    let mark = match is_authority {
        true => IsCa::Ca(BasicConstraints::Unconstrained),
        false => IsCa::ExplicitNoCa,
    };
    chain_of(wanted, &new_key(), mark)
}

fn chain_of(wanted: &Wanted<'_>, key: &KeyPair, mark: IsCa) -> String {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "Licet Test Authority");
    authority.not_before = rcgen::date_time_ymd(2020, 1, 1);
    authority.not_after = rcgen::date_time_ymd(2060, 1, 1);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();

    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut leaf = CertificateParams::new(wanted.names.to_vec()).unwrap();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.distinguished_name
        .push(DnType::CommonName, wanted.names[0].as_str());
    // The default is a digest of the key, so two certificates for one key would be the same (SL-14).
    leaf.serial_number = Some(uuid::Uuid::new_v4().as_bytes().to_vec().into());
    leaf.is_ca = mark;
    leaf.not_before = epoch + since_epoch(wanted.not_before);
    leaf.not_after = epoch + since_epoch(wanted.not_after);
    let leaf = leaf.signed_by(key, &authority).unwrap();
    format!("{}{}", leaf.pem(), authority.pem())
}

/// A certificate signing request for the names with a new key, as PEM text.
pub(crate) fn signing_request(names: &[String]) -> String {
    signing_request_of_key(names, &new_key())
}

/// A certificate signing request for the names with this key, as PEM text.
pub(crate) fn signing_request_of_key(names: &[String], key: &KeyPair) -> String {
    let mut wanted = CertificateParams::new(names.to_vec()).unwrap();
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    wanted
        .distinguished_name
        .push(DnType::CommonName, names[0].as_str());
    wanted.serialize_request(key).unwrap().pem().unwrap()
}
