//! IncreaseQuota is priced at the licence's own price for the rest of its term (SL-8). Once charged, the
//! higher quota applies from the decision time; until then nothing changes.

use licet_clients::purchase::{Price, Purchase};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
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
    accept_license::{PricedLicense, lock},
    event::LicenseEvent,
};
use crate::{
    events::{QuotaIncreaseAccepted, QuotaIncreaseCharged, QuotaIncreaseRefused},
    peers::{self, Billing, Invoice, Quote, QuoteQuestion},
    queries::license_view::{self, LicenseView},
    rules::license::License,
    store,
};

/// Request to raise a quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IncreaseQuota {
    pub(crate) license_id: LicenseId,
    /// The new quota.
    pub(crate) quota: u64,
}

impl DurableVerb for IncreaseQuota {
    type Output = PricedLicense;
    type View = LicenseView;

    async fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> Result<Accepted<PricedLicense>, Fault> {
        let call = &request.call;
        let scope = &call.caller.accounts;
        let Self { license_id, quota } = *self;
        let (before, now) = store::licenses::lock(tx, scope, license_id, call.now).await?;
        let id = before.id.to_string();
        operation::refuse_if_running(tx, before.account_id, &id).await?;
        let question = question(&before, quota, now)?;
        let origin = request.origin();
        let account_id = before.account_id;
        let price = Price {
            purchase: IncreaseQuotaOperation {
                license_id: before.id,
                account_id,
                origin: origin.clone(),
                decision_time: now,
                quota,
            },
            question,
        };
        let first = NextStep::of(&price);
        let begun = operation::begin(tx, now, &id, account_id, first).await?;
        let license = before.apply_decision(now);
        store::licenses::save(tx, &license).await?;
        let event = LicenseEvent {
            resource: &license,
            origin: &origin,
            time: now,
            why: "SL-8",
            outcome: "CHARGING",
            data: QuotaIncreaseAccepted {
                operation_id: begun.id,
                quota: license.current_term(now).quota(),
                new_quota: quota,
            },
        };
        event.emit(tx).await?;
        Ok(Accepted::Operation(begun))
    }

    async fn pending(&self, _tx: &Tx, view: LicenseView) -> Result<PricedLicense, Fault> {
        Ok(PricedLicense::pending(view))
    }
}

impl Preview for IncreaseQuota {
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
            let question = question(&view.license, self.quota, view.now)?;
            (view, question)
        };
        let quote = Some(peers::preview_quote(&sources.billing, &question).await?);
        Ok(PricedLicense { view, quote })
    }
}

/// The question for the price of an increase, or its refusal.
fn question(license: &License, quota: u64, now: Instant) -> Result<QuoteQuestion, Refusal> {
    license.permit_increase(quota, now)?;
    let added = quota - license.current_term(now).quota();
    Ok(peers::increase_quote(license, added, now))
}

/// Durable operation of IncreaseQuota.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IncreaseQuotaOperation {
    license_id: LicenseId,
    account_id: AccountId,
    origin: Origin,
    decision_time: Instant,
    quota: u64,
}

impl Operation for IncreaseQuotaOperation {
    const KIND: &'static str = "INCREASE_QUOTA";
    type Peers = Billing;
    type Output = PricedLicense;
}

impl Purchase for IncreaseQuotaOperation {
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
        let license = lock(tx, self.account_id, self.license_id, self.decision_time).await?;
        let (origin, time) = (&self.origin, self.decision_time);
        let data = QuotaIncreaseRefused {
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
        let old_quota = before.current_term(self.decision_time).quota();
        let license = before.apply_increase(self.quota, invoice_id, self.decision_time);
        store::licenses::save(tx, &license).await?;
        let now = license.decide_at(now);
        let view = LicenseView::bare(license, now);
        let event = LicenseEvent {
            resource: &view.license,
            origin: &self.origin,
            time: self.decision_time,
            why: "SL-8",
            outcome: "ACTIVE",
            data: QuotaIncreaseCharged {
                invoice_id,
                total: total.value(),
                currency: total.currency().code(),
                old_quota,
                quota: self.quota,
            },
        };
        event.emit(tx).await?;
        let quote = Some(quote.charged(invoice));
        Ok(PricedLicense { view, quote })
    }
}
