//! Charges, orders and domain changes, compared with pgbench, which writes the rows of one such operation
//! again and again into the same tables of another database.

use licet_domain::ids::{AccountId, OrderId, QuoteId};
use serde_json::{Map, Value, json};

use super::{Bench, floor_sides};
use crate::{
    cluster::Place,
    commerce::{Commerce, Prepared},
    floor::{self, Script},
    outcome::{Goal, Outcome, Side},
    trouble::Trouble,
    written::{self, Commits, FIRST_NUMBER, Rewrite, Written, copy, id_by, numbered_id},
};

/// Our streams: more than there are connections to the database.
const STREAMS: usize = 64;
const MANY_ACCOUNTS: u64 = 1000;
/// More operations than any side makes in a second on the machines used.
const MOST_CHARGES: u64 = 6_000;
const MOST_ORDERS: u64 = 3_000;
const ORDER_CLIENTS: [u32; 2] = [4, 8];
/// The tables of an order without an operation.
const ORDER_TABLES: [&str; 3] = [
    "orders.certificate_order",
    "orders.order_term",
    "orders.order_name",
];
const EVENTS: &str = "the floor reads nothing, and ours moves each event into the log besides";

/// A database into which pgbench writes the rows of one operation again and again.
struct SameRows<'a> {
    bench: &'a Bench<'a>,
    place: Place,
    /// The first number of the next measurement.
    next: u64,
}

impl<'a> SameRows<'a> {
    /// Uses a database that the services have used, and copies its account many times.
    async fn on(bench: &'a Bench<'a>, place: Place, account_id: &str) -> Result<Self, Trouble> {
        let ids: Vec<_> = (0..MANY_ACCOUNTS)
            .map(|number| numbered_id("acc", FIRST_NUMBER + number))
            .collect();
        bench.copy_accounts(&place, account_id, &ids).await?;
        Ok(Self {
            bench,
            place,
            next: FIRST_NUMBER,
        })
    }

    /// Runs a script over `accounts` accounts, with unused ids.
    async fn measure(
        &mut self,
        rewrite: &Rewrite,
        accounts: u64,
        clients: u32,
        side: &mut Side,
    ) -> Result<(), Trouble> {
        let text = format!(
            "\\set number {} + :turn * {clients} + :client_id\n\
             \\set turn :turn + 1\n\
             \\set account {FIRST_NUMBER} + :number % {accounts}\n{}",
            self.next, rewrite.text
        );
        let mut values = rewrite.values.clone();
        values.push(("turn".to_owned(), "0".to_owned()));
        let script = Script {
            text: &text,
            schema: "public",
            values: &values,
        };
        let (cluster, time) = (self.bench.cluster, self.bench.options.measured());
        let (sample, cost) = floor::measure(cluster, &self.place, &script, clients, time).await?;
        side.samples.push(sample);
        side.cost.get_or_insert(cost);
        self.next += 100_000_000;
        Ok(())
    }

    /// Copies one row for each operation of the next measurement, with ids by number and accounts in turn.
    async fn prepare(
        &self,
        (place, column, model): (&str, &str, &str),
        prefix: &str,
        a_second: u64,
    ) -> Result<(), Trouble> {
        let sets: Vec<_> = (self.next..self.next + self.bench.most(a_second))
            .map(|number| {
                let account = FIRST_NUMBER + number % MANY_ACCOUNTS;
                let mut set = Map::new();
                set.insert(column.to_owned(), json!(numbered_id(prefix, number)));
                set.insert("account_id".to_owned(), json!(numbered_id("acc", account)));
                // The model may have been charged already.
                set.insert("invoice_id".to_owned(), Value::Null);
                Value::Object(set)
            })
            .collect();
        self.bench
            .copy(&self.place, place, (column, model), &sets)
            .await
    }
}

