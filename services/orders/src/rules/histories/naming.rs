//! The part of the model that knows names: what a change makes of them, what it charges, and how the
//! common name moves (MD-1 to MD-8).

use licet_domain::{clock::Instant, refusal::Reason};

use super::{
    cost,
    model::{
        Charge, Model, NOTHING, Names, Why, given_back, is_wildcard, most_names, owned, to_pay, why,
    },
};
use crate::rules::{
    permission::Action,
    product::{Product, ProductKind},
    servers::ServerState,
};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) added: Names,
    pub(super) removed: Names,
    /// The common name that it moves to (MD-5).
    pub(super) moved: Option<usize>,
    pub(super) accepted: Instant,
    /// The terms bought by then, which it is made in, with what it charges there.
    pub(super) charges: Vec<(usize, Charge)>,
    /// The invoices it was charged by: their term, and their place there.
    pub(super) invoices: Vec<(usize, usize)>,
    pub(super) waits: bool,
}

impl Change {
    pub(super) fn charge(&self, term: usize) -> Charge {
        let found = self.charges.iter().find(|(place, _)| *place == term);
        found.map_or(NOTHING, |(_, charge)| *charge)
    }

    pub(super) fn is_free(&self) -> bool {
        self.charges.iter().all(|(_, charge)| *charge == NOTHING)
    }

    fn is_made_in(&self, term: usize) -> bool {
        self.charges.iter().any(|(place, _)| *place == term)
    }
}

impl Model {
    /// The names of a term once the change that waits is made. One that was bought while it waited was
    /// bought with the new common name (MD-5).
    pub(super) fn names_after(&self, term: usize) -> Names {
        let names = &self.terms[term].names;
        match &self.change {
            Some(change) if change.is_made_in(term) => &(names - &change.removed) | &change.added,
            _ => names.clone(),
        }
    }

    /// Those of a term without the change: where it was bought with the new common name and without the
    /// old, the old takes its place (MD-5).
    pub(super) fn names_now(&self, term: usize) -> Names {
        let names = &self.terms[term].names;
        match &self.change {
            Some(change) if !change.is_made_in(term) => self.with_move_cancelled(names),
            _ => names.clone(),
        }
    }

    /// Names that a term is bought for if the move that waits is cancelled (MD-5).
    pub(super) fn with_move_cancelled(&self, names: &Names) -> Names {
        let mut names = names.clone();
        let moved = self.change.as_ref().and_then(|change| change.moved);
        if let Some(moved) = moved.filter(|_| !names.contains(&self.common_name)) {
            names.remove(&moved);
            names.insert(self.common_name);
        }
        names
    }

    /// What the next certificate is to carry.
    pub(super) fn wanted(&self) -> Names {
        match &self.change {
            Some(change) if change.waits => self.names_after(self.running),
            _ => self.names_now(self.running),
        }
    }

    /// The common name that it is to have.
    pub(super) fn wanted_common_name(&self) -> usize {
        let waits = self.change.as_ref().filter(|change| change.waits);
        waits
            .and_then(|change| change.moved)
            .unwrap_or(self.common_name)
    }

    /// What a renewal is sold with: its names as they are bought, and as they would be with the move
    /// that waits cancelled; either must be sold, and the dearer is charged (MD-5).
    pub(super) fn may_sell_either(
        &self,
        product: &Product,
        names: &Names,
        months: u32,
        licenses: i64,
    ) -> Result<Charge, Why> {
        let draws = self.draws_on_license;
        let bought = Self::may_sell(product, names, months, licenses, draws)?;
        let back = self.with_move_cancelled(names);
        let back = Self::may_sell(product, &back, months, licenses, draws)?;
        let costs = |charge| cost(self.now, 0, charge, 0);
        Ok(if costs(back) > costs(bought) {
            back
        } else {
            bought
        })
    }

