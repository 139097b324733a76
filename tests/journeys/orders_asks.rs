//! Orders' mutations that random histories call: how to preview each (`validate_only`), if it can be
//! previewed, and which fields a preview cannot predict.

use licet_contracts::{
    billing::v1::{Quote, Refund},
    orders::v1::{
        CancelDomainChangeRequest, CancelDomainChangeResponse, DeleteOrderRequest,
        DeleteOrderResponse, PlaceOrderRequest, PlaceOrderResponse, RecordIssuanceRequest,
        RecordIssuanceResponse, RegisterServerRequest, RegisterServerResponse, RenewOrderRequest,
        RenewOrderResponse, RequestReissueRequest, RequestReissueResponse,
        RevokeCertificateRequest, RevokeCertificateResponse, SetServerSoftwareRequest,
        SetServerSoftwareResponse, UnregisterServerRequest, UnregisterServerResponse,
        UpdateDomainsRequest, UpdateDomainsResponse,
        certificate_service_client::CertificateServiceClient,
        order_service_client::OrderServiceClient, server_service_client::ServerServiceClient,
    },
};
use tonic::Response;

use super::billing_asks::{Ask, asks};
use crate::harness::{
    channel::Channel,
    errors::{Refused, take_apart},
};

asks! {
    OrderServiceClient.place_order: PlaceOrderRequest => PlaceOrderResponse,
        but |answer| {
            answer.order = None;
            hide_quote(answer.quote.as_mut());
        };
    OrderServiceClient.update_domains: UpdateDomainsRequest => UpdateDomainsResponse,
        but |answer| {
            answer.order = None;
            hide_quote(answer.quote.as_mut());
            hide_quote(answer.next_term_quote.as_mut());
        };
    OrderServiceClient.cancel_domain_change: CancelDomainChangeRequest => CancelDomainChangeResponse,
        but |answer| {
            answer.order = None;
            for note in &mut answer.credit_notes {
                note.credit_note_id.clear();
                note.number.clear();
            }
        };
    OrderServiceClient.request_reissue: RequestReissueRequest => RequestReissueResponse;
    OrderServiceClient.renew_order: RenewOrderRequest => RenewOrderResponse,
        but |answer| {
            answer.order = None;
            hide_quote(answer.quote.as_mut());
            answer.term.iter_mut().for_each(|it| it.invoice_ids.clear());
        };
    OrderServiceClient.delete_order: DeleteOrderRequest => DeleteOrderResponse,
        but |answer| {
            answer.order = None;
            hide_refund(answer.refund.as_mut());
            hide_refund(answer.next_term_refund.as_mut());
            answer.refunds.iter_mut().for_each(|refund| hide_refund(Some(refund)));
        };
    OrderServiceClient.set_server_software: SetServerSoftwareRequest => SetServerSoftwareResponse;
    CertificateServiceClient.record_issuance: RecordIssuanceRequest => RecordIssuanceResponse;
    CertificateServiceClient.revoke_certificate:
        RevokeCertificateRequest => RevokeCertificateResponse,
        but |answer| answer.order = None;
    ServerServiceClient.register_server: RegisterServerRequest => RegisterServerResponse;
    ServerServiceClient.unregister_server: UnregisterServerRequest => UnregisterServerResponse;
}

/// A charged quote equals the offered one except for its state; a quote of an order that does not exist yet
/// lacks subject and pin.
fn hide_quote(quote: Option<&mut Quote>) {
    if let Some(quote) = quote {
        *quote = Quote {
            lines: std::mem::take(&mut quote.lines),
            total: quote.total.take(),
            decision_time: quote.decision_time.take(),
            ..Quote::default()
        };
    }
}

fn hide_refund(refund: Option<&mut Refund>) {
    if let Some(refund) = refund {
        refund.refund_id.clear();
        refund.credit_note_ids.clear();
    }
}
