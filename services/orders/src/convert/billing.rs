//! What is asked of Billing, and what of its answers decides about an order.

use licet_contracts::billing::{v1 as billing, v1::request_refund_request::Use};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, OrderId, QuoteId},
    money::Money,
    refusal::{Reason, Refusal},
};
use licet_runtime::wire::{decode_time, encode_count, encode_money, encode_time};

use crate::rules::{
    domains::DomainPlan,
    order::{Order, OrderTerm, Product, ProductKind, SupersededHandling},
    refund_count::RefundCount,
    slots::{SlotCharge, WildcardReplacement},
};

/// The facts of a product version that orders decide with.
pub(crate) fn product(message: &billing::Product) -> Result<Product, String> {
    use billing::ProductKind as Kind;
    let kind = match message.kind() {
        Kind::SingleDomain => ProductKind::SingleDomain,
        Kind::MultiDomain => ProductKind::MultiDomain,
        Kind::SanLicense => ProductKind::SanLicense,
        Kind::Unspecified => return Err(broken("product", "it has no kind")),
    };
    let policy = message
        .policy
        .as_ref()
        .ok_or_else(|| broken("product", "it has no policy"))?;
    let superseded = match policy
        .supersede
        .as_ref()
        .and_then(|supersede| supersede.handling)
    {
        Some(billing::supersede::Handling::AfterHours(hours)) => {
            SupersededHandling::RevokedAfterHours(unsigned(hours)?)
        }
        Some(billing::supersede::Handling::Never(_)) => SupersededHandling::NeverRevoked,
        None => return Err(broken("product", "its policy leaves supersede open")),
    };
    let tolerance = policy
        .outlive_tolerance_hours
        .ok_or_else(|| broken("product", "its policy leaves outlive_tolerance_hours open"))?;
    Ok(Product {
        id: message
            .product_id
            .parse()
            .map_err(|error| broken("product", error))?,
        version: unsigned(message.version)?,
        kind,
        terms_months: message
            .term_months
            .iter()
            .map(|months| unsigned(*months))
            .collect::<Result<_, _>>()?,
        included_domains: unsigned(message.included_domains)?,
        max_domains: unsigned(message.max_domains)?,
        wildcards_offered: message.wildcards_allowed,
        max_additional_licenses: unsigned(message.max_additional_licenses)?,
        superseded,
        tolerance_hours: unsigned(tolerance)?,
        publicly_trusted: match message.validity_limits() {
            billing::ValidityLimits::PublicTls | billing::ValidityLimits::Unspecified => true,
            billing::ValidityLimits::None => false,
        },
        renewal_open_days: days("renewal_open_days", policy.renewal_open_days)?,
        renewal_grace_days: days("renewal_grace_days", policy.renewal_grace_days)?,
        wildcard_replacement: match policy.wildcard_replacement() {
            billing::WildcardReplacement::Difference => WildcardReplacement::Difference,
            billing::WildcardReplacement::FullPrice => WildcardReplacement::FullPrice,
            // A Billing that does not say so yet sells as before the policy was there.
            billing::WildcardReplacement::Free | billing::WildcardReplacement::Unspecified => {
                WildcardReplacement::Free
            }
        },
        refund_count: match policy.refund_count() {
            billing::RefundCount::Unspecified | billing::RefundCount::FirstIssuance => {
                RefundCount::FirstIssuance
            }
            billing::RefundCount::Purchase => RefundCount::Purchase,
        },
        no_refund_days: Some(days("no_refund_after_days", policy.no_refund_after_days)?),
    })
}

/// A number of days that every policy in an answer says.
fn days(what: &str, days: Option<i32>) -> Result<u32, String> {
    unsigned(days.ok_or_else(|| broken("product", format!("its policy leaves {what} open")))?)
}

fn broken(what: &str, error: impl std::fmt::Display) -> String {
    super::broken("Billing", what, error)
}

fn unsigned(number: i32) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| broken("number", number))
}

pub(super) fn subject(order_id: OrderId, term: &OrderTerm) -> billing::Subject {
    billing::Subject {
        resource_id: order_id.to_string(),
        term_index: encode_count(term.index),
    }
}

/// The question for the price of a whole new term: the certificate, the names beyond the included
/// ones, the additional licences. `order_id` is absent while an order is only validated. Who asks adds
/// the pin.
pub(crate) fn placing_quote(
    account_id: AccountId,
    order_id: Option<OrderId>,
    term: &OrderTerm,
    product: &Product,
    charge: SlotCharge,
) -> billing::CreateQuoteRequest {
    use billing::LineKind;
    let item = |kind: LineKind, quantity: u32| billing::QuoteItem {
        change_time: None,
        ..quote_item(kind, quantity, term, product)
    };
    let mut items = vec![item(LineKind::Certificate, 1)];
    push_slots(&mut items, charge, item);
    if term.additional_licenses > 0 {
        items.push(item(LineKind::AdditionalLicense, term.additional_licenses));
    }
    billing::CreateQuoteRequest {
        account_id: account_id.to_string(),
        items,
        decision_time: Some(encode_time(term.price_time)),
        pin: String::new(),
        subject: order_id.map(|id| subject(id, term)),
        valid_for: None,
        validate_only: order_id.is_none(),
        request_id: String::new(),
    }
}

