//! Revocations and their previews (SL-19).

use std::collections::HashSet;

use licet_contracts::sanlicensing::v1 as wire;
use licet_domain::ids::{CertificateId, LicenseId, ReservationId};
use licet_runtime::{
    fault::Fault,
    field::{Field, Fields},
    wire::encode_time,
};

use super::{certificate::decode_reason, san, weight::encode_weight};
use crate::{
    quota::command::Revoke,
    rules::quota::{
        holdings::ClaimKind,
        revocation_preview::{ReturningSan, RevocationPreview, SanHolder, StayingSan},
    },
};

/// The most certificates of one revocation.
const MAX_REVOKED: usize = 1000;

/// Decodes a revocation. `needs_preview` makes the preview token mandatory.
pub(crate) fn decode_revoke(
    message: &wire::RevokeCertificatesRequest,
    needs_preview: bool,
) -> Result<(LicenseId, Revoke), Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let ids = decode_ids(&mut fields, &message.certificate_ids);
    let reason = decode_reason(message.reason)
        .ok_or_else(|| fields.note("reason", "is not a permitted revocation reason"));
    let preview = fields.optional("preview_token", &message.preview_token);
    let is_shown = message.validate_only || !needs_preview || !message.preview_token.is_empty();
    let missing = "is required: request a revocation preview first";
    fields.check("preview_token", is_shown, missing);
    fields.request_id(message);
    fields.build(|| {
        let revoke = Revoke {
            ids: ids?,
            reason: reason?,
            preview: preview?,
        };
        Ok((license_id?, revoke))
    })
}

/// Decodes the request for a preview.
pub(crate) fn decode_preview(
    message: &wire::PreviewRevocationRequest,
) -> Result<(LicenseId, Vec<CertificateId>), Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let ids = decode_ids(&mut fields, &message.certificate_ids);
    fields.build(|| Ok((license_id?, ids?)))
}

fn decode_ids(fields: &mut Fields, given: &[String]) -> Field<Vec<CertificateId>> {
    let path = "certificate_ids";
    fields.check(path, !given.is_empty(), "must not be empty");
    if given.len() > MAX_REVOKED {
        return Err(fields.note(path, format!("must have at most {MAX_REVOKED} elements")));
    }
    let ids = fields.each(path, given, |id| id.parse::<CertificateId>())?;
    let mut seen = HashSet::new();
    for (index, id) in ids.iter().enumerate() {
        let path = format!("certificate_ids[{index}]");
        fields.check(&path, seen.insert(*id), "is repeated");
    }
    Ok(ids)
}

/// Encodes a preview.
pub(crate) fn encode(preview: &RevocationPreview) -> wire::PreviewRevocationResponse {
    let token = preview.token();
    wire::PreviewRevocationResponse {
        preview_token: token.to_string(),
        as_of_time: Some(encode_time(preview.as_of)),
        expire_time: Some(encode_time(token.expire_time())),
        returning_weight: encode_weight(preview.returning_weight),
        used_before: encode_weight(preview.used_before),
        used_after: encode_weight(preview.used_after),
        returning_sans: preview
            .returning
            .first
            .iter()
            .map(encode_returning)
            .collect(),
        returning_count: encode_weight(preview.returning.count),
        staying_sans: preview.staying.first.iter().map(encode_staying).collect(),
        staying_count: encode_weight(preview.staying.count),
    }
}

fn encode_returning(returning: &ReturningSan) -> wire::ReturningSan {
    wire::ReturningSan {
        san: san::encode(&returning.san),
        weight: encode_weight(returning.weight),
    }
}

fn encode_staying(staying: &StayingSan) -> wire::StayingSan {
    wire::StayingSan {
        san: san::encode(&staying.san),
        weight: encode_weight(staying.weight),
        holders: staying.holders.iter().map(encode_holder).collect(),
        holder_count: encode_weight(staying.holder_count),
    }
}

fn encode_holder(holder: &SanHolder) -> wire::SanHolder {
    use wire::san_holder::Holder as Wire;
    let id = match holder.kind {
        ClaimKind::Active => Wire::CertificateId(CertificateId::from_uuid(holder.id).to_string()),
        ClaimKind::Reserved => Wire::ReservationId(ReservationId::from_uuid(holder.id).to_string()),
    };
    wire::SanHolder {
        holder: Some(id),
        until_time: Some(encode_time(holder.until)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_named_once_in_a_revocation() {
        let id = CertificateId::generate().to_string();
        let message = |ids: &[&str]| wire::RevokeCertificatesRequest {
            license_id: LicenseId::generate().to_string(),
            certificate_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            reason: wire::RevocationReason::KeyCompromise.into(),
            preview_token: String::new(),
            validate_only: true,
            request_id: String::new(),
        };
        let decode = |ids: &[&str]| decode_revoke(&message(ids), true);
        assert_eq!(decode(&[&id]).unwrap().1.ids.len(), 1);
        for wrong in [vec![], vec![id.as_str(), id.as_str()], vec!["crt"]] {
            assert!(decode(&wrong).is_err(), "{wrong:?}");
        }
    }
}