    /// What a domain change would be (MD-1 to MD-8), its common name moved to the one that is named,
    /// if that is another.
    pub(super) fn may_change(
        &self,
        added: &Names,
        removed: &Names,
        named: Option<usize>,
    ) -> Result<Change, Why> {
        self.may(Action::ChangeDomains)?;
        if self.change.is_some() {
            return Err(why(Reason::ChangeInProgress));
        }
        let moved = named.filter(|name| *name != self.common_name);
        if self.term().product.kind == ProductKind::SingleDomain {
            match moved {
                None => return Err(why(Reason::ProductKindMismatch)),
                Some(_) if self.is_issued => return Err(why(Reason::CommonNameFixed)),
                Some(_) => {}
            }
        }
        let mut change = Change {
            added: added.clone(),
            removed: removed.clone(),
            moved,
            accepted: self.now,
            charges: vec![],
            invoices: vec![],
            waits: false,
        };
        let names = &self.term().names;
        let mut objections = self.against_names(added, removed, moved);
        for place in self.running..self.terms.len() {
            let term = &self.terms[place];
            let come = added - &term.names;
            let come = if place == self.running { added } else { &come };
            if !term.product.wildcards_offered && come.iter().any(is_wildcard) {
                objections.insert(Reason::WildcardNotOffered);
            }
            let then = &(&term.names - removed) | added;
            if then.len() > most_names(&term.product) {
                objections.insert(Reason::TooManyDomains);
            }
            if moved.is_some_and(|moved| !then.contains(&moved)) {
                objections.insert(Reason::DomainNotPresent);
            }
            let charge = match self.draws_on_license {
                true => NOTHING,
                false => to_pay(&term.product, term.slots, &term.names, &then),
            };
            change.charges.push((place, charge));
        }
        if !objections.is_empty() {
            return Err(objections);
        }
        if moved.is_none() && &(names - removed) | added == *names {
            return Err(why(Reason::NoChange));
        }
        // AL-6: further servers serve the present one.
        if moved.is_some() && self.has_further_servers() {
            return Err(why(Reason::FurtherServersRegistered));
        }
        Ok(change)
    }

    fn against_names(&self, added: &Names, removed: &Names, moved: Option<usize>) -> Why {
        let names = &self.term().names;
        let common_name = self.common_name;
        let mut objections = Why::new();
        if added.iter().any(|it| names.contains(it)) {
            objections.insert(Reason::DomainAlreadyPresent);
        }
        if removed
            .iter()
            .any(|it| *it != common_name && !names.contains(it))
        {
            objections.insert(Reason::DomainNotPresent);
        }
        if removed.contains(&common_name) && moved.is_none() {
            objections.insert(Reason::CommonNameFixed);
        }
        objections
    }

    pub(super) fn has_further_servers(&self) -> bool {
        let mut servers = self.servers.iter();
        servers.any(|it| it.state == ServerState::Registered && !it.primary)
    }

    /// The change is charged, or free, and waits for its certificate (MD-2, MD-7).
    pub(super) fn charge(&mut self) {
        let mut change = self.change.take().unwrap();
        for (place, charge) in &change.charges {
            let term = &mut self.terms[*place];
            if *charge != NOTHING {
                term.slots = owned(term.slots, *charge);
                change.invoices.push((*place, term.invoices.len()));
                term.invoices.push((cost(term.bought, 0, *charge, 0), 0));
            }
        }
        change.waits = true;
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

    /// MD-7: names and slots are as before, and what was charged is credited whole.
    pub(super) fn cancel_change(&mut self) {
        let change = self.drop_change().unwrap();
        for (place, charge) in change.charges {
            let term = &mut self.terms[place];
            term.slots = given_back(term.slots, charge);
        }
        for (place, invoice) in change.invoices {
            let (total, credited) = &mut self.terms[place].invoices[invoice];
            *credited = *total;
        }
        self.moves += 1;
    }

    /// The certificate that the change waited for is there: the names are made in every term, and the
    /// servers follow the common name (MD-5, MD-7).
    pub(super) fn make_change(&mut self) {
        for place in self.running..self.terms.len() {
            self.terms[place].names = self.names_after(place);
        }
        let common_name = self.wanted_common_name();
        self.carried = self.term().names.clone();
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
}
