//! X-2, MD-8, BL-6: a domain change charges this term and the next together. Whatever is lost or killed,
//! either both are charged exactly once, or neither is and no trace remains.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use licet_contracts::{
    billing::v1::{Invoice, LedgerEntry, ListEntriesRequest, Quote},
    orders::v1::{Order, RenewOrderRequest, UpdateDomainsRequest},
};
use licet_runtime::peer::{FaultPlan, Interference};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::{Refused, take_apart},
    eventually, on_both_databases, request_id,
    samples::{change_request, multi_domain_request, shown},
    world::World,
};

on_both_databases![
    x_2_whatever_is_lost_both_terms_are_charged_exactly_once,
    x_2_killed_at_the_charge_both_are_made_once,
    bl_6_killed_at_the_charge_and_short_of_money_nothing_is_left,
    bl_6_what_is_missing_is_said_of_both_terms_and_nothing_is_left,
];

const DAY_MICROS: i64 = 86_400_000_000;

/// Loses the first charges that cover two terms, while it is on.
struct Cutting {
    is_on: AtomicBool,
    /// Charges seen since it was switched on.
    seen: AtomicUsize,
    /// The number of charges to lose.
    last: usize,
    how: Interference,
}

impl Cutting {
    fn new(last: usize, how: Interference) -> Arc<Self> {
        Arc::new(Self {
            is_on: AtomicBool::new(false),
            seen: AtomicUsize::new(0),
            last,
            how,
        })
    }

    fn switch(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::SeqCst);
    }
}

impl FaultPlan for Cutting {
    fn next(&self, path: &str) -> Interference {
        if !self.is_on.load(Ordering::SeqCst) || !path.ends_with("/ChargeQuotes") {
            return Interference::None;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if number <= self.last {
            self.how
        } else {
            Interference::None
        }
    }
}

/// An issued order a month before its end, with its next year bought and a change's totals for both terms.
struct Renewed {
    world: World,
    account_id: String,
    order: Order,
    request: UpdateDomainsRequest,
    totals: [String; 2],
}

impl Renewed {
    async fn start(backend: Backend, cutting: &Arc<Cutting>) -> Self {
        let world = World::start_with_faults(backend, cutting.clone()).await;
        world.stock().await;
        let account_id = world.account_with("1000.00").await;
        let order = world
            .place(multi_domain_request(&account_id, &["www.example.com"]))
            .await;
        world.record(&order.order_id).await;
        let month_before = shifted(instant(order.end_time), -30 * DAY_MICROS);
        world.time.move_to(month_before);
        let renewal = RenewOrderRequest {
            order_id: order.order_id.clone(),
            term_months: 12,
            request_id: request_id(),
            ..RenewOrderRequest::default()
        };
        world.orders().renew_order(renewal).await.unwrap();
        let order = world.get_order(&order.order_id).await;
        let add = ["a.example"];
        let preview = world.preview_domains(&order.order_id, &add, &[]).await;
        let total = |quote: Option<Quote>| shown(quote.unwrap().total.as_ref());
        let totals = [total(preview.quote), total(preview.next_term_quote)];
        assert_eq!(totals[1], "49.00 USD");
        assert_eq!(world.balance(&account_id).await, "804.00 USD");
        Self {
            world,
            account_id,
            request: change_request(&order.order_id, &add, &[]),
            order,
            totals,
        }
    }

    /// The change's invoices, this term's first.
    async fn charges(&self) -> Vec<Invoice> {
        let mut invoices = self.world.invoices_of(&self.order.order_id).await;
        invoices.sort_by(|one, other| one.number.cmp(&other.number));
        // The invoices of the order and its renewal come first.
        invoices.split_off(2)
    }

    /// Repeats the request until the change is done, and checks that both charges are made once.
    async fn made_once(&self) {
        self.made_once_from(80_400).await;
    }

    /// Like [`Renewed::made_once`], for a customer who had `before` cents.
    async fn made_once_from(&self, before: i64) {
        let done = eventually("the change is charged", || async {
            let answer = self
                .world
                .orders()
                .update_domains(self.request.clone())
                .await;
            let order = answer.ok()?.into_inner().order.unwrap();
            let pending = order.pending_change.as_ref()?;
            (pending.step == "await-certificate").then_some(order)
        })
        .await;
        let charges = self.charges().await;
        let found: Vec<_> = charges.iter().map(|it| shown(it.total.as_ref())).collect();
        assert_eq!(found, self.totals, "{charges:?}");
        assert!(
            charges
                .iter()
                .all(|it| shown(it.credited.as_ref()) == "0.00 USD")
        );
        assert_eq!(charges[0].issue_time, charges[1].issue_time, "at once");
        let terms = [done.current_term, done.next_term].map(Option::unwrap);
        for (term, charge) in terms.iter().zip(&charges) {
            assert_eq!(term.paid_standard_domains, 2);
            assert_eq!(term.invoice_ids.last(), Some(&charge.invoice_id));
        }
        let account = self.world.get_account(&self.account_id).await;
        let spent: i64 = self.totals.iter().map(|total| cents(total)).sum();
        let left = before - spent;
        assert_eq!(cents(&shown(account.balance.as_ref())), left, "BL-1");
    }

