//! Seals: digests of rows. The event of the change that writes a row contains its seal, so the hash chain of
//! the log covers the row. Rows that are older than this have their seals in the table `seal`.

use std::fmt;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Set};
use sha2::{Digest, Sha256};

pub(crate) mod row {
    //! The seals of rows that are older than the events' seals.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "seal")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) subject: String,
        pub(crate) digest: String,
    }

    crate::stored::plain_entity!(pub(crate));
}

/// What the digest of a row covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The table and the row's id, `invoice inv_…`.
    pub(crate) subject: String,
    /// The columns as JSON.
    pub(crate) covered: String,
}

impl Seal {
    /// The seal over some columns of a row. Their order must not change: existing stores have such seals.
    #[must_use]
    pub fn new(table: &str, id: &str, columns: &serde_json::Value) -> Self {
        Self {
            subject: Self::subject_of(table, id),
            covered: columns.to_string(),
        }
    }

    /// The subject of the seal of a row, by its table and id.
    #[must_use]
    pub fn subject_of(table: &str, id: impl fmt::Display) -> String {
        format!("{table} {id}")
    }

    /// SHA-256 in hexadecimal.
    pub(crate) fn digest(&self) -> String {
        hex::encode(Sha256::digest(&self.covered))
    }
}

/// Stores the seals of older rows.
///
/// # Errors
/// When the database does not answer.
pub async fn store(connection: &impl ConnectionTrait, seals: Vec<Seal>) -> Result<(), DbErr> {
    if seals.is_empty() {
        return Ok(());
    }
    let rows = seals.into_iter().map(|seal| row::ActiveModel {
        digest: Set(seal.digest()),
        subject: Set(seal.subject),
    });
    row::Entity::insert_many(rows)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}
