//! An order with everything that was ever bought for it, and its facts that need no decision.

use std::collections::BTreeSet;

use licet_domain::{clock::Instant, refusal::Reason, revocation::RevocationReason};

use super::policy::{
    Domains, NO_CHARGE, Policy, Reasons, SlotCharge, Slots, TermRequest, because, owned,
};

/// An action on an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is a method of the contract")]
pub enum Action {
    ChangeDomains,
    CancelChange,
    RequestReissue,
    RecordIssuance,
    RevokeCertificate,
    RegisterServer,
    UnregisterServer,
    SetServerSoftware,
    Renew,
    Delete,
}

/// The state of a paid order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the states of the contract")]
pub enum OrderState {
    Paid,
    Issued,
    Ended,
    Deleted,
}

/// The state of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the states of the contract")]
pub enum ServerState {
    Registered,
    Unregistered,
    Lapsed,
    Invalidated,
}

/// The state of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the states of the contract")]
pub enum CertificateState {
    Active,
    Superseded,
    Expired,
    Revoked,
    ToRevoke,
}

/// An invoice of a term, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    /// The amount charged.
    pub total: i64,
    /// The amount credited.
    pub credited: i64,
}

impl Invoice {
    /// A new invoice.
    pub fn of(total: i64) -> Self {
        Self { total, credited: 0 }
    }
}

/// A term that was bought.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Its first instant.
    pub start: Instant,
    /// When it ends; the end is not part of it.
    pub end: Instant,
    /// The length in months.
    pub months: u32,
    /// When it was bought (T-4).
    pub bought: Instant,
    /// The effective time of the prices it was bought at (MD-8).
    pub price_time: Instant,
    /// The policy that it was sold with.
    pub policy: Policy,
    /// The number of additional licences.
    pub licenses: i64,
    /// The domains that it was bought for, with later changes.
    pub domains: Domains,
    /// The paid slots.
    pub slots: Slots,
    /// The places of the servers that stay in it; `None` for a first term.
    pub kept: Option<BTreeSet<usize>>,
    /// When the first certificate was recorded in it.
    pub first_issued: Option<Instant>,
    /// Its invoices, oldest first.
    pub invoices: Vec<Invoice>,
}

impl Term {
    /// A term as requested, before its invoice.
    pub(crate) fn new(
        request: TermRequest,
        paid: SlotCharge,
        (start, end): (Instant, Instant),
        bought: Instant,
        kept: Option<BTreeSet<usize>>,
    ) -> Self {
        Self {
            start,
            end,
            months: request.months,
            bought,
            price_time: request.price_time,
            slots: owned(request.policy.included_slots(), paid),
            policy: request.policy,
            licenses: request.licenses,
            domains: request.domains,
            kept,
            first_issued: None,
            invoices: vec![],
        }
    }
}

/// A server of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Whether it is the primary server, which needs no additional licence.
    pub is_primary: bool,
    /// The common name that it serves.
    pub serves: &'static str,
    /// Its state.
    pub state: ServerState,
}

/// A recorded certificate.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// When it was recorded.
    pub recorded: Instant,
    /// When it has expired.
    pub expires: Instant,
    /// Whether a newer one replaced it (MD-7).
    pub is_superseded: bool,
    /// When it counts as revoked.
    pub revoked: Option<Instant>,
    /// Why it was revoked.
    pub reason: Option<RevocationReason>,
    /// Whether its authority has still to revoke it.
    pub to_revoke: bool,
}

/// A change of domains that waits for its charge or its certificate (MD-7).
#[derive(Clone, Debug, PartialEq)]
pub struct DomainChange {
    /// Domains to add.
    pub added: Domains,
    /// Domains to remove.
    pub removed: Domains,
    /// The new common name (MD-5).
    pub moved: Option<&'static str>,
    /// When it was accepted.
    pub accepted: Instant,
    /// The terms that it changes, those bought before it, with its charge in each.
    pub charges: Vec<(usize, SlotCharge)>,
    /// Its invoices, each as a term and a place in that term.
    pub invoices: Vec<(usize, usize)>,
    /// Whether it waits for its certificate rather than for a charge or a credit.
    pub waits: bool,
}

impl DomainChange {
    /// Its charge in a term.
    pub fn charge(&self, term: usize) -> SlotCharge {
        let found = self.charges.iter().find(|(place, _)| *place == term);
        found.map_or(NO_CHARGE, |(_, charge)| *charge)
    }

    /// Whether it charges nothing (MD-2).
    pub fn is_free(&self) -> bool {
        self.charges.iter().all(|(_, charge)| *charge == NO_CHARGE)
    }

    fn changes(&self, term: usize) -> bool {
        self.charges.iter().any(|(place, _)| *place == term)
    }
}

/// A paid order.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The instant of the last step.
    pub now: Instant,
    /// The instant from which its terms are counted (T-2).
    pub anchor: Instant,
    /// Whether a SAN licence covers its domains.
    pub draws_on_license: bool,
    /// Every term, oldest first.
    pub terms: Vec<Term>,
    /// The place of the running term.
    pub running: usize,
    /// The domains on its certificates.
    pub carried: Domains,
    /// The common name of its certificates, one of these domains.
    pub common_name: &'static str,
    /// Whether a certificate was ever recorded.
    pub is_issued: bool,
    /// Whether it was deleted.
    pub is_deleted: bool,
    /// The pending change of domains.
    pub change: Option<DomainChange>,
    /// Since when it awaits a reissue.
    pub reissue_since: Option<Instant>,
    /// The number of the key that its certificates must have.
    pub key: Option<u8>,
    /// The software of its servers.
    pub software: &'static str,
    /// Its servers, oldest first.
    pub servers: Vec<Server>,
    /// Its certificates, oldest first.
    pub certificates: Vec<Certificate>,
    /// How often it changed in a way that makes a quote stale (MD-6).
    pub revision: i64,
}

