//! The part of the model of an order that knows names: what a change makes of them, what it charges,
//! and how the common name moves (MD-1 to MD-8, AL-6).

use licet_contracts::orders::v1::ServerState;
use licet_domain::clock::Instant;

use super::orders_model::{Charge, Invoice, Names, Order, counts, owned, to_pay};

/// A change of names that a customer wants.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) added: Names,
    pub(super) removed: Names,
    /// The name that is to be the common name (MD-5).
    pub(super) named: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) added: Names,
    pub(super) removed: Names,
    /// The common name that it moves to.
    pub(super) moved: Option<&'static str>,
    pub(super) accepted: Instant,
    /// The terms bought by then, which it is made in, with what it charges there.
    pub(super) charges: Vec<(usize, Charge)>,
    /// The invoices it was charged by: their term, and their place there.
    pub(super) invoices: Vec<(usize, usize)>,
}

impl Change {
    fn is_made_in(&self, term: usize) -> bool {
        self.charges.iter().any(|(place, _)| *place == term)
    }
}

impl Order {
    /// The names of a term once the change that waits is made. One that was bought while it waited was
    /// bought with the new common name (MD-5).
    pub(super) fn names_after(&self, term: usize) -> Names {
        let names = &self.terms[term].names;
        match &self.change {
            Some(change) if change.is_made_in(term) => &(names - &change.removed) | &change.added,
            _ => names.clone(),
        }
    }

    /// Those of a term without the change.
    pub(super) fn names_now(&self, term: usize) -> Names {
        let names = &self.terms[term].names;
        match &self.change {
            Some(change) if !change.is_made_in(term) => self.taken_back(names),
            _ => names.clone(),
        }
    }

    /// Names that were bought with the new common name of a move that waits, should that be taken back:
    /// the old one takes its place, unless it is one of them (MD-5).
    pub(super) fn taken_back(&self, names: &Names) -> Names {
        let mut names = names.clone();
        let moved = self.change.as_ref().and_then(|change| change.moved);
        if let Some(moved) = moved.filter(|_| !names.contains(self.common_name)) {
            names.remove(moved);
            names.insert(self.common_name);
        }
        names
    }

    /// What the next certificate is to carry.
    pub(super) fn wanted(&self) -> Names {
        self.names_after(self.running)
    }

