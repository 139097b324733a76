//! Domain changes (MD-1, MD-2, MD-5 to MD-7): which domains the order then has, which slots are
//! charged, and the pin that binds a quote to exactly this change.

use std::collections::BTreeSet;

use licet_domain::{
    ids::OrderId,
    refusal::{Reason, Refusal},
    san::San,
};
use sha2::{Digest, Sha256};

use super::{
    name_sets::changed_names,
    objections::Objections,
    order::{Order, Progress, SoldProduct},
    product::{Product, ProductKind},
    reissue::change_in_progress,
    san_license::name_limit,
    slots::{SlotCharge, Slots, count},
};

/// The domains to add and to remove, in canonical form: spellings of one domain are one domain, and
/// a repetition does not count (MD-5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WantedChange {
    pub(crate) add: BTreeSet<San>,
    pub(crate) remove: BTreeSet<San>,
    /// The new common name; absent or equal to the present one if it stays (MD-5).
    pub(crate) common_name: Option<San>,
}

/// What a domain change does and costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DomainPlan {
    /// All domains after the change, including the common name.
    pub(crate) names: BTreeSet<San>,
    pub(crate) added: BTreeSet<San>,
    pub(crate) removed: BTreeSet<San>,
    /// The new common name (MD-5); absent if it stays.
    pub(crate) common_name: Option<San>,
    /// The slots to pay for (MD-4); zero if the change does not raise the total (MD-2).
    pub(crate) charge: SlotCharge,
    /// The slots to pay for in the next term, if one is bought (MD-8).
    pub(crate) next_charge: SlotCharge,
    /// Binds a quote to this change of this revision of the order (MD-6).
    pub(crate) pin: String,
}

impl DomainPlan {
    /// Whether it costs nothing in any term (MD-2).
    pub(crate) fn is_free(&self) -> bool {
        self.charge.is_zero() && self.next_charge.is_zero()
    }
}

/// Plans a domain change, or refuses it with every objection. A change that awaits its certificate
/// blocks the next one (MD-7); domains that a renewal brought do not. Domains that count in a SAN
/// licence are not charged.
///
/// If a next term is bought, its domains change too, and are charged by what that term was sold
/// with (MD-8).
pub(crate) fn plan_domain_change(
    order: &Order,
    wanted: &WantedChange,
) -> Result<DomainPlan, Refusal> {
    if let Some(waiting) = &order.change {
        return Err(change_in_progress(order, waiting));
    }

    let sold = order.sold()?;
    let moved = wanted.common_name.as_ref();
    let moved = moved.filter(|name| **name != order.common_name);
    object_to_kind(order, &sold.product, moved)?;
    let mut objections = Objections::default();
    object_to_names(order, &sold.product, wanted, moved, &mut objections);
    let names = changed_names(order.term_names(), &wanted.add, &wanted.remove);
    let draws_on_license = order.san_license_id.is_some();
    let limit = name_limit(&sold.product, draws_on_license);
    object_to_number(&sold.product, limit, &names, &mut objections);
    let absent = moved.filter(|moved| !names.contains(*moved));
    if let Some(moved) = absent {
        object_to_absent(moved, "the domains after the change", &mut objections);
    }
    let next = NextTerm::of(order, wanted);
    if let Some(next) = &next {
        let said = RunningTermObjections {
            common_name: absent.is_some(),
            wildcards: !sold.product.wildcards_offered,
            number: count(names.len()) > limit,
        };
        next.object(order, wanted, moved, &said, &mut objections);
    }
    objections.refuse_if_any()?;

    if names == *order.term_names() && moved.is_none() {
        return Err(Refusal::new(
            Reason::NoChange,
            format!(
                "this changes none of the {} domains of order {}",
                names.len(),
                order.id
            ),
        )
        .with("order_id", order.id));
    }
    let charge = |sold: &SoldProduct, before: &BTreeSet<San>, after: &BTreeSet<San>| {
        if draws_on_license {
            return SlotCharge::default();
        }
        // The next term may have some of the added domains already.
        let added = after.difference(before);
        let wildcards_added = count(added.filter(|name| name.is_wildcard()).count());
        let wanted = Slots::of(after);
        sold.product.charge(sold.slots, wanted, wildcards_added)
    };
    Ok(DomainPlan {
        charge: charge(sold, order.term_names(), &names),
        next_charge: next
            .map(|next| charge(next.sold, next.before, &next.after))
            .unwrap_or_default(),
        pin: pin(order.id, order.revision, &names, moved),
        common_name: moved.cloned(),
        names,
        added: wanted.add.clone(),
        removed: wanted.remove.clone(),
    })
}

/// The next term, with its domains before and after the change.
struct NextTerm<'a> {
    sold: &'a SoldProduct,
    before: &'a BTreeSet<San>,
    after: BTreeSet<San>,
}

/// The objections already made for the running term, so that the next term does not repeat them.
struct RunningTermObjections {
    common_name: bool,
    wildcards: bool,
    number: bool,
}

impl<'a> NextTerm<'a> {
    fn of(order: &'a Order, wanted: &WantedChange) -> Option<Self> {
        let next = order.next_term.as_ref()?;
        let (before, sold) = next.names.as_ref().zip(next.sold.as_ref())?;
        let after = changed_names(before, &wanted.add, &wanted.remove);
        Some(Self {
            sold,
            before,
            after,
        })
    }

