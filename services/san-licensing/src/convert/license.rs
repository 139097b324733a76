//! Licences: decodes the requests that accept, raise, end and list them, and encodes licences.

use licet_contracts::sanlicensing::v1 as sanlicensing;
use licet_runtime::{
    fault::Fault,
    field::{Field, Fields, only_of_change},
    operation::View,
    operation_service::encode_kind,
    wire::{encode_count, encode_money, encode_period, encode_price, encode_time},
};

use super::{
    certificate::encode_key_type,
    weight::{encode_weight, quota},
};
use crate::{
    peers::Quote,
    queries::license_view::LicenseView,
    rules::{
        filters::LicenseFilter,
        license::{KeyType, License, LicenseState, LicenseTerm, Options},
    },
    use_cases::{
        accept_license::{AcceptLicense, PricedLicense},
        cancel_license::CancelLicense,
        increase_quota::IncreaseQuota,
        withdraw_quote::WithdrawQuote,
    },
};

/// Decodes a cancellation.
pub(crate) fn decode_cancel(
    message: &sanlicensing::CancelLicenseRequest,
) -> Result<CancelLicense, Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let reason = reason(&mut fields, "reason", &message.reason);
    fields.request_id(message);
    fields.build(|| {
        Ok(CancelLicense {
            license_id: license_id?,
            reason: reason?,
        })
    })
}

/// The longest reason, in characters.
const MAX_REASON_CHARS: usize = 500;

/// Decodes a reason in free text, which may be empty.
pub(super) fn reason(fields: &mut Fields, path: &str, text: &str) -> Field<String> {
    if text.chars().count() > MAX_REASON_CHARS {
        let description = format!("must have at most {MAX_REASON_CHARS} characters");
        return Err(fields.note(path, description));
    }
    fields.text(path, text)
}

/// Decodes an increase of a quota.
pub(crate) fn decode_increase(
    message: &sanlicensing::IncreaseQuotaRequest,
) -> Result<IncreaseQuota, Fault> {
    let mut fields = Fields::new();
    let license_id = fields.required("license_id", &message.license_id);
    let quota = quota(&mut fields, message.quota);
    fields.request_id(message);
    fields.build(|| {
        Ok(IncreaseQuota {
            license_id: license_id?,
            quota: quota?,
        })
    })
}

/// Decodes the filter of ListLicenses.
pub(crate) fn decode_list(
    message: &sanlicensing::ListLicensesRequest,
) -> Result<LicenseFilter, Fault> {
    use sanlicensing::LicenseState as Wire;
    let mut fields = Fields::new();
    let account_id = fields.optional("account_id", &message.account_id);
    let state = match Wire::try_from(message.state) {
        Ok(Wire::Unspecified) => Ok(None),
        Ok(Wire::Quoted) => Ok(Some(LicenseState::Quoted)),
        Ok(Wire::Accepting) => Ok(Some(LicenseState::Accepting)),
        Ok(Wire::Active) => Ok(Some(LicenseState::Active)),
        Ok(Wire::Ended) => Ok(Some(LicenseState::Ended)),
        Ok(Wire::Cancelled) => Ok(Some(LicenseState::Cancelled)),
        Err(_) => Err(fields.note("state", "is not a licence state")),
    };
    fields.build(|| {
        Ok(LicenseFilter {
            account_id: account_id?,
            state: state?,
        })
    })
}

fn encode_state(state: LicenseState) -> sanlicensing::LicenseState {
    match state {
        LicenseState::Quoted => sanlicensing::LicenseState::Quoted,
        LicenseState::Accepting => sanlicensing::LicenseState::Accepting,
        LicenseState::Active => sanlicensing::LicenseState::Active,
        LicenseState::Ended => sanlicensing::LicenseState::Ended,
        LicenseState::Cancelled => sanlicensing::LicenseState::Cancelled,
    }
}

/// Encodes a licence.
pub(crate) fn encode(view: &LicenseView) -> Result<sanlicensing::License, Fault> {
    let license = &view.license;
    let state = license.state(view.now);
    let pending_change = view.running.as_ref().map(encode_pending).transpose()?;
    let term = license.current_term(view.now);
    let past = license
        .terms()
        .take_while(|past| past.term.start() < term.term.start());
    Ok(sanlicensing::License {
        license_id: license.id.to_string(),
        account_id: license.account_id.to_string(),
        state: encode_state(state).into(),
        product_ids: license.products.iter().map(ToString::to_string).collect(),
        quota: encode_weight(term.quota()),
        options: Some(encode_options(&term.options)),
        term: Some(encode_current(license, term, state)),
        quote_valid_until_time: Some(encode_time(license.valid_until)),
        invoice_ids: license.invoices.iter().map(ToString::to_string).collect(),
        pending_change,
        revision: i64::try_from(license.revision).unwrap_or(i64::MAX),
        create_time: Some(encode_time(license.create_time)),
        next_term: license.next_term(view.now).map(encode_term),
        past_terms: past.map(encode_term).collect(),
        cancel_time: license.cancel_time.map(encode_time),
    })
}

