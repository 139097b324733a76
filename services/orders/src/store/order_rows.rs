//! Maps the rows of an order's tables to domain values and back. Makes no query.

use std::collections::{BTreeMap, BTreeSet};

use licet_domain::{clock::Instant, san::San, term::Term};
use licet_runtime::{
    fault::Fault,
    stored::{
        count, from_json, from_json_if, instant, instant_if, money, parsed, parsed_if, to_json,
        to_json_if,
    },
};

use super::columns::{digest, stored_name};
use crate::rules::{
    order::{ChangeCharge, DomainChange, Order, OrderTerm, Progress, SigningRequest},
    slots::SlotCharge,
};

pub(super) mod order_row {
    //! An order; what its terms were sold with is in `order_term`.
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "certificate_order")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) order_id: String,
        pub(in crate::store) product_id: String,
        pub(in crate::store) progress: String,
        pub(in crate::store) revision: i64,
        pub(in crate::store) common_name: String,
        pub(in crate::store) server_software: String,
        pub(in crate::store) csr_pem: Option<String>,
        pub(in crate::store) csr_spki_sha256: Option<Vec<u8>>,
        pub(in crate::store) term_index: i64,
        pub(in crate::store) end_us: i64,
        pub(in crate::store) issuance_pending_us: Option<i64>,
        pub(in crate::store) create_us: i64,
        pub(in crate::store) decision_us: i64,
        pub(in crate::store) delete_us: Option<i64>,
        pub(in crate::store) refund: Option<Vec<u8>>,
        pub(in crate::store) san_license_id: Option<String>,
        pub(in crate::store) reservation_id: Option<String>,
        pub(in crate::store) reissue_us: Option<i64>,
        pub(in crate::store) turn_us: Option<i64>,
        pub(in crate::store) next_refund: Option<Vec<u8>>,
        pub(in crate::store) refund_in_review: i64,
        pub(in crate::store) past_refunds_json: Option<String>,
    }

    licet_runtime::plain_entity!(pub(in crate::store));
}

pub(super) mod term_row {
    //! A term of an order.
    use sea_orm::entity::prelude::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
    #[sea_orm(table_name = "order_term")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) order_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) term_index: i64,
        pub(in crate::store) anchor_us: i64,
        pub(in crate::store) first_month: i64,
        pub(in crate::store) months: i64,
        pub(in crate::store) price_us: i64,
        pub(in crate::store) additional_licenses: i64,
        pub(in crate::store) first_issuance_us: Option<i64>,
        pub(in crate::store) sold_json: Option<String>,
        pub(in crate::store) names_json: Option<String>,
        pub(in crate::store) kept_servers_json: Option<String>,
        pub(in crate::store) bought_us: Option<i64>,
    }

    licet_runtime::plain_entity!(pub(in crate::store));
}

pub(super) mod name_row {
    //! A domain that an order's certificates carry.
    use sea_orm::entity::prelude::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
    #[sea_orm(table_name = "order_name")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) order_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) name: String,
    }

    licet_runtime::plain_entity!(pub(in crate::store));
}

pub(super) mod change_row {
    //! The pending domain change; one per order.
    use sea_orm::entity::prelude::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Deserialize)]
    #[sea_orm(table_name = "domain_change")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) account_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) order_id: String,
        pub(in crate::store) progress: String,
        pub(in crate::store) added_json: String,
        pub(in crate::store) removed_json: String,
        pub(in crate::store) charged_standard: i64,
        pub(in crate::store) charged_wildcard: i64,
        pub(in crate::store) accept_us: i64,
        pub(in crate::store) operation_id: Option<String>,
        pub(in crate::store) invoice_id: Option<String>,
        pub(in crate::store) charged_minor: Option<i64>,
        pub(in crate::store) currency: Option<String>,
        pub(in crate::store) term_index: i64,
        pub(in crate::store) next_standard: i64,
        pub(in crate::store) next_wildcard: i64,
        pub(in crate::store) next_invoice_id: Option<String>,
        pub(in crate::store) next_minor: Option<i64>,
        pub(in crate::store) in_next_term: i64,
        pub(in crate::store) charged_converted: i64,
        pub(in crate::store) next_converted: i64,
        pub(in crate::store) common_name: Option<String>,
    }

    licet_runtime::plain_entity!(pub(in crate::store));
}

