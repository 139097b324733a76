//! What SanLicensing's events say of certificates (X-1).

use licet_contracts::events::v1::Event;
use licet_domain::ids::CertificateId;
use licet_runtime::{caller::Origin, wire::decode_time};
use serde::Deserialize;

use crate::rules::{revocation::Reported, san_license::RevocationReason};

/// The event of a licence whose certificates or reservations changed.
pub(crate) const USAGE_CHANGED: &str = "licet.sanlicensing.usage.changed.v1";

/// Of its data what matters here.
#[derive(Deserialize)]
struct UsageChanged {
    revoked: Vec<Revoked>,
}

/// Certificates that one caller revoked for one reason.
#[derive(Deserialize)]
struct Revoked {
    certificate_ids: Vec<CertificateId>,
    reason: RevocationReason,
    #[serde(flatten)]
    origin: Origin,
}

/// The revocations of a usage event, each with whoever asked for it.
pub(crate) fn revocations(event: &Event) -> Result<Vec<(Reported, Origin)>, String> {
    let broken = |error: &dyn std::fmt::Display| {
        let what = format!("event {}", event.id);
        super::broken("SanLicensing", &what, error)
    };
    let time = event.time.as_ref().ok_or_else(|| broken(&"no time"))?;
    let san_revoke_time = decode_time(time).map_err(|error| broken(&error))?;
    let data: UsageChanged =
        serde_json::from_str(&event.text_data).map_err(|error| broken(&error))?;
    let each = data.revoked.into_iter().flat_map(|together| {
        let Revoked {
            certificate_ids,
            reason,
            origin,
        } = together;
        certificate_ids.into_iter().map(move |san_certificate_id| {
            let reported = Reported {
                san_certificate_id,
                reason,
                san_revoke_time,
            };
            (reported, origin.clone())
        })
    });
    Ok(each.collect())
}

#[cfg(test)]
mod tests {
    use licet_runtime::wire::encode_time;

    use super::*;
    use crate::rules::samples::instant;

    #[test]
    fn x_1_an_event_says_what_was_revoked_why_and_by_whom() {
        let [one, two] = [CertificateId::generate(), CertificateId::generate()];
        let time = instant("2026-03-01T00:00:00Z");
        let mut event = Event {
            time: Some(encode_time(time)),
            text_data: serde_json::json!({
                "granted": [],
                "revoked": [{
                    "certificate_ids": [one, two],
                    "reason": "KEY_COMPROMISE",
                    "caller": "security",
                    "method": "/m",
                    "request_id": "r",
                }],
            })
            .to_string(),
            ..Event::default()
        };
        let found = revocations(&event).unwrap();
        let ids: Vec<_> = found
            .iter()
            .map(|(reported, _)| reported.san_certificate_id)
            .collect();
        assert_eq!(ids, [one, two]);
        let (reported, origin) = &found[1];
        assert_eq!(reported.reason, RevocationReason::KeyCompromise);
        assert_eq!(reported.san_revoke_time, time);
        assert_eq!(
            (origin.caller.as_str(), origin.method.as_str()),
            ("security", "/m")
        );
        event.text_data = "{}".to_owned();
        assert!(revocations(&event).is_err());
    }
}
