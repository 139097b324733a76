//! Amounts computed by another method: `worked.py` beside this file, in exact fractions. The code
//! must agree with the table, never the table with the code.

use super::*;

/// A row of the table: what is bought, and the expected fraction and amount.
struct Row<'a> {
    convention: Convention,
    item: Item,
    price: Price,
    fraction: &'a str,
    amount: String,
    note: &'a str,
}

fn row(line: &str) -> Row<'_> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [
        what,
        convention,
        value,
        currency,
        quantity,
        anchor,
        first_month,
        months,
        change,
        fraction,
        amount,
        note,
    ] = fields[..]
    else {
        panic!("the table has a row of another form: {line}");
    };
    let price = Price::parse(currency, value).unwrap();
    let kind = match what {
        "DOMAIN" => ItemKind::Domain,
        "SANS" => ItemKind::SanQuotaIncrease,
        other => panic!("the table has no {other}"),
    };
    let months = months.parse().unwrap();
    let item = Item {
        quantity: quantity.parse().unwrap(),
        term: Term::new(at(anchor), first_month.parse().unwrap(), months).unwrap(),
        pricing: if kind == ItemKind::SanQuotaIncrease {
            Pricing::UnitPrice(price)
        } else {
            Pricing::Listed
        },
        ..item(kind, 1, Some(change))
    };
    Row {
        convention: convention.parse().unwrap(),
        item,
        price,
        fraction,
        amount: format!("{amount} {currency}"),
        note,
    }
}

/// A catalogue that sells the row's item at the row's price, and nothing else.
fn basis_of(row: &Row<'_>) -> PriceBasis {
    let mut basis = basis();
    let (kind, term) = if row.item.kind == ItemKind::SanQuotaIncrease {
        (ProductKind::SanLicense, None)
    } else {
        (ProductKind::MultiDomain, Some(year(row.price)))
    };
    basis.product.product = product(kind);
    basis.product.product.term_months = vec![row.item.term.months()];
    basis.product.product.policy.convention = row.convention;
    basis.list = basis.list.zip(term).map(|(list, term)| PriceList {
        currency: row.price.currency(),
        prices: Prices::ByTerm(vec![TermPrices {
            months: row.item.term.months(),
            ..term
        }]),
        ..list
    });
    basis
}

/// M-1, M-2, T-2, P-1 to P-3, SL-8: the code agrees with the other method to the last digit of the
/// fraction and the amount.
#[test]
fn every_worked_proration() {
    let table = include_str!("worked.tsv");
    let (header, rows) = table.split_once('\n').unwrap();
    assert!(header.starts_with("what\tconvention\tprice"), "{header}");
    let mut conventions = Vec::new();
    let mut months = Vec::new();
    let mut currencies = Vec::new();
    for line in rows.lines() {
        let row = row(line);
        let items = [(row.item.clone(), basis_of(&row))];
        let computed = compute(&items, row.price.currency()).unwrap();
        let computed = &computed.lines[0];
        assert_eq!(
            (computed.fraction.to_string(), computed.amount.to_string()),
            (row.fraction.to_owned(), row.amount.clone()),
            "{}: {line}",
            row.note
        );
        assert!(computed.explanation.ends_with(&row.amount), "{line}");
        conventions.push(row.convention);
        months.push(row.item.term.months());
        currencies.push(row.price.currency().code());
    }
    // The table must keep its coverage: none of these may go missing unnoticed.
    for wanted in [Convention::Monthly, Convention::Daily, Convention::Linear] {
        let rows = conventions.iter().filter(|found| **found == wanted).count();
        assert!(rows >= 50, "{wanted:?}: {rows}");
    }
    for wanted in [1, 2, 3, 6, 7, 11, 12, 13, 18, 24, 36, 48, 59, 60] {
        assert!(months.contains(&wanted), "no term of {wanted} months");
    }
    for wanted in ["USD", "EUR", "JPY", "BHD"] {
        assert!(currencies.contains(&wanted), "nothing in {wanted}");
    }
}
