//! QuoteLicense: Billing prices what sales wants to offer, and it is kept as a draft with all that
//! its price came from (SL-7). Nothing is held or charged.

use licet_contracts::{billing::v1 as billing, sanlicensing::v1 as sanlicensing};
use licet_domain::{clock::Instant, ids::LicenseId, refusal::Refusal, term::Term};
use licet_runtime::{
    caller::Call,
    database::{Tx, Work},
    fault::Fault,
    peer::PeerFault,
};

use super::event::{LicenseEvent, emit};
use crate::{
    convert::{self, billing::Wanted, draft::Draft, license::LicenseView},
    peers::Billing,
    rules::{
        license::{License, LicenseTerm, Progress, Sale},
        not_found,
    },
    store,
};

/// What a draft was priced at.
#[derive(Debug)]
pub(crate) struct Priced {
    sale: Sale,
    quote: billing::Quote,
}

/// Prices a draft. What Billing refuses is the request's refusal, to be kept as its answer; a
/// repeat of a request that was answered asks in vain and changes nothing.
pub(crate) async fn price(
    billing: &Billing,
    call: &Call,
    draft: &Draft,
) -> Result<Result<Priced, Refusal>, Fault> {
    let term = term(draft, call.now)?;
    match ask(billing, draft, &term, call.now).await {
        Ok(priced) => Ok(Ok(priced)),
        Err(PeerFault::Refused(refusal)) => Ok(Err(*refusal)),
        Err(fault) => Err(fault.into()),
    }
}

async fn ask(
    billing: &Billing,
    draft: &Draft,
    term: &Term,
    now: Instant,
) -> Result<Priced, PeerFault> {
    let wanted = Wanted {
        account_id: draft.account_id,
        quota: draft.quota,
        term,
        hand_price: draft.hand_price,
    };
    let question = convert::billing::draft_quote(&wanted, &draft.products, now);
    let question = billing.narrow_to_dearest(&question).await?;
    let quote = billing.preview_quote(&question).await?;
    let sale = convert::billing::sale(&quote, draft.quota, draft.hand_price.is_some());
    Ok(Priced {
        sale: sale.map_err(PeerFault::Unknown)?,
        quote,
    })
}

/// The draft's term: from the start agreed on, else from now.
fn term(draft: &Draft, now: Instant) -> Result<Term, Fault> {
    Term::first(draft.start.unwrap_or(now), draft.term_months)
        .ok_or_else(|| Fault::invalid("term_months", "leads beyond the calendar"))
}

/// The licence as it is drafted.
fn drafted(call: &Call, draft: &Draft, sale: Sale) -> Result<License, Fault> {
    let now = call.now;
    Ok(License {
        id: LicenseId::generate(),
        account_id: draft.account_id,
        progress: Progress::Quoted,
        products: draft.products.clone(),
        asked_start: draft.start,
        first: LicenseTerm {
            term: term(draft, now)?,
            sale,
            sold_products: draft.products.clone(),
            sold_time: now,
            options: draft.options.clone(),
            raises: Vec::new(),
            bought_late: None,
        },
        renewals: Vec::new(),
        renewing: false,
        valid_until: draft.valid_until(now)?,
        invoices: Vec::new(),
        cancel_time: None,
        revision: 1,
        create_time: now,
        decision_time: now,
    })
}

/// The draft for whoever may see its account, if Billing had a price for it.
fn plan<'a>(
    call: &Call,
    draft: &Draft,
    priced: &'a Result<Priced, Refusal>,
) -> Result<(LicenseView, &'a billing::Quote), Fault> {
    if !call.caller.sees(draft.account_id) {
        return Err(not_found("account", draft.account_id).into());
    }
    let priced = priced.as_ref().map_err(Refusal::clone)?;
    let license = drafted(call, draft, priced.sale.clone())?;
    let now = license.decision_time;
    let view = LicenseView {
        license,
        now,
        running: None,
    };
    Ok((view, &priced.quote))
}

/// Checks and prices a draft without keeping it.
pub(crate) async fn preview(
    billing: &Billing,
    call: &Call,
    draft: &Draft,
) -> Result<sanlicensing::QuoteLicenseResponse, Fault> {
    let priced = price(billing, call, draft).await?;
    let (view, quote) = plan(call, draft, &priced)?;
    Ok(sanlicensing::QuoteLicenseResponse {
        license: Some(convert::license::encode_validated(&view)?),
        quote: Some(quote.clone()),
    })
}

/// Keeps a draft.
pub(crate) struct QuoteLicense<'a> {
    pub(crate) call: &'a Call,
    pub(crate) request_id: &'a str,
    pub(crate) draft: &'a Draft,
    pub(crate) priced: &'a Result<Priced, Refusal>,
}

impl Work for QuoteLicense<'_> {
    type Answer = sanlicensing::QuoteLicenseResponse;

    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault> {
        let (view, quote) = plan(self.call, self.draft, self.priced)?;
        let license = &view.license;
        store::licenses::insert(tx, license).await?;
        let response = sanlicensing::QuoteLicenseResponse {
            license: Some(convert::license::encode(&view)?),
            quote: Some(quote.clone()),
        };
        let sale = &license.first.sale;
        emit(
            tx,
            LicenseEvent {
                kind: "license.quoted",
                license,
                origin: &self.call.origin(self.request_id),
                time: license.decision_time,
                why: "SL-7",
                outcome: "QUOTED",
                data: serde_json::json!({
                    "products": license.products,
                    "quota": license.first.quota(),
                    "term_months": license.first.term.months(),
                    "price": sale.amount.value(),
                    "currency": sale.amount.currency().code(),
                    "by_hand": sale.by_hand,
                    "valid_until_time": license.valid_until,
                }),
            },
        )
        .await?;
        Ok(response)
    }
}
