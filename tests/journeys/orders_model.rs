//! What Orders must say of one order, told from a list of the terms that were ever bought for it
//! (AL-1 to AL-9, MD-1 to MD-10, X-8). It shares no decision with Orders; amounts are minor units.

use std::collections::BTreeSet;

use licet_contracts::{
    billing::v1::{LineKind, RefundState, WildcardReplacement},
    orders::v1::{CertificateState, OrderState, ServerState},
};
use licet_domain::clock::Instant;

use super::{
    billing_model::DAY_MICROS,
    billing_prices::{Item, Pricing, Product},
    orders_naming::Change,
};
use crate::harness::clock::shifted;

pub(super) const HOUR_MICROS: i64 = 3_600_000_000;

/// The names there are, canonical.
pub(super) const NAMES: [&str; 8] = [
    "cn.test",
    "a.test",
    "b.test",
    "c.test",
    "d.test",
    "e.test",
    "*.cn.test",
    "*.w.test",
];

pub(super) type Names = BTreeSet<&'static str>;

/// Slots, or names: standard ones, and wildcards.
pub(super) type Counts = (i32, i32);

pub(super) fn counts(names: &Names) -> Counts {
    let wildcards = names.iter().filter(|name| name.starts_with("*.")).count();
    let wildcards = i32::try_from(wildcards).unwrap();
    (i32::try_from(names.len()).unwrap() - wildcards, wildcards)
}

/// What is charged: new standard slots, new wildcard slots, and standard slots that become wildcard
/// ones (MD-4).
pub(super) type Charge = (i32, i32, i32);

/// The slots that are owned once this was paid.
pub(super) fn owned((s, w): Counts, (standard, wildcard, converted): Charge) -> Counts {
    (s + standard - converted, w + wildcard + converted)
}

/// MD-4. A product of one domain sells no slots.
pub(super) fn to_pay(policy: Policy, (s, w): Counts, before: &Names, after: &Names) -> Charge {
    if policy.is_single {
        return (0, 0, 0);
    }
    let (a, b) = counts(after);
    let (_, wildcards_added) = counts(&(after - before));
    let x = (a + b - s - w).max(0);
    let y = x.min((b - w).max(0)).min(wildcards_added);
    let u = ((b - w).max(0) - y).min(wildcards_added - y);
    match policy.replacement {
        WildcardReplacement::Free => (x - y, y, 0),
        WildcardReplacement::Unspecified | WildcardReplacement::Difference => (x - y, y, u),
        WildcardReplacement::FullPrice => (x - y, y + u, 0),
    }
}

/// What the product says of orders, for good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// Of one domain, and not of several.
    pub(super) is_single: bool,
    pub(super) included: i32,
    pub(super) maximum: i32,
    pub(super) wildcards: bool,
    /// Not said: the difference.
    pub(super) replacement: WildcardReplacement,
    pub(super) licenses: i32,
    pub(super) is_public: bool,
    /// `None`: never revoked.
    pub(super) superseded_hours: Option<i32>,
    pub(super) open_days: i64,
    pub(super) grace_days: i64,
    pub(super) refund_days: (i64, i64),
    /// Whether the days of a refund count from the purchase.
    pub(super) counts_from_purchase: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Invoice {
    pub(super) total: i64,
    pub(super) credited: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) first_month: u32,
    pub(super) months: i32,
    pub(super) start: Instant,
    pub(super) end: Instant,
    /// Since when the prices are in force that it was bought by (MD-8).
    pub(super) price_time: Instant,
    pub(super) licenses: i32,
    /// Those that it was bought for, with what a change made of them since.
    pub(super) names: Names,
    pub(super) slots: Counts,
    /// Ids of the servers that stay in it; `None` for a first term.
    pub(super) kept: Option<BTreeSet<String>>,
    /// When it was bought (T-4).
    pub(super) bought: Instant,
    pub(super) first_issued: Option<Instant>,
    pub(super) invoices: Vec<Invoice>,
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) id: String,
    /// The common name that it serves.
    pub(super) serves: &'static str,
    pub(super) is_primary: bool,
    pub(super) state: ServerState,
}

