//! AddProduct adds a product to a running licence free of charge, if Billing's tiers and prices permit it
//! (SL-10). It only reads from Billing, so it needs no durable operation.

use futures::future::try_join_all;
use licet_domain::{
    clock::Instant,
    ids::{LicenseId, ProductId},
    money::Price,
    refusal::Refusal,
};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::{Fault, TransientReason},
    operation,
    peer::PeerFault,
};

use super::{
    Sources,
    accept_license::{hold_products, refuse_held},
    event::LicenseEvent,
};
use crate::{
    events::ProductAdded,
    peers::{self, Billing, Product, Quote},
    queries::license_view::{self, LicenseView},
    rules::{license::License, pricing::ProductComparison},
    store,
};

/// A product to be added to a licence.
#[derive(Debug, Clone)]
pub(crate) struct ProductAddition {
    pub(crate) license_id: LicenseId,
    pub(crate) product_id: ProductId,
}

/// Billing's tiers and prices, and the revision of the licence that they were read for.
#[derive(Debug)]
pub(crate) struct VersionedComparison {
    comparison: ProductComparison,
    revision: u64,
}

/// A licence with an added product, and why it may have it.
#[derive(Clone, Debug)]
pub(crate) struct AddedProduct {
    pub(crate) view: LicenseView,
    pub(crate) comparison: ProductComparison,
}

/// Compares the product with those that the licence was sold with. A refusal is stored as the request's
/// response. A repeat compares again, but gets the stored response.
pub(crate) async fn compare(
    Sources { database, billing }: &Sources,
    call: &Call,
    addition: &ProductAddition,
) -> Result<Result<VersionedComparison, Refusal>, Fault> {
    let view = match license_view::get(&database.read(), call, addition.license_id).await {
        Ok(view) => view,
        Err(Fault::Refused(refusal)) => return Ok(Err(*refusal)),
        Err(fault) => return Err(fault),
    };
    match ask_billing(billing, &view.license, addition, view.now).await {
        Ok(comparison) => Ok(Ok(VersionedComparison {
            comparison,
            revision: view.license.revision,
        })),
        Err(PeerFault::Refused(refusal)) => Ok(Err(*refusal)),
        Err(fault) => Err(fault.into()),
    }
}

async fn ask_billing(
    billing: &Billing,
    license: &License,
    addition: &ProductAddition,
    now: Instant,
) -> Result<ProductComparison, PeerFault> {
    let term = license.current_term(now);
    let product_id = &addition.product_id;
    let one = [product_id.clone()].into();
    let question = peers::comparison_quote(license, &one, now);
    let quote = peers::preview_quote(billing, &question).await?;
    let highest = |quote: &Quote| quote.highest_unit_price().map_err(PeerFault::Unknown);
    let price = highest(&quote)?;
    let question = peers::comparison_quote(license, &term.sold_products, now);
    let highest_price = match peers::preview_quote(billing, &question).await {
        Ok(quote) => highest(&quote)?,
        // They are no longer sold: the tier alone decides.
        Err(PeerFault::Refused(_)) => None,
        Err(fault) => return Err(fault),
    };
    let product = billing.get_product(product_id, now).await?;
    let sold = term.sold_products.iter();
    let sold = try_join_all(sold.map(|sold| billing.get_product(sold, term.sold_time))).await?;
    let tiers = sold.iter().map(Product::tier);
    let tiers: Vec<_> = tiers
        .collect::<Result<_, _>>()
        .map_err(PeerFault::Unknown)?;
    Ok(ProductComparison {
        product_id: product_id.clone(),
        tier: product.tier().map_err(PeerFault::Unknown)?,
        highest_tier: tiers.into_iter().max().unwrap_or(0),
        price: price
            .ok_or_else(|| PeerFault::Unknown("Billing's quote has no lines".to_owned()))?,
        highest_price,
    })
}

/// Request to add a product to a licence.
#[derive(Debug)]
pub(crate) struct AddProduct {
    pub(crate) addition: ProductAddition,
    pub(crate) compared: Result<VersionedComparison, Refusal>,
}

impl Verb for AddProduct {
    type Output = AddedProduct;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<AddedProduct, Fault> {
        let call = &request.call;
        let scope = &call.caller.accounts;
        let ProductAddition {
            license_id,
            product_id,
        } = &self.addition;
        let (before, now) = store::licenses::lock(tx, scope, *license_id, call.now).await?;
        let (license, compared) = self.added(tx, before, now).await?;
        hold_products(tx, &license, now).await?;
        store::licenses::save(tx, &license).await?;
        let comparison = compared.comparison.clone();
        let event = LicenseEvent {
            resource: &license,
            origin: &request.origin(),
            time: now,
            why: "SL-10",
            outcome: "ADDED",
            data: ProductAdded {
                product_id,
                tier: comparison.tier,
                highest_tier: comparison.highest_tier,
                price: comparison.price.value(),
                highest_price: comparison.highest_price.map(Price::value),
                currency: comparison.price.currency().code(),
            },
        };
        event.emit(tx).await?;
        let view = LicenseView::bare(license, now);
        Ok(AddedProduct { view, comparison })
    }
}

impl Preview for AddProduct {
    type Output = AddedProduct;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<AddedProduct, Fault> {
        let tx = database.read();
        let view = license_view::get(&tx, call, self.addition.license_id).await?;
        let (license, compared) = self.added(&tx, view.license.clone(), view.now).await?;
        refuse_held(&tx, &license, view.now).await?;
        let comparison = compared.comparison.clone();
        let view = LicenseView { license, ..view };
        Ok(AddedProduct { view, comparison })
    }
}

impl AddProduct {
    /// The licence with the product at `now`. Does not check whether other licences hold the product.
    async fn added(
        &self,
        tx: &Tx,
        before: License,
        now: Instant,
    ) -> Result<(License, &VersionedComparison), Fault> {
        let product_id = &self.addition.product_id;
        operation::refuse_if_running(tx, before.account_id, &before.id.to_string()).await?;
        before.permit_product(product_id, now)?;
        let compared = self.compared.as_ref().map_err(Refusal::clone)?;
        if compared.revision != before.revision {
            return Err(Fault::transient(
                TransientReason::OperationInProgress,
                "the licence was changed while Billing was asked; retry with the same request_id",
            ));
        }
        compared.comparison.permit(before.id)?;
        let license = before.apply_product(product_id.clone(), now);
        Ok((license, compared))
    }
}