impl Bench<'_> {
    /// The most operations that one measurement can make.
    fn most(&self, a_second: u64) -> u64 {
        // A further second for the warm-up.
        a_second * (self.options.measured().as_secs() + 1)
    }

    /// As [`copy`], on its own connection.
    async fn copy(
        &self,
        database: &Place,
        place: &str,
        model: (&str, &str),
        sets: &[Value],
    ) -> Result<(), Trouble> {
        let server = self.cluster.connect(&database.name, "public").await?;
        copy(&server, place, model, sets).await?;
        Ok(server.close().await?)
    }

    async fn copy_accounts(
        &self,
        database: &Place,
        model: &str,
        ids: &[String],
    ) -> Result<(), Trouble> {
        let sets: Vec<_> = ids.iter().map(|id| json!({ "account_id": id })).collect();
        let model = ("account_id", model);
        self.copy(database, "billing.account", model, &sets).await
    }

    /// Copies an account many times.
    pub(super) async fn accounts(
        &self,
        place: &Place,
        model: &str,
    ) -> Result<Vec<String>, Trouble> {
        let ids: Vec<_> = (0..MANY_ACCOUNTS)
            .map(|_| AccountId::generate().to_string())
            .collect();
        self.copy_accounts(place, model, &ids).await?;
        Ok(ids)
    }

    /// Copies a new quote many times, for these accounts.
    pub(super) async fn quotes(
        &self,
        place: &Place,
        billing: &Commerce,
        accounts: &[String],
    ) -> Result<Prepared, Trouble> {
        let model = billing.quote().await?;
        let ids: Vec<_> = (0..self.most(MOST_CHARGES))
            .map(|_| QuoteId::generate().to_string())
            .collect();
        let sets: Vec<_> = ids
            .iter()
            .zip(accounts.iter().cycle())
            .map(|(quote, account)| json!({ "quote_id": quote, "account_id": account }))
            .collect();
        let model = ("quote_id", model.as_str());
        self.copy(place, "billing.quote", model, &sets).await?;
        Ok(Prepared::new(ids))
    }

    /// Copies a placed order many times, for these accounts.
    async fn orders_like(
        &self,
        place: &Place,
        model: &str,
        accounts: &[String],
    ) -> Result<Prepared, Trouble> {
        let ids: Vec<_> = (0..self.most(MOST_ORDERS))
            .map(|_| OrderId::generate().to_string())
            .collect();
        let sets: Vec<_> = ids
            .iter()
            .zip(accounts.iter().cycle())
            .map(|(order, account)| json!({ "order_id": order, "account_id": account }))
            .collect();
        for table in ORDER_TABLES {
            self.copy(place, table, ("order_id", model), &sets).await?;
        }
        Ok(Prepared::new(ids))
    }

    pub(super) async fn charges(&self) -> Result<Vec<Outcome>, Trouble> {
        let place = self.cluster.create("charges").await?;
        let billing = Commerce::billing(self.cluster, &place).await?;
        let accounts = self.accounts(&place, &billing.account_id).await?;
        let floor = self.cluster.create("charges_floor").await?;
        let (written, account, quote) = one_charge(self, &floor).await?;
        let known = [
            (account.as_str(), id_by("acc", "account")),
            (quote.as_str(), id_by("qte", "number")),
        ];
        let script = written.rewrite(&known, Commits::Theirs)?;
        let mut floor = SameRows::on(self, floor, &account).await?;
        let clients = [2, 4, 8];
        let mut outcomes = Vec::new();
        for (accounts, what) in [
            (&accounts[..], format!("{MANY_ACCOUNTS} accounts")),
            (&accounts[..1], "one account".to_owned()),
        ] {
            let mut ours = Side::new("Licet");
            let mut floors = floor_sides("same rows", &clients);
            for _ in 0..self.options.rounds() {
                // The floors come first, so that ours does not count the rows of its own preparation.
                for (clients, side) in clients.iter().zip(&mut floors) {
                    let model = ("billing.quote", "quote_id", quote.as_str());
                    floor.prepare(model, "qte", MOST_CHARGES).await?;
                    let count = u64::try_from(accounts.len())?;
                    floor.measure(&script, count, *clients, side).await?;
                }
                let quotes = self.quotes(&place, &billing, accounts).await?;
                let streams = billing.charging(&quotes, STREAMS);
                self.ours(&place, &mut ours, streams).await?;
            }
            outcomes.push(Outcome {
                scenario: "charges",
                subject: format!("charge a quote of 2 lines, {what}, {STREAMS} streams"),
                ours,
                floors,
                goal: Goal::Rate(500),
                note: format!("one charge: {}; {EVENTS}", written.summary()),
            });
        }
        billing.stop().await;
        Ok(outcomes)
    }

    pub(super) async fn orders(&self) -> Result<Vec<Outcome>, Trouble> {
        let place = self.cluster.create("orders").await?;
        let services = Commerce::whole(self.cluster, &place).await?;
        let accounts = self.accounts(&place, &services.account_id).await?;
        let template = services.place_order().await?;
        let floor = self.cluster.create("orders_floor").await?;
        let seen = Seen::in_orders(self, &floor).await?;
        let mut floor = SameRows::on(self, floor, &seen.account_id).await?;
        let known = [
            (seen.account_id.as_str(), id_by("acc", "account")),
            (seen.changed_order_id.as_str(), id_by("ord", "number")),
        ];
        let mut outcomes = Vec::new();
        for (what, written) in [
            ("PlaceOrder", &seen.placing),
            ("UpdateDomains", &seen.changing),
        ] {
            let is_change = what == "UpdateDomains";
            let known = if is_change { &known[..] } else { &known[..1] };
            let mut ours = Side::new("Licet");
            let mut floors = Vec::new();
            for (commits, name) in [
                (Commits::Theirs, "same rows, same transactions"),
                (Commits::One, "same rows, one transaction"),
            ] {
                let script = written.rewrite(known, commits)?;
                floors.push((script, floor_sides(name, &ORDER_CLIENTS)));
            }
            for _ in 0..self.options.rounds() {
                for (script, sides) in &mut floors {
                    for (clients, side) in ORDER_CLIENTS.iter().zip(sides) {
                        for table in ORDER_TABLES.iter().filter(|_| is_change) {
                            let model = (*table, "order_id", seen.order_id.as_str());
                            floor.prepare(model, "ord", MOST_ORDERS).await?;
                        }
                        let accounts = MANY_ACCOUNTS;
                        floor.measure(script, accounts, *clients, side).await?;
                    }
                }
                if is_change {
                    let orders = self.orders_like(&place, &template, &accounts).await?;
                    let streams = services.changing(&orders, STREAMS);
                    self.ours(&place, &mut ours, streams).await?;
                } else {
                    let streams = services.placing(&accounts, STREAMS);
                    self.ours(&place, &mut ours, streams).await?;
                }
            }
            outcomes.extend(floors.into_iter().map(|(_, floors)| Outcome {
                scenario: "orders",
                subject: format!("{what}, from request to end, {STREAMS} streams"),
                ours: ours.clone(),
                floors,
                goal: Goal::Rate(400),
                note: format!("one {what}: {}; {EVENTS}", written.summary()),
            }));
        }
        services.stop().await;
        Ok(outcomes)
    }
}

