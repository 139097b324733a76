//! X-2, MD-8: a change of names is charged in this term and in the next. Whatever is lost or killed
//! between the two charges, each is made exactly once, or neither stands.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use licet_contracts::{
    billing::v1::{Invoice, Quote},
    orders::v1::{Order, RenewOrderRequest, UpdateDomainsRequest},
};
use licet_runtime::peer::{FaultPlan, Interference};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::take_apart,
    eventually, on_both_databases, request_id,
    samples::{change_request, multi_domain_request, shown},
    world::World,
};

on_both_databases![
    x_2_whatever_is_lost_each_term_is_charged_exactly_once,
    x_2_killed_between_the_charges_both_are_made_once,
    x_2_killed_between_the_charges_and_short_of_money_neither_stands,
];

const DAY_MICROS: i64 = 86_400_000_000;

/// Interferes with the charges from a certain one on, while it is on.
struct Cutting {
    is_on: AtomicBool,
    /// Charges seen since it is on.
    seen: AtomicUsize,
    first: usize,
    last: usize,
    how: Interference,
}

impl Cutting {
    fn new(first: usize, last: usize, how: Interference) -> Arc<Self> {
        Arc::new(Self {
            is_on: AtomicBool::new(false),
            seen: AtomicUsize::new(0),
            first,
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
        if !self.is_on.load(Ordering::SeqCst) || !path.ends_with("ChargeQuote") {
            return Interference::None;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if (self.first..=self.last).contains(&number) {
            self.how
        } else {
            Interference::None
        }
    }
}

/// An issued order a month before its end, its next year bought, and what a change costs in both.
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

    /// The invoices of the change, this term's first.
    async fn charges(&self) -> Vec<Invoice> {
        let mut invoices = self.world.invoices_of(&self.order.order_id).await;
        invoices.sort_by(|one, other| one.number.cmp(&other.number));
        // Those of the placing and of the renewal come before them.
        invoices.split_off(2)
    }

    /// Asks until the change is through, and sees both charges made once.
    async fn made_once(&self) {
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
        let terms = [done.current_term, done.next_term].map(Option::unwrap);
        for (term, charge) in terms.iter().zip(&charges) {
            assert_eq!(term.paid_standard_domains, 2);
            assert_eq!(term.invoice_ids.last(), Some(&charge.invoice_id));
        }
        let account = self.world.get_account(&self.account_id).await;
        let spent: i64 = self.totals.iter().map(|total| cents(total)).sum();
        let left = 80_400 - spent;
        assert_eq!(cents(&shown(account.balance.as_ref())), left, "BL-1");
    }

    /// Asks for the change, and waits until it stands before its second charge.
    async fn stand_between(&self) {
        let answer = self
            .world
            .orders()
            .update_domains(self.request.clone())
            .await;
        answer.unwrap();
        eventually("the first charge is made", || async {
            let order = self.world.get_order(&self.order.order_id).await;
            let pending = order.pending_change?;
            (pending.step == "charge-next-term").then_some(())
        })
        .await;
        assert_eq!(self.charges().await.len(), 1);
    }
}

/// `24.50 USD` in cents.
fn cents(text: &str) -> i64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

async fn x_2_whatever_is_lost_each_term_is_charged_exactly_once(backend: Backend) {
    for (first, last, how) in [
        (1, 1, Interference::LoseAnswer),
        (2, 2, Interference::LoseRequest),
        (2, 3, Interference::LoseAnswer),
        (1, 4, Interference::LoseAnswer),
    ] {
        let cutting = Cutting::new(first, last, how);
        let renewed = Renewed::start(backend, &cutting).await;
        cutting.switch(true);
        renewed.made_once().await;
        let seen = cutting.seen.load(Ordering::SeqCst);
        assert!(seen > last, "{seen} charges were tried, {last} cut");
    }
}

async fn x_2_killed_between_the_charges_both_are_made_once(backend: Backend) {
    // The second charge reaches Billing or not, and nobody learns of it before Orders is gone.
    for how in [Interference::LoseRequest, Interference::LoseAnswer] {
        let cutting = Cutting::new(2, usize::MAX, how);
        let mut renewed = Renewed::start(backend, &cutting).await;
        cutting.switch(true);
        let answer = renewed
            .world
            .orders()
            .update_domains(renewed.request.clone())
            .await;
        answer.unwrap();
        eventually("the second charge was tried", || async {
            (cutting.seen.load(Ordering::SeqCst) >= 2).then_some(())
        })
        .await;
        renewed.world.stop_orders().await;
        cutting.switch(false);
        renewed.world.start_orders().await;
        renewed.made_once().await;
    }
}

async fn x_2_killed_between_the_charges_and_short_of_money_neither_stands(backend: Backend) {
    let cutting = Cutting::new(2, usize::MAX, Interference::LoseRequest);
    let mut renewed = Renewed::start(backend, &cutting).await;
    cutting.switch(true);
    renewed.stand_between().await;
    renewed.world.stop_orders().await;
    let account_id = renewed.account_id.clone();
    let balance = renewed
        .world
        .get_account(&account_id)
        .await
        .balance
        .unwrap();
    let all = renewed.world.withdraw(&account_id, &balance.value).await;
    all.unwrap();
    cutting.switch(false);
    renewed.world.start_orders().await;
    let reason = eventually("the change is refused", || async {
        let answer = renewed
            .world
            .orders()
            .update_domains(renewed.request.clone())
            .await;
        // While Orders starts there is nobody to refuse anything.
        let refused = answer
            .err()
            .filter(|it| it.code() == Code::ResourceExhausted)?;
        Some(take_apart(&refused).reason)
    })
    .await;
    assert_eq!(reason, "INSUFFICIENT_FUNDS");
    // What was charged for this term is credited whole, and the order is as it was.
    let charges = renewed.charges().await;
    assert_eq!(charges.len(), 1);
    assert_eq!(shown(charges[0].credited.as_ref()), renewed.totals[0]);
    let balance = renewed.world.balance(&account_id).await;
    assert_eq!(balance, renewed.totals[0]);
    let after = renewed.world.get_order(&renewed.order.order_id).await;
    assert_eq!(after, renewed.order);
}
