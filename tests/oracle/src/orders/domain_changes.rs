//! Changes of an order's domains: their charges, and how the common name moves (MD-1 to MD-8).

use licet_domain::refusal::Reason;

use super::{
    order::{Action, DomainChange, Invoice, Order},
    policy::{Domains, NO_CHARGE, Reasons, accept_unless, because, count, owned},
};

/// A change that a customer requests.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRequest {
    /// Domains to add.
    pub added: Domains,
    /// Domains to remove.
    pub removed: Domains,
    /// The domain that becomes the common name (MD-5).
    pub common_name: Option<&'static str>,
}

impl ChangeRequest {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.common_name.is_none()
    }

    /// The domains after the change.
    pub fn applied_to(&self, domains: &Domains) -> Domains {
        &(domains - &self.removed) | &self.added
    }
}

impl Order {
    /// The change that a request leads to, without its invoices (MD-1 to MD-8).
    ///
    /// # Errors
    ///
    /// Why it cannot be made.
    pub fn may_change(&self, request: &ChangeRequest) -> Result<DomainChange, Reasons> {
        self.may(Action::ChangeDomains)?;
        if self.change.is_some() {
            return Err(because(Reason::ChangeInProgress));
        }
        let moved = request.common_name.filter(|it| *it != self.common_name);
        if self.term().policy.is_single_domain {
            match moved {
                None => return Err(because(Reason::ProductKindMismatch)),
                Some(_) if self.is_issued => return Err(because(Reason::CommonNameFixed)),
                Some(_) => {}
            }
        }
        let mut objections = self.objections_to_domains(request, moved);
        let mut charges = vec![];
        for place in self.running..self.terms.len() {
            let term = &self.terms[place];
            let (policy, then) = (&term.policy, request.applied_to(&term.domains));
            let come = match place == self.running {
                true => request.added.clone(),
                false => &request.added - &term.domains,
            };
            if !policy.has_wildcards && count(&come).1 > 0 {
                objections.insert(Reason::WildcardNotOffered);
            }
            if i64::try_from(then.len()).unwrap() > policy.max_domains {
                objections.insert(Reason::TooManyDomains);
            }
            if moved.is_some_and(|moved| !then.contains(moved)) {
                objections.insert(Reason::DomainNotPresent);
            }
            let charge = match self.draws_on_license {
                true => NO_CHARGE,
                false => policy.slots_to_pay(term.slots, &term.domains, &then),
            };
            charges.push((place, charge));
        }
        accept_unless(objections)?;
        let domains = &self.term().domains;
        if moved.is_none() && request.applied_to(domains) == *domains {
            return Err(because(Reason::NoChange));
        }
        // AL-6: further servers serve the present common name.
        if moved.is_some() && self.has_registered(false) {
            return Err(because(Reason::FurtherServersRegistered));
        }
        Ok(DomainChange {
            added: request.added.clone(),
            removed: request.removed.clone(),
            moved,
            accepted: self.now,
            charges,
            invoices: vec![],
            waits: false,
        })
    }

    fn objections_to_domains(&self, request: &ChangeRequest, moved: Option<&str>) -> Reasons {
        let (domains, common_name) = (&self.term().domains, self.common_name);
        let mut objections = Reasons::new();
        if !request.added.is_disjoint(domains) {
            objections.insert(Reason::DomainAlreadyPresent);
        }
        let mut removed = request.removed.iter();
        if removed.any(|it| *it != common_name && !domains.contains(it)) {
            objections.insert(Reason::DomainNotPresent);
        }
        if request.removed.contains(common_name) && moved.is_none() {
            objections.insert(Reason::CommonNameFixed);
        }
        objections
    }

    /// Charges a change these totals, one for each term in which it is not free; it then waits for its
    /// certificate (MD-2, MD-7).
    pub fn change(&mut self, mut change: DomainChange, totals: &[(usize, i64)]) {
        for (place, charge) in &change.charges {
            let slots = &mut self.terms[*place].slots;
            *slots = owned(*slots, *charge);
        }
        for (place, total) in totals {
            let invoices = &mut self.terms[*place].invoices;
            change.invoices.push((*place, invoices.len()));
            invoices.push(Invoice::of(*total));
        }
        change.waits = true;
        self.change = Some(change);
        self.revision += 1;
    }

    /// Whether the pending change can be cancelled (MD-7).
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn may_cancel_change(&self) -> Result<(), Reasons> {
        self.may(Action::CancelChange)?;
        match self.change {
            Some(_) => Ok(()),
            None => Err(because(Reason::NoChangePending)),
        }
    }

    /// Removes the change and its move of the common name from every term (MD-5).
    pub(crate) fn drop_change(&mut self) -> Option<DomainChange> {
        for place in self.running..self.terms.len() {
            self.terms[place].domains = self.domains_without(place);
        }
        self.change.take()
    }

    /// Cancels the change (MD-7): restores domains and slots, and credits all its charges. Returns the
    /// credit.
    pub fn cancel_change(&mut self) -> i64 {
        let change = self.drop_change().unwrap();
        for (place, (standard, wildcard, converted)) in change.charges {
            let slots = &mut self.terms[place].slots;
            *slots = owned(*slots, (-standard, -wildcard, -converted));
        }
        self.revision += 1;
        let credited = change.invoices.into_iter().map(|(place, invoice)| {
            let invoice = &mut self.terms[place].invoices[invoice];
            invoice.credited = invoice.total;
            invoice.total
        });
        credited.sum()
    }

    /// Completes the change when its certificate is recorded: every term has its domains, and the servers
    /// follow the common name (MD-5, MD-7).
    pub(crate) fn make_change(&mut self) {
        for place in self.running..self.terms.len() {
            self.terms[place].domains = self.domains_after(place);
        }
        self.carried = self.term().domains.clone();
        self.common_name = self.wanted_common_name();
        self.change = None;
        for place in self.registered() {
            self.servers[place].serves = self.common_name;
        }
    }
}
