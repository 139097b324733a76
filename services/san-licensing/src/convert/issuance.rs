//! Authorisations, their decisions, and reservations (SL-12).

use chrono::TimeDelta;
use licet_contracts::{Mutation, sanlicensing::v1 as wire};
use licet_domain::{
    clock::Instant,
    ids::{LicenseId, ReservationId},
    san::San,
};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    replay::fingerprint,
    wire::{decode_length, decode_time, encode_time},
};
use prost_types::Duration;
use uuid::Uuid;

use super::{
    certificate::decode_key_type, once::Respond, report::decode_second, san, weight::encode_weight,
};
use crate::{
    quota::command::{Authorize, Release},
    rules::{
        decision::{Decision, DenialReason, NextShortage},
        explanation,
        quota::authorize::{IssuanceRequest, must_end_after},
        reservation::{Reservation, ReservationState},
    },
};

/// The most distinct SANs of one request.
const MAX_SANS: usize = 200;
/// How long a reservation holds its SANs by default.
const DEFAULT_HOLD: TimeDelta = TimeDelta::minutes(15);
/// How long a reservation holds its SANs at most.
const LONGEST_HOLD: TimeDelta = TimeDelta::hours(24);

/// UUID namespace of decision ids.
const DECISIONS: Uuid = Uuid::from_u128(0x8d5c_1f6e_94b7_4a0b_9d27_51c3_6e80_f2a4);

/// The id of a request's decision, and of its reservation if granted. It is derived from caller, method and
/// `request_id`, so that a repeat finds the decision on any instance without a separate record (BL-2).
fn decision_id(caller: &str, method: &str, request_id: Uuid) -> Uuid {
    // The length prefixes separate caller and method.
    let name = format!(
        "{}:{caller}{}:{method}{request_id}",
        caller.len(),
        method.len()
    );
    Uuid::new_v5(&DECISIONS, name.as_bytes())
}

/// Decodes an authorisation.
pub(crate) fn decode_authorize(
    message: &wire::AuthorizeIssuanceRequest,
    call: &Call,
) -> Result<(LicenseId, Authorize), Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let product_id = fields.required("product_id", &message.product_id);
    fields.check("sans", !message.sans.is_empty(), "must not be empty");
    let sans = san::decode_requested(&mut fields, "sans", &message.sans, MAX_SANS);
    let key_type = match decode_key_type(message.key_type) {
        Ok(Some(key_type)) => Ok(key_type),
        Ok(None) => Err(fields.note("key_type", "is required")),
        Err(error) => Err(fields.note("key_type", error)),
    };
    let validity = decode_validity(&mut fields, message);
    let hold = fields.optional_message("hold_for", message.hold_for.as_ref(), decode_hold);
    fields.request_id(message);
    // A request without other violations may be a repeat of one that was in time (BL-2): the engine, which
    // knows, checks it.
    if let Ok((_, not_after)) = validity
        && !fields.is_clean()
    {
        let is_ahead = not_after > call.now;
        fields.check("not_after_time", is_ahead, &must_end_after(call.now));
    }
    fields.build(|| {
        let (not_before, not_after) = validity?;
        let sans = sans?;
        // Checked above to be a UUID.
        let request_id = message.request_id().parse().unwrap_or_default();
        let request = IssuanceRequest {
            id: decision_id(&call.caller.name, call.method, request_id),
            product_id: product_id?,
            sans: san::pack(&sans),
            has_wildcard: sans.iter().any(San::is_wildcard),
            key_type: key_type?,
            not_before,
            not_after,
            hold: hold?.unwrap_or(DEFAULT_HOLD),
            clock: call.now,
        };
        let fingerprint = fingerprint(message);
        Ok((
            license_id?,
            Authorize {
                request,
                fingerprint,
            },
        ))
    })
}

fn decode_validity(
    fields: &mut Fields,
    message: &wire::AuthorizeIssuanceRequest,
) -> Field<(Option<Instant>, Instant)> {
    let path = "not_after_time";
    let not_before = fields.optional_message(
        "not_before_time",
        message.not_before_time.as_ref(),
        decode_time,
    );
    let not_after = fields.message(path, message.not_after_time.as_ref(), decode_second)?;
    let not_before = not_before?;
    let in_order = not_before.is_none_or(|not_before| not_before <= not_after);
    fields.check(path, in_order, "must not be before not_before_time");
    Ok((not_before, not_after))
}

