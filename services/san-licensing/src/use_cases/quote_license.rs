//! QuoteLicense has Billing price a licence and stores it as a draft, with everything that its price was
//! computed from (SL-7). Nothing is held or charged.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId, ProductId},
    money::Money,
    refusal::Refusal,
    term::Term,
};
use licet_runtime::{
    caller::Call,
    database::Tx,
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
    field::{Field, Fields},
    peer::PeerFault,
};

use super::event::LicenseEvent;
use crate::{
    events::LicenseQuoted,
    peers::{self, Billing, Quote, TermPricing},
    queries::license_view::LicenseView,
    rules::{
        license::{License, LicenseProgress, LicenseTerm, Options, Sale},
        not_found,
    },
    store,
};

/// A licence to be drafted.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) account_id: AccountId,
    pub(crate) products: BTreeSet<ProductId>,
    pub(crate) quota: u64,
    pub(crate) term_months: u32,
    pub(crate) options: Options,
    pub(crate) start: Option<Instant>,
    pub(crate) valid_until: Option<Instant>,
    /// Price of the whole term in place of the volume tiers (SL-7).
    pub(crate) hand_price: Option<Money>,
}

/// How long a draft can be accepted by default, in days of 24 h.
const VALID_DAYS: i64 = 30;
/// How long a draft can be accepted at most, in days of 24 h.
const LONGEST_VALID_DAYS: i64 = 90;

impl Draft {
    /// The first instant at which the draft can no longer be accepted (SL-7). Checks the draft's times as of
    /// `now`; decoding does not, so that a late repeat gets the response of the first (BL-2).
    pub(crate) fn valid_until(&self, now: Instant) -> Result<Instant, Fault> {
        let mut fields = Fields::new();
        let until = check_times(&mut fields, self.start, self.valid_until, now);
        fields.build(|| until)
    }
}

/// Checks a draft's times as of `now`. Returns the first instant at which it can no longer be accepted.
pub(crate) fn check_times(
    fields: &mut Fields,
    start: Option<Instant>,
    valid_until: Option<Instant>,
    now: Instant,
) -> Field<Instant> {
    let not_over = start.is_none_or(|start| start >= now);
    fields.check("start_time", not_over, "must not be in the past");
    let path = "valid_until_time";
    let after = |days| now.checked_add(TimeDelta::days(days));
    match (
        valid_until.or_else(|| after(VALID_DAYS)),
        after(LONGEST_VALID_DAYS),
    ) {
        (Some(until), Some(latest)) if now < until && until <= latest => Ok(until),
        (Some(_), Some(_)) => {
            let description =
                format!("must be after now and at most {LONGEST_VALID_DAYS} days ahead");
            Err(fields.note(path, description))
        }
        (None, _) | (_, None) => Err(fields.note(path, "exceeds the supported date range")),
    }
}

/// A draft's price.
#[derive(Debug)]
pub(crate) struct DraftPrice {
    sale: Sale,
    quote: Quote,
}

/// Prices a draft. A refusal is stored as the request's response. A repeat prices again, but
/// gets the stored response.
pub(crate) async fn price(
    billing: &Billing,
    call: &Call,
    draft: &Draft,
) -> Result<Result<DraftPrice, Refusal>, Fault> {
    let term = term(draft, call.now)?;
    match ask_billing(billing, draft, &term, call.now).await {
        Ok(priced) => Ok(Ok(priced)),
        Err(PeerFault::Refused(refusal)) => Ok(Err(*refusal)),
        Err(fault) => Err(fault.into()),
    }
}

async fn ask_billing(
    billing: &Billing,
    draft: &Draft,
    term: &Term,
    now: Instant,
) -> Result<DraftPrice, PeerFault> {
    let wanted = TermPricing {
        account_id: draft.account_id,
        quota: draft.quota,
        term,
        hand_price: draft.hand_price,
    };
    let question = peers::draft_quote(&wanted, &draft.products, now);
    let question = peers::narrow_to_dearest(billing, &question).await?;
    let quote = peers::preview_quote(billing, &question).await?;
    let sale = peers::sale(&quote, draft.quota, draft.hand_price.is_some());
    Ok(DraftPrice {
        sale: sale.map_err(PeerFault::Unknown)?,
        quote,
    })
}

/// The draft's term, from the agreed start or from `now`.
fn term(draft: &Draft, now: Instant) -> Result<Term, Fault> {
    Term::first(draft.start.unwrap_or(now), draft.term_months)
        .ok_or_else(|| Fault::invalid("term_months", "exceeds the supported date range"))
}

/// The drafted licence.
fn drafted(call: &Call, draft: &Draft, sale: Sale) -> Result<License, Fault> {
    let now = call.now;
    Ok(License {
        id: LicenseId::generate(),
        account_id: draft.account_id,
        progress: LicenseProgress::Quoted,
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

/// A draft and the quote of its price.
#[derive(Clone, Debug)]
pub(crate) struct QuotedLicense {
    pub(crate) view: LicenseView,
    pub(crate) quote: Quote,
    /// Whether the draft is stored. A preview's is not, and has no id.
    pub(crate) is_stored: bool,
}

/// Request to draft a licence, with its price.
#[derive(Debug)]
pub(crate) struct QuoteLicense {
    pub(crate) draft: Draft,
    pub(crate) priced: Result<DraftPrice, Refusal>,
}

impl QuoteLicense {
    /// The draft, if the caller may see the account and Billing priced it.
    fn plan(&self, call: &Call) -> Result<QuotedLicense, Fault> {
        let draft = &self.draft;
        if !call.caller.sees(draft.account_id) {
            return Err(not_found("account", draft.account_id).into());
        }
        let priced = self.priced.as_ref().map_err(Refusal::clone)?;
        let license = drafted(call, draft, priced.sale.clone())?;
        let now = license.decision_time;
        Ok(QuotedLicense {
            view: LicenseView::bare(license, now),
            quote: priced.quote.clone(),
            is_stored: false,
        })
    }
}

impl Preview for QuoteLicense {
    type Output = QuotedLicense;
    type Context = ();

    async fn preview(&self, call: &Call, (): &()) -> Result<QuotedLicense, Fault> {
        self.plan(call)
    }
}

impl Verb for QuoteLicense {
    type Output = QuotedLicense;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<QuotedLicense, Fault> {
        let quoted = self.plan(&request.call)?;
        let license = &quoted.view.license;
        store::licenses::insert(tx, license).await?;
        let sale = &license.first.sale;
        let event = LicenseEvent {
            resource: license,
            origin: &request.origin(),
            time: license.decision_time,
            why: "SL-7",
            outcome: "QUOTED",
            data: LicenseQuoted {
                products: &license.products,
                quota: license.first.quota(),
                term_months: license.first.term.months(),
                price: sale.amount.value(),
                currency: sale.amount.currency().code(),
                by_hand: sale.by_hand,
                valid_until_time: license.valid_until,
            },
        };
        event.emit(tx).await?;
        Ok(QuotedLicense {
            is_stored: true,
            ..quoted
        })
    }
}
