//! The options for more additional licences (AL-3): their dates, sums and explanations. What an
//! option refunds and costs comes from what would carry it out, and is never computed here.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_domain::{
    clock::Instant,
    money::{Money, MoneyError},
    san::San,
};

use super::{
    order::{Order, OrderTerm},
    permission::{Action, permit, renewable_from, renewable_until},
    renewal::{RenewalError, WantedRenewal, plan_renewal},
    servers::Server,
};

/// What deleting the order refunds of one of its terms (AL-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExpectedRefund {
    /// Refunded for certain; zero if a review has to decide.
    pub(crate) amount: Money,
    /// The amount that a review would decide about, if any.
    pub(crate) in_review: Option<Money>,
    /// The last instant at which this is so; absent if only the end of the term changes it.
    pub(crate) last_time: Option<Instant>,
}

/// The dates and the cost of an open option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionFigures {
    /// Since when it is open.
    pub(crate) from: Instant,
    /// Since when it is closed, or has another cost.
    pub(crate) until: Option<Instant>,
    /// Its cost minus what is refunded for certain.
    pub(crate) net: Money,
    /// The option in words and figures.
    pub(crate) explanation: String,
}

/// Deleting the order at `now` and ordering again with the wanted licences for `cost` (AL-3). The
/// refund changes with the days since issuance, and with the running term.
pub(crate) fn reorder_option(
    order: &Order,
    asked: u32,
    refunds: &[ExpectedRefund],
    cost: Money,
    now: Instant,
) -> Result<OptionFigures, MoneyError> {
    let mut back = Money::zero(cost.currency());
    let mut in_review = back;
    for refund in refunds {
        back = back.checked_add(refund.amount)?;
        if let Some(amount) = refund.in_review {
            in_review = in_review.checked_add(amount)?;
        }
    }
    let changes = refunds.iter().filter_map(|refund| refund.last_time);
    // The last instant still belongs to the refund period (AL-4).
    let changes = changes.filter_map(|last| last.checked_add(TimeDelta::microseconds(1)));
    let term_end = order.term.term.end();
    let until = changes.fold(term_end, Instant::min);
    let net = cost.checked_sub(back)?;
    let review = if in_review.is_zero() {
        String::new()
    } else {
        format!(", and {} more if a review grants it", amount(in_review))
    };
    let months = order.term.term.months();
    Ok(OptionFigures {
        from: now,
        until: Some(until),
        net,
        explanation: format!(
            "delete the order before {until}, which refunds {}{review} (AL-4), and order the same \
             domains again for {months} months with {asked} additional licences for {}: {} in all",
            amount(back),
            amount(cost),
            amount(net)
        ),
    })
}

/// Renewing the order with the wanted licences, at the prices of now (AL-9). They can be used from
/// the new term's start on.
pub(crate) fn renewal_option(renewal: &RenewalOption, cost: Money) -> OptionFigures {
    let (term, from) = (&renewal.term, renewal.from);
    let until = renewal.until;
    let before = until.map_or_else(String::new, |until| format!(" and before {until}"));
    OptionFigures {
        from,
        until,
        net: cost,
        explanation: format!(
            "renew the order from {from}{before} with {} additional licences, which can be used from \
             {} (AL-9): {} months for {} at today's prices",
            term.additional_licenses,
            term.term.start(),
            term.term.months(),
            amount(cost)
        ),
    }
}

/// A renewal that is open, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RenewalOption {
    /// The term that it would buy, at the prices of now.
    pub(crate) term: OrderTerm,
    /// Its domains if a pending move of the common name is cancelled (MD-5).
    pub(crate) without_move: BTreeSet<San>,
    pub(crate) from: Instant,
    /// Absent if beyond the supported date range.
    pub(crate) until: Option<Instant>,
}

/// Plans the renewal with the wanted licences for as many months as the present term. If the window
/// is not open yet, it is planned as of its first instant, and priced as of `now` (MD-10).
pub(crate) fn plan_renewal_option(
    order: &Order,
    servers: &[Server],
    asked: u32,
    now: Instant,
) -> Result<RenewalOption, RenewalError> {
    permit(order, Action::Renew, now)
        .map_err(|refusal| RenewalError::Refused(Box::new(refusal)))?;
    let from = renewable_from(order).map_or(now, |from| from.max(now));
    let wanted = WantedRenewal {
        months: order.term.term.months(),
        names: BTreeSet::new(),
        additional_licenses: asked,
        keep: Vec::new(),
    };
    let plan = plan_renewal(order, servers, &wanted, from)?;
    let plan_end = plan.term.term.end();
    Ok(RenewalOption {
        term: OrderTerm {
            price_time: now,
            ..plan.term
        },
        without_move: plan.without_move,
        from,
        // A term that would be over is not sold (MD-10).
        until: renewable_until(order).map(|until| until.min(plan_end)),
    })
}

/// Explains how many additional licences the order has and needs; `closed` has the reason for each option that is not open.
pub(crate) fn overview(order: &Order, asked: u32, closed: &[String]) -> String {
    let has = order.term.additional_licenses;
    let mut text = if asked > has {
        format!(
            "order {} has {has} additional licences and needs {asked}; more can only be bought with an \
             order or its renewal (AL-2)",
            order.id
        )
    } else {
        format!(
            "order {} has {has} additional licences and needs {asked}: it needs no more",
            order.id
        )
    };
    for reason in closed {
        text.push_str("; ");
        text.push_str(reason);
    }
    text
}

