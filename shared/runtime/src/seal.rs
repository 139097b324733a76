//! Seals: digests of rows that no call changes unseen. The event of the change that writes a row says its
//! seal, and so the log's chain of hashes covers the row; rows of before have theirs in a table.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Set};
use sha2::{Digest, Sha256};

pub(crate) mod row {
    //! Rows that were written before events said their seals.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "seal")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) subject: String,
        pub(crate) digest: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a row says, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The table and the row's id, `invoice inv_…`.
    pub subject: String,
    /// SHA-256 in hexadecimal.
    pub digest: String,
}

impl Seal {
    /// The seal of a row by the columns that it covers. Their order is a promise to stores that exist.
    #[must_use]
    pub fn new(table: &str, id: &str, columns: &serde_json::Value) -> Self {
        Self {
            subject: format!("{table} {id}"),
            digest: hex::encode(Sha256::digest(columns.to_string())),
        }
    }
}

/// Writes down the seals of rows of before.
///
/// # Errors
/// When the database does not answer.
pub async fn keep(connection: &impl ConnectionTrait, seals: Vec<Seal>) -> Result<(), DbErr> {
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