    /// The common name that it is to have.
    pub(super) fn wanted_common_name(&self) -> &'static str {
        let change = self.change.as_ref();
        let moved = change.and_then(|change| change.moved);
        moved.unwrap_or(self.common_name)
    }

    /// The common name that a term was bought for.
    pub(super) fn common_name_of(&self, term: usize) -> &'static str {
        match &self.change {
            Some(change) if !change.is_made_in(term) => self.wanted_common_name(),
            _ => self.common_name,
        }
    }

    /// Whether the common name waits to move.
    pub(super) fn moves_common_name(&self) -> bool {
        self.wanted_common_name() != self.common_name
    }

    /// What a change of names would be; the reasons against it, of which any may be said first.
    pub(super) fn may_change(&self, wish: &Wish) -> Result<Change, Vec<&'static str>> {
        let Wish { added, removed, .. } = wish;
        self.may(false).map_err(|reason| vec![reason])?;
        if self.change.is_some() {
            return Err(vec!["CHANGE_IN_PROGRESS"]);
        }
        let moved = wish.named.filter(|name| *name != self.common_name);
        if self.policy.is_single && moved.is_none() {
            return Err(vec!["PRODUCT_KIND_MISMATCH"]);
        }
        if self.policy.is_single && self.is_issued {
            return Err(vec!["COMMON_NAME_FIXED"]);
        }
        let names = &self.term().names;
        let mut against = self.against_names(wish, moved);
        let mut charges = vec![];
        for place in self.running..self.terms.len() {
            let term = &self.terms[place];
            let then = &(&term.names - removed) | added;
            if i32::try_from(then.len()).unwrap() > self.policy.maximum {
                against.push("TOO_MANY_DOMAINS");
            }
            if moved.is_some_and(|moved| !then.contains(moved)) {
                against.push("DOMAIN_NOT_PRESENT");
            }
            let charge = to_pay(self.policy, term.slots, &term.names, &then);
            charges.push((place, charge));
        }
        if !against.is_empty() {
            return Err(against);
        }
        if moved.is_none() && &(names - removed) | added == *names {
            return Err(vec!["NO_CHANGE"]);
        }
        if moved.is_some() && self.registered().any(|it| !it.is_primary) {
            return Err(vec!["FURTHER_SERVERS_REGISTERED"]);
        }
        Ok(Change {
            added: added.clone(),
            removed: removed.clone(),
            moved,
            accepted: self.now,
            charges,
            invoices: vec![],
        })
    }

    fn against_names(&self, wish: &Wish, moved: Option<&str>) -> Vec<&'static str> {
        let (names, common_name) = (&self.term().names, self.common_name);
        let mut against = vec![];
        if !wish.added.is_disjoint(names) {
            against.push("DOMAIN_ALREADY_PRESENT");
        }
        if wish.removed.contains(common_name) && moved.is_none() {
            against.push("COMMON_NAME_FIXED");
        }
        let mut removed = wish.removed.iter();
        if removed.any(|it| *it != common_name && !names.contains(it)) {
            against.push("DOMAIN_NOT_PRESENT");
        }
        if counts(&wish.added).1 > 0 && !self.policy.wildcards {
            against.push("WILDCARD_NOT_OFFERED");
        }
        against
    }

    /// The change waits for its certificate, its slots paid by these totals (MD-2, MD-7).
    pub(super) fn change(&mut self, mut change: Change, totals: &[(usize, i64)]) {
        for (place, charge) in &change.charges {
            let slots = &mut self.terms[*place].slots;
            *slots = owned(*slots, *charge);
        }
        for (place, total) in totals {
            let invoices = &mut self.terms[*place].invoices;
            change.invoices.push((*place, invoices.len()));
            invoices.push(Invoice {
                total: *total,
                credited: 0,
            });
        }
        self.change = Some(change);
        self.moves += 1;
    }

    /// The change is gone, and a move of the common name with it, from every term (MD-5).
    pub(super) fn drop_change(&mut self) -> Option<Change> {
        for place in self.running..self.terms.len() {
            self.terms[place].names = self.names_now(place);
        }
        self.change.take()
    }

    /// MD-7: names and slots are as before, and what was charged is credited whole: so much.
    pub(super) fn take_back(&mut self) -> i64 {
        let change = self.drop_change().unwrap();
        for (place, (standard, wildcard, converted)) in change.charges {
            let slots = &mut self.terms[place].slots;
            *slots = owned(*slots, (-standard, -wildcard, -converted));
        }
        self.moves += 1;
        let mut credited = 0;
        for (place, invoice) in change.invoices {
            let invoice = &mut self.terms[place].invoices[invoice];
            invoice.credited = invoice.total;
            credited += invoice.total;
        }
        credited
    }

    /// The certificate that the change waited for is there: the names are made in every term, and the
    /// servers follow the common name (MD-5, MD-7).
    pub(super) fn make_change(&mut self) {
        for place in self.running..self.terms.len() {
            self.terms[place].names = self.names_after(place);
        }
        self.carried = self.term().names.clone();
        let common_name = self.wanted_common_name();
        self.change = None;
        if common_name != self.common_name {
            self.common_name = common_name;
            for server in &mut self.servers {
                if server.state == ServerState::Registered {
                    server.serves = common_name;
                }
            }
        }
    }

    /// What the names of a renewal charge, bought now, and what they would with the move that waits
    /// taken back: either must be sold, and the dearer is charged (MD-5).
    pub(super) fn charge_of_renewal(
        &self,
        names: &Names,
        months: i32,
        licenses: i32,
    ) -> Result<Charge, Vec<&'static str>> {
        let sets = [names.clone(), self.taken_back(names)];
        let mut charges = vec![];
        for names in sets {
            let against = Self::against_sale(self.policy, &names, months, licenses);
            if !against.is_empty() {
                return Err(against);
            }
            let included = (self.policy.included, 0);
            charges.push(to_pay(self.policy, included, &Names::new(), &names));
        }
        let wildcards = |charge: &&Charge| charge.1 + charge.2;
        Ok(*charges.iter().max_by_key(wildcards).unwrap())
    }
}
