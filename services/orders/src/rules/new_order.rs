//! Placing an order: whether the product can be ordered like this, and which slots it charges
//! beyond the included ones (MD-4, AL-2).

use std::collections::BTreeSet;

use licet_domain::{
    refusal::{Reason, Refusal},
    san::San,
};

use super::{
    domains::{object_to_number, object_to_wildcards},
    objections::Objections,
    product::{Product, ProductKind},
    san_license::name_limit,
    slots::{SlotCharge, Slots},
};

/// What a customer asks for, as far as the product decides about it.
#[derive(Debug)]
pub(crate) struct WantedOrder<'a> {
    /// All domains, including the common name, each once.
    pub(crate) names: &'a BTreeSet<San>,
    pub(crate) term_months: u32,
    pub(crate) additional_licenses: u32,
    /// Its domains count in a SAN licence.
    pub(crate) draws_on_license: bool,
}

/// What a new order charges and owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrderPlan {
    /// The slots to pay for besides the certificate.
    pub(crate) charge: SlotCharge,
    /// The slots that the order owns once charged, including those in the product's price.
    pub(crate) slots: Slots,
}

/// Plans a new order by its product, or refuses it with every objection. It is counted like a
/// change from no domains at all (MD-4). An order that draws on a SAN licence pays for no slots
///
pub(crate) fn plan_order(product: &Product, wanted: &WantedOrder) -> Result<OrderPlan, Refusal> {
    let mut objections = Objections::default();
    object_to_kind(product, &mut objections);
    object_to_term(product, wanted.term_months, &mut objections);
    object_to_licenses(product, wanted.additional_licenses, &mut objections);
    object_to_wildcards(product, wanted.names, &mut objections);
    let limit = name_limit(product, wanted.draws_on_license);
    object_to_number(product, limit, wanted.names, &mut objections);
    objections.refuse_if_any()?;

    let included = product.included_slots();
    let names = Slots::of(wanted.names);
    let charge = if wanted.draws_on_license {
        SlotCharge::default()
    } else {
        product.charge(included, names, names.wildcard)
    };
    Ok(OrderPlan {
        charge,
        slots: included.plus(charge),
    })
}

/// Like [`plan_order`], for a term that will have one of two sets of domains of equal size: both
/// must be allowed, and the dearer one is charged, which covers the other. They differ while a move
/// of the common name, which can be cancelled, is pending (MD-4, MD-5).
pub(crate) fn plan_either(
    product: &Product,
    wanted: &WantedOrder,
    other_names: &BTreeSet<San>,
) -> Result<OrderPlan, Refusal> {
    let plan = plan_order(product, wanted)?;
    let other = plan_order(
        product,
        &WantedOrder {
            names: other_names,
            ..*wanted
        },
    )?;
    if other.charge.wildcards() > plan.charge.wildcards() {
        Ok(other)
    } else {
        Ok(plan)
    }
}

fn object_to_kind(product: &Product, objections: &mut Objections) {
    match product.kind {
        ProductKind::SingleDomain | ProductKind::MultiDomain => {}
        ProductKind::SanLicense => {
            let id = product.id.as_str();
            objections
                .add(
                    Reason::ProductKindMismatch,
                    id,
                    format!("{id} is a SAN licence; order a certificate product"),
                )
                .with("product_id", id)
                .with("kind", "SAN_LICENSE");
        }
    }
}

fn object_to_term(product: &Product, months: u32, objections: &mut Objections) {
    if product.terms_months.contains(&months) {
        return;
    }
    let id = product.id.as_str();
    let sold = product
        .terms_months
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(",");
    objections
        .add(
            Reason::TermNotSold,
            "term_months",
            format!(
                "{id} is not sold for {months} months, but for {}",
                sold.replace(',', " or ")
            ),
        )
        .with("product_id", id)
        .with("term_months", months)
        .with("sold", sold);
}