    /// Requests the change and waits until its charge is lost.
    async fn stand_at_the_charge(&self, cutting: &Cutting) {
        cutting.switch(true);
        let request = self.request.clone();
        self.world.orders().update_domains(request).await.unwrap();
        eventually("the charge was tried", || async {
            (cutting.seen.load(Ordering::SeqCst) >= 1).then_some(())
        })
        .await;
    }

    /// Sets the customer's balance.
    async fn keep_only(&self, left: &str) {
        let account = self.world.get_account(&self.account_id).await;
        let change = cents(left) - cents(&shown(account.balance.as_ref()));
        if change < 0 {
            let spent = amount(-change);
            let all = self.world.withdraw(&self.account_id, &spent).await;
            all.unwrap();
        } else if change > 0 {
            self.world.deposit(&self.account_id, &amount(change)).await;
        }
    }

    /// Repeats the request until it is refused, and checks that it left no trace: no invoice, credit note or
    /// entry, and the order unchanged.
    async fn refused_for_good(&self, request: UpdateDomainsRequest) -> Refused {
        let books = self.books().await;
        let refusal = eventually("the change is refused", || async {
            let answer = self.world.orders().update_domains(request.clone()).await;
            // While Orders starts, calls fail without a refusal.
            let refusal = answer.err();
            refusal.filter(|it| it.code() == Code::ResourceExhausted)
        })
        .await;
        assert_eq!(self.books().await, books, "BL-6");
        let after = self.world.get_order(&self.order.order_id).await;
        assert_eq!(after, self.order);
        take_apart(&refusal)
    }

    /// The order's invoices and the account's entries.
    async fn books(&self) -> (Vec<Invoice>, Vec<LedgerEntry>) {
        let invoices = self.world.invoices_of(&self.order.order_id).await;
        let request = ListEntriesRequest {
            account_id: self.account_id.clone(),
            page_size: 1000,
            ..ListEntriesRequest::default()
        };
        let entries = self.world.accounts().list_entries(request).await;
        (invoices, entries.unwrap().into_inner().entries)
    }
}

/// 2450 cents as `24.50`.
fn amount(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// `24.50 USD` in cents.
fn cents(text: &str) -> i64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

async fn x_2_whatever_is_lost_both_terms_are_charged_exactly_once(backend: Backend) {
    for (last, how) in [
        (1, Interference::LoseResponse),
        (1, Interference::LoseRequest),
        (4, Interference::LoseResponse),
    ] {
        let cutting = Cutting::new(last, how);
        let renewed = Renewed::start(backend, &cutting).await;
        cutting.switch(true);
        renewed.made_once().await;
        let seen = cutting.seen.load(Ordering::SeqCst);
        assert!(
            seen > last,
            "{seen} charges were tried, {last} of them lost"
        );
    }
}

async fn x_2_killed_at_the_charge_both_are_made_once(backend: Backend) {
    // Whether or not the charge reaches Billing, no response arrives before Orders is killed.
    for how in [Interference::LoseRequest, Interference::LoseResponse] {
        let cutting = Cutting::new(usize::MAX, how);
        let mut renewed = Renewed::start(backend, &cutting).await;
        renewed.stand_at_the_charge(&cutting).await;
        renewed.world.stop_orders().await;
        cutting.switch(false);
        renewed.world.start_orders().await;
        renewed.made_once().await;
    }
}

async fn bl_6_killed_at_the_charge_and_short_of_money_nothing_is_left(backend: Backend) {
    let cutting = Cutting::new(usize::MAX, Interference::LoseRequest);
    let mut renewed = Renewed::start(backend, &cutting).await;
    renewed.stand_at_the_charge(&cutting).await;
    renewed.world.stop_orders().await;
    renewed.keep_only("5.00").await;
    cutting.switch(false);
    renewed.world.start_orders().await;
    let refusal = renewed.refused_for_good(renewed.request.clone()).await;
    assert_eq!(refusal.reason, "INSUFFICIENT_FUNDS");
}

async fn bl_6_what_is_missing_is_said_of_both_terms_and_nothing_is_left(backend: Backend) {
    let cutting = Cutting::new(0, Interference::None);
    let renewed = Renewed::start(backend, &cutting).await;
    let [this, next] = renewed.totals.each_ref().map(|total| cents(total));
    let all = this + next;
    // Too little for either; enough for one; enough for the other; one cent short of both.
    for there in ["1.00", &amount(this), "49.00", &amount(all - 1)] {
        renewed.keep_only(there).await;
        let request = UpdateDomainsRequest {
            request_id: request_id(),
            ..renewed.request.clone()
        };
        let refusal = renewed.refused_for_good(request).await;
        assert_eq!(refusal.reason, "INSUFFICIENT_FUNDS");
        let said = ["required", "available", "missing"].map(|key| refusal.value(key));
        let missing = amount(all - cents(there));
        assert_eq!(said, [amount(all).as_str(), there, missing.as_str()]);
    }
    renewed.keep_only(&amount(all)).await;
    renewed.made_once_from(all).await;
}
