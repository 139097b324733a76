//! What the rules say of one order, told in plain numbers: every term that was ever bought stays in
//! a list, and what is asked is worked out anew. It must call none of the rules it is held against.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use licet_domain::{clock::Instant, refusal::Reason, revocation::RevocationReason};

use super::{cost, naming::Change, refunded};
use crate::rules::{
    certificate::CertificateState,
    order::OrderState,
    permission::Action,
    product::{Product, ProductKind, RefundCount},
    servers::ServerState,
    slots::WildcardReplacement,
};

/// Names by their place in [`super::NAMES`].
pub(super) type Names = BTreeSet<usize>;

/// Slots, or names: standard ones, and wildcards.
pub(super) type Counts = (i64, i64);

/// What is charged: new standard slots, new wildcard slots, and standard slots that become wildcard
/// ones (MD-4).
pub(super) type Charge = (i64, i64, i64);

pub(super) const NOTHING: Charge = (0, 0, 0);

/// The reasons of a refusal, one for each thing that stands against the request.
pub(super) type Why = BTreeSet<Reason>;

pub(super) fn why(reason: Reason) -> Why {
    [reason].into()
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) start: Instant,
    pub(super) end: Instant,
    pub(super) months: u32,
    pub(super) bought: Instant,
    pub(super) product: Product,
    pub(super) licenses: i64,
    pub(super) names: Names,
    pub(super) slots: Counts,
    /// The servers that stay in it, by their place; `None` for a first term.
    pub(super) kept: Option<BTreeSet<usize>>,
    pub(super) first_issued: Option<Instant>,
    /// Invoiced, and credited of it.
    pub(super) invoices: Vec<(i64, i64)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Server {
    pub(super) primary: bool,
    /// The common name that it serves.
    pub(super) serves: usize,
    pub(super) state: ServerState,
}

