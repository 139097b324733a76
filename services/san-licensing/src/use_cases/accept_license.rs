//! AcceptLicense: the products are held and the draft is ACCEPTING (SL-20), then it is priced and
//! charged at Billing as of its decision time. A definite refusal lets the products go, and the
//! draft is there again.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, OperationId},
    money::Money,
    refusal::Refusal,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::{Database, Tx},
    door::{Asked, Preview, Spanning},
    fault::Fault,
    operation::{self, Progress},
    peer::PeerFault,
    replay::Accepted,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Sources,
    event::{LicenseEvent, emit},
    operation::{LicenseAnswer, LicenseOperation, Outcome, Stage, misplaced},
};
use crate::{
    peers::{self, Billing, Invoice, Quote},
    queries::{
        license_view::{self, LicenseView},
        licenses,
    },
    rules::license::License,
    store,
};

/// Accepts a draft.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcceptLicense {
    pub(crate) license_id: LicenseId,
}

/// A licence with the quote that a change of it is charged by.
#[derive(Clone, Debug)]
pub(crate) struct Sold {
    pub(crate) view: LicenseView,
    /// Absent while the change is being charged.
    pub(crate) quote: Option<Quote>,
}

impl Sold {
    /// The change is being charged.
    pub(crate) fn pending(view: LicenseView) -> Self {
        Self { view, quote: None }
    }
}

impl Spanning for AcceptLicense {
    type Answer = Sold;
    type Operation = LicenseOperation;

    async fn accept(&self, asked: &Asked, tx: &Tx) -> Result<Accepted<Sold>, Fault> {
        let call = &asked.call;
        let scope = &call.caller.accounts;
        let (before, now) = store::licenses::lock(tx, scope, self.license_id, call.now).await?;
        let id = before.id.to_string();
        operation::refuse_if_running(tx, &id).await?;
        let license = accepted(before, now)?;
        store::licenses::release_ended(tx, &license, now).await?;
        store::licenses::hold_products(tx, &license).await?;
        refuse_held(tx, &license, now).await?;
        let origin = asked.origin();
        let operation = LicenseOperation::AcceptLicense(Accepting {
            license_id: license.id,
            account_id: license.account_id,
            origin: origin.clone(),
            decision_time: now,
            price: license.first.sale.amount,
            stage: Stage::Price {
                question: peers::acceptance_quote(&license, now),
            },
        });
        let account_id = license.account_id;
        let begun = operation::begin(tx, now, &id, account_id, &operation).await?;
        store::licenses::save(tx, &license).await?;
        emit(
            tx,
            LicenseEvent {
                kind: "license.accepted",
                license: &license,
                origin: &origin,
                time: now,
                why: "SL-20",
                outcome: "ACCEPTING",
                data: serde_json::json!({
                    "operation_id": begun.id,
                    "products": license.products,
                    "start_time": license.first.term.start(),
                    "end_time": license.first.term.end(),
                }),
            },
        )
        .await?;
        Ok(Accepted::Operation(begun))
    }

    async fn pending(
        &self,
        call: &Call,
        database: &Database,
        operation_id: OperationId,
    ) -> Result<Option<Sold>, Fault> {
        let found = licenses::find_under_way(database, call, operation_id).await?;
        Ok(found.map(Sold::pending))
    }
}

impl Preview for AcceptLicense {
    type Answer = Sold;
    type Within = Sources;

    async fn preview(&self, call: &Call, sources: &Sources) -> Result<Sold, Fault> {
        let (view, question) = {
            let tx = sources.database.read();
            let draft = store::licenses::get(&tx, &call.caller.accounts, self.license_id).await?;
            operation::refuse_if_running(&tx, &draft.id.to_string()).await?;
            let view = license_view::load(&tx, draft, call.now).await?;
            let license = accepted(view.license.clone(), view.now)?;
            refuse_held(&tx, &license, view.now).await?;
            let question = peers::acceptance_quote(&license, view.now);
            (view, question)
        };
        let quote = peers::preview_quote(&sources.billing, &question).await?;
        check_price(&quote, view.license.first.sale.amount)?;
        let quote = Some(quote);
        Ok(Sold { view, quote })
    }
}

