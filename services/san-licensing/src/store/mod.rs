//! SanLicensing's own tables: rows to domain values and back. The only place that knows the
//! database; it decides nothing, and every function takes the transaction it works in.

pub(crate) mod allocation;
mod canonical;
pub(crate) mod certificates;
pub(crate) mod changes;
pub(crate) mod decisions;
pub(crate) mod early_revocations;
pub(crate) mod feeds;
pub(crate) mod fences;
pub(crate) mod licenses;
mod query;
pub(crate) mod reservations;
mod san_lists;
pub(crate) mod sans;
mod terms;
pub(crate) mod turns;
pub(crate) mod usage;

use licet_domain::ids::AccountId;
use licet_runtime::{
    caller::AccountScope,
    database::{Migration, Rewrite},
};

/// The tables of what a mutation is about, by the field that names it. Each says whose it is.
pub(crate) const SUBJECTS: &[(&str, &str)] =
    &[("certificate_id", "certificate"), ("license_id", "license")];

/// The schema, in the order of its changes.
pub(crate) fn migrations() -> Vec<Migration> {
    vec![
        Migration {
            name: "san_licensing_0001_initial",
            sql: include_str!("migrations/m0001_initial.sql"),
        },
        Migration {
            name: "san_licensing_0002_terms",
            sql: include_str!("migrations/m0002_terms.sql"),
        },
        Migration {
            name: "san_licensing_0003_ingest",
            sql: include_str!("migrations/m0003_ingest.sql"),
        },
        Migration {
            name: "san_licensing_0005_phantoms",
            sql: include_str!("migrations/m0005_phantoms.sql"),
        },
        Migration {
            name: "san_licensing_0005_turns",
            sql: include_str!("migrations/m0005_turns.sql"),
        },
        // Sold while Ed25519 was called ECC, a licence for ECC keeps it.
        Migration {
            name: "san_licensing_0006_edwards",
            sql: include_str!("migrations/m0006_edwards.sql"),
        },
        // What it does, SQL cannot say.
        Migration {
            name: canonical::MIGRATION,
            sql: "",
        },
    ]
}

/// What migrations do that SQL cannot say.
pub(crate) const REWRITES: [Rewrite; 1] = [Rewrite {
    migration: canonical::MIGRATION,
    run: |tx| Box::pin(canonical::rewrite(tx)),
}];

/// The accounts of one resource alone: what an operation sees once it was accepted.
pub(crate) fn only(account_id: AccountId) -> AccountScope {
    AccountScope::Only([account_id].into())
}
