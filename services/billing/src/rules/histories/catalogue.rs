//! Steps that change the catalogue: valid and invalid price lists and versions.

use licet_domain::{
    clock::Instant,
    money::{Currency, Price},
    refusal::Reason,
};

use super::{
    Dice, Unfinished,
    books::{Books, DAY_MICROS, shifted},
};
use crate::rules::{
    catalog::{Product, ProductKind, ProductVersion, check_update},
    prices::{PriceList, Prices, TermPrices, check_prices},
    proration::Convention,
    refund_policy::RefundCount,
    volume::VolumeTier,
};

pub(super) fn some_price(currency: Currency, dice: &mut Dice<'_>, most_micros: i64) -> Price {
    Price::from_micros(currency, dice.minor(0, most_micros)).unwrap()
}

impl Books {
    pub(super) fn newest(&self, kind: ProductKind) -> &ProductVersion {
        let of_kind = self.versions.iter().filter(|it| it.product.kind == kind);
        of_kind.max_by_key(|it| it.version).unwrap()
    }

    /// Now, a moment ago, or scheduled.
    fn some_time(&self, dice: &mut Dice<'_>) -> Instant {
        match dice.below(8) {
            0 => shifted(self.now, -1),
            1..=4 => self.now,
            _ => shifted(self.now, dice.minor(1, 60 * DAY_MICROS)),
        }
    }

    /// Prices for both products from the beginning.
    pub(super) fn list_first_prices(&mut self, dice: &mut Dice<'_>) {
        let (currency, now) = (self.currency(), self.now);
        let terms = [1, 12].map(|months| {
            let certificate = Price::from_micros(currency, dice.minor(1, 400_000_000)).unwrap();
            let domain = some_price(currency, dice, 99_999_999);
            let wildcard = domain.micros() + dice.minor(0, 199_000_000);
            let wildcard = Price::from_micros(currency, wildcard).unwrap();
            TermPrices {
                months,
                certificate,
                domain: Some(domain),
                wildcard_domain: dice.once_in(2).then_some(wildcard),
                additional_license: Some(some_price(currency, dice, certificate.micros() - 1)),
            }
        });
        let tier = VolumeTier {
            from_quantity: 1,
            price: some_price(currency, dice, 2_000_000),
        };
        for (kind, prices) in [
            (ProductKind::MultiDomain, Prices::ByTerm(terms.to_vec())),
            (ProductKind::SanLicense, Prices::ByVolume(vec![tier])),
        ] {
            self.lists.push(PriceList {
                product_id: self.newest(kind).product_id.clone(),
                currency,
                effective: now,
                recorded: now,
                prices,
            });
        }
    }

    /// BL-8, AL-10, MD-4, SL-7.
    pub(super) fn set_prices(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let kinds = [ProductKind::MultiDomain, ProductKind::SanLicense];
        let kind = *dice.pick(&kinds).unwrap();
        let product_id = self.newest(kind).product_id.clone();
        let effective = self.some_time(dice);
        let currency = self.currency();
        let mut reasons = Vec::new();
        let by_volume = (kind == ProductKind::SanLicense) != dice.once_in(12);
        let prices = if by_volume {
            self.some_tiers(dice, kind, &mut reasons)
        } else {
            self.some_terms_prices(dice, kind, effective, &mut reasons)
        };
        let of_product = self.lists.iter().filter(|it| it.product_id == product_id);
        let newest_list = of_product.map(|it| it.effective).max();
        if effective < self.now || newest_list.is_some_and(|it| effective <= it) {
            reasons.push(Reason::EffectiveTimeInPast);
        }
        let list = PriceList {
            product_id,
            currency,
            effective,
            recorded: self.now,
            prices,
        };
        let versions = self.versions.iter();
        let versions = versions
            .filter(|it| it.product_id == list.product_id)
            .cloned();
        let versions: Vec<ProductVersion> = versions.collect();
        let checked = check_prices(&versions, newest_list, &list, self.now);
        Unfinished::foretold(checked, &reasons)?;
        self.lists.push(list);
        Ok(())
    }

    fn some_tiers(
        &self,
        dice: &mut Dice<'_>,
        kind: ProductKind,
        reasons: &mut Vec<Reason>,
    ) -> Prices {
        let first = dice.minor(0, 2_000_000);
        let rises = dice.once_in(6);
        let second = if rises {
            first + 1
        } else {
            dice.minor(0, first)
        };
        if kind != ProductKind::SanLicense {
            reasons.push(Reason::ProductKindMismatch);
        } else if rises {
            reasons.push(Reason::VolumePriceRises);
        }
        let tiers = [(1, first), (500, second)].map(|(from_quantity, micros)| VolumeTier {
            from_quantity,
            price: Price::from_micros(self.currency(), micros).unwrap(),
        });
        Prices::ByVolume(tiers.to_vec())
    }

