//! BL-5, BL-6: 32 clients use one account at once, on PostgreSQL through two instances: no update is lost, no
//! balance or limit exceeded, no charge made twice. LICET_TEST_ATTEMPTS sets the number of attempts.

use std::{
    collections::BTreeSet,
    ops::AddAssign,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use licet_contracts::billing::v1::{
    ChargeQuoteRequest, CreateQuoteRequest, DepositRequest, EntryKind, LedgerAccount, LedgerEntry,
    LineKind, ListEntriesRequest, ListInvoicesRequest, Quote,
};
use licet_domain::money::Money;
use tokio::task::JoinSet;

use super::{
    billing_asks::Ask,
    billing_races::{Field, charge_request, deposit_request, reversal_request},
    random::{Random, from_variable},
};
use crate::harness::{
    Backend,
    channel::Channel,
    corrections::goodwill,
    errors::Refused,
    run_within,
    samples::{MULTI, minor},
    selling::{ask, item},
    terms::{payment_request, withdraw_request},
};

const CLIENTS: usize = 32;
/// The price of a certificate for a month, in cents.
const PRICE: i64 = 1_200;
/// The credit limit, for clients on terms.
const LIMIT: i64 = 20_000;
/// Enough for a hundred thousand attempts on a slow machine.
const LONGEST_RACE: Duration = Duration::from_secs(1800);

mod bl_6_clients_hammer_a_prepaid_account {
    use super::{Backend, LONGEST_RACE, hammer, run_within};

    #[test]
    fn sqlite() {
        run_within(LONGEST_RACE, hammer(Backend::Sqlite, false));
    }

    #[test]
    fn postgres() {
        run_within(LONGEST_RACE, hammer(Backend::Postgres, false));
    }
}

mod bl_6_clients_hammer_an_account_on_terms {
    use super::{Backend, LONGEST_RACE, hammer, run_within};

    #[test]
    fn sqlite() {
        run_within(LONGEST_RACE, hammer(Backend::Sqlite, true));
    }

    #[test]
    fn postgres() {
        run_within(LONGEST_RACE, hammer(Backend::Postgres, true));
    }
}

fn attempts() -> usize {
    from_variable("LICET_TEST_ATTEMPTS").unwrap_or(960)
}

fn text(minor: i64) -> String {
    Money::from_minor("USD".parse().unwrap(), minor).value()
}

/// The totals, in cents, that responses report to one client or to all of them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    /// Deposits less withdrawals and reversals.
    received: i64,
    paid: i64,
    credited: i64,
    /// The part of the credits that returned to the balance.
    returned: i64,
    invoices: BTreeSet<String>,
    /// Every entry whose id a response contained.
    entries: BTreeSet<String>,
    refused: u32,
}

impl AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        let ids = self.invoices.len() + other.invoices.len();
        self.received += other.received;
        self.paid += other.paid;
        self.credited += other.credited;
        self.returned += other.returned;
        self.refused += other.refused;
        self.invoices.extend(other.invoices);
        assert_eq!(self.invoices.len(), ids, "two clients got the same invoice");
        self.entries.extend(other.entries);
    }
}

/// One client with its channels to both instances.
struct Client {
    account_id: String,
    on_terms: bool,
    ways: [Channel; 2],
    random: Random,
    done: Done,
    deposits: Vec<(String, i64)>,
    invoices: Vec<licet_contracts::billing::v1::Invoice>,
}

impl Client {
    fn way(&mut self) -> Channel {
        self.ways[self.random.index(2)].clone()
    }

    /// Sends a request once, or to both instances at once, which must return the same (BL-2).
    async fn insist<A: Ask>(&mut self, request: A, reasons: &[&str]) -> Option<A::Answer> {
        let answer = if self.random.below(3) == 0 {
            let [one, other] = self.ways.clone();
            let other = tokio::spawn(request.clone().send(other));
            let one = request.send(one).await;
            assert_eq!(one, other.await.unwrap(), "BL-2");
            one
        } else {
            request.send(self.way()).await
        };
        match answer {
            Ok(answer) => Some(answer),
            Err(refused) => {
                assert!(reasons.contains(&refused.reason.as_str()), "{refused:?}");
                check_missing(&refused);
                self.done.refused += 1;
                None
            }
        }
    }

    async fn quote(&mut self) -> Quote {
        let mut wanted = item(LineKind::Certificate, MULTI, 1);
        wanted.term_months = 1;
        let request: CreateQuoteRequest = ask(&self.account_id, vec![wanted]);
        let answer = self.insist(request, &[]).await;
        answer.unwrap().quote.unwrap()
    }

