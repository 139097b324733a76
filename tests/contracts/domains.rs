//! MD-1 to MD-4, MD-6, MD-8: the cost of changing an order's domains; exactly the quoted amount is charged.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{LineKind, ProrationConvention},
    orders::v1::{Order, OrderState, UpdateDomainsRequest},
};
use licet_domain::ids::QuoteId;
use tonic::Code;

use crate::harness::{
    Backend,
    clock::instant,
    errors::refused,
    on_both_databases,
    samples::{MULTI, change_request, multi_domain_request, names, shown, term_price},
    world::World,
};

on_both_databases![
    md_3_half_a_year_left_costs_half_the_price,
    md_2_changing_names_without_raising_the_total_is_free,
    md_2_paid_slots_stay_until_the_term_ends,
    md_4_a_wildcard_has_a_price_of_its_own,
    md_6_a_quote_is_stale_once_the_order_or_the_names_changed,
    md_6_a_quote_expires_after_15_minutes,
    md_8_an_order_keeps_its_prices,
];

/// An issued order of a multi-domain product.
pub(super) struct Issued {
    pub(super) world: World,
    pub(super) account_id: String,
    pub(super) order: Order,
}

impl Issued {
    /// Issues an order of `list` for a year, on an account that had 1000.00.
    pub(super) async fn new(backend: Backend, list: &[&str]) -> Self {
        let world = World::start(backend).await;
        world.stock().await;
        let account_id = world.account_with("1000.00").await;
        let order = world.multi_domain_order(&account_id, list).await;
        world.record(&order.order_id).await;
        Self {
            world,
            account_id,
            order,
        }
    }

    /// Changes the domains, records the certificate, and returns the amount charged.
    pub(super) async fn change(&self, add: &[&str], remove: &[&str]) -> String {
        let answer = self
            .world
            .update_domains(&self.order.order_id, add, remove)
            .await;
        let total = shown(answer.quote.unwrap().total.as_ref());
        self.world.record(&self.order.order_id).await;
        total
    }

    pub(super) async fn refuse(
        &self,
        add: &[&str],
        remove: &[&str],
    ) -> crate::harness::errors::Refused {
        let request = change_request(&self.order.order_id, add, remove);
        refused(self.world.orders().update_domains(request).await)
    }

    pub(super) async fn domains(&self) -> Vec<String> {
        self.world.get_order(&self.order.order_id).await.domains
    }
}

async fn md_3_half_a_year_left_costs_half_the_price(backend: Backend) {
    let Issued {
        world,
        account_id,
        order,
    } = Issued::new(backend, &["www.example.com", "a.example"]).await;
    let balance = world.balance(&account_id).await;
    assert_eq!(balance, "853.00 USD");
    world.time.advance_months(6);

    let preview = world
        .preview_domains(&order.order_id, &["b.example"], &[])
        .await;
    let quote = preview.quote.unwrap();
    assert_eq!(shown(quote.total.as_ref()), "24.50 USD");
    assert_eq!(quote.lines.len(), 1);
    let line = &quote.lines[0];
    assert_eq!((line.kind(), line.quantity), (LineKind::Domain, 1));
    assert_eq!(line.unit_price.as_ref().unwrap().value, "49.00");
    assert_eq!(line.fraction, "1/2");
    assert_eq!(line.convention(), ProrationConvention::Monthly);
    assert!(line.rule_id.starts_with("MD-"), "{}", line.rule_id);
    assert!(line.explanation.contains("24.50"), "{}", line.explanation);
    assert_eq!(
        line.term_period,
        order.current_term.as_ref().unwrap().period
    );
    assert_eq!(
        instant(line.charged_period.unwrap().start_time),
        world.now()
    );
    assert_eq!(
        world.balance(&account_id).await,
        balance,
        "a preview charges nothing"
    );
    assert_eq!(world.get_order(&order.order_id).await.pending_change, None);

    // Ten minutes later the same share would cost less, but the quote's price holds.
    world.time.advance(TimeDelta::minutes(10));
    let change = UpdateDomainsRequest {
        quote_id: quote.quote_id.clone(),
        ..change_request(&order.order_id, &["b.example"], &[])
    };
    let answer = world
        .orders()
        .update_domains(change)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        answer.names,
        names(&["a.example", "b.example", "www.example.com"])
    );
    assert_eq!(
        answer.quote.unwrap().lines,
        quote.lines,
        "preview = charge (BL-1)"
    );
    assert_eq!(world.balance(&account_id).await, "828.50 USD");
    let invoices = world.invoices_of(&order.order_id).await;
    assert_eq!(invoices.len(), 2);
    assert_eq!(invoices[1].lines, quote.lines);
    assert_eq!(invoices[1].quote_id, quote.quote_id);
    let pending = world
        .get_order(&order.order_id)
        .await
        .pending_change
        .unwrap();
    let pending = pending.domain_change.unwrap();
    assert_eq!(shown(pending.charged.as_ref()), "24.50 USD");
    assert_eq!(pending.invoice_id, invoices[1].invoice_id);
    assert_eq!(
        (pending.added, pending.removed),
        (names(&["b.example"]), vec![])
    );

    world.record(&order.order_id).await;
    let done = world.get_order(&order.order_id).await;
    assert_eq!(
        done.domains,
        names(&["a.example", "b.example", "www.example.com"])
    );
    assert_eq!(
        (done.state(), done.pending_change),
        (OrderState::Issued, None)
    );
    assert_eq!(done.current_term.unwrap().invoice_ids.len(), 2);
}

