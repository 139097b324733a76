//! BL-2: only callers who may see a resource get the stored response. A caller who lost the account, or has
//! the first caller's name, gets NOT_FOUND. Every mutation of the contract is repeated like this.

use std::collections::BTreeSet;

use licet_contracts::{
    METHODS,
    billing::v1::{
        DepositRequest, LineKind, RequestRefundRequest, ReverseEntryRequest, UpdateAccountRequest,
    },
    operations::v1::{CancelOperationRequest, RetryOperationRequest},
    orders::v1::{self as orders, Order},
    sanlicensing::v1::{self as san, License},
    types::v1::KeyType,
};
use tonic::Code;

use super::cancel_change::cancel_request as cancel_change;
use crate::harness::{
    Backend,
    clock::timestamp,
    corrections::{approval, first_term, goodwill, in_use},
    errors::take_apart,
    on_both_databases, request_id,
    samples::{change_request, multi_domain_request, single_domain_request, usd},
    san::{OTHER, accept_request, increase_request, quote_request, release_request},
    san_life::{add_request, cancel_request, renew_request, withdraw_request},
    selling::{ask, item},
    terms::{payment_request, withdraw_request as withdrawal},
    world::World,
};

on_both_databases![bl_2_a_stored_answer_is_for_those_who_see_what_it_is_about];

/// Mutations of no account: the catalogue, the clock, and creating an account.
const OF_NO_ACCOUNT: [&str; 5] = [
    "/licet.billing.v1.AccountService/CreateAccount",
    "/licet.billing.v1.CatalogService/CreateProduct",
    "/licet.billing.v1.CatalogService/SetPrices",
    "/licet.billing.v1.CatalogService/UpdateProduct",
    "/licet.clock.v1.ClockService/AdvanceTime",
];

/// The mutations made so far, by a caller who sees every account.
struct Walk {
    world: World,
    account_id: String,
    /// An account that no mutation concerns.
    other: String,
    walked: BTreeSet<&'static str>,
    leaks: Vec<String>,
}

/// A request of a caller who sees only this account.
fn of<M>(message: M, account_id: &str) -> tonic::Request<M> {
    let mut request = tonic::Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("licet-accounts", account_id.parse().unwrap());
    request
}

/// Makes a call, then repeats it as callers who see only another account, or only this one.
macro_rules! repeated {
    ($walk:ident, $path:literal, $client:ident, $method:ident, $request:expr) => {{
        let request = $request;
        let first = $walk.world.$client().$method(request.clone()).await;
        let first = first.unwrap_or_else(|status| panic!("{}: {status}", $path));
        let first = first.into_inner();
        let foreign = of(request.clone(), &$walk.other);
        match $walk.world.$client().$method(foreign).await {
            Ok(answer) => $walk
                .leaks
                .push(format!("{}: {:?}", $path, answer.into_inner())),
            Err(status) => {
                take_apart(&status).expect(Code::NotFound, "NOT_FOUND");
            }
        }
        let own = of(request, &$walk.account_id);
        let again = $walk.world.$client().$method(own).await;
        let again = again.unwrap_or_else(|status| panic!("{} again: {status}", $path));
        assert_eq!(again.into_inner(), first, "{}", $path);
        $walk.walked.insert($path);
        first
    }};
}