impl Order {
    /// An order with its first term, charged `total` (T-4).
    pub fn place(
        request: TermRequest,
        paid: SlotCharge,
        total: i64,
        (common_name, software): (&'static str, &'static str),
        (draws_on_license, now): (bool, Instant),
    ) -> Self {
        let end = now.checked_add_months(request.months).unwrap();
        let mut order = Self {
            now,
            anchor: now,
            draws_on_license,
            terms: vec![],
            running: 0,
            carried: request.domains.clone(),
            common_name,
            is_issued: false,
            is_deleted: false,
            change: None,
            reissue_since: None,
            key: None,
            software,
            servers: vec![],
            certificates: vec![],
            // Placing it is the first revision.
            revision: 1,
        };
        order.sell(Term::new(request, paid, (now, end), now, None), total);
        order
    }

    /// The running term, or the last one that ran.
    pub fn term(&self) -> &Term {
        &self.terms[self.running]
    }

    /// The next term, if it is bought.
    pub fn next_term(&self) -> Option<&Term> {
        self.terms.get(self.running + 1)
    }

    /// The end of the last term.
    pub fn end(&self) -> Instant {
        self.terms.last().unwrap().end
    }

    /// The state it is in.
    pub fn state(&self) -> OrderState {
        if self.is_deleted {
            OrderState::Deleted
        } else if self.now >= self.end() {
            OrderState::Ended
        } else if self.is_issued {
            OrderState::Issued
        } else {
            OrderState::Paid
        }
    }

    /// The reason why its state forbids an action (MD-10).
    pub fn forbids(&self, action: Action) -> Option<Reason> {
        let always = action == Action::RevokeCertificate;
        let when_ended = always || matches!(action, Action::Renew | Action::UnregisterServer);
        match self.state() {
            OrderState::Deleted if !always => Some(Reason::OrderDeleted),
            OrderState::Ended if !when_ended => Some(Reason::OrderEnded),
            OrderState::Paid if action == Action::RegisterServer => Some(Reason::OrderNotIssued),
            OrderState::Paid | OrderState::Issued | OrderState::Ended | OrderState::Deleted => None,
        }
    }

    /// Whether its state permits an action.
    ///
    /// # Errors
    ///
    /// The reason why not.
    pub fn may(&self, action: Action) -> Result<(), Reasons> {
        self.forbids(action).map_or(Ok(()), |it| Err(because(it)))
    }

    /// The domains of a term after the pending change. A term bought during the change already has the new
    /// common name (MD-5).
    pub fn domains_after(&self, term: usize) -> Domains {
        let domains = &self.terms[term].domains;
        match &self.change {
            Some(change) if change.changes(term) => &(domains - &change.removed) | &change.added,
            _ => domains.clone(),
        }
    }

    /// The domains of a term without the pending change. If the term was bought with only the new common
    /// name, the old one takes its place (MD-5).
    pub fn domains_without(&self, term: usize) -> Domains {
        let domains = &self.terms[term].domains;
        match &self.change {
            Some(change) if !change.changes(term) => self.with_old_common_name(domains),
            _ => domains.clone(),
        }
    }

    /// Domains bought while the common name waits to move, as they would be if the change were cancelled.
    pub fn with_old_common_name(&self, domains: &Domains) -> Domains {
        let mut domains = domains.clone();
        let moved = self.change.as_ref().and_then(|change| change.moved);
        if let Some(moved) = moved.filter(|_| !domains.contains(self.common_name)) {
            domains.remove(moved);
            domains.insert(self.common_name);
        }
        domains
    }

    pub(crate) fn change_that_waits(&self) -> Option<&DomainChange> {
        self.change.as_ref().filter(|change| change.waits)
    }

    /// The domains that the next certificate must carry.
    pub fn wanted(&self) -> Domains {
        self.wanted_in(self.running)
    }

    pub(crate) fn wanted_in(&self, term: usize) -> Domains {
        match self.change_that_waits() {
            Some(_) => self.domains_after(term),
            None => self.domains_without(term),
        }
    }

    /// The common name that the next certificate must have.
    pub fn wanted_common_name(&self) -> &'static str {
        let moved = self.change_that_waits().and_then(|change| change.moved);
        moved.unwrap_or(self.common_name)
    }

    /// The common name that a term was bought for.
    pub fn common_name_of(&self, term: usize) -> &'static str {
        match &self.change {
            Some(change) if !change.changes(term) => self.wanted_common_name(),
            _ => self.common_name,
        }
    }

    /// Whether a move of the common name is pending.
    pub fn moves_common_name(&self) -> bool {
        self.change
            .as_ref()
            .is_some_and(|change| change.moved.is_some())
    }

    /// Since when a certificate is awaited.
    pub fn pending_since(&self) -> Option<Instant> {
        if self.is_deleted {
            return None;
        }
        let is_stale = self.domains_without(self.running) != self.carried;
        let waits = [
            (!self.is_issued).then_some(self.anchor),
            self.change_that_waits().map(|change| change.accepted),
            is_stale.then_some(self.term().start),
            self.reissue_since,
        ];
        waits.into_iter().flatten().min()
    }
}
