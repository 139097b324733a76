//! AcceptLicense: the products are held and the draft is ACCEPTING (SL-20), then it is priced and
//! charged at Billing as of its decision time. A definite refusal lets the products go, and the
//! draft is there again.

use licet_contracts::{billing::v1 as billing, sanlicensing::v1 as sanlicensing};
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
    money::Money,
    refusal::Refusal,
};
use licet_runtime::{
    caller::{Call, Origin},
    database::{Database, Tx, Work},
    fault::Fault,
    operation::{self, Progress},
    peer::PeerFault,
    replay::Accepted,
    stored::Kept,
};
use prost::Message;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    event::{LicenseEvent, emit},
    operation::{LicenseOperation, Outcome, Stage, misplaced},
};
use crate::{
    convert::{self, license::LicenseView},
    peers::Billing,
    queries::license_view,
    rules::license::License,
    store,
};

/// Accepts a draft.
pub(crate) struct AcceptLicense<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) license_id: LicenseId,
}

impl Work for AcceptLicense<'_> {
    type Answer = Accepted<sanlicensing::AcceptLicenseResponse>;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let scope = &self.call.caller.accounts;
        let (before, now) =
            store::licenses::lock(tx, scope, self.license_id, self.call.now).await?;
        let id = before.id.to_string();
        operation::refuse_if_running(tx, &id).await?;
        let license = accepted(before, now)?;
        store::licenses::release_ended(tx, &license, now).await?;
        store::licenses::hold_products(tx, &license).await?;
        refuse_held(tx, &license, now).await?;
        let origin = self.call.origin(self.request_id);
        let operation = LicenseOperation::AcceptLicense(Accepting {
            license_id: license.id,
            account_id: license.account_id,
            origin: origin.clone(),
            decision_time: now,
            price: license.first.sale.amount,
            stage: Stage::Price {
                question: Kept(convert::billing::acceptance_quote(&license, now)),
            },
        });
        let account_id = license.account_id;
        let begun = operation::begin(tx, self.call, &id, account_id, &operation).await?;
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

/// Checks and prices an acceptance without making it.
pub(crate) async fn preview(
    database: &Database,
    billing: &Billing,
    call: &Call,
    license_id: LicenseId,
) -> Result<sanlicensing::AcceptLicenseResponse, Fault> {
    let (view, question) = {
        let tx = database.read();
        let draft = store::licenses::get(&tx, &call.caller.accounts, license_id).await?;
        operation::refuse_if_running(&tx, &draft.id.to_string()).await?;
        let view = license_view::load(&tx, draft, call.now).await?;
        let license = accepted(view.license.clone(), view.now)?;
        refuse_held(&tx, &license, view.now).await?;
        let question = convert::billing::acceptance_quote(&license, view.now);
        (view, question)
    };
    let quote = billing.preview_quote(&question).await?;
    check_price(&quote, view.license.first.sale.amount)?;
    Ok(sanlicensing::AcceptLicenseResponse {
        license: Some(convert::license::encode(&view)?),
        quote: Some(quote),
    })
}

/// The price of a draft is fixed (SL-7): whatever Billing says now, no other is charged.
fn check_price(quote: &billing::Quote, agreed: Money) -> Result<(), PeerFault> {
    let total = convert::billing::total(quote).map_err(PeerFault::Unknown)?;
    if total == agreed {
        return Ok(());
    }
    Err(PeerFault::Unknown(format!(
        "Billing prices the licence at {total}, where {agreed} is agreed"
    )))
}

/// The response while the licence is being charged.
pub(crate) fn encode_pending(
    view: &LicenseView,
) -> Result<sanlicensing::AcceptLicenseResponse, Fault> {
    Ok(sanlicensing::AcceptLicenseResponse {
        license: Some(convert::license::encode(view)?),
        quote: None,
    })
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
                self.apply_charge(tx, now, &quote.0, invoice).await
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
        quote: &billing::Quote,
        invoice: &billing::Invoice,
    ) -> Result<Progress<LicenseOperation>, Fault> {
        let (invoice_id, total) =
            convert::billing::invoice_identity(invoice).map_err(Fault::internal)?;
        let before = self.lock(tx).await?;
        let license = before.apply_charge(invoice_id, self.decision_time);
        store::licenses::save(tx, &license).await?;
        store::turns::watch(tx, &license, now).await?;
        let view = LicenseView {
            now: license.decide_at(now),
            license,
            running: None,
        };
        let response = sanlicensing::AcceptLicenseResponse {
            license: Some(convert::license::encode(&view)?),
            quote: Some(convert::billing::charged(quote, invoice)),
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
        Ok(Progress::Done(response.encode_to_vec()))
    }
}
