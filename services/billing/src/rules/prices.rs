//! Price lists: what they may contain, and when they may take effect (AL-10, SL-7, BL-8).

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::ProductId,
    money::{Currency, Price},
    refusal::{Reason, Refusal},
};
use serde::{Deserialize, Serialize};

use super::{
    catalog::{
        ProductKind, ProductVersion, check_effective, effective_in_past, kind_mismatch,
        term_not_sold,
    },
    currency_mismatch,
    item::ItemKind,
    not_found,
    volume::{self, VolumeTier},
};

/// The prices for one length of term, all in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TermPrices {
    /// The length of the term, in months.
    pub(crate) months: u32,
    /// The certificate with the domains that it includes.
    pub(crate) certificate: Price,
    /// A further standard domain; `None`: not sold.
    pub(crate) domain: Option<Price>,
    /// A further wildcard domain; `None`: not sold.
    pub(crate) wildcard_domain: Option<Price>,
    /// An additional licence; `None`: not sold.
    pub(crate) additional_license: Option<Price>,
}

/// The prices of a list, in the form that fits the kind of its product. Stored as a bare JSON list;
/// the fields of its entries tell the forms apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Prices {
    /// By length of term, ascending and without repeats; at least one.
    ByTerm(Vec<TermPrices>),
    /// By volume, ascending and without repeats (SL-7).
    ByVolume(Vec<VolumeTier>),
}

/// The prices of a product in one currency from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PriceList {
    /// The product that the prices are for.
    pub(crate) product_id: ProductId,
    /// The currency of every price.
    pub(crate) currency: Currency,
    /// The prices apply to price times from here on.
    pub(crate) effective: Instant,
    /// When the list was recorded.
    pub(crate) recorded: Instant,
    /// The prices.
    pub(crate) prices: Prices,
}

impl PriceList {
    /// The price of one unit when `quantity` of them are bought: for a term of `months`, or of a
    /// SAN for 12 months (SL-7). `None`: not for sale.
    pub(crate) fn find_price(&self, kind: ItemKind, months: u32, quantity: u32) -> Option<Price> {
        match &self.prices {
            Prices::ByTerm(terms) => {
                let prices = terms.iter().find(|prices| prices.months == months)?;
                match kind {
                    ItemKind::Certificate => Some(prices.certificate),
                    ItemKind::Domain => prices.domain,
                    ItemKind::WildcardDomain => prices.wildcard_domain,
                    ItemKind::AdditionalLicense => prices.additional_license,
                    // A difference has two prices, and none of its own in a list.
                    ItemKind::WildcardDifference
                    | ItemKind::SanQuota
                    | ItemKind::SanQuotaIncrease => None,
                }
            }
            Prices::ByVolume(tiers) => match kind {
                ItemKind::SanQuota => volume::find_price(tiers, quantity),
                // An increase costs the licence's own price, never a tier's (SL-8).
                ItemKind::SanQuotaIncrease
                | ItemKind::Certificate
                | ItemKind::Domain
                | ItemKind::WildcardDomain
                | ItemKind::WildcardDifference
                | ItemKind::AdditionalLicense => None,
            },
        }
    }
}