pub(super) fn read_order(
    row: order_row::Model,
    term: &term_row::Model,
    next_term: Option<&term_row::Model>,
    names: BTreeSet<San>,
    change: Option<change_row::Model>,
) -> Result<Order, Fault> {
    let signing_request = match (row.csr_pem, row.csr_spki_sha256) {
        (Some(pem), Some(spki)) => Some(SigningRequest {
            pem,
            spki_sha256: digest("csr_spki_sha256", &spki)?,
        }),
        (_, _) => None,
    };
    let progress = parsed("progress", &row.progress)?;
    let is_noted = match progress {
        Progress::Paid | Progress::Issued => row.turn_us.is_none(),
        Progress::Pending | Progress::Deleted => false,
    };
    let common_name = stored_name("common_name", &row.common_name)?;
    let term = read_term(term)?;
    let past = from_json_if("past_refunds_json", row.past_refunds_json.as_deref())?;
    let mut refunds: BTreeMap<u32, Vec<u8>> = past.unwrap_or_default();
    let (index, next) = (term.index, term.index.saturating_add(1));
    refunds.extend(row.refund.map(|refund| (index, refund)));
    refunds.extend(row.next_refund.map(|refund| (next, refund)));
    let term_names = term.names.as_ref().unwrap_or(&names);
    let change = change.map(|change| read_change(&change, term.index, term_names, &common_name));
    Ok(Order {
        id: parsed("order_id", &row.order_id)?,
        account_id: parsed("account_id", &row.account_id)?,
        progress,
        revision: u64::try_from(row.revision).map_err(Fault::internal)?,
        change: change.transpose()?,
        common_name,
        names,
        server_software: row.server_software,
        signing_request,
        san_license_id: parsed_if("san_license_id", row.san_license_id.as_deref())?,
        reservation_id: parsed_if("reservation_id", row.reservation_id.as_deref())?,
        product_id: parsed("product_id", &row.product_id)?,
        term,
        next_term: next_term.map(read_term).transpose()?,
        reissue_since: instant_if("reissue_us", row.reissue_us)?,
        end_noted: is_noted,
        create_time: instant("create_us", row.create_us)?,
        decision_time: instant("decision_us", row.decision_us)?,
        delete_time: instant_if("delete_us", row.delete_us)?,
        refunds,
        refund_in_review: row.refund_in_review != 0,
    })
}

pub(super) fn read_term(row: &term_row::Model) -> Result<OrderTerm, Fault> {
    let anchor = instant("anchor_us", row.anchor_us)?;
    let term = Term::new(
        anchor,
        count("first_month", row.first_month)?,
        count("months", row.months)?,
    )
    .ok_or_else(|| Fault::internal(format!("the stored term of {} is invalid", row.order_id)))?;
    Ok(OrderTerm {
        index: count("term_index", row.term_index)?,
        term,
        price_time: instant("price_us", row.price_us)?,
        additional_licenses: count("additional_licenses", row.additional_licenses)?,
        first_issuance_time: instant_if("first_issuance_us", row.first_issuance_us)?,
        sold: from_json_if("sold_json", row.sold_json.as_deref())?,
        names: from_json_if("names_json", row.names_json.as_deref())?,
        kept_servers: from_json_if("kept_servers_json", row.kept_servers_json.as_deref())?,
        bought_time: instant_if("bought_us", row.bought_us)?,
    })
}

/// The change of an order whose running term has these domains.
fn read_change(
    row: &change_row::Model,
    term_index: u32,
    names: &BTreeSet<San>,
    common_name: &San,
) -> Result<DomainChange, Fault> {
    let charge = |minor: Option<i64>, invoice_id: Option<&str>| match (minor, &row.currency) {
        (Some(minor), Some(currency)) => Ok::<_, Fault>(Some(ChangeCharge {
            invoice_id: parsed_if("invoice_id", invoice_id)?,
            total: money(currency, minor)?,
        })),
        (_, _) => Ok(None),
    };
    let moved = row.common_name.as_deref();
    let moved = moved.map(|name| stored_name("common_name", name));
    let mut change = DomainChange {
        progress: parsed("progress", &row.progress)?,
        charged: charge(row.charged_minor, row.invoice_id.as_deref())?,
        next_charged: charge(row.next_minor, row.next_invoice_id.as_deref())?,
        term_index: count("term_index", row.term_index)?,
        in_next_term: row.in_next_term != 0,
        names: BTreeSet::new(),
        added: from_json("added_json", &row.added_json)?,
        removed: from_json("removed_json", &row.removed_json)?,
        charge: SlotCharge {
            standard: count("charged_standard", row.charged_standard)?,
            wildcard: count("charged_wildcard", row.charged_wildcard)?,
            converted: count("charged_converted", row.charged_converted)?,
        },
        next_charge: SlotCharge {
            standard: count("next_standard", row.next_standard)?,
            wildcard: count("next_wildcard", row.next_wildcard)?,
            converted: count("next_converted", row.next_converted)?,
        },
        common_name: moved.transpose()?,
        accept_time: instant("accept_us", row.accept_us)?,
        operation_id: parsed_if("operation_id", row.operation_id.as_deref())?,
    };
    change.names = change.names_in(term_index, names, common_name);
    Ok(change)
}

