//! AL-3: the ways to get more additional licences, with dates and amounts. Each is then taken and must cost
//! what was announced.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{Refund, RefundState},
    orders::v1::{
        AdditionalLicenseOption, AdditionalLicenseOptionKind as Kind, DeleteOrderRequest,
        ListAdditionalLicenseOptionsRequest, ListAdditionalLicenseOptionsResponse, Order,
        PlaceOrderRequest, RenewOrderRequest,
    },
};
use licet_domain::{clock::Instant, ids::OrderId};
use tonic::Code;

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::refused,
    on_both_databases, request_id,
    samples::{MULTI, multi_domain_request, shown, term_price},
    world::World,
};

on_both_databases![
    al_3_within_the_refund_days_deleting_and_ordering_again_costs_the_difference,
    al_3_later_the_refund_shrinks_and_renewal_comes_nearer,
    al_3_a_bought_renewal_and_an_end_close_ways,
    al_3_where_nothing_is_open_it_says_why,
];

/// An issued order of two names with one additional licence, for 166.00 USD.
struct Licensed {
    world: World,
    account_id: String,
    order: Order,
}

fn wanted(account_id: &str, additional_licenses: i32) -> PlaceOrderRequest {
    PlaceOrderRequest {
        additional_licenses,
        ..multi_domain_request(account_id, &["www.example.com", "a.example"])
    }
}

impl Licensed {
    async fn new(backend: Backend) -> Self {
        let world = World::start(backend).await;
        world.stock().await;
        let account_id = world.account_with("1000.00").await;
        let order = world.place(wanted(&account_id, 1)).await;
        world.record(&order.order_id).await;
        Self {
            world,
            account_id,
            order,
        }
    }

    /// Asks for the options and checks that asking changes nothing.
    async fn ask(&self, additional_licenses: i32) -> ListAdditionalLicenseOptionsResponse {
        let order_id = self.order.order_id.clone();
        let before = self.seen().await;
        let ask = ListAdditionalLicenseOptionsRequest {
            order_id: order_id.clone(),
            additional_licenses,
        };
        let mut orders = self.world.orders();
        let answer = orders.list_additional_license_options(ask).await;
        let answer = answer.unwrap().into_inner();
        assert_eq!(self.seen().await, before, "listing options changes nothing");
        assert_eq!(answer.order_id, order_id);
        assert!(!answer.explanation.is_empty());
        assert!(answer.rule_id.starts_with("AL-"), "{}", answer.rule_id);
        for option in &answer.options {
            assert!(option.rule_id.starts_with("AL-"), "{option:?}");
            assert!(!option.explanation.is_empty());
        }
        answer
    }

    async fn seen(&self) -> (Order, String, usize) {
        let order_id = &self.order.order_id;
        (
            self.world.get_order(order_id).await,
            self.world.balance(&self.account_id).await,
            self.world.invoices_of(order_id).await.len(),
        )
    }

    /// The window in which the order can be renewed.
    fn window(&self) -> (Instant, Instant) {
        let end = instant(self.order.end_time);
        let at = |days| end.checked_add(TimeDelta::days(days)).unwrap();
        (at(-90), at(30))
    }

    fn deletion(&self) -> DeleteOrderRequest {
        DeleteOrderRequest {
            order_id: self.order.order_id.clone(),
            request_id: request_id(),
            ..DeleteOrderRequest::default()
        }
    }

    async fn delete(&self) {
        let delete = self.deletion();
        self.world.orders().delete_order(delete).await.unwrap();
    }

    fn renewal(&self, additional_licenses: i32) -> RenewOrderRequest {
        RenewOrderRequest {
            order_id: self.order.order_id.clone(),
            term_months: 12,
            additional_licenses,
            request_id: request_id(),
            ..RenewOrderRequest::default()
        }
    }
}

fn kinds(answer: &ListAdditionalLicenseOptionsResponse) -> Vec<Kind> {
    answer
        .options
        .iter()
        .map(AdditionalLicenseOption::kind)
        .collect()
}

