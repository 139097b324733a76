//! Credits to the minor unit, each within its line.

use proptest::prelude::*;

use super::*;

fn usd(minor: i64) -> Money {
    Money::from_minor("USD".parse().unwrap(), minor)
}

/// An invoice of lines given as (amount, credited, held), numbered from 1.
fn invoice(due: i64, lines: &[(i64, i64, i64)]) -> CreditableInvoice {
    let lines = (1..).zip(lines).map(|(line_number, line)| CreditableLine {
        line_number,
        amount: usd(line.0),
        credited: usd(line.1),
        held: usd(line.2),
    });
    CreditableInvoice {
        invoice_id: InvoiceId::generate(),
        due: usd(due),
        lines: lines.collect(),
    }
}

fn asked(invoice: &CreditableInvoice, list: &[(u32, i64)]) -> Vec<RequestedCredit> {
    let each = list.iter().map(|&(line_number, minor)| RequestedCredit {
        invoice_id: invoice.invoice_id,
        line: LineCredit {
            line_number,
            amount: usd(minor),
        },
    });
    each.collect()
}

fn minors(list: &[RequestedCredit]) -> Vec<i64> {
    list.iter().map(|it| it.line.amount.minor()).collect()
}

/// BL-3: to the minor unit, line by line; what a review holds is not free.
#[test]
fn bl_3_never_more_than_is_left_of_a_line() {
    let invoice = invoice(0, &[(4_900, 900, 0), (2_450, 0, 450), (100, 100, 0)]);
    let invoices = std::slice::from_ref(&invoice);
    let total = |list: &[(u32, i64)]| {
        plan(invoices, &asked(&invoice, list), Source::Free, usd(0))
            .map(|credits| credits.iter().map(|it| it.total.minor()).sum::<i64>())
    };
    assert_eq!(total(&[(1, 4_000), (2, 2_000)]), Ok(6_000));
    assert_eq!(total(&[(1, 1_500), (1, 2_500)]), Ok(4_000));
    assert_eq!(total(&[]), Ok(0));
    for refused in [
        &[(1, 4_001)][..],
        &[(2, 2_001)],
        &[(3, 1)],
        &[(1, 4_000), (1, 1)],
        &[(9, 1)],
    ] {
        let refusal = total(refused).unwrap_err();
        assert_eq!(refusal.reason, Reason::CreditExceedsInvoice, "{refused:?}");
    }
    let rest = request_all(invoices, Source::Free).unwrap();
    assert_eq!(rest, asked(&invoice, &[(1, 4_000), (2, 2_000)]));
    let held = request_all(invoices, Source::Held).unwrap();
    assert_eq!(held, asked(&invoice, &[(2, 450)]));
}

/// BL-3: the refusal names every line at fault, with its numbers.
#[test]
fn bl_3_all_lines_at_fault_are_named() {
    let invoice = invoice(0, &[(4_900, 900, 0), (2_450, 0, 450), (100, 0, 0)]);
    let list = asked(&invoice, &[(1, 4_001), (2, 3_000), (3, 100), (7, 5)]);
    let refusal = plan(&[invoice], &list, Source::Free, usd(0)).unwrap_err();
    let said: Vec<_> = refusal
        .violations
        .iter()
        .map(|it| it.description.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "at most 40.00 USD can be credited; 40.01 USD was requested",
            "at most 20.00 USD can be credited; 30.00 USD was requested",
            "at most 0.00 USD can be credited; 0.05 USD was requested",
        ]
    );
    let number = |key: &str| refusal.metadata[key].as_str();
    assert_eq!(
        ["line_number", "asked", "creditable", "currency"].map(number),
        ["1", "40.01", "40.00", "USD"]
    );
}

/// M-4: a credit in another currency than the invoice's is refused.
#[test]
fn m_4_one_currency() {
    let invoice = invoice(0, &[(4_900, 0, 0)]);
    let yen = Money::from_minor("JPY".parse().unwrap(), 1);
    let mut list = asked(&invoice, &[(1, 1)]);
    list[0].line.amount = yen;
    let invoices = [invoice];
    for refused in [
        plan(&invoices, &list, Source::Free, usd(0)).unwrap_err(),
        spread(&invoices, yen, Source::Free, usd(0)).unwrap_err(),
    ] {
        assert_eq!(refused.reason, Reason::CurrencyMismatch);
    }
}

