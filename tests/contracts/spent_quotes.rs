//! MD-6, BL-1: a quote that was charged by hand pays for its change once, unless that charge was credited.

use licet_contracts::{
    billing::v1::{ChargeQuoteRequest, GetQuoteRequest, Invoice},
    orders::v1::{RenewOrderRequest, UpdateDomainsRequest},
};
use tonic::Code;

use super::{
    domains::Issued,
    renewal::{move_to_days_before_end, renew, renewal},
};
use crate::harness::{
    Backend, corrections::goodwill, errors::refused, on_both_databases, request_id,
    samples::change_request, world::World,
};

on_both_databases![
    md_6_a_credited_charge_pays_for_no_renewal,
    md_6_a_credited_charge_pays_for_no_domains,
];

/// Charges a preview's quote directly, without the order's change.
async fn charge_by_hand(world: &World, quote_id: &str) -> Invoice {
    let request = GetQuoteRequest {
        quote_id: quote_id.to_owned(),
    };
    let found = world.quotes().get_quote(request).await.unwrap();
    let charge = ChargeQuoteRequest {
        quote_id: quote_id.to_owned(),
        pin: found.into_inner().quote.unwrap().pin,
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    };
    let charged = world.invoices().charge_quote(charge).await.unwrap();
    charged.into_inner().invoice.unwrap()
}

async fn credit_whole(world: &World, invoice: &Invoice) {
    let credit = goodwill(invoice, &[]);
    world.invoices().issue_credit_note(credit).await.unwrap();
}

async fn md_6_a_credited_charge_pays_for_no_renewal(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued { world, order, .. } = &issued;
    move_to_days_before_end(world, order, 30);
    let preview = RenewOrderRequest {
        validate_only: true,
        ..renewal(order, 12)
    };
    let quoted = renew(world, preview.clone()).await.quote.unwrap();
    let charged = charge_by_hand(world, &quoted.quote_id).await;
    credit_whole(world, &charged).await;
    let before = world.balance(&issued.account_id).await;
    let named = |quote_id: &str| RenewOrderRequest {
        quote_id: quote_id.to_owned(),
        ..renewal(order, 12)
    };
    let spent = world.orders().renew_order(named(&quoted.quote_id)).await;
    refused(spent).expect(Code::FailedPrecondition, "QUOTE_SPENT");
    assert!(world.get_order(&order.order_id).await.next_term.is_none());
    assert_eq!(world.balance(&issued.account_id).await, before);
    // The renewal uses the existing charge and makes no other.
    let quoted = renew(world, preview).await.quote.unwrap();
    charge_by_hand(world, &quoted.quote_id).await;
    let paid = world.balance(&issued.account_id).await;
    let renewed = renew(world, named(&quoted.quote_id)).await.order.unwrap();
    assert!(renewed.next_term.is_some());
    assert_eq!(world.balance(&issued.account_id).await, paid);
}

async fn md_6_a_credited_charge_pays_for_no_domains(backend: Backend) {
    let issued = Issued::new(backend, &["www.example.com"]).await;
    let Issued { world, order, .. } = &issued;
    // In this term alone, then in this term and the next.
    for renews in [false, true] {
        if renews {
            move_to_days_before_end(world, order, 30);
            renew(world, renewal(order, 12)).await;
        }
        let added = ["a.example", "b.example", "c.example", "d.example"];
        let change = change_request(&order.order_id, &added, &[]);
        let preview = UpdateDomainsRequest {
            validate_only: true,
            ..change.clone()
        };
        let previewed = world.orders().update_domains(preview).await.unwrap();
        let previewed = previewed.into_inner();
        let quotes = previewed.quote.iter().chain(&previewed.next_term_quote);
        let quotes: Vec<_> = quotes.map(|quote| quote.quote_id.clone()).collect();
        assert_eq!(quotes.len(), if renews { 2 } else { 1 });
        for quote_id in &quotes {
            let charged = charge_by_hand(world, quote_id).await;
            credit_whole(world, &charged).await;
        }
        let before = world.balance(&issued.account_id).await;
        let named = UpdateDomainsRequest {
            quote_id: quotes[0].clone(),
            ..change
        };
        let spent = world.orders().update_domains(named).await;
        refused(spent).expect(Code::FailedPrecondition, "QUOTE_SPENT");
        assert_eq!(world.balance(&issued.account_id).await, before);
        let left = world.get_order(&order.order_id).await;
        assert!(left.pending_change.is_none());
    }
}