/// Additional licences are only bought with an order or a renewal (AL-2). They last as long as its
/// term, so no period is asked for (AL-5).
fn object_to_licenses(product: &Product, asked: u32, objections: &mut Objections) {
    let maximum = product.max_additional_licenses;
    if asked > maximum {
        let id = product.id.as_str();
        objections
            .add(
                Reason::TooManyAdditionalLicenses,
                "additional_licenses",
                format!("{asked} additional licences; {id} allows at most {maximum}"),
            )
            .with("product_id", id)
            .with("maximum", maximum)
            .with("asked", asked);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{samples, slots::WildcardReplacement},
        *,
    };

    fn plan(
        product: &Product,
        list: &[&str],
        months: u32,
        licenses: u32,
    ) -> Result<OrderPlan, Refusal> {
        plan_order(
            product,
            &WantedOrder {
                names: &samples::names(list),
                term_months: months,
                additional_licenses: licenses,
                draws_on_license: false,
            },
        )
    }

    #[test]
    fn md_4_included_names_are_free_and_the_rest_is_charged() {
        let product = samples::multi_domain();
        let within = plan(&product, &["a.test", "b.test", "c.test"], 12, 0).unwrap();
        assert!(within.charge.is_zero());
        assert_eq!(
            within.slots,
            Slots {
                standard: 3,
                wildcard: 0
            }
        );

        let beyond = plan(
            &product,
            &["a.test", "b.test", "c.test", "d.test", "*.a.test"],
            12,
            0,
        );
        let beyond = beyond.unwrap();
        assert_eq!(
            beyond.charge,
            SlotCharge {
                standard: 1,
                wildcard: 1,
                converted: 0
            }
        );
        assert_eq!(
            beyond.slots,
            Slots {
                standard: 4,
                wildcard: 1
            }
        );

        // With fewer domains than included, the order still owns the included slots (MD-2).
        assert_eq!(
            plan(&product, &["a.test"], 12, 0).unwrap().slots.standard,
            3
        );
    }

    #[test]
    fn md_4_wildcards_in_the_place_of_included_names_are_priced_by_the_policy() {
        let list = ["*.a.test", "*.b.test", "*.c.test", "*.d.test"];
        let sold = |wildcard_replacement| {
            let product = Product {
                wildcard_replacement,
                ..samples::multi_domain()
            };
            let plan = plan(&product, &list, 12, 0).unwrap();
            let charge = plan.charge;
            (
                [charge.standard, charge.wildcard, charge.converted],
                (plan.slots.standard, plan.slots.wildcard),
            )
        };
        assert_eq!(sold(WildcardReplacement::Free), ([0, 1, 0], (3, 1)));
        assert_eq!(sold(WildcardReplacement::Difference), ([0, 1, 3], (0, 4)));
        assert_eq!(sold(WildcardReplacement::FullPrice), ([0, 4, 0], (3, 4)));
        // A single-domain product sells no slots: its price covers its domain.
        let single = plan(&samples::single_domain(), &["*.a.test"], 12, 0).unwrap();
        assert!(single.charge.is_zero());
    }

    #[test]
    fn x_4_names_drawn_from_a_license_are_not_charged() {
        let list = ["a.test", "b.test", "c.test", "d.test", "*.a.test"];
        let wanted = WantedOrder {
            names: &samples::names(&list),
            term_months: 12,
            additional_licenses: 1,
            draws_on_license: true,
        };
        let plan = plan_order(&samples::multi_domain(), &wanted).unwrap();
        assert!(plan.charge.is_zero());
        assert_eq!(plan.slots, samples::multi_domain().included_slots());
    }

    #[test]
    fn a_single_domain_product_takes_its_common_name_only() {
        let product = samples::single_domain();
        assert!(plan(&product, &["a.test"], 12, 0).is_ok());
        let refusal = plan(&product, &["a.test", "b.test"], 12, 0).unwrap_err();
        assert_eq!(refusal.reason, Reason::TooManyDomains);

        let with_www = Product {
            included_domains: 2,
            ..samples::single_domain()
        };
        assert!(
            plan(&with_www, &["a.test", "www.a.test"], 12, 0)
                .unwrap()
                .charge
                .is_zero()
        );
    }

    #[test]
    fn al_2_everything_against_an_order_is_said_at_once() {
        let product = Product {
            wildcards_offered: false,
            ..samples::multi_domain()
        };
        let list = ["a.test", "*.a.test", "1.test", "2.test", "3.test", "4.test"];
        let refusal = plan(&product, &list, 7, 3).unwrap_err();
        let kinds: Vec<_> = refusal.violations.iter().map(|v| v.kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "TERM_NOT_SOLD",
                "TOO_MANY_ADDITIONAL_LICENSES",
                "WILDCARD_NOT_OFFERED",
                "TOO_MANY_DOMAINS"
            ]
        );
        assert_eq!(refusal.reason, Reason::TermNotSold);
        assert_eq!(refusal.metadata["sold"], "12,24");
    }

    #[test]
    fn what_is_no_certificate_is_not_ordered() {
        let product = Product {
            kind: ProductKind::SanLicense,
            ..samples::multi_domain()
        };
        let refusal = plan(&product, &["a.test"], 12, 0).unwrap_err();
        assert_eq!(refusal.reason, Reason::ProductKindMismatch);
    }
}
