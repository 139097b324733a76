//! Refunds between the contract and the rules.

use licet_contracts::billing::v1 as pb;
use licet_runtime::{caller::Call, fault::Fault, field::Fields};

use licet_runtime::wire::{decode_time, encode_money, encode_time};

use super::{
    decode_as_of,
    line::{decode_subject, encode_subject},
};
use crate::{
    rules::refund::{Refund, RefundState},
    use_cases::request_refund::RequestRefund,
};

pub(crate) fn decode_request<'a>(
    call: &'a Call,
    message: &'a pb::RequestRefundRequest,
) -> Result<RequestRefund<'a>, Fault> {
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
        Ok(RequestRefund {
            call,
            request_id: &message.request_id,
            account_id: account_id?,
            subject: subject?,
            first_issuance: first_issuance?,
            decision: decision?,
        })
    })
}

/// The state that a filter names: `None` for every state.
pub(crate) fn decode_state_filter(state: i32) -> Result<Option<RefundState>, Fault> {
    match pb::RefundState::try_from(state) {
        Ok(pb::RefundState::Unspecified) => Ok(None),
        Ok(pb::RefundState::Refunded) => Ok(Some(RefundState::Refunded)),
        Ok(pb::RefundState::NotDue) => Ok(Some(RefundState::NotDue)),
        Ok(pb::RefundState::PendingReview) => Ok(Some(RefundState::PendingReview)),
        Ok(pb::RefundState::Rejected) => Ok(Some(RefundState::Rejected)),
        Err(_) => Err(Fault::invalid("state", "must be a state of a refund")),
    }
}

pub(crate) fn encode(refund: &Refund) -> pb::Refund {
    let decision = &refund.decision;
    let state = match decision.state {
        RefundState::Refunded => pb::RefundState::Refunded,
        RefundState::NotDue => pb::RefundState::NotDue,
        RefundState::PendingReview => pb::RefundState::PendingReview,
        RefundState::Rejected => pb::RefundState::Rejected,
    };
    pb::Refund {
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

pub(crate) fn encode_request(refund: &Refund) -> pb::RequestRefundResponse {
    pb::RequestRefundResponse {
        refund: Some(encode(refund)),
    }
}