/// Charges a quote; returns what this wrote, the account and the quote.
async fn one_charge(
    bench: &Bench<'_>,
    place: &Place,
) -> Result<(Written, String, String), Trouble> {
    let billing = Commerce::billing(bench.cluster, place).await?;
    let server = bench.cluster.connect(&place.name, "public").await?;
    // The first charge starts the number series.
    billing.charge(billing.quote().await?).await?;
    let quote = billing.quote().await?;
    written::begin(&server).await?;
    billing.charge(quote.clone()).await?;
    let written = written::end(&server).await?;
    server.close().await?;
    let account = billing.account_id.clone();
    billing.stop().await;
    Ok((written, account, quote))
}

/// What one order and one domain change wrote.
struct Seen {
    placing: Written,
    changing: Written,
    account_id: String,
    /// A paid order without an operation.
    order_id: String,
    changed_order_id: String,
}

impl Seen {
    async fn in_orders(bench: &Bench<'_>, place: &Place) -> Result<Self, Trouble> {
        let services = Commerce::whole(bench.cluster, place).await?;
        let server = bench.cluster.connect(&place.name, "public").await?;
        // The first order starts the number series.
        let order_id = services.place_order().await?;
        written::begin(&server).await?;
        let changed_order_id = services.place_order().await?;
        let placing = written::end(&server).await?;
        written::begin(&server).await?;
        services.add_domain(changed_order_id.clone()).await?;
        let changing = written::end(&server).await?;
        server.close().await?;
        let account_id = services.account_id.clone();
        services.stop().await;
        Ok(Self {
            placing,
            changing,
            account_id,
            order_id,
            changed_order_id,
        })
    }
}