    fn some_terms_prices(
        &self,
        dice: &mut Dice<'_>,
        kind: ProductKind,
        effective: Instant,
        reasons: &mut Vec<Reason>,
    ) -> Prices {
        let currency = self.currency();
        let mut terms = Vec::new();
        for months in [1, 12, 24] {
            if dice.once_in(if months == 24 { 4 } else { 8 }) != (months == 24) {
                continue;
            }
            let certificate = dice.minor(1, 400_000_000);
            let is_dear = dice.once_in(12);
            let license = if is_dear {
                certificate
            } else {
                dice.minor(0, certificate - 1)
            };
            let foreign = dice.once_in(24);
            let domain_currency = if foreign {
                "EUR".parse().unwrap()
            } else {
                currency
            };
            let price = |micros| Some(Price::from_micros(currency, micros).unwrap());
            let domain = some_price(domain_currency, dice, 99_999_999);
            let has_wildcards = dice.once_in(2);
            let is_low = has_wildcards && domain.micros() > 0 && dice.once_in(12);
            let wildcard = if is_low {
                domain.micros() - 1
            } else {
                domain.micros() + dice.minor(0, 60_000_000)
            };
            terms.push(TermPrices {
                months,
                certificate: Price::from_micros(currency, certificate).unwrap(),
                domain: Some(domain),
                wildcard_domain: has_wildcards.then_some(price(wildcard)).flatten(),
                additional_license: price(license),
            });
            if kind == ProductKind::SanLicense {
                continue;
            }
            if !self.sells(months, effective) {
                reasons.push(Reason::TermNotSold);
            }
            if foreign {
                reasons.push(Reason::CurrencyMismatch);
            }
            if is_dear {
                reasons.push(Reason::AdditionalLicensePriceTooHigh);
            }
            if is_low {
                reasons.push(Reason::WildcardPriceTooLow);
            }
        }
        if kind == ProductKind::SanLicense {
            reasons.push(Reason::ProductKindMismatch);
        }
        Prices::ByTerm(terms)
    }

    /// Whether a version not yet replaced at `effective` sells terms of `months`.
    fn sells(&self, months: u32, effective: Instant) -> bool {
        let multi = |it: &&ProductVersion| it.product.kind == ProductKind::MultiDomain;
        let versions: Vec<_> = self.versions.iter().filter(multi).collect();
        versions.iter().any(|version| {
            let replaced = versions
                .iter()
                .any(|other| other.version > version.version && other.effective <= effective);
            !replaced && version.product.term_months.contains(&months)
        })
    }

    /// BL-8: a version with another policy and other terms, for later sales.
    pub(super) fn add_version(&mut self, dice: &mut Dice<'_>) -> Result<(), Unfinished> {
        let kinds = [ProductKind::MultiDomain, ProductKind::SanLicense];
        let newest = self.newest(*dice.pick(&kinds).unwrap()).clone();
        let mut product = newest.product.clone();
        let conventions = [Convention::Monthly, Convention::Daily, Convention::Linear];
        product.policy.convention = *dice.pick(&conventions).unwrap();
        product.policy.full_refund_days = dice.below(30);
        product.policy.no_refund_days = product.policy.full_refund_days + dice.below(10);
        product.policy.refund_count =
            [RefundCount::FirstIssuance, RefundCount::Purchase][usize::from(dice.once_in(2))];
        let terms = [vec![1, 12], vec![1, 12], vec![12], vec![1, 12, 24]];
        product.term_months.clone_from(dice.pick(&terms).unwrap());
        let effective = self.some_time(dice);
        let mut reasons = Vec::new();
        if dice.once_in(10) {
            product = Product {
                kind: ProductKind::SingleDomain,
                ..product
            };
            reasons.push(Reason::ProductKindMismatch);
        }
        if effective < self.now || effective < newest.effective {
            reasons.push(Reason::EffectiveTimeInPast);
        }
        let checked = check_update(&newest, &product, effective, self.now);
        Unfinished::foretold(checked, &reasons)?;
        self.versions.push(ProductVersion {
            version: newest.version + 1,
            effective,
            recorded: self.now,
            product,
            ..newest
        });
        Ok(())
    }
}
