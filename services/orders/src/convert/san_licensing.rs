//! What is asked of SanLicensing, and what of its answers decides about an order.

use licet_contracts::{orders::v1 as orders, sanlicensing::v1 as san, types::v1::KeyType};
use licet_domain::{
    certificate::{KeyKind, parse_request},
    clock::Instant,
    ids::{LicenseId, OrderId, ReservationId},
    san::{San, SanType},
    term::Period,
};
use licet_runtime::{
    fault::Fault,
    field::Fields,
    wire::{decode_time, encode_time},
};

use crate::rules::{
    order::Order,
    san_license::{Counted, License, Return, RevocationReason},
};

/// What the certificate authority is about to sign.
#[derive(Debug, Clone)]
pub(crate) struct BeginWish {
    pub(crate) order_id: OrderId,
    pub(crate) key_type: Option<KeyType>,
    pub(crate) not_after: Option<Instant>,
}

/// Reads the request to begin an issuance.
pub(crate) fn decode_begin(message: &orders::BeginIssuanceRequest) -> Result<BeginWish, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let key_type = match KeyType::try_from(message.key_type) {
        Ok(KeyType::Unspecified) => Ok(None),
        Ok(given @ (KeyType::Rsa | KeyType::Ecc | KeyType::Ed25519 | KeyType::Ed448)) => {
            Ok(Some(given))
        }
        Err(_) => Err(fields.note("key_type", "is no family of keys")),
    };
    let not_after = message.not_after_time.as_ref();
    let not_after = fields.optional_message("not_after_time", not_after, decode_time);
    fields.request_id(message);
    fields.build(|| {
        Ok(BeginWish {
            order_id: order_id?,
            key_type: key_type?,
            not_after: not_after?,
        })
    })
}

/// The question whether the certificate that the order waits for may be signed (SL-12): all its
/// names, the family of the CSR's key where there is one, and its end.
pub(crate) fn authorize_question(
    order: &Order,
    license_id: LicenseId,
    wish: &BeginWish,
    now: Instant,
) -> Result<san::AuthorizeIssuanceRequest, Fault> {
    let of_csr = csr_key_type(order)?;
    let mut fields = Fields::new();
    let key_type = match (wish.key_type, of_csr) {
        (Some(given), Some(own)) if given != own => Err(fields.note(
            "key_type",
            "is not the family of the key in the order's CSR",
        )),
        (Some(known), _) | (None, Some(known)) => Ok(known),
        (None, None) => Err(fields.note(
            "key_type",
            "is required: the order draws on a SAN licence and has no CSR that says it",
        )),
    };
    let not_after = match wish.not_after {
        Some(end) if end > now => Ok(end),
        Some(_) => Err(fields.note("not_after_time", format!("must be after {now}"))),
        None => Err(fields.note(
            "not_after_time",
            "is required: the order draws on a SAN licence",
        )),
    };
    let product_id = product_id(order)?;
    fields.build(|| {
        Ok(san::AuthorizeIssuanceRequest {
            license_id: license_id.to_string(),
            product_id,
            sans: order.wanted_names().iter().map(encode_san).collect(),
            key_type: key_type?.into(),
            not_before_time: None,
            not_after_time: Some(encode_time(not_after?)),
            hold_for: None,
            request_id: String::new(),
        })
    })
}

fn csr_key_type(order: &Order) -> Result<Option<KeyType>, Fault> {
    let Some(request) = &order.signing_request else {
        return Ok(None);
    };
    let parsed = parse_request(request.pem.as_bytes()).map_err(Fault::internal)?;
    Ok(match parsed.key.kind {
        KeyKind::Rsa => Some(KeyType::Rsa),
        KeyKind::Ec => Some(KeyType::Ecc),
        KeyKind::Ed25519 => Some(KeyType::Ed25519),
        KeyKind::Ed448 => Some(KeyType::Ed448),
        KeyKind::Other => None,
    })
}

fn product_id(order: &Order) -> Result<String, Fault> {
    let product_id = order.sold()?.san_product_id.as_ref();
    product_id.map(ToString::to_string).ok_or_else(|| {
        Fault::internal(format!(
            "order {} was sold without its licence's product",
            order.id
        ))
    })
}

fn encode_san(name: &San) -> san::San {
    let kind = match name.kind() {
        SanType::DnsName => san::SanType::DnsName,
        SanType::IpAddress => san::SanType::IpAddress,
        SanType::Rfc822Name => san::SanType::Rfc822Name,
        SanType::Upn => san::SanType::Upn,
    };
    san::San {
        r#type: kind.into(),
        value: name.value().to_owned(),
    }
}