async fn money(walk: &mut Walk) {
    let account_id = walk.account_id.clone();
    let deposit = DepositRequest {
        account_id: account_id.clone(),
        amount: usd("10.00"),
        reference: String::new(),
        request_id: request_id(),
    };
    let booked = repeated!(
        walk,
        "/licet.billing.v1.AccountService/Deposit",
        accounts,
        deposit,
        deposit
    );
    repeated!(
        walk,
        "/licet.billing.v1.AccountService/ReverseEntry",
        accounts,
        reverse_entry,
        ReverseEntryRequest {
            entry_id: booked.entry.unwrap().entry_id,
            reason: "bounced".to_owned(),
            request_id: request_id(),
            ..ReverseEntryRequest::default()
        }
    );
    repeated!(
        walk,
        "/licet.billing.v1.AccountService/Withdraw",
        accounts,
        withdraw,
        withdrawal(&account_id, "1.00")
    );
    repeated!(
        walk,
        "/licet.billing.v1.AccountService/UpdateAccount",
        accounts,
        update_account,
        UpdateAccountRequest {
            account_id: account_id.clone(),
            display_name: "Another name".to_owned(),
            request_id: request_id(),
            ..UpdateAccountRequest::default()
        }
    );
    let items = vec![item(LineKind::Certificate, "multi-domain-dv", 1)];
    let quoted = repeated!(
        walk,
        "/licet.billing.v1.QuoteService/CreateQuote",
        quotes,
        create_quote,
        ask(&account_id, items)
    );
    let charged = repeated!(
        walk,
        "/licet.billing.v1.InvoiceService/ChargeQuote",
        invoices,
        charge_quote,
        licet_contracts::billing::v1::ChargeQuoteRequest {
            quote_id: quoted.quote.unwrap().quote_id,
            request_id: request_id(),
            ..Default::default()
        }
    );
    let items = vec![item(LineKind::Certificate, "multi-domain-dv", 1)];
    let quote = walk.world.quote(&account_id, items).await;
    repeated!(
        walk,
        "/licet.billing.v1.InvoiceService/ChargeQuotes",
        invoices,
        charge_quotes,
        licet_contracts::billing::v1::ChargeQuotesRequest {
            account_id: account_id.clone(),
            quotes: vec![licet_contracts::billing::v1::QuoteToCharge {
                quote_id: quote.quote_id.clone(),
                pin: quote.pin,
            }],
            request_id: request_id(),
            ..Default::default()
        }
    );
    repeated!(
        walk,
        "/licet.billing.v1.InvoiceService/ForbidCharge",
        invoices,
        forbid_charge,
        licet_contracts::billing::v1::ForbidChargeRequest {
            account_id: account_id.clone(),
            quote_ids: vec![quote.quote_id],
            charge_request_id: request_id(),
            request_id: request_id(),
        }
    );
    repeated!(
        walk,
        "/licet.billing.v1.InvoiceService/IssueCreditNote",
        invoices,
        issue_credit_note,
        goodwill(&charged.invoice.unwrap(), &[])
    );
}

/// Mutations that need an account on terms; the walk's own account stays prepaid.
async fn owed_money(walk: &mut Walk) {
    let prepaid = walk.account_id.clone();
    walk.account_id = walk.world.account_on_terms("1000.00", 30, 5).await;
    let account_id = walk.account_id.clone();
    walk.world.deposit(&account_id, "500.00").await;
    let invoice = walk.world.buy(&account_id, 12).await.unwrap();
    repeated!(
        walk,
        "/licet.billing.v1.InvoiceService/PayInvoice",
        invoices,
        pay_invoice,
        payment_request(&invoice.invoice_id, None)
    );
    walk.account_id = prepaid;
}

async fn refunds(walk: &mut Walk) {
    let account_id = walk.account_id.clone();
    let issued = walk.world.now();
    for thing in ["thing-1", "thing-2"] {
        let certificate = [(LineKind::Certificate, 1)];
        walk.world
            .sell_about(&account_id, thing, &certificate)
            .await;
    }
    walk.world.time.advance_days(28);
    let asked = repeated!(
        walk,
        "/licet.billing.v1.RefundService/RequestRefund",
        refunds,
        request_refund,
        RequestRefundRequest {
            account_id: account_id.clone(),
            subject: first_term("thing-1"),
            r#use: Some(in_use(Some(issued))),
            request_id: request_id(),
            ..RequestRefundRequest::default()
        }
    );
    repeated!(
        walk,
        "/licet.billing.v1.RefundService/ApproveRefund",
        refunds,
        approve_refund,
        approval(&asked.refund.unwrap(), None)
    );
    let second = walk
        .world
        .request_refund(&account_id, "thing-2", issued)
        .await;
    repeated!(
        walk,
        "/licet.billing.v1.RefundService/RejectRefund",
        refunds,
        reject_refund,
        licet_contracts::billing::v1::RejectRefundRequest {
            refund_id: second.refund_id,
            reason: "used".to_owned(),
            request_id: request_id(),
            ..Default::default()
        }
    );
}