#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) id: String,
    pub(super) recorded: Instant,
    pub(super) active_until: Instant,
    pub(super) is_superseded: bool,
    pub(super) revoked: Option<Instant>,
    pub(super) to_revoke: bool,
}

/// What a request was offered for, until when it can be had for that.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) quote_id: String,
    /// What was asked for, in words.
    pub(super) wish: String,
    pub(super) moves: i64,
    pub(super) expires: Instant,
    /// For each term that is charged.
    pub(super) totals: Vec<(usize, i64)>,
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) policy: Policy,
    pub(super) now: Instant,
    pub(super) anchor: Instant,
    pub(super) terms: Vec<Term>,
    pub(super) running: usize,
    /// The names on its certificates, and the one of them that is its common name.
    pub(super) carried: Names,
    pub(super) common_name: &'static str,
    pub(super) is_issued: bool,
    pub(super) is_deleted: bool,
    pub(super) change: Option<Change>,
    pub(super) reissue_since: Option<Instant>,
    pub(super) software: &'static str,
    pub(super) servers: Vec<Server>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) offers: Vec<Offer>,
    /// How often it has changed in a way that a quote does not outlive (MD-6).
    pub(super) moves: i64,
}

/// MD-9: in days, for a public certificate that begins then; `None` for others.
fn limit_days(policy: Policy, not_before: Instant) -> Option<i64> {
    let from = |text: &str| not_before >= text.parse().unwrap();
    policy.is_public.then(|| {
        if from("2029-03-15T00:00:00Z") {
            47
        } else if from("2027-03-15T00:00:00Z") {
            100
        } else if from("2026-03-15T00:00:00Z") {
            200
        } else {
            398
        }
    })
}

/// The items of a whole term: the certificate, the names beyond the included ones, the licences.
pub(super) fn items_of_term(term: &Term, anchor: Instant, paid: Charge) -> Vec<Item> {
    let mut items = vec![item(term, anchor, LineKind::Certificate, 1)];
    items.extend(items_of_slots(term, anchor, paid, None));
    if term.licenses > 0 {
        let kind = LineKind::AdditionalLicense;
        items.push(item(term, anchor, kind, term.licenses));
    }
    items
}

/// The items of slots, for a whole term or for the rest of it from a change on (MD-1).
pub(super) fn items_of_slots(
    term: &Term,
    anchor: Instant,
    (standard, wildcard, converted): Charge,
    change: Option<Instant>,
) -> Vec<Item> {
    let all = [
        (LineKind::Domain, standard),
        (LineKind::WildcardDomain, wildcard),
        (LineKind::WildcardDifference, converted),
    ];
    let charged = all.into_iter().filter(|(_, quantity)| *quantity > 0);
    charged
        .map(|(kind, quantity)| Item {
            change,
            ..item(term, anchor, kind, quantity)
        })
        .collect()
}

fn item(term: &Term, anchor: Instant, kind: LineKind, quantity: i32) -> Item {
    Item {
        kind,
        quantity,
        anchor,
        first_month: term.first_month,
        months: term.months,
        change: None,
        price_time: term.price_time,
        pricing: Pricing::Listed,
    }
}

/// The lines' sum; what is sold here has its price.
pub(super) fn total(product: &Product, items: &[Item], digits: u32) -> i64 {
    product.cost(items, digits).unwrap().iter().sum()
}

impl Order {
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

    /// Whether it ended so long ago that it cannot be renewed (MD-10).
    pub(super) fn is_lost(&self) -> bool {
        self.now >= shifted(self.end(), self.policy.grace_days * DAY_MICROS)
    }

