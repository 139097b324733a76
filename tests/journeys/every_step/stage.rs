//! Setups of scenarios: one-month orders and licences, each on its own account.

use std::sync::{Arc, Mutex};

use futures::{StreamExt as _, stream};
use licet_contracts::{
    orders::v1::{
        BeginIssuanceRequest, DeleteOrderRequest, PlaceOrderRequest, RecordIssuanceRequest,
        RenewOrderRequest, RequestReissueRequest,
    },
    types::v1::KeyType,
};
use licet_domain::clock::Instant;
use licet_runtime::database::Location;
use sea_orm::{ConnectionTrait as _, Database};

use super::{
    AT_ONCE,
    network::{Cell, Network},
    operations::Operations,
    scenarios::{Asked, Doors, Place},
};
use crate::harness::{
    certificates::{Authority, Wanted, chain},
    clock::{instant, shifted, timestamp},
    request_id,
    samples::{change_request, common_name_first, issuance_of, multi_domain_request, names},
    world::World,
};

const DAY_MICROS: i64 = 86_400_000_000;

/// The world of all cells.
pub(super) struct Stage {
    pub(super) world: Arc<World>,
    pub(super) network: Arc<Network>,
    pub(super) operations: Operations,
    pub(super) doors: Doors,
    authority: Authority,
    early: Mutex<Vec<Early>>,
}

/// An order under a licence, old enough that its deletion settles three terms: one that is over and still
/// refunded, one that runs and one to come.
#[derive(Clone)]
pub(super) struct Early {
    pub(super) cell: Arc<Cell>,
    order_id: String,
}

impl Stage {
    pub(super) fn new(world: Arc<World>, network: Arc<Network>) -> Self {
        let operations = Operations::of(&world);
        network.attach(operations.clone());
        let doors = Doors {
            orders: world.orders_channel(),
            san: world.san_channel(0),
        };
        Self {
            world,
            network,
            operations,
            doors,
            authority: Authority::new("Licet Test Authority"),
            early: Mutex::default(),
        }
    }

    /// Makes a cell with a new account and this balance.
    pub(super) async fn enter(&self, balance: &str) -> Arc<Cell> {
        let account_id = self.world.account_with(balance).await;
        self.network.enter(&account_id)
    }

    /// Makes `count` setups that take weeks, and lets the weeks pass.
    pub(super) async fn let_weeks_pass(&self, count: usize) {
        let placed = stream::iter(0..count).map(async |_| {
            let cell = self.enter("5000.00").await;
            let order_id = self.order_under_license(&cell.account_id).await;
            Early { cell, order_id }
        });
        let all: Vec<Early> = placed.buffered(AT_ONCE).collect().await;
        let first = self.world.get_order(&all[0].order_id).await;
        let end = instant(first.end_time);
        self.world.time.move_to(shifted(end, -3 * DAY_MICROS));
        let renewed = stream::iter(&all).map(async |early| {
            self.record(&early.order_id).await;
            self.renew(&early.order_id).await;
        });
        renewed.buffered(AT_ONCE).collect::<Vec<()>>().await;
        self.world.time.move_to(shifted(end, 3 * DAY_MICROS));
        *self.early.lock().unwrap() = all;
    }

    pub(super) fn take_early(&self) -> Early {
        let early = self.early.lock().unwrap().pop();
        early.expect("`let_weeks_pass` made too few setups")
    }

    /// Places a one-month order without a certificate; returns its id.
    pub(super) async fn order_of_a_month(&self, account_id: &str, list: &[&str]) -> String {
        let place = PlaceOrderRequest {
            term_months: 1,
            ..multi_domain_request(account_id, list)
        };
        self.world.place(place).await.order_id
    }

    /// A one-month order with a certificate, its next month bought.
    pub(super) async fn renewed_order(&self, account_id: &str) -> String {
        let order_id = self
            .order_of_a_month(account_id, &["www.example.com"])
            .await;
        self.record(&order_id).await;
        self.renew(&order_id).await;
        order_id
    }

    /// A one-month order under its account's licence, without a certificate.
    pub(super) async fn order_under_license(&self, account_id: &str) -> String {
        let license = self.world.license(account_id, 10).await;
        let place = PlaceOrderRequest {
            san_license_id: license.license_id,
            term_months: 1,
            ..multi_domain_request(account_id, &["www.example.com"])
        };
        self.world.place(place).await.order_id
    }

    pub(super) fn renewal(&self, order_id: &str) -> RenewOrderRequest {
        RenewOrderRequest {
            order_id: order_id.to_owned(),
            term_months: 1,
            request_id: request_id(),
            ..RenewOrderRequest::default()
        }
    }

    pub(super) async fn renew(&self, order_id: &str) {
        let renewal = self.renewal(order_id);
        self.world.orders().renew_order(renewal).await.unwrap();
    }

    /// The report of an order's pending certificate, valid to the end of the term.
    pub(super) async fn report(&self, order_id: &str) -> RecordIssuanceRequest {
        let order = self.world.get_order(order_id).await;
        let change = order.pending_change.and_then(|found| found.domain_change);
        let list = change.map_or(order.domains, |change| change.names_after);
        let term = order.current_term.unwrap();
        let end = instant(term.period.unwrap().end_time);
        let signed = chain(&Wanted {
            names: &common_name_first(list, &order.common_name),
            not_before: self.world.now(),
            not_after: end,
        });
        issuance_of(order_id, signed)
    }