/// The report of a certificate that was signed for the order, with the reservation that it uses.
pub(crate) fn record_question(
    order: &Order,
    der: &[u8],
) -> Result<san::RecordCertificateRequest, Fault> {
    use san::record_certificate_request::Certificate;
    Ok(san::RecordCertificateRequest {
        account_id: order.account_id.to_string(),
        product_id: product_id(order)?,
        certificate: Some(Certificate::CertificateDer(der.to_vec())),
        reservation_id: order
            .reservation_id
            .map_or_else(String::new, |id| id.to_string()),
        request_id: String::new(),
    })
}

/// Why a certificate is revoked.
pub(crate) fn encode_reason(reason: RevocationReason) -> san::RevocationReason {
    match reason {
        RevocationReason::Unspecified => san::RevocationReason::Unspecified,
        RevocationReason::KeyCompromise => san::RevocationReason::KeyCompromise,
        RevocationReason::CaCompromise => san::RevocationReason::CaCompromise,
        RevocationReason::AffiliationChanged => san::RevocationReason::AffiliationChanged,
        RevocationReason::Superseded => san::RevocationReason::Superseded,
        RevocationReason::CessationOfOperation => san::RevocationReason::CessationOfOperation,
        RevocationReason::PrivilegeWithdrawn => san::RevocationReason::PrivilegeWithdrawn,
        RevocationReason::AaCompromise => san::RevocationReason::AaCompromise,
    }
}

/// The revocation of one certificate.
pub(crate) fn revoke_question(back: &Return) -> san::RevokeCertificatesRequest {
    let reason = encode_reason(back.reason);
    san::RevokeCertificatesRequest {
        license_id: back.counted.license_id.to_string(),
        certificate_ids: vec![back.counted.certificate_id.to_string()],
        reason: reason.into(),
        ..san::RevokeCertificatesRequest::default()
    }
}

/// The facts of a licence that orders decide with.
pub(crate) fn license(message: &san::License) -> Result<License, String> {
    let state = message.state().as_str_name();
    let state = state.strip_prefix("LICENSE_STATE_").unwrap_or(state);
    let terms = message.past_terms.iter().chain(&message.term);
    let periods = terms.filter_map(|term| in_force(term).transpose());
    Ok(License {
        id: parsed("licence", &message.license_id)?,
        account_id: parsed("licence", &message.account_id)?,
        state: parsed("licence", state)?,
        products: message
            .product_ids
            .iter()
            .map(|id| parsed("licence", id))
            .collect::<Result<_, _>>()?,
        periods: periods.collect::<Result<_, _>>()?,
    })
}

/// When a term is in force: one that was bought late, from its purchase on.
fn in_force(term: &san::LicenseTerm) -> Result<Option<Period>, String> {
    let Some(period) = &term.period else {
        return Ok(None);
    };
    let instant = |time: Option<&prost_types::Timestamp>| {
        let time = time.ok_or_else(|| broken("licence", "its term has no bounds"))?;
        decode_time(time).map_err(|error| broken("licence", error))
    };
    let start = term
        .bought_late_time
        .as_ref()
        .or(period.start_time.as_ref());
    let (start, end) = (instant(start)?, instant(period.end_time.as_ref())?);
    let period = Period::new(start, end);
    let period = period.ok_or_else(|| broken("licence", "its term ends as it starts"))?;
    Ok(Some(period))
}

/// The reservation of a decision; none for a denial.
pub(crate) fn granted(
    answer: &san::AuthorizeIssuanceResponse,
) -> Result<Option<ReservationId>, String> {
    use san::AuthorizationDecision as Decision;
    match answer.decision() {
        Decision::Granted => parsed("decision", &answer.reservation_id).map(Some),
        Decision::Denied => Ok(None),
        Decision::Unspecified => Err(broken("decision", "neither granted nor denied")),
    }
}

/// Where a recorded certificate counts; none where no licence covers it (SL-16).
pub(crate) fn counted(message: &san::Certificate) -> Result<Option<Counted>, String> {
    if message.license_id.is_empty() {
        return Ok(None);
    }
    Ok(Some(Counted {
        license_id: parsed("certificate", &message.license_id)?,
        certificate_id: parsed("certificate", &message.certificate_id)?,
    }))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    what: &str,
    text: &str,
) -> Result<T, String> {
    text.parse().map_err(|error| broken(what, error))
}