fn decode_hold(hold: &Duration) -> Result<TimeDelta, &'static str> {
    decode_length(hold)
        .filter(|length| *length <= LONGEST_HOLD)
        .ok_or("must be longer than zero and at most 24 hours")
}

/// Encodes a decision.
pub(crate) fn encode_decision(decision: &Decision) -> wire::AuthorizeIssuanceResponse {
    let (granted_or_denied, reservation_id) = if decision.is_granted() {
        let id = ReservationId::from_uuid(decision.id);
        (wire::AuthorizationDecision::Granted, id.to_string())
    } else {
        (wire::AuthorizationDecision::Denied, String::new())
    };
    wire::AuthorizeIssuanceResponse {
        decision: granted_or_denied.into(),
        reservation_id,
        expire_time: decision.expire.map(encode_time),
        reasons: decision
            .reasons
            .iter()
            .map(|reason| encode_reason(*reason).into())
            .collect(),
        quota: encode_weight(decision.quota),
        used: encode_weight(decision.used),
        reserved: encode_weight(decision.reserved),
        needed: encode_weight(decision.needed),
        short_by: encode_weight(decision.short_by),
        fits_time: decision.fits.map(encode_time),
        latest_not_after_time: decision.latest_not_after.map(encode_time),
        decision_time: Some(encode_time(decision.time)),
        explanation: explanation::explain(decision),
        rule_id: explanation::rule_id(decision).to_owned(),
        next_term: decision.next.as_ref().map(encode_next_shortage),
    }
}

fn encode_next_shortage(next: &NextShortage) -> wire::NextTermShortage {
    wire::NextTermShortage {
        start_time: Some(encode_time(next.start)),
        quota: encode_weight(next.quota),
        held: encode_weight(next.held),
        needed: encode_weight(next.needed),
        short_by: encode_weight(next.short_by()),
    }
}

fn encode_reason(reason: DenialReason) -> wire::DenialReason {
    match reason {
        DenialReason::LicenseNotActive => wire::DenialReason::LicenseNotActive,
        DenialReason::ProductNotLicensed => wire::DenialReason::ProductNotLicensed,
        DenialReason::WildcardNotAllowed => wire::DenialReason::WildcardNotAllowed,
        DenialReason::KeyTypeNotAllowed => wire::DenialReason::KeyTypeNotAllowed,
        DenialReason::ValidityTooLong => wire::DenialReason::ValidityTooLong,
        DenialReason::OutlivesLicense => wire::DenialReason::OutlivesLicense,
        DenialReason::QuotaExceeded => wire::DenialReason::QuotaExceeded,
        DenialReason::NextTermQuotaExceeded => wire::DenialReason::NextTermQuotaExceeded,
    }
}

/// Decodes the release of a reservation.
pub(crate) fn decode_release(
    message: &wire::ReleaseReservationRequest,
) -> Result<(LicenseId, Release), Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let reservation_id = fields.required("reservation_id", &message.reservation_id);
    fields.request_id(message);
    fields.build(|| {
        Ok((
            license_id?,
            Release {
                id: reservation_id?,
            },
        ))
    })
}

impl Respond for Release {
    type Response = wire::ReleaseReservationResponse;

    fn respond(reservation: &Reservation, now: Instant) -> Self::Response {
        wire::ReleaseReservationResponse {
            reservation: Some(encode_reservation(reservation, now)),
        }
    }
}

/// Encodes a reservation with its state at `now`.
pub(crate) fn encode_reservation(reservation: &Reservation, now: Instant) -> wire::Reservation {
    let state = match reservation.state(now) {
        ReservationState::Held => wire::ReservationState::Held,
        ReservationState::Recorded => wire::ReservationState::Recorded,
        ReservationState::Released => wire::ReservationState::Released,
        ReservationState::Expired => wire::ReservationState::Expired,
    };
    wire::Reservation {
        reservation_id: reservation.id.to_string(),
        license_id: reservation.license_id.to_string(),
        sans: san::encode_all(&reservation.sans),
        decide_time: Some(encode_time(reservation.decide_time)),
        expire_time: Some(encode_time(reservation.expire_time)),
        state: state.into(),
    }
}

#[cfg(test)]
mod tests {
    use licet_contracts::types::v1 as types;
    use licet_runtime::caller::{AccountScope, Caller};

    use super::*;

    const METHOD: &str = "/licet.sanlicensing.v1.IssuanceService/AuthorizeIssuance";

    fn at(seconds: i64) -> Instant {
        Instant::from_micros(seconds * 1_000_000).unwrap()
    }

