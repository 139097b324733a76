//! What is asked of Billing, and what of its answers decides about an order.

use licet_contracts::billing::v1 as billing;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, OrderId, QuoteId},
    money::Money,
};
use licet_runtime::wire::{decode_time, encode_count, encode_money, encode_time};

use super::broken;
use crate::rules::{
    domains::DomainPlan,
    order::{Order, OrderTerm, Product, ProductKind, Sold, SupersededHandling},
    slots::Slots,
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
    })
}

fn unsigned(number: i32) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| broken("number", number))
}

fn subject(order_id: OrderId, term: &OrderTerm) -> billing::Subject {
    billing::Subject {
        resource_id: order_id.to_string(),
        term_index: encode_count(term.index),
    }
}

/// The question for the price of a whole new term: the certificate, the names beyond the included
/// ones, the additional licences. `order_id` is absent while an order is only validated.
pub(crate) fn placing_quote(
    account_id: AccountId,
    order_id: Option<OrderId>,
    term: &OrderTerm,
    product: &Product,
    charge: Slots,
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
        pin: order_id.map_or_else(String::new, |id| id.to_string()),
        subject: order_id.map(|id| subject(id, term)),
        valid_for: None,
        validate_only: order_id.is_none(),
        request_id: String::new(),
    }
}

/// The question for the price of a change of names: the slots beyond those owned, for the rest of
/// the running term (MD-1), at the prices and by the policy it was bought with (MD-8).
pub(crate) fn change_quote(
    order: &Order,
    sold: &Sold,
    plan: &DomainPlan,
    now: Instant,
) -> billing::CreateQuoteRequest {
    let item = |kind: billing::LineKind, quantity: u32| billing::QuoteItem {
        change_time: Some(encode_time(now)),
        ..quote_item(kind, quantity, &order.term, &sold.product)
    };
    let mut items = Vec::new();
    push_slots(&mut items, plan.charge, item);
    billing::CreateQuoteRequest {
        account_id: order.account_id.to_string(),
        items,
        decision_time: Some(encode_time(now)),
        pin: plan.pin.clone(),
        subject: Some(subject(order.id, &order.term)),
        valid_for: None,
        validate_only: false,
        request_id: String::new(),
    }
}

fn push_slots(
    items: &mut Vec<billing::QuoteItem>,
    charge: Slots,
    item: impl Fn(billing::LineKind, u32) -> billing::QuoteItem,
) {
    if charge.standard > 0 {
        items.push(item(billing::LineKind::Domain, charge.standard));
    }
    if charge.wildcard > 0 {
        items.push(item(billing::LineKind::WildcardDomain, charge.wildcard));
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
    }
}

/// The question for the refund of an order's running term, decided as of `now` (AL-4).
pub(crate) fn refund_question(
    order: &Order,
    now: Instant,
    validate_only: bool,
) -> billing::RequestRefundRequest {
    billing::RequestRefundRequest {
        account_id: order.account_id.to_string(),
        subject: Some(subject(order.id, &order.term)),
        first_issuance_time: order.term.first_issuance_time.map(encode_time),
        decision_time: Some(encode_time(now)),
        validate_only,
        request_id: String::new(),
    }
}

/// The answer to a change that the slots already paid for cover (MD-2). Billing is not asked, so
/// it has no id; its one line says why nothing is charged.
pub(crate) fn free_quote(
    order: &Order,
    sold: &Sold,
    plan: &DomainPlan,
    now: Instant,
) -> billing::Quote {
    let zero = encode_money(Money::zero(sold.currency));
    let wanted = Slots::of(&plan.names);
    let line = billing::Line {
        number: 1,
        kind: billing::LineKind::Domain.into(),
        description: "Names within the slots already paid for".to_owned(),
        product_id: sold.product.id.to_string(),
        product_version: encode_count(sold.product.version),
        quantity: 0,
        amount: Some(zero.clone()),
        rule_id: "MD-2".to_owned(),
        explanation: format!(
            "{} names, {} of them wildcards, where {} standard and {} wildcard slots are paid \
             for: {} {}",
            wanted.total(),
            wanted.wildcard,
            sold.slots.standard,
            sold.slots.wildcard,
            zero.value,
            zero.currency_code
        ),
        ..billing::Line::default()
    };
    billing::Quote {
        account_id: order.account_id.to_string(),
        pin: plan.pin.clone(),
        subject: Some(subject(order.id, &order.term)),
        lines: vec![line],
        total: Some(zero),
        decision_time: Some(encode_time(now)),
        ..billing::Quote::default()
    }
}

/// A quote's total.
pub(crate) fn total(quote: &billing::Quote) -> Result<Money, String> {
    amount(quote.total.as_ref())
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
