//! Charges quotes: invoices paid from the balance or owed on credit terms, all of one request in
//! one transaction (BL-6). Nothing is computed here: an invoice has its quote's lines unchanged
//! (BL-1).

use std::collections::BTreeMap;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, InvoiceId, QuoteId},
    money::{Money, MoneyError},
};
use licet_runtime::{
    caller::{Call, Origin},
    database::{Database, Number, Tx},
    door::{ChangeRequest, Preview, Verb},
    fault::Fault,
    outbox::{self, Event},
};

use super::event::event;
use crate::{
    events::{InvoiceIssued, SubjectFields},
    rules::{
        account::{Account, AccountKind, CreditTerms},
        charge::{Invoice, Quote},
        id_text,
        ledger::{Entry, LedgerEntry},
        money_refusal, not_found,
        numbers::Seller,
    },
    store,
};

/// A quote to be charged.
#[derive(Debug, Clone)]
pub(crate) struct QuoteToCharge {
    /// The quote.
    pub(crate) quote_id: QuoteId,
    /// The pin of the quote, repeated.
    pub(crate) pin: String,
}

/// Charges quotes to their account: invoices, postings and numbers for all of them, or nothing
/// (BL-6).
///
/// Refusals: NOT_FOUND, QUOTE_STALE, QUOTE_EXPIRED, QUOTE_SPENT, INSUFFICIENT_FUNDS,
/// ACCOUNT_OVERDUE, CREDIT_LIMIT_EXCEEDED, AMOUNT_OUT_OF_RANGE.
#[derive(Debug, Clone)]
pub(crate) struct ChargeQuotes {
    /// The account that all quotes must belong to; `None`: any one account.
    pub(crate) account_id: Option<AccountId>,
    /// The quotes, at least one and each once.
    pub(crate) quotes: Vec<QuoteToCharge>,
    /// When the charge was accepted. Expiry is judged by it (MD-6), and the invoices store it, but
    /// no earlier than the quotes' decision times (T-5).
    pub(crate) accepted: Instant,
    /// Who issues the invoices.
    pub(crate) seller: Seller,
}

/// Quotes of one account that can be charged, with their ids.
struct ChargePlan {
    account_id: AccountId,
    quotes: Vec<(QuoteId, Quote)>,
    total: Money,
    /// When the charge was accepted (T-3).
    accepted: Instant,
}

impl Preview for ChargeQuotes {
    type Output = Vec<Invoice>;
    type Context = Database;

    async fn preview(&self, call: &Call, database: &Database) -> Result<Vec<Invoice>, Fault> {
        let tx = &database.read();
        let plan = self.read(call, tx).await?;
        let account = store::accounts::get(tx, &call.caller, plan.account_id).await?;
        let terms = self.check_account(tx, &account, &plan).await?;
        Ok(plan.draft(terms.as_ref(), call.now))
    }
}

impl ChargeQuotes {
    /// Reads and checks the quotes. Nobody locks them: the charge fails as a lost race if another one has spent
    /// a quote by the time its invoice is stored.
    async fn read(&self, call: &Call, tx: &Tx) -> Result<ChargePlan, Fault> {
        let ids: Vec<_> = self.quotes.iter().map(|quote| quote.quote_id).collect();
        self.check(store::quotes::list(tx, &call.caller, self.account_id, &ids).await?)
    }

    /// Checks the quotes, in the order of the request, against their pins and their expiry.
    fn check(&self, found: Vec<Quote>) -> Result<ChargePlan, Fault> {
        let found = found
            .into_iter()
            .filter_map(|quote| quote.quote_id.map(|id| (id, quote)));
        let mut found: BTreeMap<QuoteId, Quote> = found.collect();
        let mut quotes = Vec::with_capacity(self.quotes.len());
        for wanted in &self.quotes {
            let id = wanted.quote_id;
            let quote = found.remove(&id);
            let quote = quote.ok_or_else(|| not_found("quote", id))?;
            quote.check_charge(&wanted.pin, self.accepted)?;
            quotes.push((id, quote));
        }
        ChargePlan::new(quotes, self.accepted)
    }

    /// The credit terms that the charge is owed on; `None`: it is paid from the balance, or free.
    /// Judged as of the time of acceptance, however late the charge completes (T-3).
    async fn check_account(
        &self,
        tx: &Tx,
        account: &Account,
        plan: &ChargePlan,
    ) -> Result<Option<CreditTerms>, Fault> {
        if plan.total.is_zero() {
            return Ok(None);
        }
        let first_due = match account.terms.kind() {
            AccountKind::Prepaid => None,
            AccountKind::OnTerms => store::invoices::find_first_due(tx, plan.account_id).await?,
        };
        Ok(account.check_charge(plan.total, first_due, plan.accepted)?)
    }

