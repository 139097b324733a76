//! T-2, M-1, M-2, P-1 to P-3, SL-8: the service computes every proration of a table that a script computed by
//! another method. The script still yields that table.

use std::{collections::BTreeMap, process::Command};

use licet_contracts::billing::v1::{
    LineKind, Policy, Product, ProductKind, ProrationConvention, QuoteItem,
};
use licet_domain::clock::Instant;

use crate::harness::{
    Backend, on_both_databases,
    samples::{multi_domain_product, shown},
    selling::{item, item_of_term, price_in, prices_request, term_price_in},
    world::World,
};

on_both_databases![p_3_every_worked_proration_is_quoted_so];

const TABLE: &str = include_str!("../../services/billing/src/rules/quote/tests/worked.tsv");
const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../services/billing/src/rules/quote/tests/worked.py"
);

struct Row {
    is_sans: bool,
    convention: ProrationConvention,
    value: &'static str,
    currency: &'static str,
    quantity: i32,
    anchor: Instant,
    first_month: i32,
    months: i32,
    change: Instant,
    fraction: &'static str,
    amount: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |line: &'static str| {
        let fields: Vec<&str> = line.split('\t').collect();
        Row {
            is_sans: fields[0] == "SANS",
            convention: match fields[1] {
                "MONTHLY" => ProrationConvention::Monthly,
                "DAILY" => ProrationConvention::Daily,
                "LINEAR" => ProrationConvention::Linear,
                other => panic!("no convention {other}"),
            },
            value: fields[2],
            currency: fields[3],
            quantity: fields[4].parse().unwrap(),
            anchor: fields[5].parse().unwrap(),
            first_month: fields[6].parse().unwrap(),
            months: fields[7].parse().unwrap(),
            change: fields[8].parse().unwrap(),
            fraction: fields[9],
            amount: fields[10],
        }
    };
    TABLE.lines().skip(1).map(row).collect()
}

impl Row {
    /// A product that is sold at the row's price under the row's convention.
    fn product(&self, product_id: &str) -> Product {
        let policy = Policy {
            proration_convention: self.convention.into(),
            ..Policy::default()
        };
        let multi = Product {
            product_id: product_id.to_owned(),
            term_months: vec![self.months],
            policy: Some(policy),
            ..multi_domain_product()
        };
        if !self.is_sans {
            return multi;
        }
        Product {
            kind: ProductKind::SanLicense.into(),
            included_domains: 1,
            max_domains: 1,
            ..multi
        }
    }

    fn item(&self, product_id: &str) -> QuoteItem {
        let whole = if self.is_sans {
            QuoteItem {
                unit_price: price_in(self.currency, self.value),
                ..item(LineKind::SanQuotaIncrease, product_id, self.quantity)
            }
        } else {
            item(LineKind::Domain, product_id, self.quantity)
        };
        let term = (self.first_month, self.months);
        item_of_term(whole, self.anchor, term, Some(self.change))
    }
}

async fn p_3_every_worked_proration_is_quoted_so(backend: Backend) {
    let world = World::start(backend).await;
    let mut accounts = BTreeMap::new();
    let mut products = BTreeMap::new();
    let rows = rows();
    assert!(rows.len() >= 60, "the table has only {} rows", rows.len());
    for row in rows {
        let key = (row.is_sans, row.convention, row.value, row.months);
        let product_id = format!("worked-{}", products.len());
        let product_id = match products.get(&key) {
            Some(known) => String::clone(known),
            None => {
                world.create_product(row.product(&product_id)).await;
                if !row.is_sans {
                    let each = [row.value, row.value, row.value, "0"];
                    let mut prices = term_price_in(row.currency, row.months, each);
                    prices.additional_license = None;
                    let request = prices_request(&product_id, row.currency, vec![prices]);
                    world.catalog().set_prices(request).await.unwrap();
                }
                products.insert(key, product_id.clone());
                product_id
            }
        };
        if !accounts.contains_key(row.currency) {
            let one = match row.currency {
                "JPY" => "1",
                "BHD" => "1.000",
                _ => "1.00",
            };
            let account_id = world.account_in(row.currency, one).await;
            accounts.insert(row.currency, account_id);
        }
        let quoted = world.preview_quote(&accounts[row.currency], vec![row.item(&product_id)]);
        let quote = quoted.await.unwrap();
        let line = &quote.lines[0];
        let expected = format!("{} {}", row.amount, row.currency);
        assert_eq!(
            (line.fraction.as_str(), shown(line.amount.as_ref())),
            (row.fraction, expected.clone()),
            "{line:?}"
        );
        assert_eq!(shown(quote.total.as_ref()), expected);
    }
}

#[test]
fn the_table_is_what_its_script_works_out() {
    let python = std::env::var("LICET_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(python).arg(SCRIPT).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let worked_out = String::from_utf8(output.stdout).unwrap();
    assert!(worked_out == TABLE, "run worked.py > worked.tsv");
}
