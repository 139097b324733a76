//! Documents to pages that can be printed and sent on: complete in themselves, every text escaped.
//! Every figure is taken as it is; nothing is computed here.

pub(crate) mod invoice;
pub(crate) mod statement;

use askama::Template;
use licet_domain::{clock::Instant, money::Money};
use licet_runtime::fault::Fault;

/// What the pages are.
pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

fn page(template: &impl Template) -> Result<Vec<u8>, Fault> {
    template
        .render()
        .map(String::into_bytes)
        .map_err(Fault::internal)
}

/// For people, and exact: `2026-01-01 00:00:00 UTC`, with the decimals that the second has.
fn time(instant: Instant) -> String {
    instant
        .to_utc()
        .format("%Y-%m-%d %H:%M:%S%.f UTC")
        .to_string()
}

/// A span; its end is not included.
fn span(start: Instant, end: Instant) -> String {
    format!("{} to {}", time(start), time(end))
}

/// Nothing for an amount of zero, so that what is there stands out.
fn unless_zero(amount: Money) -> Option<String> {
    Some(amount.to_string()).filter(|_| !amount.is_zero())
}
