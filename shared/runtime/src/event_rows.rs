//! The tables of events: those that wait for their position, and the ordered log.

pub(crate) mod outbox_row {
    //! Events not yet given a position.
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

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod event_row {
    //! The ordered log.
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

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