    /// Charges a quote. After a refusal, and sometimes after a success, tries again with a new request_id.
    async fn charge(&mut self) {
        let quote = self.quote().await;
        let reasons = ["INSUFFICIENT_FUNDS", "CREDIT_LIMIT_EXCEEDED", "QUOTE_SPENT"];
        let mut charged = 0;
        for _ in 0..=self.random.below(2) {
            let request: ChargeQuoteRequest = charge_request(&quote);
            let Some(answer) = self.insist(request, &reasons).await else {
                continue;
            };
            charged += 1;
            let invoice = answer.invoice.unwrap();
            assert_eq!(minor(invoice.total.as_ref()), PRICE);
            self.done.paid += minor(invoice.paid.as_ref());
            self.done.invoices.insert(invoice.invoice_id.clone());
            self.invoices.push(invoice);
        }
        assert!(charged <= 1, "a quote was charged twice");
    }

    async fn deposit(&mut self) {
        let amount = 1 + self.random.below(1_500).cast_signed();
        let request: DepositRequest = deposit_request(&self.account_id, &text(amount));
        let answer = self.insist(request, &[]).await.unwrap();
        let entry_id = answer.entry.unwrap().entry_id;
        self.done.received += amount;
        self.done.entries.insert(entry_id.clone());
        self.deposits.push((entry_id, amount));
    }

    async fn withdraw(&mut self) {
        let amount = 1 + self.random.below(1_500).cast_signed();
        let request = withdraw_request(&self.account_id, &text(amount));
        if let Some(answer) = self.insist(request, &["INSUFFICIENT_FUNDS"]).await {
            self.done.received -= amount;
            self.done.entries.insert(answer.entry.unwrap().entry_id);
        }
    }

    async fn reverse(&mut self) {
        if self.deposits.is_empty() {
            return;
        }
        let place = self.random.index(self.deposits.len());
        let (entry_id, amount) = self.deposits[place].clone();
        let reasons = ["INSUFFICIENT_FUNDS", "ENTRY_ALREADY_REVERSED"];
        if let Some(answer) = self.insist(reversal_request(&entry_id), &reasons).await {
            self.done.received -= amount;
            self.done.entries.insert(answer.entry.unwrap().entry_id);
        }
    }

    async fn pay(&mut self) {
        if self.invoices.is_empty() {
            return;
        }
        let place = self.random.index(self.invoices.len());
        let amount = 1 + self.random.below(800).cast_signed();
        let amount = (self.random.below(2) == 0).then(|| text(amount));
        let request = payment_request(&self.invoices[place].invoice_id, amount.as_deref());
        let reasons = [
            "INSUFFICIENT_FUNDS",
            "INVOICE_NOT_OPEN",
            "PAYMENT_EXCEEDS_DUE",
        ];
        if let Some(answer) = self.insist(request, &reasons).await {
            // No other client pays its invoices.
            let invoice = answer.invoice.unwrap();
            let before = minor(self.invoices[place].paid.as_ref());
            self.done.paid += minor(invoice.paid.as_ref()) - before;
            self.invoices[place] = invoice;
        }
    }

    async fn credit(&mut self) {
        if self.invoices.is_empty() {
            return;
        }
        let place = self.random.index(self.invoices.len());
        let amount = text(1 + self.random.below(900).cast_signed());
        let request = goodwill(&self.invoices[place], &[(1, &amount)]);
        if let Some(answer) = self.insist(request, &["CREDIT_EXCEEDS_INVOICE"]).await {
            let note = answer.credit_note.unwrap();
            self.done.credited += minor(note.total.as_ref());
            self.done.returned += minor(note.returned.as_ref());
            self.invoices[place] = answer.invoice.unwrap();
        }
    }

    async fn hammer(mut self, attempts: usize) -> Done {
        for _ in 0..attempts {
            match self.random.below(10) {
                0..=1 => self.deposit().await,
                2..=5 => self.charge().await,
                6 => self.withdraw().await,
                7 => self.reverse().await,
                8 if self.on_terms => self.pay().await,
                _ => self.credit().await,
            }
        }
        self.done
    }
}

/// A refusal for lack of money names the right missing amount.
fn check_missing(refused: &Refused) {
    let number = |key: &str| Money::parse("USD", refused.value(key)).unwrap().minor();
    let missing = match refused.reason.as_str() {
        "INSUFFICIENT_FUNDS" => number("required") - number("available"),
        "CREDIT_LIMIT_EXCEEDED" => number("due") + number("required") - number("limit"),
        _ => return,
    };
    assert_eq!(number("missing"), missing, "{refused:?}");
    assert!(missing > 0, "{refused:?}");
}

