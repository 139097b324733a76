//! The data of SanLicensing's usage events (X-1).

use licet_domain::{
    clock::Instant,
    ids::{AccountId, CertificateId},
    revocation::RevocationReason,
};
use licet_runtime::{caller::Origin, follower::PeerEvent};
use serde::Deserialize;

use super::reading::{broken, parsed};

/// The type of the events about changed certificates and reservations of a licence.
pub const USAGE_CHANGED: &str = "licet.sanlicensing.usage.changed.v1";

/// The fields that this crate reads.
#[derive(Deserialize)]
struct UsageChanged {
    revoked: Vec<RevocationGroup>,
}

/// Certificates that one request revoked for one reason.
#[derive(Deserialize)]
struct RevocationGroup {
    certificate_ids: Vec<CertificateId>,
    reason: RevocationReason,
    #[serde(flatten)]
    origin: Origin,
}

/// A revocation in a SAN licence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The licence's account.
    pub account_id: AccountId,
    /// The certificate's id in SanLicensing.
    pub certificate_id: CertificateId,
    /// The reason.
    pub reason: RevocationReason,
    /// The decision time in SanLicensing.
    pub time: Instant,
    /// Who asked for it.
    pub origin: Origin,
}

/// The revocations in a usage event.
///
/// # Errors
/// A description of the invalid field.
pub fn revocations(event: &PeerEvent) -> Result<Vec<Revocation>, String> {
    let data: Result<UsageChanged, _> = serde_json::from_str(&event.data);
    let what = format!("event {}", event.id);
    let data = data.map_err(|error| broken(&what, error))?;
    let account_id = parsed(&what, &event.account_id)?;
    let each = data.revoked.into_iter().flat_map(|group| {
        let RevocationGroup {
            certificate_ids,
            reason,
            origin,
        } = group;
        let ids = certificate_ids.into_iter();
        ids.map(move |certificate_id| Revocation {
            account_id,
            certificate_id,
            reason,
            time: event.time,
            origin: origin.clone(),
        })
    });
    Ok(each.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_1_an_event_names_revoked_certificates_reason_and_caller() {
        let [one, two] = [CertificateId::generate(), CertificateId::generate()];
        let account_id = AccountId::generate();
        let time = "2026-03-01T00:00:00Z".parse().unwrap();
        let data = serde_json::json!({
            "granted": [],
            "revoked": [{
                "certificate_ids": [one, two],
                "reason": "KEY_COMPROMISE",
                "caller": "security",
                "method": "/m",
                "request_id": "r",
            }],
        });
        let mut event = PeerEvent {
            id: "evt_1".to_owned(),
            account_id: account_id.to_string(),
            time,
            data: data.to_string(),
        };
        let found = revocations(&event).unwrap();
        let ids: Vec<_> = found.iter().map(|found| found.certificate_id).collect();
        assert_eq!(ids, [one, two]);
        assert_eq!(found[1].account_id, account_id);
        assert_eq!(found[1].reason, RevocationReason::KeyCompromise);
        assert_eq!(found[1].time, time);
        let origin = &found[1].origin;
        assert_eq!(
            (origin.caller.as_str(), origin.method.as_str()),
            ("security", "/m")
        );
        let nobodys = PeerEvent {
            account_id: String::new(),
            ..event.clone()
        };
        assert!(revocations(&nobodys).is_err());
        event.data = "{}".to_owned();
        assert!(revocations(&event).is_err());
    }
}