    pub(super) async fn record(&self, order_id: &str) {
        let report = self.report(order_id).await;
        let recorded = self.world.certificates().record_issuance(report).await;
        assert!(recorded.unwrap().into_inner().certificate.is_some());
    }

    pub(super) fn issuance_request(&self, order_id: &str) -> BeginIssuanceRequest {
        BeginIssuanceRequest {
            order_id: order_id.to_owned(),
            key_type: KeyType::Ecc.into(),
            not_after_time: Some(timestamp(self.in_days(20))),
            request_id: request_id(),
        }
    }

    fn in_days(&self, days: i64) -> Instant {
        shifted(self.world.now(), days * DAY_MICROS)
    }

    pub(super) async fn begin_issuance(&self, order_id: &str) {
        let begin = self.issuance_request(order_id);
        let begun = self.world.certificates().begin_issuance(begin).await;
        let authorization = begun.unwrap().into_inner().authorization.unwrap();
        assert_ne!(authorization.reservation_id, "", "{authorization:?}");
    }

    /// A domain change in two terms as versions before BL-6 stored it: the terms are charged one after the
    /// other, and the money covers only the first.
    pub(super) async fn charged_in_turn(&self, cell: &Cell, is_begun: bool) -> Asked {
        let account_id = cell.account_id.as_str();
        let order_id = self.renewed_order(account_id).await;
        let change = change_request(&order_id, &["b.example"], &[]);
        self.leave(account_id, 700).await;
        let asked = Asked::UpdateDomains(change);
        if is_begun {
            cell.lose("ChargeQuote");
            asked.send(&self.doors).await.unwrap();
            let newest = self.operations.newest(Place::Orders, account_id).await;
            let newest = newest.unwrap();
            assert_eq!(newest.step, "charge", "{newest:?}");
            self.rewrite(account_id).await;
        }
        asked
    }

    async fn rewrite(&self, account_id: &str) {
        let (url, table) = match self.world.location("orders") {
            Location::Sqlite(path) => (format!("sqlite:{}", path.display()), String::new()),
            Location::Postgres { url, schema } => (url, format!("\"{schema}\".")),
        };
        let store = Database::connect(url).await.unwrap();
        let sql = format!(
            "UPDATE {table}operation SET state_json = replace(state_json, '\"Both\":', '\"InTurn\":') \
             WHERE account_id = '{account_id}' AND state_json LIKE '%\"Both\":%'"
        );
        let rewritten = store.execute_unprepared(&sql).await.unwrap();
        assert_eq!(rewritten.rows_affected(), 1);
        store.close().await.unwrap();
    }

    /// While an order under a licence records its certificate, the same account's other order records a
    /// certificate with the same issuer and serial.
    pub(super) async fn beside_a_rival(&self, cell: &Cell, is_begun: bool) -> Asked {
        let account_id = cell.account_id.as_str();
        let order_id = self.order_under_license(account_id).await;
        let other = self.order_of_a_month(account_id, &["b.example"]).await;
        let signed = |name: &str| {
            let wanted = Wanted {
                names: &names(&[name]),
                not_before: self.world.now(),
                not_after: self.in_days(20),
            };
            self.authority.sign_as([0x5a; 16], &wanted)
        };
        let report = issuance_of(&order_id, signed("www.example.com"));
        let asked = Asked::RecordIssuance(report);
        if is_begun {
            cell.lose("RecordCertificate");
            asked.send(&self.doors).await.unwrap();
        }
        let rival = issuance_of(&other, signed("b.example"));
        self.world
            .certificates()
            .record_issuance(rival)
            .await
            .unwrap();
        asked
    }

    /// The balance of an account, in cents.
    pub(super) async fn cents(&self, account_id: &str) -> i64 {
        let account = self.world.get_account(account_id).await;
        account
            .balance
            .unwrap()
            .value
            .replace('.', "")
            .parse()
            .unwrap()
    }

    /// Withdraws all but `cents` from an account's balance; returns the amount withdrawn.
    pub(super) async fn leave(&self, account_id: &str, cents: i64) -> String {
        let rest = self.cents(account_id).await - cents;
        let amount = format!("{}.{:02}", rest / 100, rest % 100);
        self.world.withdraw(account_id, &amount).await.unwrap();
        amount
    }
}

impl Early {
    /// A deletion of a certificate in the renewed term, a third term and a held reservation.
    pub(super) async fn deletion(&self, stage: &Stage) -> Asked {
        let order_id = self.order_id.as_str();
        stage.renew(order_id).await;
        for is_recorded in [true, false] {
            let reissue = RequestReissueRequest {
                order_id: order_id.to_owned(),
                request_id: request_id(),
                ..RequestReissueRequest::default()
            };
            stage.world.orders().request_reissue(reissue).await.unwrap();
            stage.begin_issuance(order_id).await;
            if is_recorded {
                stage.record(order_id).await;
            }
        }
        Asked::DeleteOrder(DeleteOrderRequest {
            order_id: order_id.to_owned(),
            reason: "no longer needed".to_owned(),
            request_id: request_id(),
            ..DeleteOrderRequest::default()
        })
    }
}
