//! Requests to SanLicensing about an order, and what of its answers the rules need.

use licet_clients::san_licensing::{self as client, RecordQuestion, SanLicensing};
use licet_domain::{
    certificate::{KeyKind, parse_request},
    ids::{LicenseId, ProductId},
    refusal::Refusal,
};
use licet_runtime::{fault::Fault, peer::PeerFault};
use uuid::Uuid;

use crate::rules::{
    order::Order,
    san_license::{License, LicenseRevocation},
};

/// The licence.
pub(crate) async fn get_license(
    san_licensing: &SanLicensing,
    id: LicenseId,
) -> Result<License, PeerFault> {
    let found = san_licensing.get_license(id).await?;
    license(found).map_err(PeerFault::Unknown)
}

/// What the rules need of a licence.
fn license(found: client::License) -> Result<License, String> {
    Ok(License {
        id: found.id,
        account_id: found.account_id,
        state: found.state.parse()?,
        products: found.product_ids.into_iter().collect(),
        periods: found.periods,
    })
}

/// Revokes a certificate for good. The request id follows from the certificate and the reason, so
/// that repeats are one request. Returns a refusal as a value: the certificate no longer counts
/// there.
pub(crate) async fn revoke(
    san_licensing: &SanLicensing,
    revocation: &LicenseRevocation,
) -> Result<Option<Box<Refusal>>, PeerFault> {
    let request_id = Uuid::new_v5(
        &revocation.certificate_id.uuid(),
        revocation.reason.as_str().as_bytes(),
    );
    let at = revocation.license_record;
    san_licensing
        .revoke(
            at.license_id,
            at.certificate_id,
            revocation.reason,
            request_id,
        )
        .await
}

/// The request to record a signed certificate, with the reservation that it uses.
pub(crate) fn record_question(order: &Order, der: &[u8]) -> Result<RecordQuestion, Fault> {
    let product_id = product_id(order)?;
    let reservation_id = order.reservation_id;
    Ok(RecordQuestion::new(
        order.account_id,
        product_id,
        reservation_id,
        der,
    ))
}

/// The product that the order's certificates count as in its licence.
pub(crate) fn product_id(order: &Order) -> Result<&ProductId, Fault> {
    let product_id = order.sold()?.san_product_id.as_ref();
    product_id.ok_or_else(|| {
        Fault::internal(format!(
            "order {} was sold without a product of its SAN licence",
            order.id
        ))
    })
}

/// The key type of the order's signing request; `None` without a request, or if SanLicensing has no
/// such type.
pub(crate) fn requested_key(order: &Order) -> Result<Option<KeyKind>, Fault> {
    let Some(request) = &order.signing_request else {
        return Ok(None);
    };
    let parsed = parse_request(request.pem.as_bytes()).map_err(Fault::internal)?;
    Ok(Some(parsed.key.kind).filter(|kind| *kind != KeyKind::Other))
}

#[cfg(test)]
mod tests {
    use licet_domain::ids::AccountId;

    use super::*;
    use crate::rules::san_license::LicenseState;

    #[test]
    fn a_license_is_read_with_its_state() {
        let found = |state: &str| client::License {
            id: LicenseId::generate(),
            account_id: AccountId::generate(),
            state: state.to_owned(),
            product_ids: vec!["intranet-dv".parse().unwrap()],
            periods: Vec::new(),
        };
        let quoted = license(found("QUOTED")).unwrap();
        assert_eq!(
            (quoted.state, quoted.periods),
            (LicenseState::Quoted, vec![])
        );
        assert!(license(found("UNSPECIFIED")).is_err());
    }
}