async fn hammer(backend: Backend, on_terms: bool) {
    let random = Random::from_variable_or_chance("LICET_TEST_SEED");
    println!("seed {} (set LICET_TEST_SEED to repeat it)", random.seed());
    let field = Arc::new(Field::open(backend).await);
    let account_id = if on_terms {
        field.world.account_on_terms(&text(LIMIT), 30, 0).await
    } else {
        field.world.empty_account().await
    };
    let running = Arc::new(AtomicBool::new(true));
    let watcher = tokio::spawn(watch(field.clone(), account_id.clone(), running.clone()));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client {
            account_id: account_id.clone(),
            on_terms,
            ways: [field.ways.get(number), field.ways.get(number + 1)],
            random: Random::from_seed(random.seed().wrapping_add(number as u64)),
            done: Done::default(),
            deposits: vec![],
            invoices: vec![],
        };
        clients.spawn(client.hammer(attempts() / CLIENTS));
    }
    let mut all = Done::default();
    for done in clients.join_all().await {
        all += done;
    }
    running.store(false, Ordering::Relaxed);
    watcher.await.unwrap();
    println!("{} charges, {} refusals", all.invoices.len(), all.refused);
    assert!(!all.invoices.is_empty() && all.refused > 0);
    field.let_clocks_catch_up();
    check(&field, &account_id, &all).await;
    field.verify().await;
}

/// The balance never falls below zero, and the amount due never exceeds the limit.
async fn watch(field: Arc<Field>, account_id: String, running: Arc<AtomicBool>) {
    while running.load(Ordering::Relaxed) {
        let account = field.world.get_account(&account_id).await;
        assert!(minor(account.balance.as_ref()) >= 0, "{account:?}");
        let due = minor(account.due.as_ref());
        assert!((0..=LIMIT).contains(&due), "{account:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The books contain exactly what the responses reported.
async fn check(field: &Field, account_id: &str, all: &Done) {
    let account = field.world.get_account(account_id).await;
    let balance = all.received - all.paid + all.returned;
    assert_eq!(minor(account.balance.as_ref()), balance);
    let sold = i64::try_from(all.invoices.len()).unwrap() * PRICE;
    let due = sold - all.paid - (all.credited - all.returned);
    assert_eq!(minor(account.due.as_ref()), due);

    let entries = entries(field, account_id).await;
    let moved = |account: LedgerAccount| -> i64 {
        let postings = entries.iter().flat_map(|entry| &entry.postings);
        let of_it = postings.filter(|it| it.ledger_account() == account);
        of_it.map(|it| minor(it.amount.as_ref())).sum()
    };
    assert_eq!(moved(LedgerAccount::Cash), all.received);
    assert_eq!(moved(LedgerAccount::Balance), -balance);
    assert_eq!(moved(LedgerAccount::Receivable), due);
    assert_eq!(moved(LedgerAccount::Revenue), all.credited - sold);
    let told = |kind: EntryKind| {
        matches!(
            kind,
            EntryKind::Deposit | EntryKind::Withdrawal | EntryKind::Reversal
        )
    };
    let own = entries.iter().filter(|entry| told(entry.kind()));
    let own: BTreeSet<String> = own.map(|entry| entry.entry_id.clone()).collect();
    assert_eq!(own, all.entries);
    let sales = entries.iter().filter(|it| it.kind() == EntryKind::Invoice);
    let sales: Vec<String> = sales.map(|entry| entry.invoice_id.clone()).collect();
    assert_eq!(sales.len(), all.invoices.len(), "a charge was booked twice");
    assert_eq!(sales.into_iter().collect::<BTreeSet<_>>(), all.invoices);
    check_invoices(field, account_id, all).await;
}

async fn check_invoices(field: &Field, account_id: &str, all: &Done) {
    let mut request = ListInvoicesRequest {
        account_id: account_id.to_owned(),
        page_size: 1000,
        ..ListInvoicesRequest::default()
    };
    let mut found = BTreeSet::new();
    let (mut paid, mut credited, mut returned) = (0, 0, 0);
    loop {
        let page = field.world.invoices().list_invoices(request.clone()).await;
        let page = page.unwrap().into_inner();
        for invoice in page.invoices {
            paid += minor(invoice.paid.as_ref());
            credited += minor(invoice.credited.as_ref());
            returned += minor(invoice.returned.as_ref());
            assert!(found.insert(invoice.invoice_id));
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(found, all.invoices);
    let sums = (paid, credited, returned);
    assert_eq!(sums, (all.paid, all.credited, all.returned));
}

async fn entries(field: &Field, account_id: &str) -> Vec<LedgerEntry> {
    let mut request = ListEntriesRequest {
        account_id: account_id.to_owned(),
        page_size: 1000,
        ..ListEntriesRequest::default()
    };
    let mut entries = vec![];
    loop {
        let page = field.world.accounts().list_entries(request.clone()).await;
        let page = page.unwrap().into_inner();
        entries.extend(page.entries);
        if page.next_page_token.is_empty() {
            return entries;
        }
        request.page_token = page.next_page_token;
    }
}
