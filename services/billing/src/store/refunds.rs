//! Refunds. A subject may have several, one after another; at most one of them is in review.

use licet_domain::{
    clock::Instant,
    ids::{AccountId, RefundId},
    money::Money,
};
use licet_runtime::{
    caller::Caller,
    database::Tx,
    fault::Fault,
    page::Page,
    seal::Seal,
    stored::{
        count, count_column, from_json, in_scope, instant, instant_if, money, parsed, to_json,
    },
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, Order,
    QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde_json::json;

use super::{
    owner::{by_id, listing},
    parts::RowKey,
    seal_page::{SealPage, rows_after},
};
use crate::rules::{
    charge::Subject,
    listing::RefundFilter,
    not_found,
    refund::{Refund, RefundDecision, RefundState, Review},
};

mod row {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refund")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) refund_id: String,
        pub(super) resource_id: String,
        pub(super) term_index: i32,
        pub(super) state: String,
        pub(super) currency: String,
        pub(super) creditable_minor: i64,
        pub(super) refunded_minor: i64,
        pub(super) explanation: String,
        pub(super) first_issuance_us: Option<i64>,
        pub(super) full_until_us: Option<i64>,
        pub(super) review_until_us: Option<i64>,
        pub(super) decision_us: i64,
        pub(super) credit_note_ids: String,
        pub(super) reviewer: Option<String>,
        pub(super) review_reason: Option<String>,
        pub(super) review_us: Option<i64>,
        pub(super) counted_from: String,
        pub(super) count_us: Option<i64>,
        pub(super) last_invoice_number: Option<i64>,
    }

    licet_runtime::plain_entity!(pub(super));
}

/// Stores a refund under `refund_id`.
pub(crate) async fn insert(tx: &Tx, refund_id: RefundId, refund: &Refund) -> Result<(), Fault> {
    let row = encode(refund_id, refund)?;
    tx.seal(seal(&row));
    row.into_active_model().insert(tx).await?;
    Ok(())
}

fn encode(refund_id: RefundId, refund: &Refund) -> Result<row::Model, Fault> {
    let decision = &refund.decision;
    let review = refund.review.as_ref();
    Ok(row::Model {
        account_id: refund.account_id.to_string(),
        refund_id: refund_id.to_string(),
        resource_id: refund.subject.resource_id.clone(),
        term_index: count_column("term_index", refund.subject.term_index)?,
        state: decision.state.as_str().to_owned(),
        currency: refund.creditable.currency().code().to_owned(),
        creditable_minor: refund.creditable.minor(),
        refunded_minor: refund.refunded.minor(),
        explanation: decision.explanation.clone(),
        first_issuance_us: refund.first_issuance.map(Instant::as_micros),
        full_until_us: decision.full_until.map(Instant::as_micros),
        review_until_us: decision.review_until.map(Instant::as_micros),
        decision_us: refund.decided.as_micros(),
        credit_note_ids: id_list(refund)?,
        reviewer: review.map(|review| review.reviewer.clone()),
        review_reason: review.map(|review| review.reason.clone()),
        review_us: review.map(|review| review.time.as_micros()),
        counted_from: decision.count.as_str().to_owned(),
        count_us: decision.counted_from.map(Instant::as_micros),
        last_invoice_number: refund.last_invoice,
    })
}

fn seal(row: &row::Model) -> Seal {
    let mut columns = json!([
        row.account_id,
        row.refund_id,
        row.resource_id,
        row.term_index,
        row.state,
        row.currency,
        row.creditable_minor,
        row.refunded_minor,
        row.explanation,
        row.first_issuance_us,
        row.full_until_us,
        row.review_until_us,
        row.decision_us,
        row.credit_note_ids,
        row.reviewer,
        row.review_reason,
        row.review_us,
        row.counted_from,
        row.count_us,
    ]);
    // Rows sealed before the column existed have no value in it.
    if let (Some(number), Some(list)) = (row.last_invoice_number, columns.as_array_mut()) {
        list.push(json!(number));
    }
    Seal::new("refund", &row.refund_id, &columns)
}

/// A page of the seals of refunds.
pub(super) async fn list_seals(
    connection: &impl ConnectionTrait,
    after: &RowKey,
) -> Result<SealPage, DbErr> {
    let key = (row::Column::AccountId, row::Column::RefundId);
    let rows = rows_after::<row::Entity>(connection, key, after).await?;
    Ok(SealPage {
        seals: rows.iter().map(seal).collect(),
        last: rows
            .last()
            .map(|row| (row.account_id.clone(), row.refund_id.clone())),
    })
}