async fn md_2_changing_names_without_raising_the_total_is_free(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example", "b.example"]).await;
    let balance = issued.world.balance(&issued.account_id).await;
    issued.world.time.advance_months(3);
    assert_eq!(
        issued
            .change(&["c.example", "d.example"], &["a.example", "b.example"])
            .await,
        "0.00 USD"
    );
    assert_eq!(
        issued.domains().await,
        names(&["c.example", "d.example", "www.example.com"])
    );
    assert_eq!(issued.world.balance(&issued.account_id).await, balance);
    let paid = issued.world.invoices_of(&issued.order.order_id).await;
    assert_eq!(paid.len(), 1, "a free change makes no invoice");
}

async fn md_2_paid_slots_stay_until_the_term_ends(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example", "b.example"]).await;
    assert_eq!(
        issued.change(&[], &["a.example", "b.example"]).await,
        "0.00 USD"
    );
    issued.world.time.advance_months(1);
    assert_eq!(
        issued.change(&["c.example", "d.example"], &[]).await,
        "0.00 USD"
    );
    // A domain beyond the paid slots costs 11 of 12 months of 49.00.
    assert_eq!(issued.change(&["e.example"], &[]).await, "44.92 USD");
    let term = issued
        .world
        .get_order(&issued.order.order_id)
        .await
        .current_term
        .unwrap();
    assert_eq!(
        (term.paid_standard_domains, term.paid_wildcard_domains),
        (4, 0)
    );
}

async fn md_4_a_wildcard_has_a_price_of_its_own(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
    issued.world.time.advance_months(6);
    // For half the year: in place of a standard domain, half of 149.00 − 49.00; in addition, half of 149.00.
    assert_eq!(
        issued.change(&["*.a.example"], &["a.example"]).await,
        "50.00 USD"
    );
    assert_eq!(issued.change(&["*.b.example"], &[]).await, "74.50 USD");
    let both =
        issued
            .world
            .preview_domains(&issued.order.order_id, &["c.example", "*.d.example"], &[]);
    let quote = both.await.quote.unwrap();
    let kinds: Vec<_> = quote
        .lines
        .iter()
        .map(|line| (line.kind(), line.quantity))
        .collect();
    assert!(kinds.contains(&(LineKind::Domain, 1)), "{kinds:?}");
    assert!(kinds.contains(&(LineKind::WildcardDomain, 1)), "{kinds:?}");
    assert_eq!(shown(quote.total.as_ref()), "99.00 USD");
}

