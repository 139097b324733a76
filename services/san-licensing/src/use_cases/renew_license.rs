//! RenewLicense plans a further term on the locked licence and holds its products (SL-9, SL-20), then has
//! Billing price and charge it as of the decision time. If Billing refuses, the licence is unchanged.

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

use super::{
    Sources,
    accept_license::{hold_products, lock, refuse_held},
    event::LicenseEvent,
};
use crate::{
    events::{LicenseRenewed, RenewalAccepted, RenewalRefused},
    peers::{self, Billing, Invoice, Quote, QuoteQuestion},
    queries::license_view::{self, LicenseView},
    rules::{
        counting::InstantCount,
        license::{License, LicenseTerm},
        renewal::{ForeseenUsage, RenewalError, RenewalPlan, WantedTerm, plan_renewal},
    },
    store,
};

/// Request for a further term.
#[derive(Debug, Clone)]
pub(crate) struct RenewLicense {
    pub(crate) license_id: LicenseId,
    pub(crate) wanted: WantedTerm,
    /// Price of the whole term in place of the volume tiers (SL-7).
    pub(crate) hand_price: Option<Money>,
    pub(crate) accept_over_quota: bool,
}

/// A licence and its further term.
#[derive(Clone, Debug)]
pub(crate) struct RenewedLicense {
    pub(crate) view: LicenseView,
    /// `None` while the term is being charged.
    pub(crate) bought: Option<BoughtTerm>,
}

/// A further term with its quote; of a preview, the term that a renewal would buy.
#[derive(Clone, Debug)]
pub(crate) struct BoughtTerm {
    pub(crate) quote: Quote,
    pub(crate) term: LicenseTerm,
    pub(crate) foreseen: ForeseenUsage,
}

impl DurableVerb for RenewLicense {
    type Output = RenewedLicense;
    type View = LicenseView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<RenewedLicense>, Fault> {
        let call = &request.call;
        let scope = &call.caller.accounts;
        let (before, now) = store::licenses::lock(tx, scope, self.license_id, call.now).await?;
        let (plan, foreseen) = plan(tx, &before, self, now).await?;
        let license = before.apply_renewal_accepted(now);
        hold_products(tx, &license, now).await?;
        let question = peers::renewal_quote(&license, &plan, self.hand_price, now);
        let origin = request.origin();
        let (id, account_id) = (license.id.to_string(), license.account_id);
        let price = Price {
            purchase: RenewLicenseOperation {
                license_id: license.id,
                account_id,
                origin: origin.clone(),
                decision_time: now,
                plan: plan.clone(),
                foreseen,
                by_hand: self.hand_price.is_some(),
            },
            question,
        };
        let first = NextStep::of(&price);
        let begun = operation::begin(tx, now, &id, account_id, first).await?;
        store::licenses::save(tx, &license).await?;
        let event = LicenseEvent {
            resource: &license,
            origin: &origin,
            time: now,
            why: "SL-9",
            outcome: "CHARGING",
            data: RenewalAccepted {
                operation_id: begun.id,
                term_index: plan.index,
                term_months: plan.term.months(),
                quota: plan.quota,
                foreseen: foreseen.weight,
                over_by: foreseen.over_by(),
                late_exception: plan.late_exception.as_deref(),
            },
        };
        event.emit(tx).await?;
        Ok(Accepted::Operation(begun))
    }

    async fn pending(&self, _tx: &Tx, view: LicenseView) -> Result<RenewedLicense, Fault> {
        Ok(RenewedLicense { view, bought: None })
    }
}

impl Preview for RenewLicense {
    type Output = RenewedLicense;
    type Context = Sources;

    async fn preview(&self, call: &Call, sources: &Sources) -> Result<RenewedLicense, Fault> {
        let (view, plan, foreseen) = {
            let tx = sources.database.read();
            let view = license_view::get(&tx, call, self.license_id).await?;
            let (plan, foreseen) = plan(&tx, &view.license, self, view.now).await?;
            refuse_held(&tx, &view.license, view.now).await?;
            (view, plan, foreseen)
        };
        let LicenseView { license, now, .. } = &view;
        let question = peers::renewal_quote(license, &plan, self.hand_price, *now);
        let billing = &sources.billing;
        let question = peers::narrow_to_dearest(billing, &question).await?;
        let quote = peers::preview_quote(billing, &question).await?;
        let sale = peers::sale(&quote, plan.quota, self.hand_price.is_some());
        let term = plan.sold(license, sale.map_err(Fault::internal)?, *now);
        let bought = Some(BoughtTerm {
            quote,
            term,
            foreseen,
        });
        Ok(RenewedLicense { view, bought })
    }
}

