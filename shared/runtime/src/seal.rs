//! Seals: digests of rows. The event of the change that writes a row contains its seal, so the hash chain of
//! the log covers the row. Rows that are older than this have their seals in the table `seal`.

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

/// The digest of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The table and the row's id, `invoice inv_…`.
    pub subject: String,
    /// SHA-256 in hexadecimal.
    pub digest: String,
}

impl Seal {
    /// The seal over some columns of a row. Their order must not change: existing stores have such seals.
    #[must_use]
    pub fn new(table: &str, id: &str, columns: &serde_json::Value) -> Self {
        Self {
            subject: format!("{table} {id}"),
            digest: hex::encode(Sha256::digest(columns.to_string())),
        }
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
        subject: Set(seal.subject),
        digest: Set(seal.digest),
    });
    row::Entity::insert_many(rows)
        .exec_without_returning(connection)
        .await?;
    Ok(())
}