/// BL-4: on unpaid, part-paid and paid invoices a credit lowers what is due; only the rest returns.
#[test]
fn bl_4_credit_lowers_the_due_before_anything_returns() {
    for (due, credit, returned, due_after) in [
        (10_000, 4_000, 0, 6_000),
        (10_000, 10_000, 0, 0),
        (4_000, 3_999, 0, 1),
        (4_000, 4_000, 0, 0),
        (4_000, 4_001, 1, 0),
        (4_000, 10_000, 6_000, 0),
        (0, 1, 1, 0),
        (0, 10_000, 10_000, 0),
    ] {
        let invoice = invoice(due, &[(10_000, 0, 0)]);
        let list = asked(&invoice, &[(1, credit)]);
        let credits = plan(&[invoice], &list, Source::Free, usd(0)).unwrap();
        let [credited] = credits.as_slice() else {
            panic!("{credits:?}")
        };
        assert_eq!(credited.total, usd(credit));
        assert_eq!(credited.returned, usd(returned), "{credit} off {due} due");
        assert_eq!(credited.due, usd(due_after), "{credit} off {due} due");
    }
}

/// M-3: over lines and invoices, by largest remainder, ties to the earlier line.
#[test]
fn m_3_an_amount_is_spread_over_what_is_held() {
    let invoices = [
        invoice(0, &[(500, 0, 100), (500, 400, 100)]),
        invoice(0, &[(100, 0, 100), (900, 0, 0)]),
    ];
    for (amount, parts) in [
        (1, &[1][..]),
        (2, &[1, 1]),
        (100, &[34, 33, 33]),
        (101, &[34, 34, 33]),
        (299, &[100, 100, 99]),
        (300, &[100, 100, 100]),
    ] {
        let spread = spread(&invoices, usd(amount), Source::Held, usd(0)).unwrap();
        assert_eq!(minors(&spread), parts, "{amount}");
    }
    let refusal = spread(&invoices, usd(301), Source::Held, usd(0)).unwrap_err();
    assert_eq!(refusal.reason, Reason::CreditExceedsInvoice);
    assert_eq!(
        (
            refusal.metadata["asked"].as_str(),
            refusal.metadata["creditable"].as_str()
        ),
        ("3.01", "3.00")
    );
}

fn lines() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
    let line = (0..1_000_000_i64, 0..1_000_000_i64, 0..1_000_000_i64);
    let line = line.prop_map(|(credited, held, left)| (credited + held + left, credited, held));
    prop::collection::vec(line, 1..8)
}

proptest! {
    /// BL-3: everything left can be credited, and not a minor unit more.
    #[test]
    fn bl_3_the_whole_is_the_most(lines in lines(), is_held in any::<bool>()) {
        let source = if is_held { Source::Held } else { Source::Free };
        let invoices = [invoice(0, &lines)];
        let mut asked = request_all(&invoices, source).unwrap();
        let left: i64 = minors(&asked).iter().sum();
        let credits = plan(&invoices, &asked, source, usd(0)).unwrap();
        prop_assert_eq!(credits.iter().map(|it| it.total.minor()).sum::<i64>(), left);
        let line = LineCredit { line_number: 1, amount: usd(1) };
        asked.push(RequestedCredit { invoice_id: invoices[0].invoice_id, line });
        prop_assert!(plan(&invoices, &asked, source, usd(0)).is_err());
    }

    /// M-3, BL-3, BL-4: any part of what is held can be spread. The parts sum to it, no line gives
    /// more than it holds, and what lowers the due and what returns make up the whole.
    #[test]
    fn m_3_every_spread_fits(
        lists in prop::collection::vec(lines(), 1..4), share in 0..=1_000_u64, owed in 0..=1_000_u64,
    ) {
        let part = |of: i64, share: u64| of * i64::try_from(share).unwrap() / 1_000;
        let invoices: Vec<_> = lists
            .iter()
            .map(|list| {
                let left = list.iter().map(|(amount, credited, _)| amount - credited).sum();
                invoice(part(left, owed), list)
            })
            .collect();
        let held: i64 = minors(&request_all(&invoices, Source::Held).unwrap()).iter().sum();
        let amount = part(held, share);
        let asked = spread(&invoices, usd(amount), Source::Held, usd(0)).unwrap();
        prop_assert_eq!(minors(&asked).iter().sum::<i64>(), amount);
        let credits = plan(&invoices, &asked, Source::Held, usd(0)).unwrap();
        prop_assert_eq!(credits.iter().map(|it| it.total.minor()).sum::<i64>(), amount);
        for credit in credits {
            let invoice = invoices.iter().find(|it| it.invoice_id == credit.invoice_id).unwrap();
            let lowered = credit.total.minor() - credit.returned.minor();
            prop_assert_eq!(credit.due.minor(), invoice.due.minor() - lowered);
            prop_assert!(lowered >= 0 && credit.returned.minor() >= 0 && credit.due.minor() >= 0);
            prop_assert!(credit.returned.is_zero() || credit.due.is_zero());
        }
    }
}