async fn md_6_a_quote_is_stale_once_the_order_or_the_names_changed(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    let preview = world
        .preview_domains(&order.order_id, &["b.example"], &[])
        .await;
    let quote_id = preview.quote.unwrap().quote_id;
    let with_quote = |add: &[&str]| UpdateDomainsRequest {
        quote_id: quote_id.clone(),
        ..change_request(&order.order_id, add, &[])
    };
    let balance = world.balance(account_id).await;
    let other = refused(
        world
            .orders()
            .update_domains(with_quote(&["c.example"]))
            .await,
    );
    other.expect(Code::FailedPrecondition, "QUOTE_STALE");
    issued.change(&["c.example"], &["a.example"]).await;
    let stale = refused(
        world
            .orders()
            .update_domains(with_quote(&["b.example"]))
            .await,
    );
    let stale = stale.expect(Code::FailedPrecondition, "QUOTE_STALE");
    assert_eq!(stale.value("quote_id"), quote_id);
    assert_eq!(world.balance(account_id).await, balance);
    assert_eq!(world.get_order(&order.order_id).await.pending_change, None);
    let unknown = UpdateDomainsRequest {
        quote_id: QuoteId::generate().to_string(),
        ..change_request(&order.order_id, &["b.example"], &[])
    };
    refused(world.orders().update_domains(unknown).await).expect(Code::NotFound, "NOT_FOUND");
    // The same holds for a free change (MD-2).
    let free = |quote_id: String| UpdateDomainsRequest {
        quote_id,
        ..change_request(&order.order_id, &["b.example"], &["c.example"])
    };
    let unknown = free(QuoteId::generate().to_string());
    refused(world.orders().update_domains(unknown).await).expect(Code::NotFound, "NOT_FOUND");
    let kept = refused(world.orders().update_domains(free(quote_id)).await);
    kept.expect(Code::FailedPrecondition, "QUOTE_STALE");
    assert_eq!(world.get_order(&order.order_id).await.pending_change, None);
}

async fn md_6_a_quote_expires_after_15_minutes(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com", "a.example"]).await;
    let Issued {
        world,
        account_id,
        order,
    } = &issued;
    let quarter = TimeDelta::minutes(15);
    let microsecond = TimeDelta::microseconds(1);

    let quote = world
        .preview_domains(&order.order_id, &["b.example"], &[])
        .await
        .quote
        .unwrap();
    assert_eq!(
        Some(instant(quote.expire_time)),
        world.now().checked_add(quarter)
    );
    world.time.advance(quarter);
    let balance = world.balance(account_id).await;
    let with = |quote_id: String| UpdateDomainsRequest {
        quote_id,
        ..change_request(&order.order_id, &["b.example"], &[])
    };
    let late = refused(world.orders().update_domains(with(quote.quote_id)).await);
    late.expect(Code::FailedPrecondition, "QUOTE_EXPIRED");
    assert_eq!(world.balance(account_id).await, balance);
    assert_eq!(world.settled(&order.order_id).await.pending_change, None);

    let quote = world
        .preview_domains(&order.order_id, &["b.example"], &[])
        .await
        .quote
        .unwrap();
    world.time.advance(quarter - microsecond);
    world
        .orders()
        .update_domains(with(quote.quote_id))
        .await
        .unwrap();
}

async fn md_8_an_order_keeps_its_prices(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    issued.world.time.advance_months(1);
    let dearer = vec![term_price(12, ["200.00", "99.00", "300.00", "50.00"])];
    issued.world.set_prices(MULTI, dearer).await;
    issued.world.time.advance_months(5);
    assert_eq!(issued.change(&["b.example"], &[]).await, "24.50 USD");
    let fresh = multi_domain_request(&issued.account_id, &["www.example.org", "b.example"]);
    let order = issued.world.place(fresh).await;
    let invoices = issued.world.invoices_of(&order.order_id).await;
    assert_eq!(shown(invoices[0].total.as_ref()), "299.00 USD");
}
