//! AcceptLicense holds the products and marks the draft ACCEPTING (SL-20), then has Billing price and
//! charge it as of the decision time. If Billing refuses, the products are released and the licence is a
//! draft again.

use licet_clients::purchase::{Price, Purchase};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
    money::Money,
    refusal::Refusal,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::Tx,
    door::{ChangeRequest, DurableVerb, Preview},
    fault::Fault,
    operation::{self, NextStep, Operation},
    peer::PeerFault,
    replay::Accepted,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Sources, event::LicenseEvent};
use crate::{
    events::{LicenseAccepted, LicenseCharged, LicenseRefused},
    peers::{self, Billing, Invoice, Quote, QuoteQuestion},
    queries::license_view::{self, LicenseView},
    rules::license::License,
    store,
};

/// Request to accept a draft.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptLicense {
    pub(crate) license_id: LicenseId,
}

/// A licence, and the quote of the change made to it.
#[derive(Clone, Debug)]
pub(crate) struct PricedLicense {
    pub(crate) view: LicenseView,
    /// `None` while the change is being charged.
    pub(crate) quote: Option<Quote>,
}

impl PricedLicense {
    /// A licence whose change is being charged.
    pub(crate) fn pending(view: LicenseView) -> Self {
        Self { view, quote: None }
    }
}

impl DurableVerb for AcceptLicense {
    type Output = PricedLicense;
    type View = LicenseView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<PricedLicense>, Fault> {
        let call = &request.call;
        let scope = &call.caller.accounts;
        let (before, now) = store::licenses::lock(tx, scope, self.license_id, call.now).await?;
        let id = before.id.to_string();
        operation::refuse_if_running(tx, before.account_id, &id).await?;
        let license = accepted(before, now)?;
        hold_products(tx, &license, now).await?;
        let origin = request.origin();
        let account_id = license.account_id;
        let price = Price {
            purchase: AcceptLicenseOperation {
                license_id: license.id,
                account_id,
                origin: origin.clone(),
                decision_time: now,
                price: license.first.sale.amount,
            },
            question: peers::acceptance_quote(&license, now),
        };
        let first = NextStep::of(&price);
        let begun = operation::begin(tx, now, &id, account_id, first).await?;
        store::licenses::save(tx, &license).await?;
        let event = LicenseEvent {
            resource: &license,
            origin: &origin,
            time: now,
            why: "SL-20",
            outcome: "ACCEPTING",
            data: LicenseAccepted {
                operation_id: begun.id,
                products: &license.products,
                start_time: license.first.term.start(),
                end_time: license.first.term.end(),
            },
        };
        event.emit(tx).await?;
        Ok(Accepted::Operation(begun))
    }

    async fn pending(&self, _tx: &Tx, view: LicenseView) -> Result<PricedLicense, Fault> {
        Ok(PricedLicense::pending(view))
    }
}

impl Preview for AcceptLicense {
    type Output = PricedLicense;
    type Context = Sources;

    async fn preview(&self, call: &Call, sources: &Sources) -> Result<PricedLicense, Fault> {
        let (view, question) = {
            let tx = sources.database.read();
            let view = license_view::get(&tx, call, self.license_id).await?;
            operation::refuse_if_running(
                &tx,
                view.license.account_id,
                &view.license.id.to_string(),
            )
            .await?;
            let license = accepted(view.license.clone(), view.now)?;
            refuse_held(&tx, &license, view.now).await?;
            let question = peers::acceptance_quote(&license, view.now);
            (view, question)
        };
        let quote = peers::preview_quote(&sources.billing, &question).await?;
        check_price(&quote, view.license.first.sale.amount)?;
        let quote = Some(quote);
        Ok(PricedLicense { view, quote })
    }
}

/// The licence accepted at `now`. Does not check whether other licences hold its products.
fn accepted(draft: License, now: Instant) -> Result<License, Fault> {
    draft.permit_acceptance(now)?;
    let term = draft.term_from(now).ok_or_else(|| {
        Fault::invalid(
            "license_id",
            "has a term that exceeds the supported date range",
        )
    })?;
    Ok(draft.apply_acceptance(term, now))
}