/// The licence as it is accepted at `now`, the products that others have left aside.
fn accepted(draft: License, now: Instant) -> Result<License, Fault> {
    draft.permit_acceptance(now)?;
    let term = draft
        .term_from(now)
        .ok_or_else(|| Fault::invalid("license_id", "has a term that leads beyond the calendar"))?;
    Ok(draft.apply_acceptance(term, now))
}

/// Refuses what others have of the licence's products (SL-20).
pub(super) async fn refuse_held(tx: &Tx, license: &License, now: Instant) -> Result<(), Fault> {
    let holders = store::licenses::find_holders(tx, license.account_id, &license.products).await?;
    Ok(license.refuse_held(&holders, now)?)
}

/// The price of a draft is fixed (SL-7): whatever Billing says now, no other is charged.
fn check_price(quote: &Quote, agreed: Money) -> Result<(), PeerFault> {
    let total = quote.total().map_err(PeerFault::Unknown)?;
    if total == agreed {
        return Ok(());
    }
    Err(PeerFault::Unknown(format!(
        "Billing prices the licence at {total}, where {agreed} is agreed"
    )))
}

/// An acceptance under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Accepting {
    license_id: LicenseId,
    account_id: AccountId,
    origin: Origin,
    pub(super) decision_time: Instant,
    price: Money,
    pub(super) stage: Stage,
}

impl Accepting {
    pub(super) async fn perform(
        &self,
        billing: &Billing,
        request_id: Uuid,
    ) -> Result<Outcome, PeerFault> {
        let outcome = self
            .stage
            .perform(billing, self.decision_time, request_id)
            .await?;
        if let Outcome::Quoted(quote) = &outcome {
            check_price(quote, self.price)?;
        }
        Ok(outcome)
    }

    pub(super) async fn apply(
        &self,
        tx: &Tx,
        now: Instant,
        outcome: &Result<Outcome, Refusal>,
    ) -> Result<Progress<LicenseOperation>, Fault> {
        match (&self.stage, outcome) {
            (_, Err(refusal)) => self.apply_refusal(tx, refusal).await,
            (Stage::Charge { quote }, Ok(Outcome::Charged(invoice))) => {
                self.apply_charge(tx, now, quote, invoice).await
            }
            (stage, Ok(other)) => misplaced(stage, other),
        }
    }

    async fn lock(&self, tx: &Tx) -> Result<License, Fault> {
        let scope = store::only(self.account_id);
        let locked = store::licenses::lock(tx, &scope, self.license_id, self.decision_time).await?;
        Ok(locked.0)
    }

    async fn apply_refusal(
        &self,
        tx: &Tx,
        refusal: &Refusal,
    ) -> Result<Progress<LicenseOperation>, Fault> {
        let before = self.lock(tx).await?;
        let license = before.apply_acceptance_refused(self.decision_time);
        store::licenses::release_products(tx, &license).await?;
        store::licenses::save(tx, &license).await?;
        emit(
            tx,
            LicenseEvent {
                kind: "license.refused",
                license: &license,
                origin: &self.origin,
                time: self.decision_time,
                why: "X-2",
                outcome: refusal.reason.as_str(),
                data: serde_json::json!({ "message": refusal.message }),
            },
        )
        .await?;
        Ok(Progress::Refused(refusal.clone()))
    }

    async fn apply_charge(
        &self,
        tx: &Tx,
        now: Instant,
        quote: &Quote,
        invoice: &Invoice,
    ) -> Result<Progress<LicenseOperation>, Fault> {
        let (invoice_id, total) = invoice.identity().map_err(Fault::internal)?;
        let before = self.lock(tx).await?;
        let license = before.apply_charge(invoice_id, self.decision_time);
        store::licenses::save(tx, &license).await?;
        store::turns::watch(tx, &license, now).await?;
        let view = LicenseView {
            now: license.decide_at(now),
            license,
            running: None,
        };
        emit(
            tx,
            LicenseEvent {
                kind: "license.charged",
                license: &view.license,
                origin: &self.origin,
                time: self.decision_time,
                why: "T-4",
                outcome: "ACTIVE",
                data: serde_json::json!({
                    "invoice_id": invoice_id,
                    "total": total.value(),
                    "currency": total.currency().code(),
                    "quota": view.license.first.quota(),
                }),
            },
        )
        .await?;
        let quote = Some(quote.charged(invoice));
        Ok(Progress::Done(LicenseAnswer::Accepted(Sold {
            view,
            quote,
        })))
    }
}
