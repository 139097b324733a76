//! Refunds: messages to values, and back.

use std::collections::BTreeMap;

use licet_contracts::billing::v1 as billing;
use licet_domain::clock::Instant;
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Field, Fields},
    wire::{decode_time, encode_money, encode_time},
};

use super::{
    credit_note::{self, decode_line, decode_positive, note_repeated},
    decode_as_of, decode_required_name, decode_resource_filter,
    line::{decode_subject, encode_subject},
    product::encode_refund_count,
};
use crate::{
    rules::{
        credit::{CreditNote, RequestedCredit},
        id_text,
        listing::RefundFilter,
        numbers::Seller,
        refund::{Approval, Refund, RefundState, RequestedRefund},
        with_clock_lead,
    },
    use_cases::{
        approve_refund::ApproveRefund, reject_refund::RejectRefund, request_refund::RequestRefund,
    },
};

/// The most lines of one approval: those of ten full invoices.
const MAX_LINES: usize = 1000;

/// Decodes RequestRefund.
pub(crate) fn decode_request(
    call: &Call,
    message: &billing::RequestRefundRequest,
    seller: &Seller,
) -> Result<RequestRefund, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let account_id = fields.required("account_id", &message.account_id);
    let subject = match &message.subject {
        None => Err(fields.note("subject", "is required")),
        Some(subject) => decode_subject(&mut fields, subject),
    };
    let first_issuance = decode_use(&mut fields, message.r#use.as_ref());
    let decision = decode_as_of(
        &mut fields,
        call,
        "decision_time",
        message.decision_time.as_ref(),
    );
    if let (Ok(Some(first)), Ok(decision)) = (&first_issuance, &decision) {
        fields.check(
            "first_issuance_time",
            *first <= with_clock_lead(*decision),
            "must not be after the decision time",
        );
    }
    fields.build(|| {
        Ok(RequestRefund {
            account_id: account_id?,
            subject: subject?,
            first_issuance: first_issuance?,
            decision: decision.map(|time| message.decision_time.is_some().then_some(time))?,
            seller: seller.clone(),
        })
    })
}

/// When the use of the term began. A request must say if it never did: an omission must not be
/// worth a refund.
fn decode_use(
    fields: &mut Fields,
    given: Option<&billing::request_refund_request::Use>,
) -> Field<Option<Instant>> {
    use billing::request_refund_request::Use;
    match given {
        Some(Use::FirstIssuanceTime(time)) => fields
            .message("first_issuance_time", Some(time), decode_time)
            .map(Some),
        Some(Use::NeverIssued(true)) => Ok(None),
        Some(Use::NeverIssued(false)) => Err(fields.note("never_issued", "can only be true")),
        None => Err(fields.note(
            "first_issuance_time",
            "is required unless never_issued is true",
        )),
    }
}

/// Decodes ApproveRefund.
pub(crate) fn decode_approve(
    message: &billing::ApproveRefundRequest,
    seller: &Seller,
) -> Result<ApproveRefund, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let refund_id = fields.required("refund_id", &message.refund_id);
    let approval = decode_approval(&mut fields, message);
    let reason = decode_required_name(&mut fields, "reason", &message.reason);
    fields.build(|| {
        Ok(ApproveRefund {
            refund_id: refund_id?,
            approval: approval?,
            reason: reason?,
            seller: seller.clone(),
        })
    })
}

fn decode_approval(
    fields: &mut Fields,
    message: &billing::ApproveRefundRequest,
) -> Field<Approval> {
    let amount = match &message.amount {
        None => Ok(None),
        amount => decode_positive(fields, "amount", amount.as_ref()).map(Some),
    };
    let lines = decode_lines(fields, &message.lines);
    if message.amount.is_some() && !message.lines.is_empty() {
        return Err(fields.note("amount", "must not be given together with lines"));
    }
    let lines = lines?;
    Ok(match amount? {
        Some(amount) => Approval::Amount(amount),
        None if lines.is_empty() => Approval::Whole,
        None => Approval::Lines(lines),
    })
}

fn decode_lines(
    fields: &mut Fields,
    messages: &[billing::RefundLine],
) -> Field<Vec<RequestedCredit>> {
    if messages.len() > MAX_LINES {
        return Err(fields.note("lines", format!("must have at most {MAX_LINES} entries")));
    }
    let mut seen = BTreeMap::new();
    let lines: Vec<Field<RequestedCredit>> = (0..)
        .zip(messages)
        .map(|(index, message)| {
            let path = format!("lines[{index}].invoice_id");
            let invoice_id = fields.required(&path, &message.invoice_id);
            let line = decode_line(fields, index, message.line_number, message.amount.as_ref());
            let key = (&message.invoice_id, message.line_number);
            note_repeated(fields, index, key, &mut seen);
            Ok(RequestedCredit {
                invoice_id: invoice_id?,
                line: line?,
            })
        })
        .collect();
    lines.into_iter().collect()
}

/// Decodes RejectRefund.
pub(crate) fn decode_reject(message: &billing::RejectRefundRequest) -> Result<RejectRefund, Fault> {
    let mut fields = Fields::new();
    fields.request_id(message);
    let refund_id = fields.required("refund_id", &message.refund_id);
    let reason = decode_required_name(&mut fields, "reason", &message.reason);
    fields.build(|| {
        Ok(RejectRefund {
            refund_id: refund_id?,
            reason: reason?,
        })
    })
}

/// Decodes the filter of ListRefunds.
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
        Err(_) => Err(fields.note(
            "state",
            "must be REFUNDED, NOT_DUE, PENDING_REVIEW or REJECTED",
        )),
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
        refund_id: id_text(refund.refund_id),
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
        reviewer: refund
            .review
            .as_ref()
            .map_or_else(String::new, |review| review.reviewer.clone()),
        review_reason: refund
            .review
            .as_ref()
            .map_or_else(String::new, |review| review.reason.clone()),
        review_time: refund
            .review
            .as_ref()
            .map(|review| encode_time(review.time)),
        counted_from: encode_refund_count(decision.count).into(),
        count_start_time: decision.counted_from.map(encode_time),
    }
}

/// An approved refund and its credit notes.
pub(crate) fn encode_approval(
    refund: &Refund,
    notes: &[CreditNote],
) -> billing::ApproveRefundResponse {
    billing::ApproveRefundResponse {
        refund: Some(encode(refund)),
        credit_notes: notes.iter().map(credit_note::encode).collect(),
    }
}

/// A rejected refund.
pub(crate) fn encode_rejection(refund: &Refund) -> billing::RejectRefundResponse {
    billing::RejectRefundResponse {
        refund: Some(encode(refund)),
    }
}

/// The response to RequestRefund.
pub(crate) fn encode_request(requested: &RequestedRefund) -> billing::RequestRefundResponse {
    billing::RequestRefundResponse {
        refund: Some(encode(&requested.refund)),
        notice: requested.notice.clone().unwrap_or_default(),
    }
}