    /// Checks the change against the product version of the next term (MD-8).
    fn object(
        &self,
        order: &Order,
        wanted: &WantedChange,
        moved: Option<&San>,
        said: &RunningTermObjections,
        objections: &mut Objections,
    ) {
        let product = &self.sold.product;
        // The common name moves in this term as well (MD-5); the present one is always among its
        // domains.
        let absent = moved.filter(|moved| !self.after.contains(*moved));
        if let Some(moved) = absent.filter(|_| !said.common_name) {
            object_to_absent(moved, "the next term's domains", objections);
        }
        if !said.wildcards {
            object_to_wildcards(product, wanted.add.difference(self.before), objections);
        }
        if !said.number {
            let limit = name_limit(product, order.san_license_id.is_some());
            object_to_number(product, limit, &self.after, objections);
        }
    }
}

/// Only multi-domain products sell slots. On a single-domain product the one domain can be
/// replaced, as the common name, until its first certificate is recorded (MD-5).
fn object_to_kind(order: &Order, product: &Product, moved: Option<&San>) -> Result<(), Refusal> {
    let id = product.id.as_str();
    let kind = match (product.kind, moved) {
        (ProductKind::MultiDomain, _) => return Ok(()),
        (ProductKind::SingleDomain, Some(_)) if order.progress != Progress::Issued => return Ok(()),
        (ProductKind::SingleDomain, Some(_)) => {
            let name = &order.common_name;
            return Err(Refusal::new(
                Reason::CommonNameFixed,
                format!(
                    "{id} is of kind SINGLE_DOMAIN: the common name {name} is fixed once the \
                     first certificate is recorded"
                ),
            )
            .with("common_name", name));
        }
        (ProductKind::SingleDomain, None) => "SINGLE_DOMAIN",
        (ProductKind::SanLicense, _) => "SAN_LICENSE",
    };
    Err(Refusal::new(
        Reason::ProductKindMismatch,
        format!("{id} is of kind {kind}: the domains of its orders cannot be changed"),
    )
    .with("product_id", id)
    .with("kind", kind))
}

fn object_to_absent(name: &San, of_what: &str, objections: &mut Objections) {
    objections.add(
        Reason::DomainNotPresent,
        name.value(),
        format!("{name} cannot be the common name: it is not one of {of_what}"),
    );
}

fn object_to_fixed(name: &San, objections: &mut Objections) {
    objections
        .add(
            Reason::CommonNameFixed,
            name.value(),
            format!("{name} is the common name: name another common name to remove it"),
        )
        .with("common_name", name);
}

/// Checks each domain of the request against those of the order. A domain that is both added and
/// removed fails one of the two checks.
fn object_to_names(
    order: &Order,
    product: &Product,
    wanted: &WantedChange,
    moved: Option<&San>,
    objections: &mut Objections,
) {
    for name in &wanted.add {
        if order.term_names().contains(name) {
            objections.add(
                Reason::DomainAlreadyPresent,
                name.value(),
                format!("{name} is already one of the order's domains"),
            );
        }
        object_to_wildcards(product, [name], objections);
    }
    for name in &wanted.remove {
        if *name == order.common_name {
            if moved.is_none() {
                object_to_fixed(name, objections);
            }
        } else if !order.term_names().contains(name) {
            objections.add(
                Reason::DomainNotPresent,
                name.value(),
                format!("{name} is not one of the order's domains"),
            );
        }
    }
}

/// Checks the number of domains, including the common name, against the product's limit (MD-4).
pub(super) fn object_to_number(
    product: &Product,
    limit: u32,
    names: &BTreeSet<San>,
    objections: &mut Objections,
) {
    let number = count(names.len());
    if number > limit {
        let id = product.id.as_str();
        objections
            .add(
                Reason::TooManyDomains,
                id,
                format!("{number} domains including the common name; {id} allows at most {limit}"),
            )
            .with("product_id", id)
            .with("maximum", limit)
            .with("asked", number);
    }
}

/// Objects to each wildcard if the product offers none (for a next term, its own version: MD-8).
pub(super) fn object_to_wildcards<'a>(
    product: &Product,
    names: impl IntoIterator<Item = &'a San>,
    objections: &mut Objections,
) {
    if product.wildcards_offered {
        return;
    }
    let (id, version) = (product.id.as_str(), product.version);
    for name in names.into_iter().filter(|name| name.is_wildcard()) {
        objections
            .add(
                Reason::WildcardNotOffered,
                name.value(),
                format!("{name} is a wildcard; version {version} of {id} offers no wildcards"),
            )
            .with("product_id", id);
    }
}

/// SHA-256 in hex over the order, its revision, the domains after the change, and a new common name
/// (MD-5, MD-6). Domains contain no line break and no space, so two different changes never hash
/// the same text.
fn pin(order: OrderId, revision: u64, names: &BTreeSet<San>, common_name: Option<&San>) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{order}\n{revision}\n"));
    for name in names {
        hash.update(name.value());
        hash.update("\n");
    }
    if let Some(name) = common_name {
        hash.update(format!("common name {}\n", name.value()));
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests;