/// Whether `list` can be set; `versions` are all versions of its product. The list must fit the
/// product's kind and terms, have one currency, obey AL-10, MD-4 and SL-7, and take effect neither
/// in the past nor before or with the newest list.
///
/// # Errors
/// NOT_FOUND without a version; PRODUCT_KIND_MISMATCH, TERM_NOT_SOLD, CURRENCY_MISMATCH,
/// ADDITIONAL_LICENSE_PRICE_TOO_HIGH, WILDCARD_PRICE_TOO_LOW, VOLUME_PRICE_RISES, EFFECTIVE_TIME_IN_PAST.
pub(crate) fn check_prices(
    versions: &[ProductVersion],
    newest_list: Option<Instant>,
    list: &PriceList,
    now: Instant,
) -> Result<(), Refusal> {
    let product_id = &list.product_id;
    let newest = versions
        .iter()
        .max_by_key(|version| version.version)
        .ok_or_else(|| not_found("product", product_id.as_str()))?;
    match (newest.product.kind, &list.prices) {
        (kind @ (ProductKind::SingleDomain | ProductKind::MultiDomain), Prices::ByTerm(terms)) => {
            let sold = terms_sold_from(versions, list.effective);
            check_terms(product_id, &sold, list.currency, terms)?;
            // A product for one domain sells no further domains, whatever its list says.
            for prices in terms.iter().filter(|_| kind == ProductKind::MultiDomain) {
                prices.check_wildcard_domain()?;
            }
        }
        (ProductKind::SanLicense, Prices::ByVolume(tiers)) => {
            volume::check_tiers(product_id, list.currency, tiers)?;
        }
        (kind @ ProductKind::SanLicense, Prices::ByTerm(_)) => {
            let why = "it is priced by volume";
            return Err(kind_mismatch(product_id, kind, why));
        }
        (kind @ (ProductKind::SingleDomain | ProductKind::MultiDomain), Prices::ByVolume(_)) => {
            let why = "it is priced by term";
            return Err(kind_mismatch(product_id, kind, why));
        }
    }
    check_effective(list.effective, now)?;
    match newest_list {
        Some(other) if list.effective <= other => {
            let why = format!("a list in this currency already takes effect at {other}");
            Err(effective_in_past(list.effective, now, &why).with("newest_effective_time", other))
        }
        Some(_) | None => Ok(()),
    }
}

/// The lengths of term sold at any time from `effective` on: by the version in force then, and by
/// those scheduled after it (BL-8).
fn terms_sold_from(versions: &[ProductVersion], effective: Instant) -> BTreeSet<u32> {
    let in_force = versions
        .iter()
        .filter(|version| version.effective <= effective)
        .map(|version| version.version)
        .max()
        .unwrap_or_default();
    versions
        .iter()
        .filter(|version| version.version >= in_force)
        .flat_map(|version| version.product.term_months.iter().copied())
        .collect()
}

fn check_terms(
    product_id: &ProductId,
    sold: &BTreeSet<u32>,
    currency: Currency,
    terms: &[TermPrices],
) -> Result<(), Refusal> {
    for prices in terms {
        if !sold.contains(&prices.months) {
            return Err(term_not_sold(product_id, sold, prices.months));
        }
        prices.check_currency(currency)?;
        prices.check_additional_license()?;
    }
    Ok(())
}

impl TermPrices {
    fn check_currency(&self, currency: Currency) -> Result<(), Refusal> {
        let others = [self.domain, self.wildcard_domain, self.additional_license];
        for price in std::iter::once(self.certificate).chain(others.into_iter().flatten()) {
            if price.currency() != currency {
                return Err(currency_mismatch(currency, price.currency()));
            }
        }
        Ok(())
    }

    /// MD-4: no set of domains becomes cheaper by a detour through wildcard slots. A version
    /// without wildcards is checked as well: a later one may allow them under the same list.
    fn check_wildcard_domain(&self) -> Result<(), Refusal> {
        match (self.domain, self.wildcard_domain) {
            (Some(domain), Some(wildcard)) if wildcard.micros() < domain.micros() => {
                Err(wildcard_too_low(self.months, domain, wildcard))
            }
            (_, _) => Ok(()),
        }
    }

    /// AL-10: an additional licence costs less than its certificate.
    fn check_additional_license(&self) -> Result<(), Refusal> {
        let Some(license) = self.additional_license else {
            return Ok(());
        };
        if license.micros() < self.certificate.micros() {
            return Ok(());
        }
        Err(Refusal::new(
            Reason::AdditionalLicensePriceTooHigh,
            format!(
                "an additional licence for {} months costs {license}; it must cost less than the certificate, {}",
                self.months, self.certificate
            ),
        )
        .with("term_months", self.months)
        .with("certificate", self.certificate)
        .with("additional_license", license))
    }
}

