//! Price lists: what one may say, and when it may take effect (AL-10, BL-8).

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
};

/// The prices for one number of months; all in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TermPrices {
    /// The months of the term.
    pub(crate) months: u32,
    /// The certificate with what it includes.
    pub(crate) certificate: Price,
    /// A further standard domain, where one is sold.
    pub(crate) domain: Option<Price>,
    /// A further wildcard domain, where one is sold.
    pub(crate) wildcard_domain: Option<Price>,
    /// An additional licence, where one is sold.
    pub(crate) additional_license: Option<Price>,
}

/// The prices for one number of months as found in the list in force.
#[derive(Clone, Debug)]
pub(crate) struct ListedPrices {
    /// When the list took effect.
    pub(crate) effective: Instant,
    /// The prices.
    pub(crate) prices: TermPrices,
}

/// The prices of a product in one currency from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PriceList {
    /// The product that they are for.
    pub(crate) product_id: ProductId,
    /// The currency of every price.
    pub(crate) currency: Currency,
    /// They apply to price times from here on.
    pub(crate) effective: Instant,
    /// When they were written down.
    pub(crate) recorded: Instant,
    /// By number of months, ascending and without repeats.
    pub(crate) prices: Vec<TermPrices>,
}

/// Whether `list` can be set for the product: its kind and terms, one currency, AL-10, and a time
/// that is neither past nor up to that of the newest list.
///
/// # Errors
/// PRODUCT_KIND_MISMATCH, TERM_NOT_SOLD, CURRENCY_MISMATCH, ADDITIONAL_LICENSE_PRICE_TOO_HIGH,
/// EFFECTIVE_TIME_IN_PAST.
pub(crate) fn check_prices(
    newest: &ProductVersion,
    newest_list: Option<Instant>,
    list: &PriceList,
    now: Instant,
) -> Result<(), Refusal> {
    match newest.product.kind {
        ProductKind::SingleDomain | ProductKind::MultiDomain => {}
        kind @ ProductKind::SanLicense => {
            return Err(kind_mismatch(
                &newest.product_id,
                kind,
                "it is priced by volume",
            ));
        }
    }
    for prices in &list.prices {
        if !newest.product.term_months.contains(&prices.months) {
            return Err(term_not_sold(newest, prices.months));
        }
        prices.check_currency(list.currency)?;
        prices.check_additional_license()?;
    }
    check_effective(list.effective, now)?;
    match newest_list {
        Some(other) if list.effective <= other => {
            let why = format!("a list of this currency takes effect at {other}");
            Err(effective_in_past(list.effective, now, &why))
        }
        Some(_) | None => Ok(()),
    }
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

    /// AL-10: the further server costs less than the certificate that it depends on.
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
                "an additional licence of {} months costs {license}, and its certificate {}",
                self.months, self.certificate
            ),
        )
        .with("term_months", self.months)
        .with("certificate", self.certificate)
        .with("additional_license", license))
    }
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
            prices: vec![TermPrices {
                months,
                certificate: price(certificate),
                domain: None,
                wildcard_domain: None,
                additional_license: license.map(price),
            }],
        }
    }

    /// AL-10: lower, not equal.
    #[test]
    fn additional_license_below_certificate() {
        let version = version(ProductKind::SingleDomain);
        let now = at("2026-03-01T00:00:00Z");
        for (license, accepted) in [("48.999999", true), ("49.00", false), ("50.00", false)] {
            let checked = check_prices(&version, None, &list("49.00", Some(license), 12), now);
            let reason = checked.err().map(|refusal| refusal.reason);
            let expected = (!accepted).then_some(Reason::AdditionalLicensePriceTooHigh);
            assert_eq!(reason, expected, "{license}");
        }
    }

    /// BL-8: the past never changes, and lists follow each other in time.
    #[test]
    fn effective_times() {
        let version = version(ProductKind::MultiDomain);
        let list = list("49.00", None, 12);
        let reason = |newest_list: Option<&str>, now: &str| {
            let checked = check_prices(&version, newest_list.map(at), &list, at(now));
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
            check_prices(&version(kind), None, list, now)
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
        let euros = PriceList {
            currency: "EUR".parse().unwrap(),
            ..year
        };
        assert_eq!(
            refused(ProductKind::SingleDomain, &euros),
            Reason::CurrencyMismatch
        );
    }
}