pub(super) fn order_columns(order: &Order) -> Result<order_row::Model, Fault> {
    let request = order.signing_request.as_ref();
    let (index, next) = (order.term.index, order.term.index.saturating_add(1));
    let past: BTreeMap<_, _> = order.refunds.range(..index).collect();
    let past = Some(&past).filter(|past| !past.is_empty());
    Ok(order_row::Model {
        account_id: order.account_id.to_string(),
        order_id: order.id.to_string(),
        product_id: order.product_id.as_str().to_owned(),
        progress: order.progress.as_str().to_owned(),
        revision: i64::try_from(order.revision).map_err(Fault::internal)?,
        common_name: order.common_name.value().to_owned(),
        server_software: order.server_software.clone(),
        csr_pem: request.map(|request| request.pem.clone()),
        csr_spki_sha256: request.map(|request| request.spki_sha256.to_vec()),
        term_index: i64::from(order.term.index),
        end_us: order.end().as_micros(),
        issuance_pending_us: issuance_pending(order).map(Instant::as_micros),
        create_us: order.create_time.as_micros(),
        decision_us: order.decision_time.as_micros(),
        delete_us: order.delete_time.map(Instant::as_micros),
        refund: order.refunds.get(&index).cloned(),
        san_license_id: order.san_license_id.map(|id| id.to_string()),
        reservation_id: order.reservation_id.map(|id| id.to_string()),
        reissue_us: order.reissue_since.map(Instant::as_micros),
        turn_us: order.turn_time().map(Instant::as_micros),
        next_refund: order.refunds.get(&next).cloned(),
        refund_in_review: i64::from(order.refund_in_review),
        past_refunds_json: to_json_if("past_refunds_json", past)?,
    })
}

/// Since when a certificate is awaited, or will be: a next term may bring domains that need another
/// one, and listings show that at its start without a timer.
fn issuance_pending(order: &Order) -> Option<Instant> {
    order.issuance_pending_since().or_else(|| {
        let next = order.next_term.as_ref()?;
        let started = order.clone().with_turns(next.term.start());
        started.issuance_pending_since()
    })
}

/// The rows of the order's terms, the running one first.
pub(super) fn term_columns(order: &Order) -> Result<Vec<term_row::Model>, Fault> {
    let terms = std::iter::once(&order.term).chain(&order.next_term);
    terms.map(|term| one_term(order, term)).collect()
}

fn one_term(order: &Order, term: &OrderTerm) -> Result<term_row::Model, Fault> {
    Ok(term_row::Model {
        account_id: order.account_id.to_string(),
        order_id: order.id.to_string(),
        term_index: i64::from(term.index),
        anchor_us: term.term.anchor().as_micros(),
        first_month: i64::from(term.term.first_month()),
        months: i64::from(term.term.months()),
        price_us: term.price_time.as_micros(),
        additional_licenses: i64::from(term.additional_licenses),
        first_issuance_us: term.first_issuance_time.map(Instant::as_micros),
        sold_json: to_json_if("sold_json", term.sold.as_ref())?,
        names_json: to_json_if("names_json", term.names.as_ref())?,
        kept_servers_json: to_json_if("kept_servers_json", term.kept_servers.as_ref())?,
        bought_us: term.bought_time.map(Instant::as_micros),
    })
}

pub(super) fn change_columns(
    order: &Order,
    change: &DomainChange,
) -> Result<change_row::Model, Fault> {
    let charged = change.charged.as_ref();
    let next_charged = change.next_charged.as_ref();
    let invoice_id = |charge: Option<&ChangeCharge>| {
        charge
            .and_then(|charge| charge.invoice_id)
            .map(|id| id.to_string())
    };
    let moved = change.common_name.as_ref();
    Ok(change_row::Model {
        account_id: order.account_id.to_string(),
        order_id: order.id.to_string(),
        progress: change.progress.as_str().to_owned(),
        added_json: to_json("added_json", &change.added)?,
        removed_json: to_json("removed_json", &change.removed)?,
        charged_standard: i64::from(change.charge.standard),
        charged_wildcard: i64::from(change.charge.wildcard),
        accept_us: change.accept_time.as_micros(),
        operation_id: change.operation_id.map(|id| id.to_string()),
        invoice_id: invoice_id(charged),
        charged_minor: charged.map(|charge| charge.total.minor()),
        currency: charged
            .or(next_charged)
            .map(|charge| charge.total.currency().code().to_owned()),
        term_index: i64::from(change.term_index),
        next_standard: i64::from(change.next_charge.standard),
        next_wildcard: i64::from(change.next_charge.wildcard),
        next_invoice_id: invoice_id(next_charged),
        next_minor: next_charged.map(|charge| charge.total.minor()),
        in_next_term: i64::from(change.in_next_term),
        charged_converted: i64::from(change.charge.converted),
        next_converted: i64::from(change.next_charge.converted),
        common_name: moved.map(|name| name.value().to_owned()),
    })
}