/// The question for the price of a change of names in one of the order's terms: the slots beyond
/// those owned in it, for the rest of the running term (MD-1) or the whole of the next, at the prices
/// and by the policy that the term was bought with (MD-8). None where it charges nothing there.
///
/// # Errors
/// ORDER_NOT_PAID for a term that is not sold yet.
pub(crate) fn change_quote(
    order: &Order,
    term: &OrderTerm,
    plan: &DomainPlan,
    charge: SlotCharge,
    now: Instant,
) -> Result<Option<billing::CreateQuoteRequest>, Refusal> {
    if charge.is_zero() {
        return Ok(None);
    }
    let product = match &term.sold {
        Some(sold) => &sold.product,
        None => &order.sold()?.product,
    };
    let item = |kind: billing::LineKind, quantity: u32| billing::QuoteItem {
        change_time: Some(encode_time(now)),
        ..quote_item(kind, quantity, term, product)
    };
    let mut items = Vec::new();
    push_slots(&mut items, charge, item);
    Ok(Some(billing::CreateQuoteRequest {
        account_id: order.account_id.to_string(),
        items,
        decision_time: Some(encode_time(now)),
        pin: plan.pin.clone(),
        subject: Some(subject(order.id, term)),
        valid_for: None,
        validate_only: false,
        request_id: String::new(),
    }))
}

fn push_slots(
    items: &mut Vec<billing::QuoteItem>,
    charge: SlotCharge,
    item: impl Fn(billing::LineKind, u32) -> billing::QuoteItem,
) {
    if charge.standard > 0 {
        items.push(item(billing::LineKind::Domain, charge.standard));
    }
    if charge.wildcard > 0 {
        items.push(item(billing::LineKind::WildcardDomain, charge.wildcard));
    }
    if charge.converted > 0 {
        let kind = billing::LineKind::WildcardDifference;
        items.push(item(kind, charge.converted));
    }
}

fn quote_item(
    kind: billing::LineKind,
    quantity: u32,
    term: &OrderTerm,
    product: &Product,
) -> billing::QuoteItem {
    billing::QuoteItem {
        kind: kind.into(),
        product_id: product.id.to_string(),
        product_version: encode_count(product.version),
        quantity: encode_count(quantity),
        term: Some(billing::TermRef {
            anchor_time: Some(encode_time(term.term.anchor())),
            first_month: encode_count(term.term.first_month()),
            months: encode_count(term.term.months()),
        }),
        term_months: 0,
        change_time: None,
        price_time: Some(encode_time(term.price_time)),
        ..billing::QuoteItem::default()
    }
}

/// The question for the refund of one of an order's terms, which is in use since `first_use`, decided
/// as of `now` (AL-4).
pub(crate) fn refund_question(
    order: &Order,
    term: &OrderTerm,
    first_use: Option<Instant>,
    now: Instant,
    validate_only: bool,
) -> billing::RequestRefundRequest {
    billing::RequestRefundRequest {
        account_id: order.account_id.to_string(),
        subject: Some(subject(order.id, term)),
        r#use: Some(match first_use {
            Some(time) => Use::FirstIssuanceTime(encode_time(time)),
            None => Use::NeverIssued(true),
        }),
        decision_time: Some(encode_time(now)),
        validate_only,
        request_id: String::new(),
    }
}

/// The question as it was kept by a version that left it unsaid where a term was never issued.
pub(crate) fn said_in_full(
    question: &billing::RequestRefundRequest,
) -> billing::RequestRefundRequest {
    billing::RequestRefundRequest {
        r#use: Some(question.r#use.unwrap_or(Use::NeverIssued(true))),
        ..question.clone()
    }
}

/// The refund that a refusal says was asked for before.
pub(crate) fn asked_before(refusal: &Refusal) -> Option<String> {
    said_by(refusal, Reason::RefundAlreadyRequested, "refund_id")
}

/// The invoice that a refusal says its quote became.
pub(crate) fn spent_on(refusal: &Refusal) -> Option<String> {
    said_by(refusal, Reason::QuoteSpent, "invoice_id")
}

fn said_by(refusal: &Refusal, reason: Reason, key: &str) -> Option<String> {
    let value = refusal
        .metadata
        .get(key)
        .filter(|_| refusal.reason == reason);
    value.filter(|value| !value.is_empty()).cloned()
}

