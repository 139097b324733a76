//! Refunds between the contract and the rules.

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, RefundId},
};
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::Fields,
    wire::{decode_time, encode_money, encode_time},
};

use super::{
    decode_as_of, decode_resource_filter,
    line::{decode_subject, encode_subject},
};
use crate::rules::{
    charge::Subject,
    listing::RefundFilter,
    refund::{Refund, RefundState},
};

/// A term that is to be refunded.
#[derive(Debug, Clone)]
pub(crate) struct RefundWish {
    /// The account.
    pub(crate) account_id: AccountId,
    /// The term.
    pub(crate) subject: Subject,
    /// The first issuance recorded in it; `None`: never issued.
    pub(crate) first_issuance: Option<Instant>,
    /// The instant as of which to decide.
    pub(crate) decision: Instant,
}

/// Reads the request for a refund.
pub(crate) fn decode_request(
    call: &Call,
    message: &billing::RequestRefundRequest,
) -> Result<RefundWish, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let account_id = fields.required("account_id", &message.account_id);
    let subject = match &message.subject {
        None => Err(fields.note("subject", "is required")),
        Some(subject) => decode_subject(&mut fields, subject),
    };
    let first_issuance = fields.optional_message(
        "first_issuance_time",
        message.first_issuance_time.as_ref(),
        decode_time,
    );
    let decision = decode_as_of(
        &mut fields,
        call,
        "decision_time",
        message.decision_time.as_ref(),
    );
    fields.build(|| {
        Ok(RefundWish {
            account_id: account_id?,
            subject: subject?,
            first_issuance: first_issuance?,
            decision: decision?,
        })
    })
}

/// Reads a refund's id that must be there.
pub(crate) fn decode_refund_id(refund_id: &str) -> Result<RefundId, Fault> {
    let mut fields = Fields::new();
    let id = fields.required("refund_id", refund_id);
    fields.build(|| id)
}

/// Reads what a listing of refunds is narrowed to.
pub(crate) fn decode_list(message: &billing::ListRefundsRequest) -> Result<RefundFilter, Fault> {
    use billing::RefundState as Wire;
    let mut fields = Fields::new();
    let account_id = fields.optional("account_id", &message.account_id);
    let resource_id = decode_resource_filter(&mut fields, &message.resource_id);
    let state = match Wire::try_from(message.state) {
        Ok(Wire::Unspecified) => Ok(None),
        Ok(Wire::Refunded) => Ok(Some(RefundState::Refunded)),
        Ok(Wire::NotDue) => Ok(Some(RefundState::NotDue)),
        Ok(Wire::PendingReview) => Ok(Some(RefundState::PendingReview)),
        Ok(Wire::Rejected) => Ok(Some(RefundState::Rejected)),
        Err(_) => Err(fields.note("state", "must be a state of a refund")),
    };
    fields.build(|| {
        Ok(RefundFilter {
            account_id: account_id?,
            resource_id: resource_id?,
            state: state?,
        })
    })
}

/// A refund.
pub(crate) fn encode(refund: &Refund) -> billing::Refund {
    let decision = &refund.decision;
    let state = match decision.state {
        RefundState::Refunded => billing::RefundState::Refunded,
        RefundState::NotDue => billing::RefundState::NotDue,
        RefundState::PendingReview => billing::RefundState::PendingReview,
        RefundState::Rejected => billing::RefundState::Rejected,
    };
    billing::Refund {
        refund_id: refund
            .refund_id
            .map_or_else(String::new, |id| id.to_string()),
        account_id: refund.account_id.to_string(),
        subject: Some(encode_subject(&refund.subject)),
        state: state.into(),
        creditable: Some(encode_money(refund.creditable)),
        refunded: Some(encode_money(refund.refunded)),
        rule_id: "AL-4".to_owned(),
        explanation: decision.explanation.clone(),
        first_issuance_time: refund.first_issuance.map(encode_time),
        full_refund_until_time: decision.full_until.map(encode_time),
        no_refund_after_time: decision.review_until.map(encode_time),
        decision_time: Some(encode_time(refund.decided)),
        credit_note_ids: refund
            .credit_note_ids
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

/// The refund that was asked for.
pub(crate) fn encode_request(refund: &Refund) -> billing::RequestRefundResponse {
    billing::RequestRefundResponse {
        refund: Some(encode(refund)),
    }
}
