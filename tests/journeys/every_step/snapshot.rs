//! Everything that an account can see, as text, with ids, serials and keys masked.

use std::collections::BTreeMap;

use licet_contracts::{
    billing::v1::{LedgerAccount, ListCreditNotesRequest, ListRefundsRequest},
    orders::v1::{
        ListCertificatesRequest, ListOrdersRequest, ListPendingIssuanceRequest, ListServersRequest,
    },
    sanlicensing::v1 as san,
};

use crate::harness::world::World;

/// Sorted rows of each section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<&'static str, Vec<String>>);

/// More than the rows of any account here.
const PAGE: i32 = 1000;

impl Snapshot {
    pub(super) async fn read(world: &World, account_id: &str) -> Self {
        let mut sections = BTreeMap::new();
        let account = world.get_account(account_id).await;
        let entries = world.entries_of(account_id).await;
        let postings = entries.iter().flat_map(|entry| &entry.postings);
        let own = postings.filter(|it| it.ledger_account() == LedgerAccount::Balance);
        let sum: i64 = own
            .map(|it| cents(&it.amount.as_ref().unwrap().value))
            .sum();
        let balance = cents(&account.balance.as_ref().unwrap().value);
        assert_eq!(balance, -sum, "{account_id}: balance and entries differ");
        sections.insert("account", rows([account]));
        sections.insert("entries", rows(entries));
        sections.insert(
            "invoices",
            rows(world.invoices_of_account(account_id).await),
        );
        Self::read_billing(world, account_id, &mut sections).await;
        Self::read_orders(world, account_id, &mut sections).await;
        Self::read_licenses(world, account_id, &mut sections).await;
        // A pending certificate needs only one reservation (SL-12).
        assert!(
            sections["reservations"].len() <= sections["awaited"].len(),
            "{account_id} holds reservations that no order owns: {:?}",
            sections["reservations"]
        );
        Self(sections)
    }

    async fn read_billing(
        world: &World,
        account_id: &str,
        sections: &mut BTreeMap<&'static str, Vec<String>>,
    ) {
        let ask = ListCreditNotesRequest {
            account_id: account_id.to_owned(),
            page_size: PAGE,
            ..Default::default()
        };
        let answer = world.invoices().list_credit_notes(ask).await.unwrap();
        sections.insert("credit notes", rows(answer.into_inner().credit_notes));
        let ask = ListRefundsRequest {
            account_id: account_id.to_owned(),
            page_size: PAGE,
            ..Default::default()
        };
        let answer = world.refunds().list_refunds(ask).await.unwrap();
        sections.insert("refunds", rows(answer.into_inner().refunds));
    }

    async fn read_orders(
        world: &World,
        account_id: &str,
        sections: &mut BTreeMap<&'static str, Vec<String>>,
    ) {
        let ask = ListOrdersRequest {
            account_id: account_id.to_owned(),
            page_size: PAGE,
            ..Default::default()
        };
        let answer = world.orders().list_orders(ask).await.unwrap();
        let orders = answer.into_inner().orders;
        let mut servers = Vec::new();
        for order in &orders {
            let ask = ListServersRequest {
                order_id: order.order_id.clone(),
                page_size: PAGE,
                ..Default::default()
            };
            let answer = world.servers().list_servers(ask).await.unwrap();
            servers.extend(answer.into_inner().servers);
        }
        sections.insert("orders", rows(orders));
        sections.insert("servers", rows(servers));
        let ask = ListCertificatesRequest {
            account_id: account_id.to_owned(),
            page_size: PAGE,
            ..Default::default()
        };
        let answer = world.certificates().list_certificates(ask).await.unwrap();
        sections.insert("certificates", rows(answer.into_inner().certificates));
        let ask = ListPendingIssuanceRequest {
            account_id: account_id.to_owned(),
            page_size: PAGE,
            ..Default::default()
        };
        let answer = world.certificates().list_pending_issuance(ask).await;
        let awaited = answer.unwrap().into_inner().pending_issuances;
        sections.insert("awaited", rows(awaited));
    }