/// WILDCARD_PRICE_TOO_LOW (MD-4).
pub(super) fn wildcard_too_low(months: u32, domain: Price, wildcard: Price) -> Refusal {
    Refusal::new(
        Reason::WildcardPriceTooLow,
        format!(
            "a wildcard domain for {months} months costs {wildcard}; it must not cost less than a \
             domain, {domain}"
        ),
    )
    .with("term_months", months)
    .with("domain", domain)
    .with("wildcard_domain", wildcard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::catalog::tests::{at, version};

    fn list(certificate: &str, license: Option<&str>, months: u32) -> PriceList {
        let price = |value: &str| Price::parse("USD", value).unwrap();
        PriceList {
            product_id: "some-product".parse().unwrap(),
            currency: "USD".parse().unwrap(),
            effective: at("2026-03-01T00:00:00Z"),
            recorded: at("2026-03-01T00:00:00Z"),
            prices: Prices::ByTerm(vec![TermPrices {
                months,
                certificate: price(certificate),
                domain: None,
                wildcard_domain: None,
                additional_license: license.map(price),
            }]),
        }
    }

    /// AL-10: lower, and not equal.
    #[test]
    fn additional_license_below_certificate() {
        let versions = [version(ProductKind::SingleDomain)];
        let now = at("2026-03-01T00:00:00Z");
        for (license, accepted) in [("48.999999", true), ("49.00", false), ("50.00", false)] {
            let checked = check_prices(&versions, None, &list("49.00", Some(license), 12), now);
            let reason = checked.err().map(|refusal| refusal.reason);
            let expected = (!accepted).then_some(Reason::AdditionalLicensePriceTooHigh);
            assert_eq!(reason, expected, "{license}");
        }
    }

    /// MD-4: no lower than a domain, equal is fine. With one of the two prices only, or on a
    /// product for one domain, there is nothing to compare.
    #[test]
    fn md_4_a_wildcard_domain_costs_no_less_than_a_domain() {
        let now = at("2026-03-01T00:00:00Z");
        let price = |value: &str| Price::parse("USD", value).unwrap();
        let checked = |kind, domain: Option<&str>, wildcard: Option<&str>| {
            let mut of_year = list("99.00", None, 12);
            if let Prices::ByTerm(terms) = &mut of_year.prices {
                terms[0].domain = domain.map(price);
                terms[0].wildcard_domain = wildcard.map(price);
            }
            let checked = check_prices(&[version(kind)], None, &of_year, now);
            checked.err().map(|refusal| refusal.reason)
        };
        let multi = ProductKind::MultiDomain;
        let low = Some(Reason::WildcardPriceTooLow);
        assert_eq!(checked(multi, Some("49.00"), Some("48.999999")), low);
        for (kind, domain, wildcard) in [
            (multi, Some("49.00"), Some("49.00")),
            (multi, Some("49.00"), None),
            (multi, None, Some("1.00")),
            (ProductKind::SingleDomain, Some("49.00"), Some("1.00")),
        ] {
            assert_eq!(
                checked(kind, domain, wildcard),
                None,
                "{domain:?} {wildcard:?}"
            );
        }
    }

    /// BL-8: the past never changes, and each list takes effect after the one before.
    #[test]
    fn effective_times() {
        let versions = [version(ProductKind::MultiDomain)];
        let list = list("49.00", None, 12);
        let reason = |newest_list: Option<&str>, now: &str| {
            let checked = check_prices(&versions, newest_list.map(at), &list, at(now));
            checked.err().map(|refusal| refusal.reason)
        };
        let past = Some(Reason::EffectiveTimeInPast);
        assert_eq!(reason(None, "2026-03-01T00:00:00Z"), None);
        assert_eq!(reason(None, "2026-03-01T00:00:00.000001Z"), past);
        assert_eq!(
            reason(Some("2026-02-28T23:59:59.999999Z"), "2026-01-01T00:00:00Z"),
            None
        );
        assert_eq!(
            reason(Some("2026-03-01T00:00:00Z"), "2026-01-01T00:00:00Z"),
            past
        );
    }

    #[test]
    fn what_does_not_fit_the_product() {
        let now = at("2026-03-01T00:00:00Z");
        let refused = |kind, list: &PriceList| {
            check_prices(&[version(kind)], None, list, now)
                .unwrap_err()
                .reason
        };
        let year = list("49.00", None, 12);
        assert_eq!(
            refused(ProductKind::SanLicense, &year),
            Reason::ProductKindMismatch
        );
        let two = list("49.00", None, 24);
        assert_eq!(
            refused(ProductKind::SingleDomain, &two),
            Reason::TermNotSold
        );
        let tiers = PriceList {
            prices: tiers(&[(1, "0.35"), (100, "0.36")]),
            ..year.clone()
        };
        for (kind, expected) in [
            (ProductKind::MultiDomain, Reason::ProductKindMismatch),
            (ProductKind::SanLicense, Reason::VolumePriceRises),
        ] {
            assert_eq!(refused(kind, &tiers), expected);
        }
        let euros = PriceList {
            currency: "EUR".parse().unwrap(),
            ..year
        };
        assert_eq!(
            refused(ProductKind::SingleDomain, &euros),
            Reason::CurrencyMismatch
        );
    }

    /// BL-8: a list prices the terms of the version in force and of later versions; what only
    /// earlier versions sold is no longer for sale.
    #[test]
    fn terms_of_the_versions_that_a_list_meets() {
        let of = |number, effective: &str, term_months: &[u32]| {
            let mut version = version(ProductKind::MultiDomain);
            (version.version, version.effective) = (number, at(effective));
            version.product.term_months = term_months.to_vec();
            version
        };
        let versions = [
            of(1, "2026-01-01T00:00:00Z", &[1]),
            of(2, "2026-02-01T00:00:00Z", &[12]),
            of(3, "2026-06-01T00:00:00Z", &[24]),
        ];
        let checked = |months, effective: &str| {
            let list = PriceList {
                effective: at(effective),
                ..list("49.00", None, months)
            };
            let now = at("2026-01-15T00:00:00Z");
            check_prices(&versions, None, &list, now).map_err(|refusal| refusal.metadata)
        };
        for effective in ["2026-02-01T00:00:00Z", "2026-05-31T23:59:59.999999Z"] {
            assert_eq!(checked(12, effective), Ok(()), "{effective}");
            assert_eq!(checked(24, effective), Ok(()), "{effective}");
            assert_eq!(checked(1, effective).unwrap_err()["sold"], "12,24");
        }
        let earlier = "2026-01-31T23:59:59.999999Z";
        assert_eq!(checked(1, earlier), Ok(()));
        let later = checked(12, "2026-06-01T00:00:00Z").unwrap_err();
        assert_eq!(
            (&later["sold"][..], &later["term_months"][..]),
            ("24", "12")
        );
        let list = list("49.00", None, 12);
        let unknown = check_prices(&[], None, &list, list.effective).unwrap_err();
        assert_eq!(unknown.reason, Reason::NotFound);
    }

    fn tiers(entries: &[(u32, &str)]) -> Prices {
        let tiers = entries.iter().map(|(from_quantity, value)| VolumeTier {
            from_quantity: *from_quantity,
            price: Price::parse("USD", value).unwrap(),
        });
        Prices::ByVolume(tiers.collect())
    }

    /// Both forms of prices are stored as a list, and read back as they were.
    #[test]
    fn stored_prices_read_back() {
        for prices in [
            list("49.00", Some("9.00"), 12).prices,
            tiers(&[(1, "0.50"), (1_000, "0.35")]),
        ] {
            let json = serde_json::to_value(&prices).unwrap();
            assert!(json.is_array());
            assert_eq!(serde_json::from_value::<Prices>(json).unwrap(), prices);
        }
    }

    /// SL-7, SL-8: SANs are sold by tier, and nothing else is.
    #[test]
    fn what_a_list_sells() {
        let by_volume = PriceList {
            prices: tiers(&[(1, "0.50"), (1_000, "0.35")]),
            ..list("49.00", None, 12)
        };
        for kind in [
            ItemKind::Certificate,
            ItemKind::Domain,
            ItemKind::AdditionalLicense,
            ItemKind::SanQuota,
            ItemKind::SanQuotaIncrease,
        ] {
            let found = by_volume.find_price(kind, 24, 1_000);
            let expected = (kind == ItemKind::SanQuota).then_some("0.35");
            assert_eq!(found.map(Price::value).as_deref(), expected, "{kind:?}");
            let found = list("49.00", None, 12).find_price(kind, 12, 1);
            let expected = (kind == ItemKind::Certificate).then_some("49.00");
            assert_eq!(found.map(Price::value).as_deref(), expected, "{kind:?}");
        }
    }
}
