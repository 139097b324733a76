//! The pricing part of the billing model: price lists, terms and proration in integers, written from the text
//! of the rules. It shares no computation with Billing.

use licet_contracts::billing::v1::{LineKind, ProrationConvention};
use licet_domain::clock::Instant;

const DAY_MICROS: i128 = 86_400_000_000;

/// Prices in millionths, valid from an instant.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) effective: Instant,
    pub(super) prices: Prices,
}

#[derive(Clone, Debug)]
pub(super) enum Prices {
    /// Months, with the prices of a certificate, domain, wildcard domain and additional licence.
    ByTerm(Vec<(i32, [Option<i64>; 4])>),
    /// The least number of SANs, with the price of one for 12 months.
    ByVolume(Vec<(i32, i64)>),
}

/// A product of one history, sold from its start for terms of 1, 12 and 24 months.
#[derive(Clone, Debug)]
pub(super) struct Product {
    pub(super) id: String,
    pub(super) is_license: bool,
    pub(super) since: Instant,
    pub(super) convention: ProrationConvention,
    /// Ascending by time; each is later than the one before (BL-8).
    pub(super) lists: Vec<List>,
}

/// How an item is priced.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pricing {
    Listed,
    /// Millionths for one SAN for 12 months (SL-8).
    Each(i64),
    /// Minor units for the whole item (SL-7).
    All(i64),
}

/// An item to price.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: LineKind,
    pub(super) quantity: i32,
    pub(super) anchor: Instant,
    pub(super) first_month: u32,
    pub(super) months: i32,
    pub(super) change: Option<Instant>,
    pub(super) price_time: Instant,
    pub(super) pricing: Pricing,
}

impl Item {
    fn boundary(&self, month: u32) -> Instant {
        let months = self.first_month + month;
        self.anchor.checked_add_months(months).unwrap()
    }

    pub(super) fn start(&self) -> Instant {
        self.boundary(0)
    }

    pub(super) fn end(&self) -> Instant {
        self.boundary(self.months.unsigned_abs())
    }

    /// The instant from which the item is charged.
    pub(super) fn charged_from(&self) -> Instant {
        self.change.map_or(self.start(), |it| it.max(self.start()))
    }

    fn is_san(&self) -> bool {
        matches!(self.kind, LineKind::SanQuota | LineKind::SanQuotaIncrease)
    }
}

impl Product {
    /// Refuses a price list that the catalogue must refuse (AL-10, MD-4, SL-7, BL-8).
    pub(super) fn may_list(
        &self,
        effective: Instant,
        prices: &Prices,
        now: Instant,
    ) -> Result<(), &'static str> {
        match prices {
            Prices::ByTerm(terms) => {
                for (months, prices) in terms {
                    if ![1, 12, 24].contains(months) {
                        return Err("TERM_NOT_SOLD");
                    }
                    if prices[3] >= prices[0] {
                        return Err("ADDITIONAL_LICENSE_PRICE_TOO_HIGH");
                    }
                }
                let cheaper = |all: &[Option<i64>; 4]| all[2].is_some() && all[2] < all[1];
                if terms.iter().any(|(_, prices)| cheaper(prices)) {
                    return Err("WILDCARD_PRICE_TOO_LOW");
                }
            }
            Prices::ByVolume(tiers) => {
                if tiers.windows(2).any(|pair| pair[1].1 > pair[0].1) {
                    return Err("VOLUME_PRICE_RISES");
                }
            }
        }
        let newest = self.lists.last().map(|list| list.effective);
        if effective < now || newest.is_some_and(|newest| effective <= newest) {
            return Err("EFFECTIVE_TIME_IN_PAST");
        }
        Ok(())
    }

    /// The items' amounts in minor units of `10^digits`, or the reason why one item has none.
    pub(super) fn cost(&self, items: &[Item], digits: u32) -> Result<Vec<i64>, &'static str> {
        if items.iter().any(|item| item.price_time < self.since) {
            return Err("NOT_FOUND");
        }
        items.iter().map(|item| self.amount(item, digits)).collect()
    }

    fn amount(&self, item: &Item, digits: u32) -> Result<i64, &'static str> {
        if item.is_san() != self.is_license {
            return Err("PRODUCT_KIND_MISMATCH");
        }
        if ![1, 12, 24].contains(&item.months) {
            return Err("TERM_NOT_SOLD");
        }
        if item.change.is_some_and(|change| change >= item.end()) {
            return Err("TERM_ENDED");
        }
        let micros = match item.pricing {
            Pricing::All(amount) => return Ok(amount),
            Pricing::Each(micros) => micros,
            Pricing::Listed => self.listed(item).ok_or("PRICE_NOT_SET")?,
        };
        let (mut above, mut below) = self.left(item);
        if item.is_san() {
            above *= i128::from(item.months);
            below *= 12;
        }
        above *= i128::from(micros) * i128::from(item.quantity) * 10_i128.pow(digits);
        below *= 1_000_000;
        // M-2: rounds once, half away from zero.
        Ok(i64::try_from((2 * above + below) / (2 * below)).unwrap())
    }

    fn listed(&self, item: &Item) -> Option<i64> {
        let in_force = |it: &&List| it.effective <= item.price_time;
        match &self.lists.iter().rfind(in_force)?.prices {
            Prices::ByTerm(terms) => {
                let (_, prices) = terms.iter().find(|(months, _)| *months == item.months)?;
                // MD-4: the difference between the two prices.
                if item.kind == LineKind::WildcardDifference {
                    return Some(prices[2]? - prices[1]?);
                }
                let place = match item.kind {
                    LineKind::Certificate => 0,
                    LineKind::Domain => 1,
                    LineKind::WildcardDomain => 2,
                    LineKind::AdditionalLicense => 3,
                    LineKind::WildcardDifference
                    | LineKind::SanQuota
                    | LineKind::SanQuotaIncrease
                    | LineKind::Unspecified => return None,
                };
                prices[place]
            }
            Prices::ByVolume(tiers) => {
                let reached = |(from, _): &&(i32, i64)| *from <= item.quantity;
                tiers.iter().rfind(reached).map(|(_, micros)| *micros)
            }
        }
    }

    /// The part of the term that the item is charged for (P-1, and the table of conventions).
    fn left(&self, item: &Item) -> (i128, i128) {
        let span = |from: Instant, to: Instant| i128::from(from.micros_until(to));
        let (start, end, from) = (item.start(), item.end(), item.charged_from());
        if from == start {
            return (1, 1);
        }
        match self.convention {
            ProrationConvention::Linear => (span(from, end), span(start, end)),
            ProrationConvention::Daily => {
                let days = (span(from, end) + DAY_MICROS - 1) / DAY_MICROS;
                (days * DAY_MICROS, span(start, end))
            }
            ProrationConvention::Monthly | ProrationConvention::Unspecified => {
                let months = item.months.unsigned_abs();
                let begun = (1..=months).find(|it| from < item.boundary(*it)).unwrap();
                let (first, last) = (item.boundary(begun - 1), item.boundary(begun));
                let whole = i128::from(months - begun);
                let length = span(first, last);
                (
                    whole * length + span(from, last),
                    i128::from(months) * length,
                )
            }
        }
    }
}
