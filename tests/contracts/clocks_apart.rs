//! T-5: an instance whose clock is behind lists what an instance ahead of it has written. Every
//! list method is called at both, with the smallest pages.

use std::{collections::BTreeSet, fmt::Debug};

use chrono::TimeDelta;
use licet_contracts::{
    METHODS,
    billing::v1::{
        ListAccountsRequest, ListCreditNotesRequest, ListEntriesRequest, ListInvoicesRequest,
        ListPricesRequest, ListProductsRequest, ListRefundsRequest, RequestRefundRequest, Subject,
        request_refund_request::Use,
    },
    operations::v1::ListOperationsRequest,
    orders::v1 as orders,
    sanlicensing::v1::{self as san, License},
};

use crate::harness::{
    Backend,
    clock::timestamp,
    corrections::goodwill,
    ingest::{FEED, record, signed},
    on_both_databases, request_id,
    samples::MULTI,
    san::facts,
    world::World,
};

on_both_databases![
    t_5_what_a_clock_ahead_wrote_is_listed_by_one_behind,
    t_5_a_statement_holds_what_the_account_shows,
];

/// List methods whose response has no pages.
const NO_PAGES: [&str; 1] = ["/licet.orders.v1.OrderService/ListAdditionalLicenseOptions"];

/// A list method and the rows it returned.
type Listing = (&'static str, Vec<String>);

/// Reads all pages of a list, one row a page.
macro_rules! listing {
    ($path:literal, $client:expr, $method:ident, $rows:ident, $request:expr) => {{
        let mut request = std::convert::identity($request);
        request.page_size = 1;
        let mut rows = Vec::new();
        loop {
            let page = $client.$method(request.clone()).await;
            let page = page.unwrap_or_else(|status| panic!("{}: {status}", $path));
            let page = page.into_inner();
            rows.extend(page.$rows.iter().map(shown));
            if page.next_page_token.is_empty() {
                break ($path, rows);
            }
            request.page_token = page.next_page_token;
        }
    }};
}

fn shown(row: &impl Debug) -> String {
    format!("{row:?}")
}

/// The ids by which the list methods find what was written.
struct Written {
    account_id: String,
    order_id: String,
    license: License,
}

/// Writes something for every list method.
async fn write(world: &World) -> Written {
    world.stock().await;
    world.stock_sans().await;
    let account_id = world.account_with("1000000.00").await;
    for _ in 0..2 {
        let invoice = world.buy(&account_id, 12).await.unwrap();
        let note = goodwill(&invoice, &[]);
        world.invoices().issue_credit_note(note).await.unwrap();
    }
    // Two orders that wait for their first certificate, one with a server, one refunded.
    world
        .multi_domain_order(&account_id, &["wait.example"])
        .await;
    world
        .multi_domain_order(&account_id, &["pending.example"])
        .await;
    let order = world.single_domain_order(&account_id, 2).await;
    world.record(&order.order_id).await;
    for host in ["one", "two"] {
        let server = world.server(&order, host);
        world.servers().register_server(server).await.unwrap();
    }
    let refunded = world
        .multi_domain_order(&account_id, &["back.example"])
        .await;
    let refund = RequestRefundRequest {
        account_id: account_id.clone(),
        subject: Some(Subject {
            resource_id: refunded.order_id,
            term_index: 0,
        }),
        r#use: Some(Use::NeverIssued(true)),
        decision_time: Some(timestamp(world.now())),
        request_id: request_id(),
        ..RequestRefundRequest::default()
    };
    world.refunds().request_refund(refund).await.unwrap();

    let license = world.license(&account_id, 100).await;
    world.granted(&license, &["reserved.example"]).await;
    world.granted(&license, &["held.example"]).await;
    world.recorded(&license, &["a.example", "b.example"]).await;
    world.recorded(&license, &["c.example"]).await;
    let uncovered = facts(&["u.example"], world.now(), world.usual_end());
    let mut unallocated = signed(&license, &uncovered);
    unallocated.product_id = MULTI.to_owned();
    let bad = san::ingest_record::Report::CertificateDer(vec![1, 2, 3]);
    let bad = record(&license, bad);
    world.ingest(1, vec![unallocated, bad.clone(), bad]).await;
    Written {
        account_id,
        order_id: order.order_id,
        license,
    }
}

async fn billing_listings(world: &World, written: &Written) -> Vec<Listing> {
    let account_id = || written.account_id.clone();
    vec![
        listing!(
            "/licet.billing.v1.AccountService/ListAccounts",
            world.accounts(),
            list_accounts,
            accounts,
            ListAccountsRequest::default()
        ),
        listing!(
            "/licet.billing.v1.AccountService/ListEntries",
            world.accounts(),
            list_entries,
            entries,
            ListEntriesRequest {
                account_id: account_id(),
                ..ListEntriesRequest::default()
            }
        ),
        listing!(
            "/licet.billing.v1.CatalogService/ListProducts",
            world.catalog(),
            list_products,
            products,
            ListProductsRequest::default()
        ),
        listing!(
            "/licet.billing.v1.CatalogService/ListPrices",
            world.catalog(),
            list_prices,
            price_lists,
            ListPricesRequest {
                product_id: MULTI.to_owned(),
                ..ListPricesRequest::default()
            }
        ),
        listing!(
            "/licet.billing.v1.InvoiceService/ListInvoices",
            world.invoices(),
            list_invoices,
            invoices,
            ListInvoicesRequest {
                account_id: account_id(),
                ..ListInvoicesRequest::default()
            }
        ),
        listing!(
            "/licet.billing.v1.InvoiceService/ListCreditNotes",
            world.invoices(),
            list_credit_notes,
            credit_notes,
            ListCreditNotesRequest {
                account_id: account_id(),
                ..ListCreditNotesRequest::default()
            }
        ),
        listing!(
            "/licet.billing.v1.RefundService/ListRefunds",
            world.refunds(),
            list_refunds,
            refunds,
            ListRefundsRequest {
                account_id: account_id(),
                ..ListRefundsRequest::default()
            }
        ),
    ]
}

async fn orders_listings(world: &World, written: &Written) -> Vec<Listing> {
    vec![
        listing!(
            "/licet.orders.v1.OrderService/ListOrders",
            world.orders(),
            list_orders,
            orders,
            orders::ListOrdersRequest::default()
        ),
        listing!(
            "/licet.orders.v1.OrderService/ListOrderHistory",
            world.orders(),
            list_order_history,
            entries,
            orders::ListOrderHistoryRequest {
                order_id: written.order_id.clone(),
                ..orders::ListOrderHistoryRequest::default()
            }
        ),
        listing!(
            "/licet.orders.v1.CertificateService/ListPendingIssuance",
            world.certificates(),
            list_pending_issuance,
            pending_issuances,
            orders::ListPendingIssuanceRequest::default()
        ),
        listing!(
            "/licet.orders.v1.CertificateService/ListCertificates",
            world.certificates(),
            list_certificates,
            certificates,
            orders::ListCertificatesRequest::default()
        ),
        listing!(
            "/licet.orders.v1.ServerService/ListServers",
            world.servers(),
            list_servers,
            servers,
            orders::ListServersRequest {
                order_id: written.order_id.clone(),
                ..orders::ListServersRequest::default()
            }
        ),
        listing!(
            "/licet.operations.v1.OperationService/ListOperations",
            world.operations(),
            list_operations,
            operations,
            ListOperationsRequest::default()
        ),
    ]
}

async fn san_listings(world: &World, written: &Written) -> Vec<Listing> {
    let license_id = || written.license.license_id.clone();
    vec![
        listing!(
            "/licet.sanlicensing.v1.LicenseService/ListLicenses",
            world.san_licenses(),
            list_licenses,
            licenses,
            san::ListLicensesRequest::default()
        ),
        listing!(
            "/licet.sanlicensing.v1.IssuanceService/ListReservations",
            world.san_issuance(),
            list_reservations,
            reservations,
            san::ListReservationsRequest {
                license_id: license_id(),
                ..san::ListReservationsRequest::default()
            }
        ),
        listing!(
            "/licet.sanlicensing.v1.IngestService/ListRefusedRecords",
            world.san_ingest(),
            list_refused_records,
            records,
            san::ListRefusedRecordsRequest {
                feed_id: FEED.to_owned(),
                ..san::ListRefusedRecordsRequest::default()
            }
        ),
        listing!(
            "/licet.sanlicensing.v1.IngestService/ListUnallocated",
            world.san_ingest(),
            list_unallocated,
            certificates,
            san::ListUnallocatedRequest::default()
        ),
        listing!(
            "/licet.sanlicensing.v1.UsageService/ListUniqueSans",
            world.san_usage(),
            list_unique_sans,
            unique_sans,
            san::ListUniqueSansRequest {
                license_id: license_id(),
                ..san::ListUniqueSansRequest::default()
            }
        ),
        listing!(
            "/licet.sanlicensing.v1.UsageService/ListCertificates",
            world.san_usage(),
            list_certificates,
            certificates,
            san::ListCertificatesRequest {
                license_id: license_id(),
                ..san::ListCertificatesRequest::default()
            }
        ),
        listing!(
            "/licet.sanlicensing.v1.UsageService/ListDailyUsage",
            world.san_usage(),
            list_daily_usage,
            days,
            san::ListDailyUsageRequest {
                license_id: license_id(),
                ..san::ListDailyUsageRequest::default()
            }
        ),
        listing!(
            "/licet.operations.v1.OperationService/ListOperations",
            world.san_operations(),
            list_operations,
            operations,
            ListOperationsRequest::default()
        ),
    ]
}

async fn listings(world: &World, written: &Written) -> Vec<Listing> {
    let mut all = billing_listings(world, written).await;
    all.extend(orders_listings(world, written).await);
    all.extend(san_listings(world, written).await);
    all
}

/// Two worlds on the same stores; the first one's clocks are behind by `by`.
pub(super) async fn worlds(backend: Backend, by: TimeDelta) -> (World, World) {
    let mut behind = World::start(backend).await;
    behind.start_san_licensing().await;
    let ahead = behind.twin_ahead(by).await;
    (behind, ahead)
}

async fn t_5_what_a_clock_ahead_wrote_is_listed_by_one_behind(backend: Backend) {
    let (behind, ahead) = worlds(backend, TimeDelta::minutes(5)).await;
    let written = write(&ahead).await;
    let there = listings(&ahead, &written).await;
    let here = listings(&behind, &written).await;
    let methods = METHODS.iter().map(|method| method.path);
    let lists: BTreeSet<_> = methods
        .filter(|path| path.contains("/List") && !NO_PAGES.contains(path))
        .collect();
    let asked: BTreeSet<_> = there.iter().map(|(path, _)| *path).collect();
    assert_eq!(asked, lists, "every list method of the contract is called");
    let mut missing = Vec::new();
    for ((path, there), (_, here)) in there.iter().zip(&here) {
        assert!(!there.is_empty(), "{path} has nothing to list");
        if here != there {
            missing.push(format!(
                "{path}: {} of {} rows\n  here  {here:?}\n  there {there:?}",
                here.len(),
                there.len()
            ));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

async fn t_5_a_statement_holds_what_the_account_shows(backend: Backend) {
    let (behind, ahead) = worlds(backend, TimeDelta::milliseconds(50)).await;
    ahead.stock().await;
    let account_id = ahead.account_with("100.00").await;
    let start = behind.now();
    let end = start.checked_add(TimeDelta::days(1)).unwrap();
    let statement = behind.statement(&account_id, start, end).await.unwrap();
    let account = behind.get_account(&account_id).await;
    assert_eq!(statement.closing_balance, account.balance);
    assert_eq!(statement.entry_count, 1);
}
