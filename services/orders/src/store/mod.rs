//! Orders' tables: maps rows to domain values and back. Only this module knows the database. It
//! decides nothing, and every function takes its transaction.

pub(crate) mod certificates;
mod columns;
pub(crate) mod early_revocations;
pub(crate) mod invoices;
mod keyed;
pub(crate) mod keys;
pub(crate) mod license_revocations;
mod moved_terms;
mod order_rows;
pub(crate) mod orders;
pub(crate) mod owner;
pub(crate) mod quotes;
mod serials;
pub(crate) mod servers;

use licet_runtime::{
    database::{Migration, Rewrite},
    migration,
};

const CERTIFICATE: (&str, &str) = ("certificate_id", "certificate");
const ORDER: (&str, &str) = ("order_id", "certificate_order");
const SERVER: (&str, &str) = ("server_id", "server");

/// For each field that names what a mutation is about, the table that has its account.
pub(crate) const SUBJECTS: &[(&str, &str)] = &[CERTIFICATE, ORDER, SERVER];

/// The migrations, in order.
pub(crate) const MIGRATIONS: &[Migration] = &[
    migration!("orders_0001_initial", "m0001_initial.sql"),
    migration!("orders_0002_san_licences", "m0002_san_licenses.sql"),
    migration!("orders_0003_terms", "m0003_terms.sql"),
    migration!("orders_0004_changes", "m0004_changes.sql"),
    migration!("orders_0005_following", "m0005_following.sql"),
    migration!("orders_0006_issuers", "m0006_issuers.sql"),
    // Done in Rust: SQL cannot parse certificates.
    Migration {
        name: serials::MIGRATION,
        sql: "",
    },
    migration!("orders_0011_refund_counts", "m0011_refund_counts.sql"),
    migration!(
        "orders_0012_wildcard_differences",
        "m0012_wildcard_differences.sql"
    ),
    migration!("orders_0013_common_names", "m0013_common_names.sql"),
    Migration {
        name: moved_terms::MIGRATION,
        sql: "",
    },
    migration!("orders_0015_clues", "m0015_clues.sql"),
    migration!("orders_0016_bookmarks", "m0016_bookmarks.sql"),
    migration!("orders_0017_tenant_key", "m0017_tenant_key.sql"),
    migration!("orders_0018_retention", "m0018_retention.sql"),
];

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
