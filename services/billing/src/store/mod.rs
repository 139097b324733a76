//! The only place that knows the database: private entities, rows to values and back, queries.
//! Functions take a transaction, never the pool; nothing is decided here.

pub(crate) mod accounts;
pub(crate) mod catalog;
pub(crate) mod credit_notes;
pub(crate) mod documents;
pub(crate) mod invoices;
pub(crate) mod ledger;
pub(crate) mod numbers;
pub(crate) mod owner;
mod parts;
pub(crate) mod quotes;
pub(crate) mod refunds;
mod seal_page;
pub(crate) mod seals;
pub(crate) mod statements;
mod subject;
pub(crate) mod verification;

use licet_runtime::{
    database::{Migration, Rewrite},
    migration,
};

/// The table of a mutation's subject, by the field that names it; each table has the account of its
/// rows.
pub(crate) const SUBJECTS: &[(&str, &str)] = &[
    ("entry_id", "ledger_entry"),
    ("invoice_id", "invoice"),
    ("quote_id", "quote"),
    ("refund_id", "refund"),
];

/// The migrations of the schema, oldest first.
pub(crate) const MIGRATIONS: &[Migration] = &[
    migration!("billing_0001_initial", "m0001_initial.sql"),
    migration!(
        "billing_0002_terms_of_payment",
        "m0002_terms_of_payment.sql"
    ),
    migration!("billing_0004_refund_counts", "m0004_refund_counts.sql"),
    migration!("billing_0006_largest_amounts", "m0006_largest_amounts.sql"),
    migration!(seals::MIGRATION, "m0007_seals.sql"),
    migration!(
        "billing_0008_refunds_of_a_term",
        "m0008_refunds_of_a_term.sql"
    ),
    migration!("billing_0009_seller", "m0009_seller.sql"),
    migration!("billing_0010_tenant_key", "m0010_tenant_key.sql"),
    migration!("billing_0011_unspent_quotes", "m0011_unspent_quotes.sql"),
];

/// Changes of rows, along with migrations, that SQL cannot express.
pub(crate) const REWRITES: [Rewrite; 1] = [Rewrite {
    migration: seals::MIGRATION,
    run: |tx| Box::pin(seals::rewrite(tx)),
}];
