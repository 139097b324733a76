//! a charge that got no response is forbidden. Either it was made before, or it never will be, however
//! late an attempt arrives.

use licet_contracts::billing::v1::{
    ChargeQuoteRequest, ChargeQuotesRequest, ForbidChargeRequest, ForbidChargeResponse, LineKind,
    Quote, QuoteToCharge,
};
use tokio::task::JoinSet;
use tonic::Code;

use crate::harness::{
    Backend, errors::refused, on_both_databases, request_id, samples::MULTI, selling::item,
    world::World,
};

on_both_databases![
    x_2_a_charge_that_is_given_up_never_comes,
    x_2_a_charge_that_was_made_is_not_given_up,
    x_2_a_charge_is_made_or_given_up_and_never_both,
    x_2_only_ones_own_charge_is_given_up,
];

async fn domain(world: &World, account_id: &str) -> Quote {
    let mut wanted = item(LineKind::Domain, MULTI, 1);
    wanted.term_months = 12;
    world.quote(account_id, vec![wanted]).await
}

fn charge(quote: &Quote) -> ChargeQuoteRequest {
    ChargeQuoteRequest {
        quote_id: quote.quote_id.clone(),
        pin: quote.pin.clone(),
        request_id: request_id(),
        ..ChargeQuoteRequest::default()
    }
}

/// The same charge, under the same id, by the method for several quotes.
fn as_several(quote: &Quote, charge: &ChargeQuoteRequest) -> ChargeQuotesRequest {
    ChargeQuotesRequest {
        account_id: quote.account_id.clone(),
        quotes: vec![QuoteToCharge {
            quote_id: quote.quote_id.clone(),
            pin: quote.pin.clone(),
        }],
        request_id: charge.request_id.clone(),
        ..ChargeQuotesRequest::default()
    }
}

fn forbidding(quote: &Quote, charge: &ChargeQuoteRequest) -> ForbidChargeRequest {
    ForbidChargeRequest {
        account_id: quote.account_id.clone(),
        quote_ids: vec![quote.quote_id.clone()],
        charge_request_id: charge.request_id.clone(),
        request_id: request_id(),
    }
}

async fn forbid(world: &World, request: &ForbidChargeRequest) -> ForbidChargeResponse {
    let answer = world.invoices().forbid_charge(request.clone()).await;
    answer.unwrap().into_inner()
}

async fn x_2_a_charge_that_is_given_up_never_comes(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let quote = domain(&world, &account_id).await;
    let late = charge(&quote);
    let request = forbidding(&quote, &late);
    // Repeated, or under another id, the response is the same.
    for request in [&request, &request, &forbidding(&quote, &late)] {
        let given_up = forbid(&world, request).await;
        assert!(given_up.forbidden && given_up.invoice_ids.is_empty());
    }
    for _ in 0..2 {
        let one = refused(world.invoices().charge_quote(late.clone()).await);
        let several = as_several(&quote, &late);
        let several = refused(world.invoices().charge_quotes(several).await);
        for refusal in [one, several] {
            let refusal = refusal.expect(Code::FailedPrecondition, "CHARGE_FORBIDDEN");
            assert_eq!(refusal.value("request_id"), late.request_id);
        }
    }
    assert_eq!(world.balance(&account_id).await, "100.00 USD");
    // Only the charge is forbidden; the quote can still be charged.
    let charged = world.invoices().charge_quote(charge(&quote)).await;
    charged.unwrap();
    assert_eq!(world.balance(&account_id).await, "51.00 USD");
}

async fn x_2_a_charge_that_was_made_is_not_given_up(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let quote = domain(&world, &account_id).await;
    let made = charge(&quote);
    let answer = world.invoices().charge_quote(made.clone()).await;
    let invoice = answer.unwrap().into_inner().invoice.unwrap();
    // The quote also shows the charge where the charge's own id is unknown.
    for request in [&made, &charge(&quote)] {
        let given_up = forbid(&world, &forbidding(&quote, request)).await;
        assert!(!given_up.forbidden);
        assert_eq!(given_up.invoice_ids, [invoice.invoice_id.as_str()]);
    }
    let again = world.invoices().charge_quote(made).await;
    assert_eq!(again.unwrap().into_inner().invoice, Some(invoice));
    assert_eq!(world.balance(&account_id).await, "51.00 USD");
    // A refused charge keeps its refusal.
    let poor = world.account_with("1.00").await;
    let quote = domain(&world, &poor).await;
    let failed = charge(&quote);
    for _ in 0..2 {
        refused(world.invoices().charge_quote(failed.clone()).await)
            .expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");
        let given_up = forbid(&world, &forbidding(&quote, &failed)).await;
        assert!(given_up.forbidden);
    }
}

async fn x_2_a_charge_is_made_or_given_up_and_never_both(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("9999.00").await;
    let (mut made, mut forbidden) = (0, 0);
    for _ in 0..20 {
        let quote = domain(&world, &account_id).await;
        let request = charge(&quote);
        let mut calls = JoinSet::new();
        for _ in 0..2 {
            let (mut invoices, charge) = (world.invoices(), request.clone());
            calls.spawn(async move { invoices.charge_quote(charge).await.is_ok() });
            let (mut invoices, forbidding) = (world.invoices(), forbidding(&quote, &request));
            calls.spawn(async move {
                let answer = invoices.forbid_charge(forbidding).await.unwrap();
                !answer.into_inner().forbidden
            });
        }
        let said = calls.join_all().await;
        assert!(
            said.iter().all(|charged| *charged == said[0]),
            "charged, by each of four calls: {said:?}"
        );
        if said[0] {
            made += 1;
        } else {
            forbidden += 1;
        }
    }
    println!("{made} charges made, {forbidden} given up");
    let invoices = world.invoices_of_account(&account_id).await;
    assert_eq!(invoices.len(), made);
}

async fn x_2_only_ones_own_charge_is_given_up(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("100.00").await;
    let other = world.account_with("100.00").await;
    let quote = domain(&world, &account_id).await;
    let own = charge(&quote);
    let mut foreign = tonic::Request::new(forbidding(&quote, &own));
    foreign
        .metadata_mut()
        .insert("licet-caller", "somebody-else".parse().unwrap());
    let answer = world.invoices().forbid_charge(foreign).await;
    assert!(answer.unwrap().into_inner().forbidden);
    world.invoices().charge_quote(own.clone()).await.unwrap();
    let unknown = ForbidChargeRequest {
        account_id: other,
        ..forbidding(&quote, &own)
    };
    refused(world.invoices().forbid_charge(unknown).await).expect(Code::NotFound, "NOT_FOUND");
    let wrong = ForbidChargeRequest {
        quote_ids: vec![quote.quote_id.clone(), quote.quote_id.clone()],
        charge_request_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        ..forbidding(&quote, &own)
    };
    let wrong = refused(world.invoices().forbid_charge(wrong).await)
        .expect(Code::InvalidArgument, "INVALID_FIELDS");
    let paths: Vec<_> = wrong.fields.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["quote_ids[1]", "charge_request_id"]);
}