/// Holds the licence's products, those of ended licences too. Refuses those that other licences hold (SL-20).
pub(super) async fn hold_products(tx: &Tx, license: &License, now: Instant) -> Result<(), Fault> {
    store::licenses::release_ended(tx, license, now).await?;
    store::licenses::hold_products(tx, license).await?;
    refuse_held(tx, license, now).await
}

/// Refuses products that other licences of the account hold (SL-20).
pub(super) async fn refuse_held(tx: &Tx, license: &License, now: Instant) -> Result<(), Fault> {
    let holders = store::licenses::find_holders(tx, license.account_id, &license.products).await?;
    Ok(license.refuse_held(&holders, now)?)
}

/// Fails unless Billing's price is the one agreed in the draft (SL-7).
fn check_price(quote: &Quote, agreed: Money) -> Result<(), PeerFault> {
    let total = quote.total().map_err(PeerFault::Unknown)?;
    if total == agreed {
        return Ok(());
    }
    Err(PeerFault::Unknown(format!(
        "Billing prices the licence at {total}, but the draft was agreed at {agreed}"
    )))
}

/// Durable operation of AcceptLicense.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AcceptLicenseOperation {
    license_id: LicenseId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    price: Money,
}

/// Locks the licence of an operation, in the scope of its account.
pub(super) async fn lock(
    tx: &Tx,
    account_id: AccountId,
    id: LicenseId,
    time: Instant,
) -> Result<License, Fault> {
    let (license, _) = store::licenses::lock(tx, &account_id.into(), id, time).await?;
    Ok(license)
}

impl Operation for AcceptLicenseOperation {
    const KIND: &'static str = "ACCEPT_LICENSE";
    type Peers = Billing;
    type Output = PricedLicense;
}

impl Purchase for AcceptLicenseOperation {
    type Question = QuoteQuestion;
    type Offer = Quote;

    fn accept_time(&self) -> Instant {
        self.decision_time
    }

    async fn price(
        &self,
        billing: &Billing,
        question: &QuoteQuestion,
        request_id: Uuid,
    ) -> Result<Quote, PeerFault> {
        let quote = peers::price(billing, question, request_id).await?;
        check_price(&quote, self.price)?;
        Ok(quote)
    }

    async fn apply_refusal(&self, tx: &Tx, refusal: &Refusal) -> Result<(), Fault> {
        let before = lock(tx, self.account_id, self.license_id, self.decision_time).await?;
        let license = before.apply_acceptance_refused(self.decision_time);
        store::licenses::release_products(tx, &license).await?;
        store::licenses::save(tx, &license).await?;
        let (origin, time) = (&self.origin, self.decision_time);
        let data = LicenseRefused {
            message: &refusal.message,
        };
        let event = LicenseEvent::refused(&license, origin, time, refusal, data);
        event.emit(tx).await
    }

    async fn apply_charge(
        &self,
        tx: &Tx,
        now: Instant,
        quote: &Quote,
        invoice: &Invoice,
    ) -> Result<PricedLicense, Fault> {
        let (invoice_id, total) = invoice.identity().map_err(Fault::internal)?;
        let before = lock(tx, self.account_id, self.license_id, self.decision_time).await?;
        let license = before.apply_charge(invoice_id, self.decision_time);
        store::licenses::save(tx, &license).await?;
        store::turns::schedule(tx, &license, now).await?;
        let now = license.decide_at(now);
        let view = LicenseView::bare(license, now);
        let event = LicenseEvent {
            resource: &view.license,
            origin: &self.origin,
            time: self.decision_time,
            why: "T-4",
            outcome: "ACTIVE",
            data: LicenseCharged {
                invoice_id,
                total: total.value(),
                currency: total.currency().code(),
                quota: view.license.first.quota(),
            },
        };
        event.emit(tx).await?;
        let quote = Some(quote.charged(invoice));
        Ok(PricedLicense { view, quote })
    }
}