    /// Books the sales, and their payments unless they are owed. Returns the invoices, with ids and
    /// without numbers, and the entries to be stored.
    async fn book(
        &self,
        call: &Call,
        tx: &Tx,
        plan: &ChargePlan,
    ) -> Result<(Vec<Invoice>, Vec<LedgerEntry>), Fault> {
        let (account_id, now) = (plan.account_id, call.now);
        let drafts = |terms: Option<&CreditTerms>, issued: Instant, ids: &[InvoiceId]| {
            let mut drafts = plan.draft(terms, issued);
            for (draft, id) in drafts.iter_mut().zip(ids) {
                draft.invoice_id = Some(*id);
            }
            drafts
        };
        let ids: Vec<_> = plan.quotes.iter().map(|_| InvoiceId::generate()).collect();
        if plan.total.is_zero() {
            // The invoices refer to the account. Wait for its lock before the numbers are taken, not afterwards.
            store::accounts::lock(tx, &call.caller, account_id).await?;
            return Ok((drafts(None, now, &ids), Vec::new()));
        }
        // Nearly every charge ends here, without a separate read of the account.
        let prepaid = Some(AccountKind::Prepaid);
        let entries = plan.entries(None, &ids)?;
        if let Some(booked) = store::ledger::book(tx, account_id, entries, prepaid, now).await? {
            return Ok((drafts(None, issue_time(&booked, now), &ids), booked));
        }
        // The account pays on terms, or its balance changed meanwhile: lock it and check again.
        let account = store::accounts::lock(tx, &call.caller, account_id).await?;
        let terms = match self.check_account(tx, &account, plan).await {
            Ok(terms) => terms,
            Err(fault) => {
                // The money may be missing because another charge has just spent the same quotes.
                self.read(call, tx).await?;
                return Err(fault);
            }
        };
        let entries = plan.entries(terms.as_ref(), &ids)?;
        let booked = store::ledger::book(tx, account_id, entries, None, now)
            .await?
            .ok_or_else(|| {
                Fault::internal("a charge that the account covers could not be booked")
            })?;
        let drafts = drafts(terms.as_ref(), issue_time(&booked, now), &ids);
        Ok((drafts, booked))
    }
}

impl ChargePlan {
    /// AMOUNT_OUT_OF_RANGE if the total exceeds the largest amount.
    fn new(quotes: Vec<(QuoteId, Quote)>, accepted: Instant) -> Result<Self, Fault> {
        let Some((_, first)) = quotes.first() else {
            return Err(Fault::internal("a charge has no quotes"));
        };
        let account_id = first.account_id;
        let currency = first.total.currency();
        let offered = quotes.iter().map(|(_, quote)| quote.decision);
        let accepted = offered.fold(accepted, Instant::max);
        let mut total = Money::zero(currency);
        for (_, quote) in &quotes {
            let sum = total.checked_add(quote.total);
            total = sum.map_err(|error| money_refusal(currency, &error))?;
        }
        Ok(Self {
            account_id,
            quotes,
            total,
            accepted,
        })
    }

    /// The invoices of the quotes, without ids and numbers.
    fn draft(&self, terms: Option<&CreditTerms>, issued: Instant) -> Vec<Invoice> {
        let quotes = self.quotes.iter();
        let drafts = quotes.map(|(id, quote)| {
            // A free quote is never owed.
            let terms = terms.filter(|_| !quote.total.is_zero());
            Invoice::from_quote(quote, *id, terms, self.accepted, issued)
        });
        drafts.collect()
    }

    /// The sale of each quote, and its payment unless the amount stays owed; a free quote has neither.
    fn entries(
        &self,
        terms: Option<&CreditTerms>,
        invoice_ids: &[InvoiceId],
    ) -> Result<Vec<Entry>, Fault> {
        let refused = |error: MoneyError| money_refusal(self.total.currency(), &error);
        let mut entries = Vec::new();
        for ((_, quote), invoice_id) in self.quotes.iter().zip(invoice_ids) {
            if quote.total.is_zero() {
                continue;
            }
            entries.push(Entry::invoice(quote.total, *invoice_id).map_err(refused)?);
            if terms.is_none() {
                entries.push(Entry::payment(quote.total, *invoice_id).map_err(refused)?);
            }
        }
        Ok(entries)
    }
}

/// The event of an issued invoice.
fn issued<'a>(
    request: &ChangeRequest,
    origin: &'a Origin,
    invoice: &Invoice,
    seller: &Seller,
    number: Number,
) -> Result<Event<'a>, Fault> {
    let outcome = match invoice.due_time {
        None => format!("{} paid from the balance", invoice.total),
        Some(due_time) => format!("{} due by {due_time}", invoice.total),
    };
    let data = InvoiceIssued {
        seller: seller.as_str(),
        number,
        quote_id: invoice.quote_id,
        total: invoice.total,
        currency_code: invoice.total.currency(),
        due_time: invoice.due_time,
        subject: SubjectFields::of(invoice.subject.as_ref()),
    };
    let (id, account_id) = (id_text(invoice.invoice_id), invoice.account_id);
    event(request, origin, id, account_id, "BL-1", outcome, &data)
}

/// The time of the booked sales, which is the issue time of their invoices.
fn issue_time(booked: &[LedgerEntry], now: Instant) -> Instant {
    booked.first().map_or(now, |entry| entry.time)
}

impl Verb for ChargeQuotes {
    type Output = Vec<Invoice>;

    async fn run(&self, request: &ChangeRequest, tx: &Tx) -> Result<Vec<Invoice>, Fault> {
        let plan = self.read(&request.call, tx).await?;
        let (drafts, booked) = self.book(&request.call, tx, &plan).await?;
        store::ledger::insert(tx, &booked).await?;
        let numbers = store::invoices::issue(tx, plan.account_id, &self.seller, &drafts).await?;
        let origin = request.origin();
        let events: Result<Vec<_>, Fault> = drafts
            .iter()
            .zip(numbers)
            .map(|(invoice, number)| issued(request, &origin, invoice, &self.seller, number))
            .collect();
        outbox::emit_in_order(tx, events?).await?;
        Ok(drafts)
    }
}