fn broken(what: &str, error: impl std::fmt::Display) -> String {
    super::broken("SanLicensing", what, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        samples::{instant, order},
        san_license::LicenseState,
    };

    fn wish(key_type: Option<KeyType>, not_after: Option<&str>) -> BeginWish {
        BeginWish {
            order_id: OrderId::generate(),
            key_type,
            not_after: not_after.map(instant),
        }
    }

    fn invalid(fault: Fault) -> Vec<String> {
        let Fault::Invalid(violations) = fault else {
            panic!("{fault:?}")
        };
        violations
            .noted
            .into_iter()
            .map(|noted| noted.field)
            .collect()
    }

    #[test]
    fn x_4_all_waiting_names_are_asked_for_at_once() {
        let mut order = order(&["example.com", "*.example.com"]);
        let license_id = LicenseId::generate();
        order.san_license_id = Some(license_id);
        order.term.sold.as_mut().unwrap().san_product_id = Some("intranet-dv".parse().unwrap());
        let now = order.create_time;
        let good = wish(Some(KeyType::Ecc), Some("2026-03-01T00:00:00Z"));
        let question = authorize_question(&order, license_id, &good, now).unwrap();
        let values: Vec<_> = question
            .sans
            .iter()
            .map(|name| name.value.as_str())
            .collect();
        assert_eq!(values, ["*.example.com", "example.com"]);
        assert_eq!(question.product_id, "intranet-dv");
        assert_eq!(question.key_type(), KeyType::Ecc);

        let bad = wish(None, Some("2026-01-01T00:00:00Z"));
        let fault = authorize_question(&order, license_id, &bad, now).unwrap_err();
        assert_eq!(invalid(fault), ["key_type", "not_after_time"]);
        let fault = authorize_question(&order, license_id, &wish(None, None), now).unwrap_err();
        assert_eq!(invalid(fault), ["key_type", "not_after_time"]);
    }

    #[test]
    fn sl_12_only_a_grant_has_a_reservation() {
        let id = ReservationId::generate();
        let mut answer = san::AuthorizeIssuanceResponse {
            decision: san::AuthorizationDecision::Granted.into(),
            reservation_id: id.to_string(),
            ..san::AuthorizeIssuanceResponse::default()
        };
        assert_eq!(granted(&answer), Ok(Some(id)));
        answer.set_decision(san::AuthorizationDecision::Denied);
        assert_eq!(granted(&answer), Ok(None));
        answer.set_decision(san::AuthorizationDecision::Unspecified);
        assert!(granted(&answer).is_err());
    }

    #[test]
    fn sl_16_a_certificate_without_a_licence_counts_nowhere() {
        let mut message = san::Certificate::default();
        assert_eq!(counted(&message), Ok(None));
        message.license_id = LicenseId::generate().to_string();
        assert!(counted(&message).is_err());
    }

    #[test]
    fn a_licence_is_read_with_its_state_and_term() {
        use licet_contracts::types::v1 as types;
        let (start, end) = (
            instant("2026-01-01T00:00:00Z"),
            instant("2027-01-01T00:00:00Z"),
        );
        let mut message = san::License {
            license_id: LicenseId::generate().to_string(),
            account_id: licet_domain::ids::AccountId::generate().to_string(),
            state: san::LicenseState::Active.into(),
            product_ids: vec!["intranet-dv".to_owned()],
            term: Some(san::LicenseTerm {
                period: Some(types::Period {
                    start_time: Some(encode_time(start)),
                    end_time: Some(encode_time(end)),
                }),
                ..san::LicenseTerm::default()
            }),
            ..san::License::default()
        };
        let found = license(&message).unwrap();
        let period = Period::new(start, end).unwrap();
        assert_eq!(
            (found.state, found.periods),
            (LicenseState::Active, vec![period])
        );
        let late = instant("2027-01-03T00:00:00Z");
        let before = message.term.clone().unwrap();
        let renewed = san::License {
            term: Some(san::LicenseTerm {
                period: Some(types::Period {
                    start_time: Some(encode_time(end)),
                    end_time: Some(encode_time(instant("2028-01-01T00:00:00Z"))),
                }),
                bought_late_time: Some(encode_time(late)),
                ..san::LicenseTerm::default()
            }),
            past_terms: vec![before],
            ..message.clone()
        };
        let found = license(&renewed).unwrap().periods;
        let starts: Vec<_> = found.iter().map(|period| period.start).collect();
        assert_eq!(starts, [start, late]);
        message.set_state(san::LicenseState::Unspecified);
        assert!(license(&message).is_err());
        message.set_state(san::LicenseState::Quoted);
        message.term = None;
        assert_eq!(license(&message).unwrap().periods, []);
    }
}
