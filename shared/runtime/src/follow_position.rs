//! The stored position in each peer's log, in the schema of the service that follows it.

use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, Statement};

use crate::{database::Tx, fault::Fault};

pub(crate) mod row {
    //! The `following` table.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "following")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) source: String,
        pub(crate) position: i64,
    }

    crate::stored::plain_entity!(pub(crate));
}

/// Deletes the position in a peer's log, because the peer is on a new store whose log begins at 1: at the
/// old position, its first events would be skipped. A service that follows no peer has no such table.
pub(crate) async fn start_over(tx: &Tx, source: &str) -> Result<(), Fault> {
    let backend = tx.get_database_backend();
    let text = if backend == DbBackend::Postgres {
        "SELECT 1 WHERE to_regclass('following') IS NOT NULL"
    } else {
        "SELECT 1 FROM sqlite_master WHERE name = 'following'"
    };
    let table = tx
        .query_one_raw(Statement::from_string(backend, text))
        .await?;
    if table.is_some() {
        row::Entity::delete_by_id(source).exec(tx).await?;
    }
    Ok(())
}
