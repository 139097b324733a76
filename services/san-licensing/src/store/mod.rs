//! SanLicensing's tables: rows to values and back. The only module that knows the database. It decides
//! nothing, and every function takes its transaction.

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

use licet_runtime::{
    database::{Migration, Rewrite},
    migration,
};

/// The tables of the resources that mutations name, by the naming field. Each has an `account_id`.
pub(crate) const SUBJECTS: &[(&str, &str)] =
    &[("certificate_id", "certificate"), ("license_id", "license")];

/// The migrations of the schema, in order.
pub(crate) const MIGRATIONS: &[Migration] = &[
    migration!("san_licensing_0001_initial", "m0001_initial.sql"),
    migration!("san_licensing_0002_terms", "m0002_terms.sql"),
    migration!("san_licensing_0003_ingest", "m0003_ingest.sql"),
    migration!("san_licensing_0005_phantoms", "m0005_phantoms.sql"),
    migration!("san_licensing_0005_turns", "m0005_turns.sql"),
    // Ed25519 was part of ECC when these licences were sold: they keep it.
    migration!("san_licensing_0006_edwards", "m0006_edwards.sql"),
    // Its work is in `REWRITES`.
    Migration {
        name: canonical::MIGRATION,
        sql: "",
    },
    migration!("san_licensing_0008_lineage", "m0008_lineage.sql"),
    migration!("san_licensing_0009_tenant_key", "m0009_tenant_key.sql"),
    migration!("san_licensing_0010_denials", "m0010_denials.sql"),
    migration!(
        "san_licensing_0011_refused_records",
        "m0011_refused_records.sql"
    ),
];

/// The parts of migrations that SQL cannot express.
pub(crate) const REWRITES: [Rewrite; 1] = [Rewrite {
    migration: canonical::MIGRATION,
    run: |tx| Box::pin(canonical::rewrite(tx)),
}];
