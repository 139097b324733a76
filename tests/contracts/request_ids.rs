//! BL-2: a request_id names one attempt. The nil UUID, which an unset variable yields, is refused.

use licet_contracts::{
    billing::v1 as billing, operations::v1 as operations, orders::v1 as orders,
    sanlicensing::v1 as san,
};

use crate::harness::{Backend, errors::refused, on_both_databases, world::World};

on_both_databases![bl_2_no_mutation_takes_the_nil_uuid];

const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// Sends requests with only the nil UUID set; each refusal lists every violation at once.
macro_rules! refuse_nil {
    ($world:ident, $($client:ident.$method:ident($($request:ident)::+),)+) => {$(
        let request = $($request)::+ {
            request_id: NIL.to_owned(),
            ..Default::default()
        };
        let refusal = refused($world.$client().$method(request).await);
        let nil = ("request_id".to_owned(), "must not be the nil UUID".to_owned());
        assert!(refusal.fields.contains(&nil), "{}: {refusal:?}", stringify!($method));
    )+};
}

async fn bl_2_no_mutation_takes_the_nil_uuid(backend: Backend) {
    let world = World::start_whole(backend).await;
    refuse_nil![
        world,
        catalog.create_product(billing::CreateProductRequest),
        catalog.update_product(billing::UpdateProductRequest),
        catalog.set_prices(billing::SetPricesRequest),
        accounts.create_account(billing::CreateAccountRequest),
        accounts.update_account(billing::UpdateAccountRequest),
        accounts.deposit(billing::DepositRequest),
        accounts.withdraw(billing::WithdrawRequest),
        accounts.reverse_entry(billing::ReverseEntryRequest),
        quotes.create_quote(billing::CreateQuoteRequest),
        invoices.charge_quote(billing::ChargeQuoteRequest),
        invoices.charge_quotes(billing::ChargeQuotesRequest),
        invoices.forbid_charge(billing::ForbidChargeRequest),
        invoices.pay_invoice(billing::PayInvoiceRequest),
        invoices.issue_credit_note(billing::IssueCreditNoteRequest),
        refunds.request_refund(billing::RequestRefundRequest),
        refunds.approve_refund(billing::ApproveRefundRequest),
        refunds.reject_refund(billing::RejectRefundRequest),
    ];
    refuse_nil![
        world,
        orders.place_order(orders::PlaceOrderRequest),
        orders.update_domains(orders::UpdateDomainsRequest),
        orders.cancel_domain_change(orders::CancelDomainChangeRequest),
        orders.request_reissue(orders::RequestReissueRequest),
        orders.renew_order(orders::RenewOrderRequest),
        orders.delete_order(orders::DeleteOrderRequest),
        orders.set_server_software(orders::SetServerSoftwareRequest),
        servers.register_server(orders::RegisterServerRequest),
        servers.unregister_server(orders::UnregisterServerRequest),
        certificates.begin_issuance(orders::BeginIssuanceRequest),
        certificates.record_issuance(orders::RecordIssuanceRequest),
        certificates.revoke_certificate(orders::RevokeCertificateRequest),
        operations.retry_operation(operations::RetryOperationRequest),
        operations.cancel_operation(operations::CancelOperationRequest),
    ];
    refuse_nil![
        world,
        san_licenses.quote_license(san::QuoteLicenseRequest),
        san_licenses.withdraw_quote(san::WithdrawQuoteRequest),
        san_licenses.accept_license(san::AcceptLicenseRequest),
        san_licenses.increase_quota(san::IncreaseQuotaRequest),
        san_licenses.renew_license(san::RenewLicenseRequest),
        san_licenses.add_product(san::AddProductRequest),
        san_licenses.cancel_license(san::CancelLicenseRequest),
        san_issuance.authorize_issuance(san::AuthorizeIssuanceRequest),
        san_issuance.release_reservation(san::ReleaseReservationRequest),
        san_issuance.record_certificate(san::RecordCertificateRequest),
        san_issuance.revoke_certificates(san::RevokeCertificatesRequest),
        san_ingest.allocate_certificate(san::AllocateCertificateRequest),
        san_operations.retry_operation(operations::RetryOperationRequest),
        san_operations.cancel_operation(operations::CancelOperationRequest),
    ];
}