    async fn read_licenses(
        world: &World,
        account_id: &str,
        sections: &mut BTreeMap<&'static str, Vec<String>>,
    ) {
        let ask = san::ListLicensesRequest {
            account_id: account_id.to_owned(),
            page_size: PAGE,
            ..Default::default()
        };
        let answer = world.san_licenses().list_licenses(ask).await.unwrap();
        let licenses = answer.into_inner().licenses;
        let (mut usage, mut reservations, mut counted) = (Vec::new(), Vec::new(), Vec::new());
        for license in &licenses {
            usage.push(san::Usage {
                // The version counts the engine's rounds, not their results.
                version: 0,
                ..world.usage(license).await
            });
            reservations.extend(world.reservations(license).await);
            let ask = san::ListCertificatesRequest {
                license_id: license.license_id.clone(),
                page_size: PAGE,
                ..Default::default()
            };
            let answer = world.san_usage().list_certificates(ask).await.unwrap();
            counted.extend(answer.into_inner().certificates);
        }
        sections.insert("licenses", rows(licenses));
        sections.insert("usage", rows(usage));
        sections.insert("reservations", rows(reservations));
        sections.insert("counted", rows(counted));
    }

    /// Masks revisions and versions, which undoing does not restore.
    pub(super) fn without_versions(mut self) -> Self {
        for row in self.0.values_mut().flatten() {
            for name in ["revision: ", "version: ", "decision_version: "] {
                *row = masked_after(row, name);
            }
        }
        self
    }

    /// Only these sections.
    pub(super) fn only(mut self, sections: &[&str]) -> Self {
        self.0.retain(|name, _| sections.contains(name));
        self
    }

    pub(super) fn section(&self, name: &str) -> &[String] {
        &self.0[name]
    }

    /// The differences from the expected state, if any.
    pub(super) fn difference(&self, expected: &Self) -> Option<String> {
        let mut lines = Vec::new();
        for (name, found) in &self.0 {
            let expected = expected.0.get(name).unwrap();
            let beside = |rows: &[String], others: &[String]| {
                let rest = rows.iter().filter(|row| !others.contains(row));
                rest.cloned().collect::<Vec<_>>()
            };
            let (surplus, missing) = (beside(found, expected), beside(expected, found));
            if found != expected {
                lines.push(format!(
                    "{name}: {} rows, expected {}\n    is      {}\n    expected {}",
                    found.len(),
                    expected.len(),
                    surplus.join("\n            "),
                    missing.join("\n            ")
                ));
            }
        }
        (!lines.is_empty()).then(|| lines.join("\n  "))
    }
}

fn cents(value: &str) -> i64 {
    value.replace('.', "").parse().unwrap()
}

fn rows<M: std::fmt::Debug>(list: impl IntoIterator<Item = M>) -> Vec<String> {
    let shown = list.into_iter().map(|row| masked(&format!("{row:?}")));
    let mut rows: Vec<_> = shown.collect();
    rows.sort_unstable();
    rows
}

/// The text with ids, document numbers and random values masked.
fn masked(text: &str) -> String {
    // Masks the certificate chain, one text of many lines, as a whole.
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, chain)) = rest.split_once("-----BEGIN") {
        shown.push_str(before);
        shown.push_str("PEM");
        rest = chain.rsplit_once("-----\\n").map_or("", |(_, after)| after);
    }
    shown.push_str(rest);
    let mut masked = String::new();
    let mut word = String::new();
    for sign in shown.chars() {
        if sign.is_ascii_alphanumeric() || sign == '_' || sign == '-' {
            word.push(sign);
            continue;
        }
        masked.push_str(&mask(&word));
        word.clear();
        masked.push(sign);
    }
    masked + &mask(&word)
}

fn mask(word: &str) -> String {
    if let Some((prefix, rest)) = word.rsplit_once('_')
        && rest.len() == 26
    {
        return format!("{prefix}_#");
    }
    if let Some((prefix, rest)) = word.split_once('-')
        && !prefix.is_empty()
        && prefix.bytes().all(|byte| byte.is_ascii_uppercase())
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!("{prefix}-#");
    }
    let is_hex = word.len() >= 20
        && word
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if is_hex {
        "#".to_owned()
    } else {
        word.to_owned()
    }
}

fn masked_after(text: &str, name: &str) -> String {
    let mut parts = text.split(name);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str(name);
        masked.push('#');
        masked.push_str(part.trim_start_matches(|sign: char| sign.is_ascii_digit()));
    }
    masked
}
