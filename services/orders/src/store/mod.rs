//! Orders' own tables: rows to domain values and back. The only place that knows the database;
//! it decides nothing, and every function takes the transaction it works in.

pub(crate) mod certificates;
mod columns;
pub(crate) mod early_revocations;
pub(crate) mod invoices;
pub(crate) mod license_revocations;
mod moved_terms;
mod order_rows;
pub(crate) mod orders;
pub(crate) mod quotes;
mod serials;
pub(crate) mod servers;

use licet_domain::ids::AccountId;
use licet_runtime::{
    caller::AccountScope,
    database::{Migration, Rewrite},
};

/// The tables of what a mutation is about, by the field that names it. Each says whose it is.
pub(crate) const SUBJECTS: &[(&str, &str)] = &[
    ("certificate_id", "certificate"),
    ("order_id", "certificate_order"),
    ("server_id", "server"),
];

/// The schema, in the order of its changes.
pub(crate) fn migrations() -> Vec<Migration> {
    vec![
        Migration {
            name: "orders_0001_initial",
            sql: include_str!("migrations/m0001_initial.sql"),
        },
        Migration {
            name: "orders_0002_san_licences",
            sql: include_str!("migrations/m0002_san_licenses.sql"),
        },
        Migration {
            name: "orders_0003_terms",
            sql: include_str!("migrations/m0003_terms.sql"),
        },
        Migration {
            name: "orders_0004_changes",
            sql: include_str!("migrations/m0004_changes.sql"),
        },
        Migration {
            name: "orders_0005_following",
            sql: include_str!("migrations/m0005_following.sql"),
        },
        Migration {
            name: "orders_0006_issuers",
            sql: include_str!("migrations/m0006_issuers.sql"),
        },
        // What it does, SQL cannot say.
        Migration {
            name: serials::MIGRATION,
            sql: "",
        },
        Migration {
            name: "orders_0011_refund_counts",
            sql: include_str!("migrations/m0011_refund_counts.sql"),
        },
        Migration {
            name: "orders_0012_wildcard_differences",
            sql: include_str!("migrations/m0012_wildcard_differences.sql"),
        },
        Migration {
            name: "orders_0013_common_names",
            sql: include_str!("migrations/m0013_common_names.sql"),
        },
        Migration {
            name: moved_terms::MIGRATION,
            sql: "",
        },
        Migration {
            name: "orders_0015_clues",
            sql: include_str!("migrations/m0015_clues.sql"),
        },
    ]
}

/// What migrations do that SQL cannot say.
pub(crate) const REWRITES: [Rewrite; 2] = [
    Rewrite {
        migration: serials::MIGRATION,
        run: |tx| Box::pin(serials::rewrite(tx)),
    },
    Rewrite {
        migration: moved_terms::MIGRATION,
        run: |tx| Box::pin(moved_terms::rewrite(tx)),
    },
];

/// The accounts of one resource alone: what an operation sees once it was accepted.
pub(crate) fn only(account_id: AccountId) -> AccountScope {
    AccountScope::Only([account_id].into())
}
