//! The `replay` table.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "replay")]
pub(super) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub caller: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub method: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub request_id: String,
    pub fingerprint: Vec<u8>,
    pub outcome: String,
    pub body: Option<Vec<u8>>,
    pub operation_id: Option<String>,
    pub recorded_us: i64,
}

crate::stored::plain_entity!(pub(super));
