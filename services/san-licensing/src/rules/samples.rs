//! Sample licences for the tests of the rules.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{AccountId, LicenseId},
    money::{Money, Price},
    term::Term,
};

use super::license::{License, LicenseProgress, LicenseTerm, Options, Sale};

/// An instant from its text.
pub(crate) fn instant(text: &str) -> Instant {
    text.parse().unwrap()
}

/// The sale of one year for `quota` SANs at 0.80 USD each.
pub(crate) fn sale(quota: u64) -> Sale {
    let minor = i64::try_from(quota).unwrap() * 80;
    Sale {
        product_id: "intranet-dv".parse().unwrap(),
        product_version: 1,
        price_time: instant("2026-01-01T00:00:00Z"),
        quota,
        amount: Money::from_minor("USD".parse().unwrap(), minor),
        unit_price: Price::parse("USD", "0.80").unwrap(),
        by_hand: false,
    }
}

/// A draft of February 2026 for 100 SANs and one year at 0.80 USD each, valid until 3 March.
pub(crate) fn draft() -> License {
    let create_time = instant("2026-02-01T00:00:00Z");
    License {
        id: LicenseId::generate(),
        account_id: AccountId::generate(),
        progress: LicenseProgress::Quoted,
        products: BTreeSet::from(["intranet-dv".parse().unwrap()]),
        asked_start: None,
        first: LicenseTerm {
            term: Term::first(create_time, 12).unwrap(),
            sale: sale(100),
            sold_products: BTreeSet::from(["intranet-dv".parse().unwrap()]),
            sold_time: create_time,
            options: Options::default(),
            raises: Vec::new(),
            bought_late: None,
        },
        renewals: Vec::new(),
        renewing: false,
        valid_until: instant("2026-03-03T00:00:00Z"),
        invoices: Vec::new(),
        cancel_time: None,
        revision: 1,
        create_time,
        decision_time: create_time,
    }
}