/// Plans the renewal at `now` of a licence without a running operation. Does not check whether other
/// licences hold its products.
async fn plan(
    tx: &Tx,
    license: &License,
    request: &RenewLicense,
    now: Instant,
) -> Result<(RenewalPlan, ForeseenUsage), Fault> {
    operation::refuse_if_running(tx, license.account_id, &license.id.to_string()).await?;
    let plan = plan_renewal(license, &request.wanted, now).map_err(|error| match error {
        RenewalError::Refused(refusal) => (*refusal).into(),
        RenewalError::ExceedsDateRange => {
            Fault::invalid("term_months", "exceeds the supported date range")
        }
    })?;
    let count = InstantCount::new(0);
    let count = store::usage::count_active(tx, license.key(), plan.from, count).await?;
    let (counts, _) = count.finish();
    let weight = counts.weight(plan.options.wildcard_multiplier);
    let foreseen = plan.foresee(license.id, weight);
    foreseen.check(request.accept_over_quota)?;
    Ok((plan, foreseen))
}

/// Durable operation of RenewLicense.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RenewLicenseOperation {
    license_id: LicenseId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    plan: RenewalPlan,
    foreseen: ForeseenUsage,
    by_hand: bool,
}

impl Operation for RenewLicenseOperation {
    const KIND: &'static str = "RENEW_LICENSE";
    type Peers = Billing;
    type Output = RenewedLicense;
}

impl Purchase for RenewLicenseOperation {
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
        peers::price(billing, question, request_id).await
    }

    async fn apply_refusal(&self, tx: &Tx, refusal: &Refusal) -> Result<(), Fault> {
        let before = lock(tx, self.account_id, self.license_id, self.decision_time).await?;
        let license = before.apply_renewal_refused(self.decision_time);
        store::licenses::save(tx, &license).await?;
        let (origin, time) = (&self.origin, self.decision_time);
        let data = RenewalRefused {
            message: &refusal.message,
        };
        let event = LicenseEvent::refused(&license, origin, time, refusal, data);
        event.emit(tx).await
    }

    /// Adds the term to the licence. A term bought after the old end is in force at once.
    async fn apply_charge(
        &self,
        tx: &Tx,
        now: Instant,
        quote: &Quote,
        invoice: &Invoice,
    ) -> Result<RenewedLicense, Fault> {
        let (invoice_id, total) = invoice.identity().map_err(Fault::internal)?;
        let sale = peers::sale(quote, self.plan.quota, self.by_hand);
        let before = lock(tx, self.account_id, self.license_id, self.decision_time).await?;
        let sale = sale.map_err(Fault::internal)?;
        let term = self.plan.sold(&before, sale, self.decision_time);
        let license = before.apply_renewal(term.clone(), invoice_id, self.decision_time);
        store::licenses::save(tx, &license).await?;
        store::turns::schedule(tx, &license, now).await?;
        let now = license.decide_at(now);
        let view = LicenseView::bare(license, now);
        let event = LicenseEvent {
            resource: &view.license,
            origin: &self.origin,
            time: self.decision_time,
            why: "SL-9",
            outcome: "RENEWED",
            data: LicenseRenewed {
                term_index: self.plan.index,
                start_time: term.term.start(),
                end_time: term.term.end(),
                quota: self.plan.quota,
                bought_late_time: term.bought_late,
                late_exception: self.plan.late_exception.as_deref(),
                invoice_id,
                total: total.value(),
                currency: total.currency().code(),
            },
        };
        event.emit(tx).await?;
        let bought = Some(BoughtTerm {
            quote: quote.charged(invoice),
            term,
            foreseen: self.foreseen,
        });
        Ok(RenewedLicense { view, bought })
    }
}