/// A certificate as its authority made it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Paper {
    pub(super) names: Names,
    pub(super) common_name: usize,
    pub(super) key: u8,
    pub(super) not_before: Instant,
    pub(super) not_after: Instant,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Certificate {
    pub(super) recorded: Instant,
    pub(super) not_after: Instant,
    pub(super) is_superseded: bool,
    pub(super) revoked: Option<Instant>,
    pub(super) reason: Option<RevocationReason>,
    pub(super) to_revoke: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Model {
    pub(super) now: Instant,
    pub(super) anchor: Instant,
    pub(super) draws_on_license: bool,
    pub(super) terms: Vec<Term>,
    /// The place of the term that runs.
    pub(super) running: usize,
    /// The names on its certificates, and the one of them that is its common name.
    pub(super) carried: Names,
    pub(super) common_name: usize,
    pub(super) is_issued: bool,
    pub(super) is_deleted: bool,
    pub(super) change: Option<Change>,
    pub(super) reissue_since: Option<Instant>,
    pub(super) key: Option<u8>,
    pub(super) software: usize,
    pub(super) servers: Vec<Server>,
    pub(super) certificates: Vec<Certificate>,
    /// How often it has changed in a way that a quote does not outlive (MD-6).
    pub(super) moves: u64,
}

pub(super) fn after(instant: Instant, delta: TimeDelta) -> Instant {
    instant.checked_add(delta).unwrap()
}

pub(super) fn is_wildcard(name: &usize) -> bool {
    super::NAMES[*name].starts_with("*.")
}

pub(super) fn counts(names: &Names) -> Counts {
    let wildcards = i64::try_from(names.iter().filter(|it| is_wildcard(it)).count()).unwrap();
    (i64::try_from(names.len()).unwrap() - wildcards, wildcards)
}

/// The slots that are owned once this was paid.
pub(super) fn owned((s, w): Counts, (standard, wildcard, converted): Charge) -> Counts {
    (s + standard - converted, w + wildcard + converted)
}

/// Those that are left once it is given back.
pub(super) fn given_back((s, w): Counts, (standard, wildcard, converted): Charge) -> Counts {
    (s - standard + converted, w - wildcard - converted)
}

/// A product of one domain has its common name alone (MD-4).
pub(super) fn most_names(product: &Product) -> usize {
    match product.kind {
        ProductKind::MultiDomain => usize::try_from(product.max_domains).unwrap(),
        ProductKind::SingleDomain | ProductKind::SanLicense => 1,
    }
}

/// MD-4. A product of one domain sells no slots.
pub(super) fn to_pay(product: &Product, (s, w): Counts, before: &Names, after: &Names) -> Charge {
    if product.kind != ProductKind::MultiDomain {
        return NOTHING;
    }
    let (a, b) = counts(after);
    let (_, wildcards_added) = counts(&(after - before));
    let x = (a + b - s - w).max(0);
    let y = x.min((b - w).max(0)).min(wildcards_added);
    let u = ((b - w).max(0) - y).min(wildcards_added - y);
    match product.wildcard_replacement {
        WildcardReplacement::Free => (x - y, y, 0),
        WildcardReplacement::Difference => (x - y, y, u),
        WildcardReplacement::FullPrice => (x - y, y + u, 0),
    }
}

impl Model {
    /// What placing an order, or renewing one, comes to: the slots that are paid beyond the
    /// included ones (AL-2, MD-4).
    pub(super) fn may_sell(
        product: &Product,
        names: &Names,
        months: u32,
        licenses: i64,
        draws_on_license: bool,
    ) -> Result<Charge, Why> {
        let mut objections = Why::new();
        if !product.terms_months.contains(&months) {
            objections.insert(Reason::TermNotSold);
        }
        if licenses > i64::from(product.max_additional_licenses) {
            objections.insert(Reason::TooManyAdditionalLicenses);
        }
        if !product.wildcards_offered && names.iter().any(is_wildcard) {
            objections.insert(Reason::WildcardNotOffered);
        }
        if names.len() > most_names(product) {
            objections.insert(Reason::TooManyDomains);
        }
        if !objections.is_empty() {
            return Err(objections);
        }
        let included = (i64::from(product.included_domains), 0);
        Ok(match draws_on_license {
            true => NOTHING,
            false => to_pay(product, included, &Names::new(), names),
        })
    }

    pub(super) fn term(&self) -> &Term {
        &self.terms[self.running]
    }

    pub(super) fn next_term(&self) -> Option<&Term> {
        self.terms.get(self.running + 1)
    }

    pub(super) fn end(&self) -> Instant {
        self.terms.last().unwrap().end
    }

    pub(super) fn state(&self) -> OrderState {
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

    /// Why a request is not open to the order in its state.
    pub(super) fn closed(&self, action: Action) -> Option<Reason> {
        let always = action == Action::RevokeCertificate;
        let when_ended = always || matches!(action, Action::Renew | Action::UnregisterServer);
        match self.state() {
            OrderState::Deleted if !always => Some(Reason::OrderDeleted),
            OrderState::Ended if !when_ended => Some(Reason::OrderEnded),
            OrderState::Paid if action == Action::RegisterServer => Some(Reason::OrderNotIssued),
            OrderState::Pending
            | OrderState::Paid
            | OrderState::Issued
            | OrderState::Ended
            | OrderState::Deleted => None,
        }
    }

    pub(super) fn may(&self, action: Action) -> Result<(), Why> {
        self.closed(action).map_or(Ok(()), |it| Err(why(it)))
    }

    pub(super) fn pending_since(&self) -> Option<Instant> {
        if self.is_deleted {
            return None;
        }
        let first = (!self.is_issued).then_some(self.anchor);
        let changed = self.change.as_ref().filter(|it| it.waits);
        let of_term = (self.names_now(self.running) != self.carried).then_some(self.term().start);
        let waits = [
            first,
            changed.map(|it| it.accepted),
            of_term,
            self.reissue_since,
        ];
        waits.into_iter().flatten().min()
    }

    /// Time passes: a term that was bought for then runs (MD-10), and servers it did not keep lapse
    /// (AL-9).
    pub(super) fn pass(&mut self, now: Instant) {
        self.now = now;
        while !self.is_deleted && self.next_term().is_some_and(|next| next.start <= now) {
            self.running += 1;
            self.moves += 1;
            let kept = self.term().kept.clone().unwrap();
            for (place, server) in self.servers.iter_mut().enumerate() {
                if server.state == ServerState::Registered && !kept.contains(&place) {
                    server.state = ServerState::Lapsed;
                }
            }
        }
    }

    /// Sells a term, which is the first or follows the last one (T-2, MD-10).
    pub(super) fn sell(&mut self, term: Term, paid: Charge) {
        let total = cost(term.bought, 1, paid, term.licenses);
        let included = (i64::from(term.product.included_domains), 0);
        self.terms.push(Term {
            slots: owned(included, paid),
            invoices: vec![(total, 0)],
            ..term
        });
        self.moves += 1;
    }

    pub(super) fn registered(&self) -> BTreeSet<usize> {
        let servers = self.servers.iter().enumerate();
        let found = servers.filter(|(_, it)| it.state == ServerState::Registered);
        found.map(|(place, _)| place).collect()
    }

    /// A place in the term that follows, where it has one (AL-9).
    pub(super) fn keep(&mut self, place: usize) {
        let next = self.running + 1;
        if let Some(next) = self.terms.get_mut(next) {
            let kept = next.kept.as_mut().unwrap();
            if i64::try_from(kept.len()).unwrap() < 1 + next.licenses {
                kept.insert(place);
            }
        }
    }

    /// T-2: where a term of so many months ends that follows the last one.
    pub(super) fn end_of_next(&self, months: u32) -> Instant {
        let before: u32 = self.terms.iter().map(|it| it.months).sum();
        self.anchor.checked_add_months(before + months).unwrap()
    }

    /// MD-10, AL-9: the servers that stay.
    pub(super) fn may_renew(
        &self,
        months: u32,
        licenses: i64,
        keep: &[usize],
    ) -> Result<BTreeSet<usize>, Why> {
        self.may(Action::Renew)?;
        let (product, end) = (&self.terms.last().unwrap().product, self.end());
        let days = |days: u32| TimeDelta::days(i64::from(days));
        if self.next_term().is_some() {
            return Err(why(Reason::RenewalAlreadyBought));
        }
        if self.now >= after(end, days(product.renewal_grace_days)) {
            return Err(why(Reason::RenewalTooLate));
        }
        if self.now < after(end, -days(product.renewal_open_days)) {
            return Err(why(Reason::RenewalTooEarly));
        }
        let registered = self.registered();
        let mut kept: BTreeSet<usize> = keep.iter().copied().collect();
        if !kept.is_subset(&registered) {
            return Err(why(Reason::NotFound));
        }
        let stays = |place: &&usize| keep.is_empty() || self.servers[**place].primary;
        kept.extend(registered.iter().filter(stays));
        if i64::try_from(kept.len()).unwrap() > 1 + licenses {
            return Err(why(Reason::ServersToKeepRequired));
        }
        if self.now >= self.end_of_next(months) {
            return Err(why(Reason::TermEnded));
        }
        Ok(kept)
    }

    /// AL-4: when a certificate of the order is active in a term for the first time, or when it was
    /// bought, by its policy. `None`: it has not begun, or none was.
    pub(super) fn counted_since(&self, place: usize) -> Option<Instant> {
        let term = &self.terms[place];
        if self.now < term.start {
            return None;
        }
        match term.product.refund_count {
            RefundCount::Purchase => return Some(term.bought),
            RefundCount::FirstIssuance => {}
        }
        let active_from = self.certificates.iter().filter_map(|it| {
            let expired = after(it.not_after, TimeDelta::seconds(1));
            let until = expired.min(it.revoked.unwrap_or(expired));
            let from = it.recorded.max(term.start);
            let counts = it.recorded >= term.start || until > term.start;
            (counts && from < term.end).then_some(from)
        });
        active_from.min()
    }

    /// The order and all that hangs on it falls, at once (AL-7, X-3), and what its terms were
    /// invoiced is refunded by AL-4.
    pub(super) fn delete(&mut self) {
        for place in 0..self.terms.len() {
            let since = self.counted_since(place);
            let term = &mut self.terms[place];
            if refunded((term.start, term.end), since, self.now) {
                term.invoices.iter_mut().for_each(|it| it.1 = it.0);
            }
        }
        for place in 0..self.certificates.len() {
            let state = self.certificate_state(place);
            if matches!(
                state,
                CertificateState::Active | CertificateState::Superseded
            ) {
                self.certificates[place].revoked = Some(self.now);
                self.certificates[place].to_revoke = true;
            }
        }
        for server in &mut self.servers {
            if server.state == ServerState::Registered {
                server.state = ServerState::Invalidated;
            }
        }
        self.drop_change();
        self.reissue_since = None;
        self.is_deleted = true;
        self.moves += 1;
    }

    /// The next term is charged (MD-10). Servers that left meanwhile have no place in it, and those
    /// that came take what places there are (AL-9).
    pub(super) fn renew(&mut self, term: Term, paid: Charge, known: &BTreeSet<usize>) {
        let registered = self.registered();
        let kept = term.kept.as_ref().unwrap();
        let kept = kept.intersection(&registered).copied().collect();
        self.sell(
            Term {
                kept: Some(kept),
                ..term
            },
            paid,
        );
        for place in registered.difference(known) {
            self.keep(*place);
        }
    }
}