/// State and amount of each refund, and the option's cost before and after the refunds.
fn figures(option: &AdditionalLicenseOption) -> (Vec<(RefundState, String)>, String, String) {
    let refund = |refund: &Refund| (refund.state(), shown(refund.refunded.as_ref()));
    (
        option.refunds.iter().map(refund).collect(),
        shown(option.quote.as_ref().unwrap().total.as_ref()),
        shown(option.net.as_ref()),
    )
}

fn expected(
    refunds: &[(RefundState, &str)],
    cost: &str,
    net: &str,
) -> (Vec<(RefundState, String)>, String, String) {
    let refunds = refunds.iter();
    let refunds = refunds.map(|(state, amount)| (*state, (*amount).to_owned()));
    (refunds.collect(), cost.to_owned(), net.to_owned())
}

async fn al_3_within_the_refund_days_deleting_and_ordering_again_costs_the_difference(
    backend: Backend,
) {
    let licensed = Licensed::new(backend).await;
    let issued = licensed.world.now();
    licensed.world.time.advance_days(10);
    let answer = licensed.ask(3).await;
    assert_eq!(answer.additional_licenses, 1);
    assert_eq!(kinds(&answer), [Kind::BuyAtOrderAgain, Kind::AtRenewal]);
    let [again, renewal] = <[_; 2]>::try_from(answer.options).unwrap();
    let refunds = [(RefundState::Refunded, "166.00 USD")];
    assert_eq!(
        figures(&again),
        expected(&refunds, "204.00 USD", "38.00 USD")
    );
    assert_eq!(instant(again.from_time), licensed.world.now());
    let last = issued.checked_add(TimeDelta::days(25)).unwrap();
    assert_eq!(instant(again.until_time), shifted(last, 1));
    assert!(again.explanation.contains("166.00 USD"), "{again:?}");
    assert_eq!(figures(&renewal), expected(&[], "204.00 USD", "204.00 USD"));
    let window = (instant(renewal.from_time), instant(renewal.until_time));
    assert_eq!(window, licensed.window());

    // Until the last instant on these terms, the option costs what was announced.
    licensed.world.time.move_to(last);
    let balance = licensed.world.balance(&licensed.account_id).await;
    assert_eq!(balance, "834.00 USD");
    licensed.delete().await;
    let anew = licensed.world.place(wanted(&licensed.account_id, 3)).await;
    assert_eq!(anew.additional_licenses, 3);
    let balance = licensed.world.balance(&licensed.account_id).await;
    assert_eq!(balance, "796.00 USD", "38.00 less");
}

async fn al_3_later_the_refund_shrinks_and_renewal_comes_nearer(backend: Backend) {
    let licensed = Licensed::new(backend).await;
    let issued = licensed.world.now();
    licensed.world.time.advance_days(28);
    let review = licensed.ask(3).await.options.remove(0);
    let refunds = [(RefundState::PendingReview, "0.00 USD")];
    assert_eq!(
        figures(&review),
        expected(&refunds, "204.00 USD", "204.00 USD")
    );
    assert_eq!(
        shown(review.refunds[0].creditable.as_ref()),
        "166.00 USD",
        "the most that a review could grant"
    );
    let last = issued.checked_add(TimeDelta::days(30)).unwrap();
    assert_eq!(instant(review.until_time), shifted(last, 1));
    assert!(review.explanation.contains("review"), "{review:?}");

    licensed.world.time.move_to(shifted(last, 1));
    let nothing = licensed.ask(3).await.options.remove(0);
    let refunds = [(RefundState::NotDue, "0.00 USD")];
    assert_eq!(
        figures(&nothing),
        expected(&refunds, "204.00 USD", "204.00 USD")
    );
    assert_eq!(nothing.until_time, licensed.order.end_time);

    // Both ways use the prices of the day (MD-10).
    let dearer = vec![term_price(12, ["100.00", "50.00", "150.00", "20.00"])];
    licensed.world.set_prices(MULTI, dearer).await;
    let (from, _) = licensed.window();
    licensed.world.time.move_to(from);
    let renewal = licensed.ask(3).await.options.remove(1);
    assert_eq!(instant(renewal.from_time), from);
    assert_eq!(figures(&renewal), expected(&[], "210.00 USD", "210.00 USD"));
    let renew = licensed.renewal(3);
    let renewed = licensed.world.orders().renew_order(renew).await.unwrap();
    let renewed = renewed.into_inner();
    assert_eq!(
        renewed.quote.unwrap().lines.len(),
        renewal.quote.as_ref().unwrap().lines.len()
    );
    let balance = licensed.world.balance(&licensed.account_id).await;
    assert_eq!(balance, "624.00 USD", "834.00 less 210.00");
}

