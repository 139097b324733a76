//! Compares the sums, ledger, invoices, corrections and statements that Billing shows of a random history's
//! account with the model.

use licet_contracts::{
    billing::v1::{
        AccountKind, EntryKind, GetAccountRequest, GetQuoteRequest, GetStatementRequest,
        Invoice as ShownInvoice, InvoiceLineCredit, InvoiceState, LedgerAccount, LedgerEntry,
        ListCreditNotesRequest, ListEntriesRequest, ListInvoicesRequest, ListRefundsRequest,
        QuoteState, Refund as ShownRefund, account_service_client::AccountServiceClient,
        invoice_service_client::InvoiceServiceClient, quote_service_client::QuoteServiceClient,
        refund_service_client::RefundServiceClient,
    },
    types::v1::Money as ShownMoney,
};
use licet_domain::{clock::Instant, money::Money};

use super::{
    billing_histories::History,
    billing_model::{Entry, Invoice, Refund},
};
use crate::harness::{
    channel::Channel,
    clock::{instant, shifted, timestamp},
    terms::period,
};

impl History<'_> {
    #[track_caller]
    pub(super) fn to_minor(&self, money: Option<&ShownMoney>) -> i64 {
        let money = money.expect("the answer has an amount here");
        assert_eq!(money.currency_code, self.model.currency.code(), "M-4");
        Money::parse(&money.currency_code, &money.value)
            .unwrap()
            .minor()
    }

    /// Compares the account after a step; if the step moved no money, compares only the sums.
    pub(super) async fn compare(&mut self, step: &str) {
        self.model.check();
        if ["clock", "prices", "quote"].contains(&step) {
            let way = self.way();
            return self.compare_account(way).await;
        }
        self.compare_all().await;
        if self.random.below(4) == 0 {
            self.compare_statement().await;
        }
    }

    async fn compare_all(&mut self) {
        let ways = [self.way(), self.way(), self.way()];
        let page_size = [1000, 1000, 7][self.random.index(3)];
        let [one, two, three] = ways;
        tokio::join!(
            self.compare_account(one),
            self.compare_entries(two, page_size),
            self.compare_invoices(three),
        );
    }

    async fn compare_account(&self, way: Channel) {
        let request = GetAccountRequest {
            account_id: self.account_id.clone(),
        };
        let answer = AccountServiceClient::new(way).get_account(request).await;
        let account = answer.unwrap().into_inner().account.unwrap();
        let model = &self.model;
        assert_eq!(account.balance, model.money(model.balance()), "{model:#?}");
        assert_eq!(account.due, model.money(model.due()), "{model:#?}");
        let kind = match model.terms {
            Some(_) => AccountKind::OnTerms,
            None => AccountKind::Prepaid,
        };
        assert_eq!(account.kind(), kind);
        let terms = model.terms.map(|terms| self.written_terms(terms));
        assert_eq!(account.terms, terms);
        let first = model.first_due().and_then(|invoice| invoice.due_time);
        let overdue = first.filter(|due_time| *due_time < self.now());
        assert_eq!(account.overdue_since_time, overdue.map(timestamp));
    }

    /// BL-5: the whole ledger, entry by entry, read in pages.
    async fn compare_entries(&self, way: Channel, page_size: i32) {
        let mut request = ListEntriesRequest {
            account_id: self.account_id.clone(),
            page_size,
            ..ListEntriesRequest::default()
        };
        let mut found = vec![];
        loop {
            let mut accounts = AccountServiceClient::new(way.clone());
            let page = accounts.list_entries(request.clone()).await;
            let page = page.unwrap().into_inner();
            found.extend(page.entries);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        let keys = found
            .iter()
            .map(|it| (instant(it.entry_time), &it.entry_id));
        assert!(keys.is_sorted(), "{found:?}");
        let mut found: Vec<Entry> = found.iter().map(|it| self.entry(it)).collect();
        let mut expected = self.model.entries.clone();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }

    fn entry(&self, shown: &LedgerEntry) -> Entry {
        let kind = shown.kind();
        let (cause, id) = match kind {
            EntryKind::Invoice | EntryKind::Payment => (&shown.invoice_id, ""),
            EntryKind::CreditNote => (&shown.credit_note_id, ""),
            EntryKind::Reversal => (&shown.reverses_entry_id, shown.entry_id.as_str()),
            EntryKind::Deposit | EntryKind::Withdrawal | EntryKind::Unspecified => {
                (&shown.reference, shown.entry_id.as_str())
            }
        };
        let postings = shown.postings.iter().map(|it| {
            let minor = self.to_minor(it.amount.as_ref());
            (it.ledger_account(), minor)
        });
        Entry {
            time: instant(shown.entry_time),
            kind,
            postings: postings.collect(),
            cause: cause.clone(),
            id: id.to_owned(),
        }
    }

    async fn compare_invoices(&self, way: Channel) {
        let request = ListInvoicesRequest {
            account_id: self.account_id.clone(),
            page_size: 1000,
            ..ListInvoicesRequest::default()
        };
        let answer = InvoiceServiceClient::new(way).list_invoices(request).await;
        let found = answer.unwrap().into_inner().invoices;
        assert_eq!(found.len(), self.model.invoices.len());
        for invoice in &self.model.invoices {
            let shown = found.iter().find(|it| it.invoice_id == invoice.id);
            self.check_invoice(shown.unwrap(), invoice);
        }
    }

    #[track_caller]
    pub(super) fn check_invoice(&self, shown: &ShownInvoice, invoice: &Invoice) {
        let model = &self.model;
        let figures = [
            (&shown.total, invoice.total()),
            (&shown.paid, invoice.paid),
            (&shown.credited, invoice.credited()),
            (&shown.returned, invoice.returned),
            (&shown.held, invoice.held()),
            (&shown.due, invoice.due()),
        ];
        for (shown_amount, minor) in figures {
            assert_eq!(*shown_amount, model.money(minor), "{shown:#?} {invoice:#?}");
        }
        let state = match invoice.due() {
            0 => InvoiceState::Paid,
            _ => InvoiceState::Open,
        };
        assert_eq!(shown.state(), state);
        assert_eq!(shown.number, invoice.number);
        assert_eq!(instant(shown.issue_time), invoice.issued);
        assert_eq!(shown.due_time, invoice.due_time.map(timestamp));
        let lines = shown.lines.iter().map(|it| it.amount.clone());
        let expected = invoice.lines.iter().map(|it| model.money(it.amount));
        assert!(lines.eq(expected), "BL-1: {shown:#?}");
        let credits = (1..).zip(&invoice.lines).map(|(line_number, line)| {
            let is_whole = line.credited == 0 && line.held == 0;
            (!is_whole).then(|| InvoiceLineCredit {
                line_number,
                credited: model.money(line.credited),
                held: model.money(line.held),
            })
        });
        let credits: Vec<_> = credits.flatten().collect();
        assert_eq!(shown.line_credits, credits, "BL-3");
    }

    #[track_caller]
    pub(super) fn check_refund(&self, shown: &ShownRefund, refund: &Refund) {
        assert_eq!(shown.state(), refund.state, "{shown:?}");
        assert_eq!(shown.creditable, self.model.money(refund.creditable));
        assert_eq!(shown.refunded, self.model.money(refund.refunded));
    }

    /// Opening balance plus changes equals closing balance, over a period with ends at or beside entries.
    async fn compare_statement(&mut self) {
        let now = self.now();
        let mut marks: Vec<Instant> = self.model.entries.iter().map(|it| it.time).collect();
        marks.extend([self.start, now]);
        let mut any = || {
            let mark = marks[self.random.index(marks.len())];
            shifted(mark, [-1, 0, 1][self.random.index(3)])
        };
        let (one, other) = (any(), any());
        let (from, to) = (one.min(other), shifted(one.max(other), 1));
        let request = GetStatementRequest {
            account_id: self.account_id.clone(),
            period: Some(period(from, to)),
        };
        let answer = AccountServiceClient::new(self.way())
            .get_statement(request)
            .await;
        let statement = answer.unwrap().into_inner();
        let sums = |until: Instant| {
            let before = self.model.entries.iter().filter(|it| it.time < until);
            let moved = before.flat_map(|it| &it.postings);
            moved.fold((0, 0), |(balance, due), (account, minor)| match account {
                LedgerAccount::Balance => (balance - minor, due),
                LedgerAccount::Receivable => (balance, due + minor),
                LedgerAccount::Cash | LedgerAccount::Revenue | LedgerAccount::Unspecified => {
                    (balance, due)
                }
            })
        };
        let opening = (
            self.to_minor(statement.opening_balance.as_ref()),
            self.to_minor(statement.opening_due.as_ref()),
        );
        let closing = (
            self.to_minor(statement.closing_balance.as_ref()),
            self.to_minor(statement.closing_due.as_ref()),
        );
        assert_eq!((opening, closing), (sums(from), sums(to)), "{from} to {to}");
        let changes = statement.totals.iter().fold(opening, |(balance, due), it| {
            (
                balance + self.to_minor(it.balance_change.as_ref()),
                due + self.to_minor(it.due_change.as_ref()),
            )
        });
        assert_eq!(changes, closing, "{statement:?}");
        let within = |it: &&Entry| it.time >= from && it.time < to;
        let count = self.model.entries.iter().filter(within).count();
        assert_eq!(statement.entry_count, i64::try_from(count).unwrap());
    }

    /// Compares what only lists show, at the history's end.
    pub(super) async fn compare_lists(&mut self) {
        self.compare_all().await;
        self.compare_statement().await;
        let now = self.now();
        for place in 0..self.model.quotes.len() {
            let quote = self.model.quotes[place].clone();
            let request = GetQuoteRequest { quote_id: quote.id };
            let answer = QuoteServiceClient::new(self.way()).get_quote(request).await;
            let shown = answer.unwrap().into_inner().quote.unwrap();
            let (state, invoice_id) = match quote.charged {
                Some(place) => (QuoteState::Charged, self.model.invoices[place].id.clone()),
                None if now < quote.expires => (QuoteState::Open, String::new()),
                None => (QuoteState::Expired, String::new()),
            };
            assert_eq!((shown.state(), shown.invoice_id), (state, invoice_id));
        }
        let request = ListRefundsRequest {
            account_id: self.account_id.clone(),
            page_size: 1000,
            ..ListRefundsRequest::default()
        };
        let answer = RefundServiceClient::new(self.way())
            .list_refunds(request)
            .await;
        let found = answer.unwrap().into_inner().refunds;
        assert_eq!(found.len(), self.model.refunds.len());
        for refund in &self.model.refunds {
            let shown = found.iter().find(|it| it.refund_id == refund.id);
            self.check_refund(shown.unwrap(), refund);
        }
        let request = ListCreditNotesRequest {
            account_id: self.account_id.clone(),
            page_size: 1000,
            ..ListCreditNotesRequest::default()
        };
        let answer = InvoiceServiceClient::new(self.way())
            .list_credit_notes(request)
            .await;
        let found = answer.unwrap().into_inner().credit_notes;
        let total = found.iter().map(|it| self.to_minor(it.total.as_ref()));
        let credited = self.model.invoices.iter().map(Invoice::credited);
        assert_eq!(total.sum::<i64>(), credited.sum::<i64>(), "BL-3");
        assert_eq!(found.len(), self.notes);
    }
}