fn amount(money: Money) -> String {
    format!("{} {}", money.value(), money.currency().code())
}

#[cfg(test)]
mod tests {
    use licet_domain::refusal::Reason;

    use super::{
        super::samples::{instant, order},
        *,
    };

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    #[test]
    fn al_3_what_comes_back_is_set_off_until_it_changes() {
        let order = order(&["example.com"]);
        let now = instant("2026-01-10T00:00:00Z");
        let last = instant("2026-01-26T00:00:00Z");
        let whole = ExpectedRefund {
            amount: usd(14_700),
            in_review: None,
            last_time: Some(last),
        };
        let figures = reorder_option(&order, 3, &[whole], usd(20_400), now).unwrap();
        assert_eq!((figures.from, figures.net), (now, usd(5_700)));
        assert_eq!(figures.until.unwrap().as_micros(), last.as_micros() + 1);
        assert!(
            figures.explanation.contains("refunds 147.00 USD (AL-4)"),
            "{}",
            figures.explanation
        );
        assert!(figures.explanation.ends_with("57.00 USD in all"));

        // What a review may grant is mentioned, and not counted.
        let review = ExpectedRefund {
            amount: usd(0),
            in_review: Some(usd(14_700)),
            last_time: Some(instant("2026-01-31T00:00:00Z")),
        };
        let figures = reorder_option(&order, 3, &[review], usd(20_400), now).unwrap();
        assert_eq!(figures.net, usd(20_400));
        assert!(figures.explanation.contains("147.00 USD more if a review"));

        // If no day changes the refund, the end of the running term does.
        let never = ExpectedRefund {
            last_time: None,
            ..whole
        };
        let figures = reorder_option(&order, 3, &[never, never], usd(20_400), now).unwrap();
        let end = order.term.term.end();
        assert_eq!((figures.until, figures.net), (Some(end), usd(-9_000)));
    }

    #[test]
    fn al_3_al_9_the_renewal_brings_them_from_its_start_on() {
        let order = order(&["example.com"]);
        let early = instant("2026-02-01T00:00:00Z");
        let from = instant("2026-10-03T00:00:00Z");
        let until = instant("2027-01-31T00:00:00Z");
        let renewal = plan_renewal_option(&order, &[], 3, early).unwrap();
        assert_eq!((renewal.from, renewal.until), (from, Some(until)));
        let term = &renewal.term;
        assert_eq!((term.index, term.additional_licenses), (1, 3));
        assert_eq!((term.term.start(), term.price_time), (order.end(), early));
        let figures = renewal_option(&renewal, usd(15_500));
        assert_eq!(
            (figures.from, figures.until, figures.net),
            (from, Some(until), usd(15_500))
        );
        let words = "used from 2027-01-01T00:00:00";
        assert!(
            figures.explanation.contains(words),
            "{}",
            figures.explanation
        );
    }

    #[test]
    fn al_3_md_10_renewal_is_open_until_it_is_bought_or_too_late() {
        let order = order(&["example.com"]);
        let open = |order: &Order, now: &str| plan_renewal_option(order, &[], 3, instant(now));
        let reason = |planned: Result<RenewalOption, RenewalError>| match planned {
            Err(RenewalError::Refused(refusal)) => Some(refusal.reason),
            Ok(_) | Err(_) => None,
        };
        let late = open(&order, "2027-01-15T00:00:00Z").unwrap();
        assert_eq!(late.from, instant("2027-01-15T00:00:00Z"));
        let too_late = open(&order, "2027-01-31T00:00:00Z");
        assert_eq!(reason(too_late), Some(Reason::RenewalTooLate));
        // A renewal for a month closes with that month, which is over before the window is.
        let mut month = order.clone();
        let anchor = instant("2026-01-31T00:00:00Z");
        month.term.term = licet_domain::term::Term::first(anchor, 1).unwrap();
        let sold = month.term.sold.as_mut().unwrap();
        sold.product.renewal_grace_days = 60;
        let short = open(&month, "2026-03-01T00:00:00Z").unwrap();
        assert_eq!(short.until, Some(instant("2026-03-31T00:00:00Z")));
        let over = open(&month, "2026-03-31T00:00:00Z");
        assert_eq!(reason(over), Some(Reason::TermEnded));
        let mut renewed = order.clone();
        renewed.next_term = Some(late.term);
        let bought = open(&renewed, "2026-12-01T00:00:00Z");
        assert_eq!(reason(bought), Some(Reason::RenewalAlreadyBought));
        let deleted = order.apply_deletion(instant("2026-02-01T00:00:00Z"));
        let gone = open(&deleted, "2026-02-01T00:00:00Z");
        assert_eq!(reason(gone), Some(Reason::OrderDeleted));
    }

    #[test]
    fn al_3_what_is_closed_is_said() {
        let order = order(&["example.com"]);
        let closed = ["it is renewed already".to_owned()];
        let text = overview(&order, 2, &closed);
        assert!(
            text.contains("has 1 additional licences and needs 2"),
            "{text}"
        );
        assert!(text.ends_with("; it is renewed already"), "{text}");
        assert!(overview(&order, 1, &[]).contains("it needs no more"));
    }
}