async fn al_3_a_bought_renewal_and_an_end_close_ways(backend: Backend) {
    let licensed = Licensed::new(backend).await;
    let (from, until) = licensed.window();
    licensed.world.time.move_to(from);
    let renew = licensed.renewal(2);
    licensed.world.orders().renew_order(renew).await.unwrap();
    let answer = licensed.ask(4).await;
    assert_eq!(kinds(&answer), [Kind::BuyAtOrderAgain]);
    assert!(answer.explanation.contains("renew"), "{answer:?}");
    // The running term is past its refund days; the next term has not begun.
    let refunds = [
        (RefundState::NotDue, "0.00 USD"),
        (RefundState::Refunded, "185.00 USD"),
    ];
    assert_eq!(
        figures(&answer.options[0]),
        expected(&refunds, "223.00 USD", "38.00 USD")
    );
    assert_eq!(answer.options[0].until_time, licensed.order.end_time);

    let ended = Licensed::new(backend).await;
    let end = instant(ended.order.end_time);
    ended.world.time.move_to(end);
    let answer = ended.ask(3).await;
    assert_eq!(kinds(&answer), [Kind::AtRenewal]);
    assert_eq!(instant(answer.options[0].from_time), end);
    assert_eq!(instant(answer.options[0].until_time), until);
    ended.world.time.move_to(until);
    let answer = ended.ask(3).await;
    assert_eq!(kinds(&answer), []);
    assert!(answer.explanation.contains("ENDED"), "{answer:?}");
    // The explanation names no option that is no longer available.
    assert!(
        !answer.explanation.contains("can only be renewed"),
        "{answer:?}"
    );
    let refusal = refused(ended.world.orders().delete_order(ended.deletion()).await);
    let refusal = refusal.expect(Code::FailedPrecondition, "ORDER_ENDED");
    assert_eq!(refusal.metadata.get("renewable_until_time"), None);
}

async fn al_3_where_nothing_is_open_it_says_why(backend: Backend) {
    let licensed = Licensed::new(backend).await;
    let enough = licensed.ask(1).await;
    assert_eq!(kinds(&enough), []);
    assert!(enough.explanation.contains("needs no more"), "{enough:?}");
    // The product permits ten at most.
    let too_many = licensed.ask(11).await;
    assert_eq!(kinds(&too_many), []);
    assert!(
        too_many.explanation.contains("allows at most 10"),
        "{too_many:?}"
    );
    licensed.delete().await;
    let deleted = licensed.ask(3).await;
    assert_eq!(kinds(&deleted), []);
    assert!(deleted.explanation.contains("DELETED"), "{deleted:?}");

    let ask = |order_id: String, additional_licenses| {
        let mut orders = licensed.world.orders();
        async move {
            let ask = ListAdditionalLicenseOptionsRequest {
                order_id,
                additional_licenses,
            };
            refused(orders.list_additional_license_options(ask).await)
        }
    };
    let nowhere = ask(OrderId::generate().to_string(), 3).await;
    nowhere.expect(Code::NotFound, "NOT_FOUND");
    let malformed = ask(String::new(), 0).await;
    let malformed = malformed.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(malformed.paths(), ["additional_licenses", "order_id"]);
}