/// What stands for the refund that Billing refused to decide: a person has to look at it. It
/// has no id and holds nothing, because Billing has none of it.
pub(crate) fn refund_to_review(
    order: &Order,
    question: &billing::RequestRefundRequest,
    refusal: &Refusal,
) -> billing::Refund {
    let sold = order.term.sold.as_ref();
    billing::Refund {
        account_id: question.account_id.clone(),
        subject: question.subject.clone(),
        state: billing::RefundState::PendingReview.into(),
        refunded: sold.map(|sold| encode_money(Money::zero(sold.currency))),
        rule_id: "X-3".to_owned(),
        explanation: refusal.message.clone(),
        first_issuance_time: match question.r#use {
            Some(Use::FirstIssuanceTime(time)) => Some(time),
            Some(Use::NeverIssued(_)) | None => None,
        },
        decision_time: question.decision_time,
        ..billing::Refund::default()
    }
}

/// Whether the outcome of a refund's review is still to be asked for. One that Billing has none of
/// is never reviewed there.
pub(crate) fn is_in_review(refund: &billing::Refund) -> bool {
    refund.state() == billing::RefundState::PendingReview && !refund.refund_id.is_empty()
}

/// A quote's total.
pub(crate) fn total(quote: &billing::Quote) -> Result<Money, String> {
    amount(quote.total.as_ref())
}

/// Since when the newest of the prices that a quote was computed with is in force (BL-8); none for
/// a quote whose lines do not say.
pub(crate) fn price_time(quote: &billing::Quote) -> Result<Option<Instant>, String> {
    let times = quote
        .lines
        .iter()
        .filter_map(|line| line.price_effective_time);
    let times: Result<Vec<_>, _> = times.map(|time| decode_time(&time)).collect();
    let times = times.map_err(|error| broken("price_effective_time", error))?;
    Ok(times.into_iter().max())
}

/// A quote's id and until when it can be accepted.
pub(crate) fn quote_identity(quote: &billing::Quote) -> Result<(QuoteId, Instant), String> {
    let id = quote
        .quote_id
        .parse()
        .map_err(|error| broken("quote", error))?;
    let expire_time = quote
        .expire_time
        .as_ref()
        .ok_or_else(|| broken("quote", "no expiry"))?;
    Ok((id, decode_time(expire_time)?))
}

/// An invoice's id and total.
pub(crate) fn invoice_identity(invoice: &billing::Invoice) -> Result<(InvoiceId, Money), String> {
    let id = invoice
        .invoice_id
        .parse()
        .map_err(|error| broken("invoice", error))?;
    Ok((id, amount(invoice.total.as_ref())?))
}

fn amount(message: Option<&licet_contracts::types::v1::Money>) -> Result<Money, String> {
    let message = message.ok_or_else(|| broken("amount", "it is absent"))?;
    Money::parse(&message.currency_code, &message.value).map_err(|error| broken("amount", error))
}

/// The quote as it stands once it was charged.
pub(crate) fn charged(quote: &billing::Quote, invoice: &billing::Invoice) -> billing::Quote {
    billing::Quote {
        state: billing::QuoteState::Charged.into(),
        invoice_id: invoice.invoice_id.clone(),
        ..quote.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::{instant, order};

    fn quote(times: &[Option<&str>]) -> billing::Quote {
        let line = |time: &Option<&str>| billing::Line {
            price_effective_time: time.map(|time| encode_time(instant(time))),
            ..billing::Line::default()
        };
        billing::Quote {
            lines: times.iter().map(line).collect(),
            ..billing::Quote::default()
        }
    }

    #[test]
    fn bl_8_the_newest_list_of_a_quote_is_pinned() {
        let (old, new) = ("2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z");
        let found = price_time(&quote(&[Some(old), Some(new), None]));
        assert_eq!(found, Ok(Some(instant(new))));
        assert_eq!(price_time(&quote(&[None])), Ok(None));
    }

    #[test]
    fn x_2_a_refusal_names_what_was_done_before() {
        let spent = Refusal::new(Reason::QuoteSpent, "charged already").with("invoice_id", "inv_1");
        assert_eq!(spent_on(&spent).as_deref(), Some("inv_1"));
        assert_eq!(asked_before(&spent), None);
        let asked =
            Refusal::new(Reason::RefundAlreadyRequested, "asked for").with("refund_id", "rfd_1");
        assert_eq!(asked_before(&asked).as_deref(), Some("rfd_1"));
        let stale = Refusal::new(Reason::QuoteStale, "not this").with("invoice_id", "inv_1");
        assert_eq!(spent_on(&stale), None);
    }

    #[test]
    fn x_3_a_refused_refund_waits_for_a_review() {
        let order = order(&["example.com"]);
        let now = instant("2026-02-01T00:00:00Z");
        let question = refund_question(&order, &order.term, None, now, false);
        let refusal = Refusal::new(Reason::NotFound, "nothing was invoiced");
        let refund = refund_to_review(&order, &question, &refusal);
        assert_eq!(refund.state(), billing::RefundState::PendingReview);
        assert_eq!(refund.explanation, "nothing was invoiced");
        assert_eq!((refund.refund_id.as_str(), refund.creditable), ("", None));
        assert_eq!(refund.subject, question.subject);
    }
}