/// Stores the review of a refund. Its account is locked.
pub(crate) async fn set_reviewed(
    tx: &Tx,
    refund_id: RefundId,
    refund: &Refund,
) -> Result<(), Fault> {
    let review = refund
        .review
        .as_ref()
        .ok_or_else(|| Fault::internal("a reviewed refund has no review"))?;
    tx.seal(seal(&encode(refund_id, refund)?));
    row::ActiveModel {
        account_id: Set(refund.account_id.to_string()),
        refund_id: Set(refund_id.to_string()),
        state: Set(refund.decision.state.as_str().to_owned()),
        refunded_minor: Set(refund.refunded.minor()),
        explanation: Set(refund.decision.explanation.clone()),
        credit_note_ids: Set(id_list(refund)?),
        reviewer: Set(Some(review.reviewer.clone())),
        review_reason: Set(Some(review.reason.clone())),
        review_us: Set(Some(review.time.as_micros())),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}

/// Stores what a refund in review holds now. Its account is locked.
pub(crate) async fn set_held(tx: &Tx, refund: &Refund) -> Result<(), Fault> {
    let refund_id = refund
        .refund_id
        .ok_or_else(|| Fault::internal("a refund that holds something has no id"))?;
    tx.seal(seal(&encode(refund_id, refund)?));
    row::ActiveModel {
        account_id: Set(refund.account_id.to_string()),
        refund_id: Set(refund_id.to_string()),
        creditable_minor: Set(refund.creditable.minor()),
        explanation: Set(refund.decision.explanation.clone()),
        last_invoice_number: Set(refund.last_invoice),
        ..Default::default()
    }
    .update(tx)
    .await?;
    Ok(())
}

fn id_list(refund: &Refund) -> Result<String, Fault> {
    let ids = refund.credit_note_ids.iter().map(ToString::to_string);
    to_json("credit_note_ids", &ids.collect::<Vec<_>>())
}

/// The refund; NOT_FOUND if the caller does not see its account.
pub(crate) async fn get(tx: &Tx, caller: &Caller, refund_id: RefundId) -> Result<Refund, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::RefundId.eq(refund_id.to_string()))
        .filter(in_scope(&caller.accounts, row::Column::AccountId))
        .one(&by_id(tx, caller))
        .await?;
    decode(found.ok_or_else(|| not_found("refund", refund_id))?)
}

/// The refund of the account.
pub(crate) async fn get_of_account(
    tx: &Tx,
    account_id: AccountId,
    refund_id: RefundId,
) -> Result<Refund, Fault> {
    let found = row::Entity::find_by_id((account_id.to_string(), refund_id.to_string()))
        .one(tx)
        .await?;
    decode(found.ok_or_else(|| not_found("refund", refund_id))?)
}

/// The earlier refunds of the subject, in the order of their decisions.
pub(crate) async fn list_of_subject(
    tx: &Tx,
    account_id: AccountId,
    subject: &Subject,
) -> Result<Vec<Refund>, Fault> {
    let rows = row::Entity::find()
        .filter(row::Column::AccountId.eq(account_id.to_string()))
        .filter(row::Column::ResourceId.eq(subject.resource_id.as_str()))
        .filter(row::Column::TermIndex.eq(count_column("term_index", subject.term_index)?))
        .order_by_asc(row::Column::DecisionUs)
        .order_by_asc(row::Column::RefundId)
        .all(tx)
        .await?;
    rows.into_iter().map(decode).collect()
}

/// A page of the refunds that the caller sees, by decision time.
pub(crate) async fn list(
    tx: &Tx,
    caller: &Caller,
    wanted: &RefundFilter,
    page: &Page,
) -> Result<Vec<Refund>, Fault> {
    let account_id = wanted.account_id.as_ref().map(ToString::to_string);
    let resource_id = wanted.resource_id.as_ref();
    let state = wanted.state.map(RefundState::as_str);
    let filter = in_scope(&caller.accounts, row::Column::AccountId)
        .add_option(account_id.map(|id| row::Column::AccountId.eq(id)))
        .add_option(resource_id.map(|id| row::Column::ResourceId.eq(id)))
        .add_option(state.map(|state| row::Column::State.eq(state)));
    let rows = row::Entity::find()
        .filter(filter)
        .filter(page.rows_after(&Order::Asc, row::Column::DecisionUs, row::Column::RefundId)?)
        .order_by_asc(row::Column::DecisionUs)
        .order_by_asc(row::Column::RefundId)
        .limit(page.limit())
        .all(&listing(tx, caller, wanted.account_id))
        .await?;
    rows.into_iter().map(decode).collect()
}

fn decode(row: row::Model) -> Result<Refund, Fault> {
    let creditable = money(&row.currency, row.creditable_minor)?;
    let ids: Vec<String> = from_json("credit_note_ids", &row.credit_note_ids)?;
    let ids: Result<Vec<_>, _> = ids.iter().map(|id| parsed("credit_note_ids", id)).collect();
    let review_time = instant_if("review_us", row.review_us)?;
    let review = match (row.reviewer, row.review_reason, review_time) {
        (Some(reviewer), Some(reason), Some(time)) => Some(Review {
            reviewer,
            reason,
            time,
        }),
        (None, _, _) | (_, None, _) | (_, _, None) => None,
    };
    Ok(Refund {
        refund_id: Some(parsed("refund_id", &row.refund_id)?),
        account_id: parsed("account_id", &row.account_id)?,
        subject: Subject {
            resource_id: row.resource_id,
            term_index: count("term_index", row.term_index)?,
        },
        decision: RefundDecision {
            state: parsed("state", &row.state)?,
            count: parsed("counted_from", &row.counted_from)?,
            counted_from: instant_if("count_us", row.count_us)?,
            full_until: instant_if("full_until_us", row.full_until_us)?,
            review_until: instant_if("review_until_us", row.review_until_us)?,
            explanation: row.explanation,
        },
        creditable,
        refunded: Money::from_minor(creditable.currency(), row.refunded_minor),
        first_issuance: instant_if("first_issuance_us", row.first_issuance_us)?,
        decided: instant("decision_us", row.decision_us)?,
        last_invoice: row.last_invoice_number,
        credit_note_ids: ids?,
        review,
    })
}
