//! The terms of licences (SL-6), written together with their licence.

use std::collections::HashMap;

use licet_domain::{clock::Instant, term::Term};
use licet_runtime::{
    database::Tx,
    fault::Fault,
    stored::{count, from_json, instant, instant_if, to_json},
};
use row::{Column, Entity, Model};
use sea_orm::{EntityTrait, IntoActiveModel, sea_query::OnConflict};

use super::{fences::license_rows, query::Query};
use crate::rules::license::{License, LicenseKey, LicenseTerm};

mod row {
    //! A term of a licence.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "license_term")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) license_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) term_index: i64,
        pub(super) anchor_us: i64,
        pub(super) first_month: i64,
        pub(super) months: i64,
        pub(super) sold_json: String,
        pub(super) products_json: String,
        pub(super) sold_us: i64,
        pub(super) options_json: String,
        pub(super) raises_json: String,
        pub(super) bought_late_us: Option<i64>,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// A licence's first term and its renewals.
pub(super) type LicenseTerms = (LicenseTerm, Vec<LicenseTerm>);

fn read(row: &Model) -> Result<LicenseTerm, Fault> {
    let term = Term::new(
        instant("anchor_us", row.anchor_us)?,
        count("first_month", row.first_month)?,
        count("months", row.months)?,
    );
    Ok(LicenseTerm {
        term: term.ok_or_else(|| {
            Fault::internal(format!("licence {} has an invalid term", row.license_id))
        })?,
        sale: from_json("sold_json", &row.sold_json)?,
        sold_products: from_json("products_json", &row.products_json)?,
        sold_time: instant("sold_us", row.sold_us)?,
        options: from_json("options_json", &row.options_json)?,
        raises: from_json("raises_json", &row.raises_json)?,
        bought_late: instant_if("bought_late_us", row.bought_late_us)?,
    })
}

fn columns(license: LicenseKey, index: i64, term: &LicenseTerm) -> Result<Model, Fault> {
    Ok(Model {
        account_id: license.account_id.to_string(),
        license_id: license.id.to_string(),
        term_index: index,
        anchor_us: term.term.anchor().as_micros(),
        first_month: term.term.first_month().into(),
        months: term.term.months().into(),
        sold_json: to_json("sold_json", &term.sale)?,
        products_json: to_json("products_json", &term.sold_products)?,
        sold_us: term.sold_time.as_micros(),
        options_json: to_json("options_json", &term.options)?,
        raises_json: to_json("raises_json", &term.raises)?,
        bought_late_us: term.bought_late.map(Instant::as_micros),
    })
}

/// Finds the terms of licences, by licence id.
pub(super) async fn find(
    tx: &Tx,
    licenses: &[LicenseKey],
) -> Result<HashMap<String, LicenseTerms>, Fault> {
    let query = Query::on(tx).rows("licenses", license_rows(licenses));
    let query = query.statement(include_str!("sql/find_terms.sql"))?;
    let rows = Entity::find().from_raw_sql(query).all(tx).await?;
    let mut found: HashMap<String, LicenseTerms> = HashMap::new();
    for row in &rows {
        let term = read(row)?;
        match found.get_mut(&row.license_id) {
            Some((_, renewals)) => renewals.push(term),
            None => {
                found.insert(row.license_id.clone(), (term, Vec::new()));
            }
        }
    }
    Ok(found)
}

/// Writes the terms of a licence.
pub(super) async fn save(tx: &Tx, license: &License) -> Result<(), Fault> {
    let key = license.key();
    let rows = (0..).zip(license.terms());
    let rows: Vec<_> = rows
        .map(|(index, term)| Ok(columns(key, index, term)?.into_active_model()))
        .collect::<Result<_, Fault>>()?;
    // Only these change after the insert: the start at the acceptance, the quota by a raise.
    let changing = [Column::AnchorUs, Column::RaisesJson];
    Entity::insert_many(rows)
        .on_conflict(
            OnConflict::columns([Column::AccountId, Column::LicenseId, Column::TermIndex])
                .update_columns(changing)
                .to_owned(),
        )
        .exec_without_returning(tx)
        .await?;
    Ok(())
}
