//! The texts of a line: its description, the computation in figures, and the deciding rule (BL-7).
//! Computes nothing.

use licet_domain::money::{Fraction, Money, Price};

use crate::rules::item::{Item, ItemKind, PriceDifference, Pricing, is_priced_yearly};

/// The computation in figures (BL-7).
pub(super) fn explain(
    item: &Item,
    unit_price: Price,
    fraction: &Fraction,
    amount: Money,
) -> String {
    let (quantity, months) = (item.quantity, item.term.months());
    let whole = *fraction == Fraction::one();
    if let Pricing::Amount(_) = item.pricing {
        return format!("{amount} by hand, for {quantity} × {months}/12");
    }
    if let Pricing::Share(sold) = item.pricing {
        let share = format!("{} × {quantity}/{}", sold.amount, sold.quantity);
        return if whole {
            format!("round({share}) = {amount}")
        } else {
            format!("round({share} × {fraction}) = {amount}")
        };
    }
    if !is_priced_yearly(item.kind) {
        return format!("round({unit_price} × {quantity} × {fraction}) = {amount}");
    }
    if whole {
        return format!("round({unit_price} × {quantity} × {months}/12) = {amount}");
    }
    format!("round({unit_price} × {quantity} × {months}/12 × {fraction}) = {amount}")
}

/// The computation of a wildcard that takes a standard slot, with both prices (MD-4, BL-7).
pub(super) fn explain_difference(
    item: &Item,
    both: PriceDifference,
    fraction: &Fraction,
    amount: Money,
) -> String {
    let (wildcard, domain, quantity) = (both.wildcard, both.domain, item.quantity);
    format!("round(({wildcard} − {domain}) × {quantity} × {fraction}) = {amount}")
}

/// Which part of which term an item pays for.
enum Part {
    /// All of a first term.
    First,
    /// All of a later term with the same anchor (T-2).
    Renewal,
    /// The rest of a running term (MD-1).
    Rest,
    /// All of a term that was bought, and has not begun at the change (MD-8).
    Coming,
}

impl Part {
    fn of(item: &Item) -> Self {
        match item.change_time {
            None if item.term.first_month() == 0 => Self::First,
            None => Self::Renewal,
            Some(change_time) if change_time < item.term.start() => Self::Coming,
            Some(_) => Self::Rest,
        }
    }
}

/// What is charged, for people.
pub(super) fn describe(item: &Item) -> String {
    let what = match item.kind {
        ItemKind::Certificate => "Certificate",
        ItemKind::Domain => "Further domain",
        ItemKind::WildcardDomain => "Further wildcard domain",
        ItemKind::WildcardDifference => "Wildcard domain instead of a domain",
        ItemKind::AdditionalLicense => "Additional licence",
        ItemKind::SanQuota => "SAN quota",
        ItemKind::SanQuotaIncrease => "SAN quota increase",
    };
    let which = match Part::of(item) {
        Part::First => "",
        Part::Renewal => "renewal for ",
        Part::Rest => "rest of ",
        Part::Coming => "the coming ",
    };
    match item.term.months() {
        1 => format!("{what}, {which}1 month"),
        months => format!("{what}, {which}{months} months"),
    }
}

/// The rule that says how much of the term the item pays for.
pub(super) fn rule(item: &Item) -> &'static str {
    match (item.kind, Part::of(item)) {
        (ItemKind::Certificate, Part::First | Part::Rest | Part::Coming) => "T-4",
        (ItemKind::Certificate | ItemKind::Domain, Part::Renewal) => "MD-10",
        (ItemKind::Domain, Part::First) => "M-2",
        (ItemKind::Domain, Part::Rest) => "MD-1",
        (
            ItemKind::Domain | ItemKind::WildcardDomain | ItemKind::WildcardDifference,
            Part::Coming,
        ) => "MD-8",
        (
            ItemKind::WildcardDomain | ItemKind::WildcardDifference,
            Part::First | Part::Renewal | Part::Rest,
        ) => "MD-4",
        (ItemKind::AdditionalLicense, Part::Renewal) => "AL-9",
        (ItemKind::AdditionalLicense, Part::First | Part::Rest | Part::Coming) => "AL-5",
        (ItemKind::SanQuota, Part::Renewal) => "SL-9",
        (ItemKind::SanQuota, Part::First | Part::Rest | Part::Coming) => "SL-7",
        (ItemKind::SanQuotaIncrease, Part::First | Part::Renewal | Part::Rest | Part::Coming) => {
            "SL-8"
        }
    }
}
