//! BL-8: the numbers of invoices and credit notes run without a gap, whatever is refused, rolled back or repeated,
//! and each seller has its own.

use licet_contracts::billing::v1::{
    ChargeQuoteRequest, IssueCreditNoteRequest, LineKind, ListInvoicesRequest, Quote,
    RenderInvoiceRequest,
};
use licet_runtime::database::Database;
use sea_orm::{ConnectionTrait, DbBackend};
use tonic::Code;

use crate::harness::{
    Backend,
    corrections::{approval, goodwill},
    errors::refused,
    on_both_databases, request_id,
    samples::MULTI,
    selling::item,
    world::World,
};

on_both_databases![
    bl_8_refused_and_rolled_back_charges_leave_no_gap,
    bl_8_a_repeated_approval_returns_the_numbers,
    bl_8_a_seller_numbers_its_own_documents,
];

async fn quote(world: &World, account_id: &str, domains: i32) -> Quote {
    let mut wanted = item(LineKind::Domain, MULTI, domains);
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

/// Makes the last writes of every change fail: its event.
async fn break_events(store: &Database) {
    let text = if store.backend() == DbBackend::Postgres {
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$; \
         CREATE TRIGGER refuse BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION refuse()"
    } else {
        "CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'refused'); END"
    };
    store.write_alone().execute_unprepared(text).await.unwrap();
}

async fn mend_events(store: &Database) {
    let text = if store.backend() == DbBackend::Postgres {
        "DROP TRIGGER refuse ON outbox; DROP FUNCTION refuse"
    } else {
        "DROP TRIGGER refuse"
    };
    store.write_alone().execute_unprepared(text).await.unwrap();
}

async fn verify(world: &World) {
    let verification = licet_billing::verify(&world.billing_location()).await;
    let verification = verification.unwrap();
    assert_eq!(verification.differences(), 0, "{verification}");
}

async fn bl_8_refused_and_rolled_back_charges_leave_no_gap(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("200.00").await;
    let first = world.charge(&quote(&world, &account_id, 1).await).await;
    let first = first.unwrap();
    assert_eq!(first.number, "INV-000001");

    let dear = charge(&quote(&world, &account_id, 9).await);
    refused(world.invoices().charge_quote(dear).await)
        .expect(Code::ResourceExhausted, "INSUFFICIENT_FUNDS");

    let request = charge(&quote(&world, &account_id, 1).await);
    let correction = goodwill(&first, &[(1, "1.00")]);
    break_events(world.billing_store()).await;
    for _ in 0..2 {
        let broken = world.invoices().charge_quote(request.clone()).await;
        assert_eq!(broken.unwrap_err().code(), Code::Internal);
    }
    let broken = world.invoices().issue_credit_note(correction.clone()).await;
    assert_eq!(broken.unwrap_err().code(), Code::Internal);
    mend_events(world.billing_store()).await;
    assert_eq!(world.balance(&account_id).await, "151.00 USD");
    verify(&world).await;

    let charged = world.invoices().charge_quote(request.clone()).await;
    let charged = charged.unwrap().into_inner();
    assert_eq!(charged.invoice.as_ref().unwrap().number, "INV-000002");
    let repeated = world.invoices().charge_quote(request).await.unwrap();
    assert_eq!(repeated.into_inner(), charged);
    let preview = IssueCreditNoteRequest {
        validate_only: true,
        ..correction.clone()
    };
    let preview = world.invoices().issue_credit_note(preview).await.unwrap();
    assert_eq!(preview.into_inner().credit_note.unwrap().number, "");
    let credited = world.invoices().issue_credit_note(correction.clone()).await;
    let credited = credited.unwrap().into_inner();
    let note = credited.credit_note.as_ref().unwrap();
    assert_eq!(note.number, "CDN-000001");
    let repeated = world.invoices().issue_credit_note(correction).await;
    assert_eq!(repeated.unwrap().into_inner(), credited);
    let third = world.charge(&quote(&world, &account_id, 1).await).await;
    assert_eq!(third.unwrap().number, "INV-000003");
    verify(&world).await;
}

async fn bl_8_a_repeated_approval_returns_the_numbers(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let since = world.now();
    for _ in 0..2 {
        world
            .sell_about(&account_id, "ord_1", &[(LineKind::Certificate, 1)])
            .await;
    }
    world.time.advance(chrono::TimeDelta::days(28));
    let refund = world.request_refund(&account_id, "ord_1", since).await;
    let request = approval(&refund, None);
    let approved = world.grant(request.clone()).await;
    let numbers = approved
        .credit_notes
        .iter()
        .map(|note| note.number.as_str());
    assert_eq!(numbers.collect::<Vec<_>>(), ["CDN-000001", "CDN-000002"]);
    assert_eq!(world.grant(request).await, approved);
    verify(&world).await;
}

async fn bl_8_a_seller_numbers_its_own_documents(backend: Backend) {
    let mut world = World::start_as(backend, "EU1").await;
    world.stock().await;
    let account_id = world.account_with("200.00").await;
    let sold = world.charge(&quote(&world, &account_id, 1).await).await;
    let sold = sold.unwrap();
    assert_eq!(sold.number, "INV-EU1-000001");
    let note = world
        .invoices()
        .issue_credit_note(goodwill(&sold, &[]))
        .await;
    let note = note.unwrap().into_inner().credit_note.unwrap();
    assert_eq!(note.number, "CDN-EU1-000001");
    for (number, found) in [("INV-EU1-000001", 1), ("INV-000001", 0)] {
        let request = ListInvoicesRequest {
            number: number.to_owned(),
            ..ListInvoicesRequest::default()
        };
        let answer = world.invoices().list_invoices(request).await.unwrap();
        assert_eq!(answer.into_inner().invoices.len(), found, "{number}");
    }
    let request = RenderInvoiceRequest {
        invoice_id: sold.invoice_id.clone(),
    };
    let page = world.invoices().render_invoice(request).await.unwrap();
    let page = String::from_utf8(page.into_inner().content).unwrap();
    for text in [
        "<div class=\"seller\">EU1</div>",
        "INV-EU1-000001",
        "CDN-EU1-000001",
    ] {
        assert!(page.contains(text), "{text} is not in {page}");
    }
    verify(&world).await;

    world.stop_billing().await;
    let other = licet_billing::build(licet_billing::Deps {
        location: world.billing_location(),
        seller: Some("US1".parse().unwrap()),
    });
    let refused = other.await.err().unwrap().to_string();
    assert!(
        refused.contains("issues invoices as EU1, not as US1"),
        "{refused}"
    );
    // Without the setting, the store's seller goes on.
    world.seller = None;
    world.start_billing().await;
    let next = world.charge(&quote(&world, &account_id, 1).await).await;
    assert_eq!(next.unwrap().number, "INV-EU1-000002");
}
