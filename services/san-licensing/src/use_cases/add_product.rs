//! AddProduct: Billing's catalogue is asked for tiers and prices, and the product joins the running
//! licence for nothing if they permit it (SL-10). Billing is only read: nothing is half done.

use futures::future::try_join_all;
use licet_contracts::sanlicensing::v1 as sanlicensing;
use licet_domain::{clock::Instant, money::Price, refusal::Refusal};
use licet_runtime::{
    caller::Call,
    database::{Database, Tx, Work},
    fault::{Fault, PassingReason},
    operation,
    peer::PeerFault,
};

use super::{
    accept_license::refuse_held,
    event::{LicenseEvent, emit},
};
use crate::{
    convert::{self, license::LicenseView, product::Addition},
    peers::Billing,
    queries::license_view,
    rules::{license::License, pricing::Joining},
    store,
};

/// What Billing said, of the licence as it was then.
#[derive(Debug)]
pub(crate) struct Compared {
    joining: Joining,
    revision: u64,
}

/// Compares the product with those that the licence was sold with. What Billing or the licence
/// refuses is the request's refusal, to be kept as its answer; a repeat of a request that was
/// answered asks in vain and changes nothing.
pub(crate) async fn compare(
    database: &Database,
    billing: &Billing,
    call: &Call,
    addition: &Addition,
) -> Result<Result<Compared, Refusal>, Fault> {
    let view = {
        let tx = database.read();
        let scope = &call.caller.accounts;
        match store::licenses::get(&tx, scope, addition.license_id).await {
            Ok(license) => license_view::load(&tx, license, call.now).await?,
            Err(Fault::Refused(refusal)) => return Ok(Err(*refusal)),
            Err(fault) => return Err(fault),
        }
    };
    match ask(billing, &view.license, addition, view.now).await {
        Ok(joining) => Ok(Ok(Compared {
            joining,
            revision: view.license.revision,
        })),
        Err(PeerFault::Refused(refusal)) => Ok(Err(*refusal)),
        Err(fault) => Err(fault.into()),
    }
}

async fn ask(
    billing: &Billing,
    license: &License,
    addition: &Addition,
    now: Instant,
) -> Result<Joining, PeerFault> {
    let term = license.current_term(now);
    let product_id = &addition.product_id;
    let one = [product_id.clone()].into();
    let question = convert::billing::joining_quote(license, &one, now);
    let quote = billing.preview_quote(&question).await?;
    let highest = |quote| convert::billing::highest_unit_price(quote).map_err(PeerFault::Unknown);
    let price = highest(&quote)?;
    let question = convert::billing::joining_quote(license, &term.sold_products, now);
    let highest_price = match billing.preview_quote(&question).await {
        Ok(quote) => highest(&quote)?,
        // They are sold no more: the tier alone decides.
        Err(PeerFault::Refused(_)) => None,
        Err(fault) => return Err(fault),
    };
    let product = billing.get_product(product_id, now).await?;
    let sold = term.sold_products.iter();
    let sold = try_join_all(sold.map(|sold| billing.get_product(sold, term.sold_time))).await?;
    let tiers = sold.iter().map(convert::billing::tier);
    let tiers: Vec<_> = tiers
        .collect::<Result<_, _>>()
        .map_err(PeerFault::Unknown)?;
    Ok(Joining {
        product_id: product_id.clone(),
        tier: convert::billing::tier(&product).map_err(PeerFault::Unknown)?,
        highest_tier: tiers.into_iter().max().unwrap_or(0),
        price: price.ok_or_else(|| PeerFault::Unknown("Billing priced no line".to_owned()))?,
        highest_price,
    })
}

/// Adds a product to a licence.
pub(crate) struct AddProduct<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) addition: &'a Addition,
    pub(crate) compared: &'a Result<Compared, Refusal>,
}

impl Work for AddProduct<'_> {
    type Answer = sanlicensing::AddProductResponse;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let Addition {
            license_id,
            product_id,
        } = self.addition;
        let (before, now) = store::licenses::lock(tx, scope, *license_id, self.call.now).await?;
        let (license, compared) = added(tx, before, self.addition, self.compared, now).await?;
        store::licenses::release_ended(tx, &license, now).await?;
        store::licenses::hold_products(tx, &license).await?;
        refuse_held(tx, &license, now).await?;
        store::licenses::save(tx, &license).await?;
        let view = LicenseView {
            license,
            now,
            running: None,
        };
        let joining = &compared.joining;
        emit(
            tx,
            LicenseEvent {
                kind: "license.product_added",
                license: &view.license,
                origin: &self.call.origin(self.request_id),
                time: now,
                why: "SL-10",
                outcome: "ADDED",
                data: serde_json::json!({
                    "product_id": product_id,
                    "tier": joining.tier,
                    "highest_tier": joining.highest_tier,
                    "price": joining.price.value(),
                    "highest_price": joining.highest_price.map(Price::value),
                    "currency": joining.price.currency().code(),
                }),
            },
        )
        .await?;
        convert::product::encode_added(&view, joining)
    }
}

/// The licence with the product at `now`, others' licences left aside.
async fn added<'a>(
    tx: &Tx,
    before: License,
    addition: &Addition,
    compared: &'a Result<Compared, Refusal>,
    now: Instant,
) -> Result<(License, &'a Compared), Fault> {
    operation::refuse_if_running(tx, &before.id.to_string()).await?;
    before.permit_product(&addition.product_id, now)?;
    let compared = compared.as_ref().map_err(Refusal::clone)?;
    if compared.revision != before.revision {
        return Err(Fault::passing(
            PassingReason::OperationInProgress,
            "the licence was changed meanwhile; ask again with the same request_id",
        ));
    }
    compared.joining.permit(before.id)?;
    let license = before.apply_product(addition.product_id.clone(), now);
    Ok((license, compared))
}

/// Checks an addition without making it.
pub(crate) async fn preview(
    database: &Database,
    call: &Call,
    addition: &Addition,
    compared: &Result<Compared, Refusal>,
) -> Result<sanlicensing::AddProductResponse, Fault> {
    let tx = database.read();
    let scope = &call.caller.accounts;
    let before = store::licenses::get(&tx, scope, addition.license_id).await?;
    let view = license_view::load(&tx, before, call.now).await?;
    let before = view.license.clone();
    let (license, compared) = added(&tx, before, addition, compared, view.now).await?;
    refuse_held(&tx, &license, view.now).await?;
    convert::product::encode_added(&LicenseView { license, ..view }, &compared.joining)
}
