//! The tables of events: the outbox, where events wait for their position, and the log.

use sea_orm::{EntityTrait, QueryOrder, QuerySelect, Select, sea_query::Expr};

/// The events of the outbox in their order, in the columns of the log: `position` is the outbox id, and
/// `chain_hash` is empty.
pub(crate) fn waiting() -> Select<outbox_row::Entity> {
    outbox_row::Entity::find()
        .column_as(outbox_row::Column::Id, "position")
        .expr_as(Expr::val(Vec::<u8>::new()), "chain_hash")
        .order_by_asc(outbox_row::Column::Id)
}

pub(crate) mod outbox_row {
    //! Events without a position.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub event_id: String,
        pub r#type: String,
        pub resource_id: String,
        pub account_id: String,
        pub time_us: i64,
        pub caller: String,
        pub request_id: String,
        pub method: String,
        pub why: String,
        pub outcome: String,
        pub data: String,
    }

    crate::stored::plain_entity!(pub(crate));
}

pub(crate) mod event_row {
    //! The log.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "event")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub position: i64,
        pub event_id: String,
        pub r#type: String,
        pub resource_id: String,
        pub account_id: String,
        pub time_us: i64,
        pub caller: String,
        pub request_id: String,
        pub method: String,
        pub why: String,
        pub outcome: String,
        pub data: String,
        pub chain_hash: Vec<u8>,
    }

    crate::stored::plain_entity!(pub(crate));
}
