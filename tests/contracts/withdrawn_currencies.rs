//! M-1: nothing new can use a currency that ISO 4217 has withdrawn; what exists in one continues.

use licet_contracts::billing::v1::{CreateAccountRequest, InvoiceState, LineKind, RefundState};
use tonic::Code;

use crate::harness::{
    Backend,
    books::BackDoor,
    errors::refused,
    on_both_databases, request_id,
    samples::{MULTI, shown},
    selling::{prices_request, term_price_in},
    world::World,
};

on_both_databases![
    m_1_no_price_and_no_account_is_made_in_a_withdrawn_currency,
    m_1_what_exists_in_a_withdrawn_currency_goes_on,
];

/// Historic currencies of ISO 4217, and whether an earlier version of this service accepted them.
const WITHDRAWN: [(&str, bool); 12] = [
    ("BGN", true),
    ("CUC", true),
    ("HRK", true),
    ("SLL", true),
    ("ZWL", true),
    ("ANG", false),
    ("DEM", false),
    ("LTL", false),
    ("MRO", false),
    ("STD", false),
    ("BYR", false),
    ("VEF", false),
];

fn opening(currency: &str) -> CreateAccountRequest {
    CreateAccountRequest {
        display_name: "Example".to_owned(),
        currency_code: currency.to_owned(),
        request_id: request_id(),
        ..CreateAccountRequest::default()
    }
}

async fn m_1_no_price_and_no_account_is_made_in_a_withdrawn_currency(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    for (code, was_read) in WITHDRAWN {
        let answer = world.accounts().create_account(opening(code)).await;
        let refusal = refused(answer).expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.paths(), ["currency_code"], "{code}");
        assert_eq!(
            refusal.fields[0].1.contains("withdrawn"),
            was_read,
            "{refusal:?}"
        );
        let prices = term_price_in(code, 12, ["98.00", "49.00", "149.00", "9.00"]);
        let prices = prices_request(MULTI, code, vec![prices]);
        let answer = world.catalog().set_prices(prices).await;
        let refusal = refused(answer).expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert!(refusal.paths().contains(&"currency_code"), "{refusal:?}");
        assert_eq!(world.price_lists(MULTI, "", None).await.len(), 1);
    }
    for code in ["SLE", "ZWG", "CUP", "VES", "VED", "EUR"] {
        let answer = world.accounts().create_account(opening(code)).await;
        assert!(answer.is_ok(), "{code}: {answer:?}");
    }
}

/// A store of an earlier version, which accepted kunas: every USD is replaced by HRK.
async fn m_1_what_exists_in_a_withdrawn_currency_goes_on(backend: Backend) {
    let world = World::start(backend).await;
    world.stock().await;
    let account_id = world.account_with("1000.00").await;
    let door = BackDoor::open(&world.billing_location()).await;
    for (table, text) in [
        ("account", "currency"),
        ("ledger_entry", "currency"),
        ("price_list", "currency"),
        ("price_list", "prices"),
    ] {
        let change = format!("UPDATE {table} SET {text} = replace({text}, 'USD', 'HRK')");
        assert!(door.run(&change).await > 0, "{change}");
    }
    assert_eq!(world.balance(&account_id).await, "1000.00 HRK");
    assert_eq!(world.price_lists(MULTI, "HRK", None).await.len(), 1);
    let kinds = [(LineKind::Certificate, 1), (LineKind::Domain, 2)];
    let invoice = world.sell_about(&account_id, "thing-1", &kinds).await;
    assert_eq!(invoice.state(), InvoiceState::Paid);
    assert_eq!(shown(invoice.total.as_ref()), "196.00 HRK");
    let issued = world.now();
    let refund = world.request_refund(&account_id, "thing-1", issued).await;
    assert_eq!(refund.state(), RefundState::Refunded);
    assert_eq!(world.balance(&account_id).await, "1000.00 HRK");
}
