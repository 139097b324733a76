//! Requests to Billing about an order, and what of a product the rules need.

use licet_clients::billing::{
    self as client, Billing, Item, LineKind, ProductVersion, QuoteInput, QuoteQuestion,
    RefundQuestion, Subject, Supersede,
};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, OrderId, ProductId},
    refusal::Refusal,
};
use licet_runtime::peer::PeerFault;

use crate::rules::{
    domains::DomainPlan,
    order::{Order, OrderTerm},
    product::{Product, ProductKind, RefundCount, SupersededHandling},
    slots::{SlotCharge, WildcardReplacement},
};

/// The product version in force at `as_of`.
pub(crate) async fn get_product(
    billing: &Billing,
    product_id: &ProductId,
    as_of: Instant,
) -> Result<Product, PeerFault> {
    let found = billing.get_product(product_id, as_of).await?;
    found.version().map(product).map_err(PeerFault::Unknown)
}

/// What the rules need of a product.
fn product(version: ProductVersion) -> Product {
    Product {
        id: version.id,
        version: version.version,
        kind: match version.kind {
            client::ProductKind::SingleDomain => ProductKind::SingleDomain,
            client::ProductKind::MultiDomain => ProductKind::MultiDomain,
            client::ProductKind::SanLicense => ProductKind::SanLicense,
        },
        terms_months: version.terms_months,
        included_domains: version.included_domains,
        max_domains: version.max_domains,
        wildcards_offered: version.wildcards_allowed,
        max_additional_licenses: version.max_additional_licenses,
        superseded: match version.supersede {
            Supersede::AfterHours(hours) => SupersededHandling::RevokedAfterHours(hours),
            Supersede::Never => SupersededHandling::NeverRevoked,
        },
        tolerance_hours: version.outlive_tolerance_hours,
        publicly_trusted: version.publicly_trusted,
        renewal_open_days: version.renewal_open_days,
        renewal_grace_days: version.renewal_grace_days,
        wildcard_replacement: match version.wildcard_replacement {
            client::WildcardReplacement::Free => WildcardReplacement::Free,
            client::WildcardReplacement::Difference => WildcardReplacement::Difference,
            client::WildcardReplacement::FullPrice => WildcardReplacement::FullPrice,
        },
        refund_count: match version.refund_count {
            client::RefundCount::FirstIssuance => RefundCount::FirstIssuance,
            client::RefundCount::Purchase => RefundCount::Purchase,
        },
        no_refund_days: Some(version.no_refund_after_days),
    }
}

/// One of an order's terms, as Billing knows it.
pub(crate) fn subject(order_id: OrderId, term: &OrderTerm) -> Subject {
    Subject {
        resource_id: order_id.to_string(),
        term_index: term.index,
    }
}

/// Who buys a new term of which order; the order is absent while it is only validated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Buyer<'a> {
    pub(crate) account_id: AccountId,
    pub(crate) order_id: Option<OrderId>,
    /// What a charge must repeat.
    pub(crate) pin: &'a str,
}

/// Asks for the price of a whole new term: the certificate, the domains beyond the included ones,
/// the additional licences.
pub(crate) fn placing_question(
    buyer: Buyer<'_>,
    term: &OrderTerm,
    product: &Product,
    charge: SlotCharge,
) -> QuoteQuestion {
    let item = |kind: LineKind, quantity: u32| item(kind, quantity, term, product);
    let mut items = vec![item(LineKind::Certificate, 1)];
    push_slots(&mut items, charge, item);
    if term.additional_licenses > 0 {
        items.push(item(LineKind::AdditionalLicense, term.additional_licenses));
    }
    QuoteQuestion::new(&QuoteInput {
        account_id: buyer.account_id,
        items,
        decision_time: term.price_time,
        pin: buyer.pin.to_owned(),
        subject: buyer.order_id.map(|id| subject(id, term)),
        validate_only: buyer.order_id.is_none(),
    })
}

/// Asks for the price of a domain change in one of the order's terms: the slots beyond those owned,
/// for the rest of the running term (MD-1) or the whole of the next, at the prices and by the
/// policy that the term was bought with (MD-8). `None` if nothing is charged there.
///
/// # Errors
/// ORDER_NOT_PAID for a term that is not sold yet.
pub(crate) fn change_question(
    order: &Order,
    term: &OrderTerm,
    plan: &DomainPlan,
    charge: SlotCharge,
    now: Instant,
) -> Result<Option<QuoteQuestion>, Refusal> {
    if charge.is_zero() {
        return Ok(None);
    }
    let product = match &term.sold {
        Some(sold) => &sold.product,
        None => &order.sold()?.product,
    };
    let mut items = Vec::new();
    push_slots(&mut items, charge, |kind, quantity| Item {
        change_time: Some(now),
        ..item(kind, quantity, term, product)
    });
    Ok(Some(QuoteQuestion::new(&QuoteInput {
        account_id: order.account_id,
        items,
        decision_time: now,
        pin: plan.pin.clone(),
        subject: Some(subject(order.id, term)),
        validate_only: false,
    })))
}

fn push_slots(items: &mut Vec<Item>, charge: SlotCharge, item: impl Fn(LineKind, u32) -> Item) {
    if charge.standard > 0 {
        items.push(item(LineKind::Domain, charge.standard));
    }
    if charge.wildcard > 0 {
        items.push(item(LineKind::WildcardDomain, charge.wildcard));
    }
    if charge.converted > 0 {
        items.push(item(LineKind::WildcardDifference, charge.converted));
    }
}

fn item(kind: LineKind, quantity: u32, term: &OrderTerm, product: &Product) -> Item {
    let quantity = u64::from(quantity);
    Item {
        product_version: Some(product.version),
        price_time: Some(term.price_time),
        ..Item::of_term(kind, product.id.clone(), quantity, term.term)
    }
}

/// Asks for the refund of one of an order's terms, in use since `first_use`, as of `now` (AL-4).
pub(crate) fn refund_question(
    order: &Order,
    term: &OrderTerm,
    first_use: Option<Instant>,
    now: Instant,
    validate_only: bool,
) -> RefundQuestion {
    let subject = subject(order.id, term);
    RefundQuestion::new(order.account_id, &subject, first_use, now, validate_only)
}