    fn call() -> Call {
        Call {
            caller: Caller {
                name: "ca-1".to_owned(),
                front: None,
                roles: vec![],
                accounts: AccountScope::All,
            },
            now: at(1_000_000_000),
            method: METHOD,
            deadline: tokio::time::Instant::now(),
            stopped: tokio::sync::watch::channel(false).1,
            permit: None,
        }
    }

    fn message() -> wire::AuthorizeIssuanceRequest {
        let san = |value: &str| wire::San {
            r#type: wire::SanType::DnsName.into(),
            value: value.to_owned(),
        };
        wire::AuthorizeIssuanceRequest {
            license_id: LicenseId::generate().to_string(),
            product_id: "intranet-dv".to_owned(),
            sans: vec![san("Example.com"), san("example.com"), san("*.example.com")],
            key_type: types::KeyType::Ecc.into(),
            not_before_time: None,
            not_after_time: Some(encode_time(at(1_000_000_100))),
            hold_for: None,
            request_id: Uuid::new_v4().to_string(),
        }
    }

    fn decoded(message: &wire::AuthorizeIssuanceRequest) -> (IssuanceRequest, [u8; 32]) {
        let (_, command) = decode_authorize(message, &call()).unwrap();
        (command.request, command.fingerprint)
    }

    fn paths(message: &wire::AuthorizeIssuanceRequest) -> Vec<String> {
        match decode_authorize(message, &call()) {
            Ok(_) => vec![],
            Err(Fault::Invalid(found)) => {
                found.noted.into_iter().map(|noted| noted.field).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// SL-2: a repeated SAN is one; defaults are those of the contract.
    #[test]
    fn sl_12_a_request_is_read_with_its_defaults() {
        let (request, _) = decoded(&message());
        assert_eq!(
            request.sans,
            ["d:*.example.com".into(), "d:example.com".into()]
        );
        assert!(request.has_wildcard);
        assert_eq!(request.hold, TimeDelta::minutes(15));
        assert_eq!(request.not_after, at(1_000_000_100));
    }

    /// BL-2: a repeat has the same decision id; another body has another fingerprint.
    #[test]
    fn bl_2_a_repeat_names_the_same_decision() {
        let first = message();
        let (request, fingerprint) = decoded(&first);
        assert_eq!(decoded(&first).0.id, request.id);
        let shouted = wire::AuthorizeIssuanceRequest {
            request_id: first.request_id.to_uppercase(),
            ..first.clone()
        };
        assert_eq!(decoded(&shouted).0.id, request.id);
        let other = wire::AuthorizeIssuanceRequest {
            request_id: Uuid::new_v4().to_string(),
            ..first.clone()
        };
        let (again, same_body) = decoded(&other);
        assert!(again.id != request.id && same_body == fingerprint);
        let body = wire::AuthorizeIssuanceRequest {
            product_id: "other".to_owned(),
            ..first
        };
        assert!(decoded(&body).1 != fingerprint);
        let id = Uuid::new_v4();
        assert!(decision_id("a", "b", id) != decision_id("ab", "", id));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let wrong = wire::AuthorizeIssuanceRequest {
            license_id: "lic".to_owned(),
            product_id: String::new(),
            sans: vec![],
            key_type: 0,
            not_before_time: Some(encode_time(at(1_000_000_000))),
            not_after_time: Some(encode_time(at(999_999_999))),
            hold_for: Some(Duration::default()),
            request_id: "1".to_owned(),
        };
        assert_eq!(
            paths(&wrong),
            [
                "license_id",
                "product_id",
                "sans",
                "key_type",
                "not_after_time",
                "hold_for",
                "request_id",
                "not_after_time"
            ]
        );
    }

    #[test]
    fn an_endless_validity_is_taken_and_an_endless_hold_is_not() {
        // RFC 5280, 4.1.2.5: 9999-12-31T23:59:59Z means no expiry.
        let endless = wire::AuthorizeIssuanceRequest {
            not_after_time: Some(encode_time(at(253_402_300_799))),
            ..message()
        };
        assert!(paths(&endless).is_empty());
        for (seconds, nanos, passes) in [
            (0, 999, false),
            (0, 1000, true),
            (86_400, 0, true),
            (86_400, 1, false),
            (-1, 0, false),
            (1, -1, false),
            (i64::MAX, 0, false),
        ] {
            let hold = Duration { seconds, nanos };
            assert_eq!(decode_hold(&hold).is_ok(), passes, "{hold:?}");
        }
    }
}