async fn placing(walk: &mut Walk) -> Order {
    let account_id = walk.account_id.clone();
    let placed = repeated!(
        walk,
        "/licet.orders.v1.OrderService/PlaceOrder",
        orders,
        place_order,
        multi_domain_request(&account_id, &["www.example.com"])
    );
    let order = placed.order.unwrap();
    let order_id = order.order_id.clone();
    repeated!(
        walk,
        "/licet.orders.v1.CertificateService/BeginIssuance",
        certificates,
        begin_issuance,
        orders::BeginIssuanceRequest {
            order_id: order_id.clone(),
            key_type: KeyType::Ecc.into(),
            not_after_time: Some(timestamp(walk.world.usual_end())),
            request_id: request_id(),
        }
    );
    let names = order.domains.clone();
    let recorded = repeated!(
        walk,
        "/licet.orders.v1.CertificateService/RecordIssuance",
        certificates,
        record_issuance,
        walk.world.issuance(&order_id, &names)
    );
    repeated!(
        walk,
        "/licet.orders.v1.OrderService/UpdateDomains",
        orders,
        update_domains,
        change_request(&order_id, &["a.example"], &[])
    );
    repeated!(
        walk,
        "/licet.orders.v1.OrderService/CancelDomainChange",
        orders,
        cancel_domain_change,
        cancel_change(&order_id)
    );
    repeated!(
        walk,
        "/licet.orders.v1.OrderService/RequestReissue",
        orders,
        request_reissue,
        orders::RequestReissueRequest {
            order_id: order_id.clone(),
            request_id: request_id(),
            ..Default::default()
        }
    );
    repeated!(
        walk,
        "/licet.orders.v1.CertificateService/RevokeCertificate",
        certificates,
        revoke_certificate,
        orders::RevokeCertificateRequest {
            certificate_id: recorded.certificate.unwrap().certificate_id,
            reason: san::RevocationReason::KeyCompromise.into(),
            request_id: request_id(),
            ..Default::default()
        }
    );
    order
}

async fn serving(walk: &mut Walk) {
    let account_id = walk.account_id.clone();
    let request = single_domain_request(&account_id, 1);
    let order = walk.world.place(request).await;
    let order_id = order.order_id.clone();
    repeated!(
        walk,
        "/licet.orders.v1.OrderService/SetServerSoftware",
        orders,
        set_server_software,
        orders::SetServerSoftwareRequest {
            order_id: order_id.clone(),
            server_software: "nginx".to_owned(),
            request_id: request_id(),
        }
    );
    walk.world.record(&order_id).await;
    let registered = repeated!(
        walk,
        "/licet.orders.v1.ServerService/RegisterServer",
        servers,
        register_server,
        walk.world.server(&order, "one")
    );
    repeated!(
        walk,
        "/licet.orders.v1.ServerService/UnregisterServer",
        servers,
        unregister_server,
        orders::UnregisterServerRequest {
            server_id: registered.server.unwrap().server_id,
            request_id: request_id(),
        }
    );
    walk.world.time.advance_months(11);
    repeated!(
        walk,
        "/licet.orders.v1.OrderService/RenewOrder",
        orders,
        renew_order,
        orders::RenewOrderRequest {
            order_id: order_id.clone(),
            term_months: 12,
            request_id: request_id(),
            ..Default::default()
        }
    );
    repeated!(
        walk,
        "/licet.orders.v1.OrderService/DeleteOrder",
        orders,
        delete_order,
        orders::DeleteOrderRequest {
            order_id,
            request_id: request_id(),
            ..Default::default()
        }
    );
}

async fn licensing(walk: &mut Walk) -> License {
    let account_id = walk.account_id.clone();
    let drafted = repeated!(
        walk,
        "/licet.sanlicensing.v1.LicenseService/QuoteLicense",
        san_licenses,
        quote_license,
        quote_request(&account_id, 100)
    );
    repeated!(
        walk,
        "/licet.sanlicensing.v1.LicenseService/WithdrawQuote",
        san_licenses,
        withdraw_quote,
        withdraw_request(&drafted.license.unwrap())
    );
    let draft = walk.world.quoted(quote_request(&account_id, 100)).await;
    let accepted = repeated!(
        walk,
        "/licet.sanlicensing.v1.LicenseService/AcceptLicense",
        san_licenses,
        accept_license,
        accept_request(&draft.license_id)
    );
    let license = accepted.license.unwrap();
    repeated!(
        walk,
        "/licet.sanlicensing.v1.LicenseService/IncreaseQuota",
        san_licenses,
        increase_quota,
        increase_request(&license, 150)
    );
    license
}