fn encode_options(options: &Options) -> sanlicensing::LicenseOptions {
    let key_type = |key_type: &KeyType| encode_key_type(*key_type).into();
    sanlicensing::LicenseOptions {
        wildcards_allowed: options.wildcards_allowed,
        wildcard_multiplier: encode_count(options.wildcard_multiplier),
        key_types: options.key_types.iter().map(key_type).collect(),
        max_validity_days: options.longest_validity_days.map_or(0, encode_count),
        certificates_may_outlive: Some(options.may_outlive),
        max_term_months: options.longest_term_months.map_or(0, encode_count),
    }
}

/// Encodes the current term of a licence in `state`.
fn encode_current(
    license: &License,
    term: &LicenseTerm,
    state: LicenseState,
) -> sanlicensing::LicenseTerm {
    // The period of a draft without an agreed start is unknown until its acceptance, and stays so if it is
    // withdrawn.
    let is_draft = match state {
        LicenseState::Quoted => true,
        LicenseState::Cancelled => license.invoices.is_empty(),
        LicenseState::Accepting | LicenseState::Active | LicenseState::Ended => false,
    };
    let encoded = encode_term(term);
    let is_known = !is_draft || license.asked_start.is_some();
    sanlicensing::LicenseTerm {
        period: encoded.period.filter(|_| is_known),
        ..encoded
    }
}

/// Encodes a term.
pub(super) fn encode_term(term: &LicenseTerm) -> sanlicensing::LicenseTerm {
    let raises = term.raises.iter().map(|raise| sanlicensing::QuotaRaise {
        raise_time: Some(encode_time(raise.time)),
        quota: encode_weight(raise.quota),
    });
    sanlicensing::LicenseTerm {
        period: Some(encode_period(term.term.period())),
        months: encode_count(term.term.months()),
        price: Some(encode_money(term.sale.amount)),
        unit_price: Some(encode_price(term.sale.unit_price)),
        quota: encode_weight(term.quota()),
        sold_quota: encode_weight(term.sale.quota),
        raises: raises.collect(),
        options: Some(encode_options(&term.options)),
        product_ids: term.sold_products.iter().map(ToString::to_string).collect(),
        bought_late_time: term.bought_late.map(encode_time),
    }
}

fn encode_pending(running: &View) -> Result<sanlicensing::PendingChange, Fault> {
    Ok(sanlicensing::PendingChange {
        operation_id: running.operation_id.to_string(),
        kind: encode_kind(&running.kind)?.into(),
        step: running.step.clone(),
        attempts: running.attempts,
        last_error: running.last_error.clone(),
        accept_time: Some(encode_time(running.accepted)),
    })
}

/// Decodes an acceptance.
pub(crate) fn decode_accept(
    message: &sanlicensing::AcceptLicenseRequest,
) -> Result<AcceptLicense, Fault> {
    let license_id = only_of_change(message, "license_id", &message.license_id)?;
    Ok(AcceptLicense { license_id })
}

/// Encodes an accepted licence.
pub(crate) fn encode_accepted(
    sold: &PricedLicense,
) -> Result<sanlicensing::AcceptLicenseResponse, Fault> {
    Ok(sanlicensing::AcceptLicenseResponse {
        license: Some(encode(&sold.view)?),
        quote: sold.quote.as_ref().map(Quote::message).cloned(),
    })
}

/// Encodes a licence with a raised quota.
pub(crate) fn encode_increased(
    sold: &PricedLicense,
) -> Result<sanlicensing::IncreaseQuotaResponse, Fault> {
    Ok(sanlicensing::IncreaseQuotaResponse {
        license: Some(encode(&sold.view)?),
        quote: sold.quote.as_ref().map(Quote::message).cloned(),
    })
}

/// Decodes a withdrawal.
pub(crate) fn decode_withdraw(
    message: &sanlicensing::WithdrawQuoteRequest,
) -> Result<WithdrawQuote, Fault> {
    let license_id = only_of_change(message, "license_id", &message.license_id)?;
    Ok(WithdrawQuote { license_id })
}

/// Encodes a withdrawn draft.
pub(crate) fn encode_withdrawn(
    view: &LicenseView,
) -> Result<sanlicensing::WithdrawQuoteResponse, Fault> {
    Ok(sanlicensing::WithdrawQuoteResponse {
        license: Some(encode(view)?),
    })
}

/// Encodes a cancelled licence.
pub(crate) fn encode_cancelled(
    view: &LicenseView,
) -> Result<sanlicensing::CancelLicenseResponse, Fault> {
    Ok(sanlicensing::CancelLicenseResponse {
        license: Some(encode(view)?),
    })
}

/// Encodes the draft of a preview, which has no id.
pub(super) fn encode_preview(view: &LicenseView) -> Result<sanlicensing::License, Fault> {
    Ok(sanlicensing::License {
        license_id: String::new(),
        ..encode(view)?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::{draft, instant};

    #[test]
    fn t_4_a_draft_shows_a_period_only_when_its_start_is_agreed_on() {
        let mut view = LicenseView {
            license: draft(),
            now: instant("2026-02-02T00:00:00Z"),
            running: None,
        };
        assert_eq!(encode(&view).unwrap().term.unwrap().period, None);
        view.license.asked_start = Some(instant("2026-05-01T00:00:00Z"));
        assert!(encode(&view).unwrap().term.unwrap().period.is_some());
    }
}