    /// Why what is asked is not open to the order: `when_ended` says whether an ended one may.
    pub(super) fn may(&self, when_ended: bool) -> Result<(), &'static str> {
        match self.state() {
            OrderState::Deleted => Err("ORDER_DELETED"),
            OrderState::Ended if !when_ended => Err("ORDER_ENDED"),
            OrderState::Unspecified
            | OrderState::Pending
            | OrderState::Paid
            | OrderState::Issued
            | OrderState::Ended => Ok(()),
        }
    }

    /// What stands against names, months and licences of a term: any of it may be said first.
    pub(super) fn against_sale(
        policy: Policy,
        names: &Names,
        months: i32,
        licenses: i32,
    ) -> Vec<&'static str> {
        let mut objections = vec![];
        if ![1, 12, 24].contains(&months) {
            objections.push("TERM_NOT_SOLD");
        }
        if licenses > policy.licenses {
            objections.push("TOO_MANY_ADDITIONAL_LICENSES");
        }
        if counts(names).1 > 0 && !policy.wildcards {
            objections.push("WILDCARD_NOT_OFFERED");
        }
        if i32::try_from(names.len()).unwrap() > policy.maximum {
            objections.push("TOO_MANY_DOMAINS");
        }
        objections
    }

    pub(super) fn pending_since(&self) -> Option<Instant> {
        if self.is_deleted {
            return None;
        }
        let waits = [
            (!self.is_issued).then_some(self.anchor),
            self.change.as_ref().map(|change| change.accepted),
            (self.names_now(self.running) != self.carried).then_some(self.term().start),
            self.reissue_since,
        ];
        waits.into_iter().flatten().min()
    }

    /// Time passes: the term bought for then runs (MD-10), and servers it did not keep lapse (AL-9).
    pub(super) fn pass(&mut self, now: Instant) {
        self.now = now;
        while !self.is_deleted && self.next_term().is_some_and(|next| next.start <= now) {
            self.running += 1;
            self.moves += 1;
            let kept = self.term().kept.clone().unwrap();
            for server in &mut self.servers {
                if server.state == ServerState::Registered && !kept.contains(&server.id) {
                    server.state = ServerState::Lapsed;
                }
            }
        }
    }

    /// The most days that a certificate made now may be valid (MD-9): to the end of the last term that
    /// was bought for all of its names, and a day.
    pub(super) fn longest_days(&self) -> i64 {
        let covering = self.next_term().filter(|_| {
            let then = self.names_after(self.running + 1);
            self.wanted().is_subset(&then)
        });
        let end = covering.unwrap_or(self.term()).end;
        let until = self.now.micros_until(shifted(end, DAY_MICROS));
        let days = until / DAY_MICROS;
        limit_days(self.policy, self.now).map_or(days, |limit| days.min(limit))
    }

    /// A certificate is recorded (MD-7, X-8).
    pub(super) fn issue(&mut self, id: String, active_until: Instant) {
        let now = self.now;
        let recorded = Certificate {
            id,
            recorded: now,
            active_until,
            is_superseded: false,
            revoked: self.is_deleted.then_some(now),
            to_revoke: self.is_deleted,
        };
        if !self.is_deleted {
            let hours = self.policy.superseded_hours;
            let revoked = hours.map(|hours| shifted(now, i64::from(hours) * HOUR_MICROS));
            for place in 0..self.certificates.len() {
                if self.certificate_state(place) == CertificateState::Active {
                    self.certificates[place].is_superseded = true;
                    self.certificates[place].revoked = revoked;
                }
            }
            self.make_change();
            self.terms[self.running].first_issued.get_or_insert(now);
            self.reissue_since = None;
            self.is_issued = true;
            self.moves += 1;
        }
        self.certificates.push(recorded);
    }

    pub(super) fn certificate_state(&self, place: usize) -> CertificateState {
        let it = &self.certificates[place];
        if it.to_revoke {
            CertificateState::ToRevoke
        } else if it.revoked.is_some_and(|time| time <= self.now) {
            CertificateState::Revoked
        } else if it.active_until <= self.now {
            CertificateState::Expired
        } else if it.is_superseded {
            CertificateState::Superseded
        } else {
            CertificateState::Active
        }
    }

    pub(super) fn reissue(&mut self) {
        if self.pending_since().is_none() {
            self.reissue_since = Some(self.now);
            self.moves += 1;
        }
    }

    pub(super) fn registered(&self) -> impl Iterator<Item = &Server> {
        let servers = self.servers.iter();
        servers.filter(|server| server.state == ServerState::Registered)
    }

    /// The servers that stay in a term bought now; why there is none (MD-10, AL-9).
    pub(super) fn may_renew(
        &self,
        months: i32,
        licenses: i32,
        keep: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>, &'static str> {
        self.may(true)?;
        if self.next_term().is_some() {
            return Err("RENEWAL_ALREADY_BOUGHT");
        }
        if self.now >= shifted(self.end(), self.policy.grace_days * DAY_MICROS) {
            return Err("RENEWAL_TOO_LATE");
        }
        if self.now < shifted(self.end(), -self.policy.open_days * DAY_MICROS) {
            return Err("RENEWAL_TOO_EARLY");
        }
        let stays = |it: &&Server| keep.is_empty() || it.is_primary || keep.contains(&it.id);
        let stay = self.registered().filter(stays);
        let kept: BTreeSet<String> = stay.map(|it| it.id.clone()).collect();
        if i32::try_from(kept.len()).unwrap() > licenses + 1 {
            return Err("SERVERS_TO_KEEP_REQUIRED");
        }
        let all: i32 = self.terms.iter().map(|term| term.months).sum();
        let end = self
            .anchor
            .checked_add_months((all + months).unsigned_abs());
        match end.unwrap() <= self.now {
            true => Err("TERM_ENDED"),
            false => Ok(kept),
        }
    }

    /// Since when the days of a term's refund count (AL-4): from the first certificate of the order
    /// that is active in it, or from its purchase. `None`: it has not begun, or there was none.
    pub(super) fn count_start(&self, place: usize) -> Option<Instant> {
        let term = &self.terms[place];
        if self.now < term.start {
            return None;
        }
        if self.policy.counts_from_purchase {
            return Some(term.bought);
        }
        let active_from = self.certificates.iter().filter_map(|it| {
            let until = it.active_until.min(it.revoked.unwrap_or(it.active_until));
            let from = it.recorded.max(term.start);
            let counts = it.recorded >= term.start || until > term.start;
            (counts && from < term.end).then_some(from)
        });
        active_from.min()
    }

    /// AL-4, for one of its terms: what becomes of its refund, and what there is to refund.
    pub(super) fn refund_of(&self, place: usize) -> (RefundState, i64) {
        let term = &self.terms[place];
        let open = term.invoices.iter().map(|it| it.total - it.credited).sum();
        let (full, none) = self.policy.refund_days;
        let state = match self.count_start(place) {
            _ if self.now < term.start => RefundState::Refunded,
            None if self.now < term.end => RefundState::Refunded,
            None => RefundState::NotDue,
            Some(since) => match since.micros_until(self.now) {
                age if age <= full * DAY_MICROS => RefundState::Refunded,
                age if age <= none * DAY_MICROS => RefundState::PendingReview,
                _ => RefundState::NotDue,
            },
        };
        (state, open)
    }

    /// The terms whose refund a deletion asks for: the one that runs, the one after it, and every one
    /// that is over and of which anything can come back.
    pub(super) fn refundable(&self) -> Vec<usize> {
        let all = 0..self.terms.len();
        all.filter(|place| {
            let (state, _) = self.refund_of(*place);
            *place >= self.running || state != RefundState::NotDue
        })
        .collect()
    }

    /// Everything of it falls, at once (AL-7, X-3); so much comes back for certain.
    pub(super) fn delete(&mut self) -> i64 {
        let mut back = 0;
        for place in self.refundable() {
            if let (RefundState::Refunded, open) = self.refund_of(place) {
                back += open;
                let invoices = &mut self.terms[place].invoices;
                invoices.iter_mut().for_each(|it| it.credited = it.total);
            }
        }
        for place in 0..self.certificates.len() {
            let state = self.certificate_state(place);
            if [CertificateState::Active, CertificateState::Superseded].contains(&state) {
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
        back
    }
}