async fn issuing(walk: &mut Walk, license: &License) {
    let granted = repeated!(
        walk,
        "/licet.sanlicensing.v1.IssuanceService/AuthorizeIssuance",
        san_issuance,
        authorize_issuance,
        walk.world.question(license, &["a.example"])
    );
    repeated!(
        walk,
        "/licet.sanlicensing.v1.IssuanceService/ReleaseReservation",
        san_issuance,
        release_reservation,
        release_request(license, &granted.reservation_id)
    );
    let recorded = repeated!(
        walk,
        "/licet.sanlicensing.v1.IssuanceService/RecordCertificate",
        san_issuance,
        record_certificate,
        walk.world.report(license, &["b.example"])
    );
    let certificate = recorded.certificate.unwrap();
    repeated!(
        walk,
        "/licet.sanlicensing.v1.IssuanceService/RevokeCertificates",
        san_issuance,
        revoke_certificates,
        walk.world.revocation(license, &[&certificate]).await
    );
    // No licence covers the product, so the certificate is stored without one and allocated by hand.
    let mut uncovered = walk.world.report(license, &["u.example"]);
    uncovered.product_id = OTHER.to_owned();
    let kept = repeated!(
        walk,
        "/licet.sanlicensing.v1.IssuanceService/RecordCertificate",
        san_issuance,
        record_certificate,
        uncovered
    );
    repeated!(
        walk,
        "/licet.sanlicensing.v1.IngestService/AllocateCertificate",
        san_ingest,
        allocate_certificate,
        san::AllocateCertificateRequest {
            certificate_id: kept.certificate.unwrap().certificate_id,
            license_id: license.license_id.clone(),
            request_id: request_id(),
        }
    );
}

async fn ending(walk: &mut Walk, license: &License) {
    repeated!(
        walk,
        "/licet.sanlicensing.v1.LicenseService/AddProduct",
        san_licenses,
        add_product,
        add_request(license, OTHER)
    );
    walk.world.move_before_end(license, 10);
    repeated!(
        walk,
        "/licet.sanlicensing.v1.LicenseService/RenewLicense",
        san_licenses,
        renew_license,
        renew_request(license, 150)
    );
    repeated!(
        walk,
        "/licet.sanlicensing.v1.LicenseService/CancelLicense",
        san_licenses,
        cancel_license,
        cancel_request(license)
    );
}

/// Operations that are pending while Billing is stopped.
async fn operations(walk: &mut Walk) {
    let account_id = walk.account_id.clone();
    let draft = walk.world.quoted(quote_request(&account_id, 10)).await;
    walk.world.stop_billing().await;
    let request = multi_domain_request(&account_id, &["gone.example"]);
    let placed = walk.world.orders().place_order(request).await.unwrap();
    let pending = placed.into_inner().order.unwrap().pending_change.unwrap();
    repeated!(
        walk,
        "/licet.operations.v1.OperationService/CancelOperation",
        operations,
        cancel_operation,
        CancelOperationRequest {
            operation_id: pending.operation_id.clone(),
            request_id: request_id(),
        }
    );
    repeated!(
        walk,
        "/licet.operations.v1.OperationService/RetryOperation",
        operations,
        retry_operation,
        RetryOperationRequest {
            operation_id: pending.operation_id,
            request_id: request_id(),
        }
    );
    let accept = accept_request(&draft.license_id);
    let accepted = walk.world.san_licenses().accept_license(accept).await;
    let license = accepted.unwrap().into_inner().license.unwrap();
    let pending = license.pending_change.unwrap();
    repeated!(
        walk,
        "/licet.operations.v1.OperationService/CancelOperation",
        san_operations,
        cancel_operation,
        CancelOperationRequest {
            operation_id: pending.operation_id.clone(),
            request_id: request_id(),
        }
    );
    repeated!(
        walk,
        "/licet.operations.v1.OperationService/RetryOperation",
        san_operations,
        retry_operation,
        RetryOperationRequest {
            operation_id: pending.operation_id,
            request_id: request_id(),
        }
    );
}

async fn bl_2_a_stored_answer_is_for_those_who_see_what_it_is_about(backend: Backend) {
    let mut world = World::start(backend).await;
    world.start_san_licensing().await;
    world.stock().await;
    world.stock_sans().await;
    let account_id = world.account_with("100000.00").await;
    let other = world.account_with("100000.00").await;
    let mut walk = Walk {
        world,
        account_id,
        other,
        walked: BTreeSet::new(),
        leaks: Vec::new(),
    };
    money(&mut walk).await;
    owed_money(&mut walk).await;
    refunds(&mut walk).await;
    placing(&mut walk).await;
    serving(&mut walk).await;
    let license = licensing(&mut walk).await;
    issuing(&mut walk, &license).await;
    ending(&mut walk, &license).await;
    operations(&mut walk).await;

    let methods = METHODS.iter().filter(|method| method.mutates);
    let mutations: BTreeSet<_> = methods
        .map(|method| method.path)
        .filter(|path| !OF_NO_ACCOUNT.contains(path))
        .collect();
    let missing: Vec<_> = mutations.difference(&walk.walked).collect();
    assert!(missing.is_empty(), "not repeated: {missing:?}");
    let leaks = walk.leaks;
    assert!(
        leaks.is_empty(),
        "{} responses to callers who may not see the resource:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}
