//! Orders' tables: maps rows to domain values and back. Only this module knows the database. It
//! decides nothing, and every function takes its transaction.

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

/// For each field that names what a mutation is about, the table that has its account.
pub(crate) const SUBJECTS: &[(&str, &str)] = &[
    ("certificate_id", "certificate"),
    ("order_id", "certificate_order"),
    ("server_id", "server"),
];

/// The migrations, in order.
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
        // Done in Rust: SQL cannot parse certificates.
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

/// The migrations that are done in Rust.
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

/// The scope of one account, for an accepted operation.
pub(crate) fn only(account_id: AccountId) -> AccountScope {
    AccountScope::Only([account_id].into())
}
