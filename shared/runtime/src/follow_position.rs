//! How far a peer's log was followed: a position for each peer, and its return to the start.

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};

use crate::{database::Tx, fault::Fault};

pub(crate) mod row {
    //! How far a peer's log was followed; in the schema of the service that follows it.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "following")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) source: String,
        pub(crate) position: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Forgets up to where a peer's log was followed: a store made anew has a log of its own, whose first
/// events would be taken for known. A service that follows nobody has no such table.
pub(crate) async fn start_over(tx: &Tx, source: &str) -> Result<(), Fault> {
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        "SELECT 1 WHERE to_regclass('following') IS NOT NULL"
    } else {
        "SELECT 1 FROM sqlite_master WHERE name = 'following'"
    };
    let follows = tx
        .query_one_raw(Statement::from_string(backend, text))
        .await?;
    if follows.is_some() {
        row::Entity::delete_by_id(source).exec(tx).await?;
    }
    Ok(())
}
