//! What each state of a licence permits, and its transitions: each takes the licence and returns the next
//! one, with its revision and decision time.

use licet_domain::{
    clock::Instant,
    ids::{InvoiceId, LicenseId, ProductId},
    refusal::{ERROR_TEXT_ROOM, Reason, Refusal, listed},
    term::Term,
};

use super::license::{License, LicenseProgress, LicenseState, LicenseTerm, MAX_PRODUCTS, Raise};

impl License {
    /// Refuses an acceptance at `now`, unless the licence is a valid draft (SL-7).
    pub(crate) fn permit_acceptance(&self, now: Instant) -> Result<(), Refusal> {
        self.permit_withdrawal(now)?;
        if self.valid_until <= now {
            let message = format!(
                "draft {} was valid until {}; it is now {now}. Request a new quote",
                self.id, self.valid_until
            );
            return Err(Refusal::new(Reason::LicenseQuoteExpired, message)
                .with("license_id", self.id)
                .with("valid_until_time", self.valid_until)
                .with("accept_time", now));
        }
        Ok(())
    }

    /// Refuses a withdrawal, unless the licence is a draft, valid or not (SL-7).
    pub(crate) fn permit_withdrawal(&self, now: Instant) -> Result<(), Refusal> {
        let state = self.state(now);
        if state == LicenseState::Quoted {
            return Ok(());
        }
        let message = format!("licence {} is {}, not a draft", self.id, state.as_str());
        Err(Refusal::new(Reason::LicenseNotQuoted, message)
            .with("license_id", self.id)
            .with("state", state.as_str()))
    }

    /// Refuses a cancellation at `now`, except from the charge to the end, even before the start (SL-7).
    pub(crate) fn permit_cancellation(&self, now: Instant) -> Result<(), Refusal> {
        match self.state(now) {
            LicenseState::Active => Ok(()),
            LicenseState::Quoted
            | LicenseState::Accepting
            | LicenseState::Ended
            | LicenseState::Cancelled => Err(self.not_active(now)),
        }
    }

    /// Refuses unless the licence is charged and within its terms at `now` (SL-11).
    fn permit_running(&self, now: Instant) -> Result<(), Refusal> {
        self.permit_cancellation(now)?;
        if now < self.first.term.start() {
            return Err(self.not_active(now));
        }
        Ok(())
    }

    /// The refusal of a change that only a running licence permits.
    pub(super) fn not_active(&self, now: Instant) -> Refusal {
        not_active(self.id, self.state(now), self.first.term.start())
    }

    /// Refuses to raise the current term's quota to `quota` at `now`, unless the licence runs and `quota` is
    /// higher (SL-8).
    pub(crate) fn permit_increase(&self, quota: u64, now: Instant) -> Result<(), Refusal> {
        self.permit_running(now)?;
        let present = self.current_term(now).quota();
        if quota <= present {
            let message = format!(
                "licence {} already has a quota of {present}; {quota} is not higher",
                self.id
            );
            return Err(Refusal::new(Reason::QuotaNotHigher, message)
                .with("license_id", self.id)
                .with("quota", present)
                .with("asked", quota));
        }
        Ok(())
    }

    /// Refuses another product at `now`; its tier and price are not checked here (SL-10).
    pub(crate) fn permit_product(&self, product: &ProductId, now: Instant) -> Result<(), Refusal> {
        self.permit_running(now)?;
        if self.products.contains(product) {
            let message = format!("licence {} already has product {product}", self.id);
            return Err(Refusal::new(Reason::ProductAlreadyLicensed, message)
                .with("product_id", product)
                .with("license_id", self.id)
                .violation("PRODUCT", product.as_str(), format!("held by {}", self.id)));
        }
        if self.products.len() >= MAX_PRODUCTS {
            let message = format!(
                "licence {} already has {MAX_PRODUCTS} products, the most that a licence can have",
                self.id
            );
            return Err(Refusal::new(Reason::TooManyProducts, message)
                .with("license_id", self.id)
                .with("maximum", MAX_PRODUCTS));
        }
        Ok(())
    }

    /// Refuses products that other licences still hold (SL-20).
    pub(crate) fn refuse_held(
        &self,
        holders: &[(ProductId, License)],
        now: Instant,
    ) -> Result<(), Refusal> {
        let held: Vec<_> = holders
            .iter()
            .filter(|(product, holder)| {
                holder.id != self.id && self.products.contains(product) && !holder.is_over(now)
            })
            .collect();
        let Some((product, holder)) = held.first() else {
            return Ok(());
        };
        let each = held.iter().map(|(product, holder)| {
            let (id, end) = (holder.id, holder.end());
            format!("product {product} is held by licence {id} of the account until {end}")
        });
        let message = listed(each, held.len(), ERROR_TEXT_ROOM);
        let mut refusal = Refusal::new(Reason::ProductAlreadyLicensed, message)
            .with("product_id", product)
            .with("license_id", holder.id);
        for (product, holder) in held {
            let subject = product.as_str().to_owned();
            refusal = refusal.violation("PRODUCT", subject, format!("held by {}", holder.id));
        }
        Err(refusal)
    }

    /// Whether other licences may hold its products (SL-20): never while a further term is being charged.
    /// Judged no earlier than its last decision (T-5).
    fn is_over(&self, now: Instant) -> bool {
        match self.state(self.decide_at(now)) {
            LicenseState::Ended => !self.renewing,
            LicenseState::Cancelled => true,
            LicenseState::Quoted | LicenseState::Accepting | LicenseState::Active => false,
        }
    }

    /// The term of an acceptance at `now`: from the agreed start, or from `now` if that is past or unset
    /// (T-4). `None` if it exceeds the supported date range.
    pub(crate) fn term_from(&self, now: Instant) -> Option<Term> {
        let start = self.asked_start.map_or(now, |asked| asked.max(now));
        Term::first(start, self.first.term.months())
    }

    /// Increments the revision. The decision time never runs back (T-5).
    fn revised(self, now: Instant) -> License {
        License {
            revision: self.revision.saturating_add(1),
            ..self.apply_decision(now)
        }
    }

    /// Records the time of a decision that does not change the licence (T-5).
    pub(crate) fn apply_decision(self, now: Instant) -> License {
        License {
            decision_time: self.decision_time.max(now),
            ..self
        }
    }

    /// Accepts the draft. It authorises nothing until it is charged (SL-11).
    pub(crate) fn apply_acceptance(mut self, term: Term, now: Instant) -> License {
        self.progress = LicenseProgress::Accepting;
        self.first.term = term;
        self.revised(now)
    }

    /// Makes the licence a draft again after the charge of its acceptance was refused.
    pub(crate) fn apply_acceptance_refused(mut self, now: Instant) -> License {
        self.progress = LicenseProgress::Quoted;
        if let Some(asked) = self.asked_start {
            let months = self.first.term.months();
            self.first.term = Term::first(asked, months).unwrap_or(self.first.term);
        }
        self.revised(now)
    }

    /// Marks the licence as charged. It runs from the start of its term, however late the charge completed
    /// (T-4).
    pub(crate) fn apply_charge(mut self, invoice_id: InvoiceId, now: Instant) -> License {
        self.progress = LicenseProgress::Active;
        self.invoices.push(invoice_id);
        self.revised(now)
    }

    /// Raises the quota of the term that is current at the decision time (SL-8).
    pub(crate) fn apply_increase(
        mut self,
        quota: u64,
        invoice_id: InvoiceId,
        now: Instant,
    ) -> License {
        let raise = Raise { time: now, quota };
        self.current_term_mut(now).raises.push(raise);
        self.invoices.push(invoice_id);
        self.revised(now)
    }

    /// Marks the licence as being renewed: until that ends its products stay held (SL-20).
    pub(crate) fn apply_renewal_accepted(self, now: Instant) -> License {
        License {
            renewing: true,
            ..self.apply_decision(now)
        }
    }

    /// Ends a renewal whose charge was refused.
    pub(crate) fn apply_renewal_refused(self, now: Instant) -> License {
        License {
            renewing: false,
            ..self.apply_decision(now)
        }
    }

    /// Adds a charged term (SL-9).
    pub(crate) fn apply_renewal(
        mut self,
        term: LicenseTerm,
        invoice_id: InvoiceId,
        now: Instant,
    ) -> License {
        self.renewing = false;
        self.renewals.push(term);
        self.invoices.push(invoice_id);
        self.revised(now)
    }

    /// Adds a product (SL-10).
    pub(crate) fn apply_product(mut self, product: ProductId, now: Instant) -> License {
        self.products.insert(product);
        self.revised(now)
    }

    /// Withdraws the draft or cancels the licence with all its terms (SL-7). It authorises nothing from now on
    /// (SL-11).
    pub(crate) fn apply_cancellation(mut self, now: Instant) -> License {
        self.progress = LicenseProgress::Cancelled;
        self.cancel_time = Some(now);
        self.revised(now)
    }
}

/// LICENSE_NOT_ACTIVE, with the state of the licence. One that is ACTIVE has not started: the refusal has its
/// start instead.
pub(crate) fn not_active(id: LicenseId, state: LicenseState, start: Instant) -> Refusal {
    match state {
        LicenseState::Active => Refusal::new(
            Reason::LicenseNotActive,
            format!("licence {id} is not running yet; it starts at {start}"),
        )
        .with("license_id", id)
        .with("start_time", start),
        LicenseState::Quoted
        | LicenseState::Accepting
        | LicenseState::Ended
        | LicenseState::Cancelled => Refusal::new(
            Reason::LicenseNotActive,
            format!("licence {id} is {}, not running", state.as_str()),
        )
        .with("license_id", id)
        .with("state", state.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{draft, instant},
        *,
    };

    const NOW: &str = "2026-03-01T00:00:00Z";

    fn accepted(now: Instant) -> License {
        let draft = draft();
        let term = draft.term_from(now).unwrap();
        draft.apply_acceptance(term, now)
    }

    fn running(now: Instant) -> License {
        accepted(now).apply_charge(InvoiceId::generate(), now)
    }

    #[test]
    fn sl_7_a_draft_is_accepted_until_the_instant_that_it_is_valid_until() {
        let draft = draft();
        let last = Instant::from_micros(draft.valid_until.as_micros() - 1).unwrap();
        assert_eq!(draft.permit_acceptance(last), Ok(()));
        let refusal = draft.permit_acceptance(draft.valid_until).unwrap_err();
        assert_eq!(refusal.reason, Reason::LicenseQuoteExpired);
        let refusal = accepted(instant(NOW)).permit_acceptance(last).unwrap_err();
        assert_eq!(refusal.reason, Reason::LicenseNotQuoted);
        assert_eq!(refusal.metadata["state"], "ACCEPTING");
    }

    #[test]
    fn t_4_a_license_starts_at_its_acceptance_or_at_the_start_agreed_on() {
        let now = instant(NOW);
        let mut draft = draft();
        assert_eq!(draft.term_from(now).unwrap().start(), now);
        let (past, future) = ("2026-02-28T00:00:00Z", "2026-04-01T00:00:00Z");
        draft.asked_start = Some(instant(past));
        assert_eq!(draft.term_from(now).unwrap().start(), now);
        draft.asked_start = Some(instant(future));
        assert_eq!(draft.term_from(now).unwrap().start(), instant(future));
    }

    #[test]
    fn x_2_after_a_refused_charge_it_is_a_draft_again() {
        let mut before = draft();
        before.asked_start = Some(instant("2026-02-01T00:00:00Z"));
        before.first.term = Term::first(instant("2026-02-01T00:00:00Z"), 12).unwrap();
        let term = before.term_from(instant(NOW)).unwrap();
        let refused = before
            .clone()
            .apply_acceptance(term, instant(NOW))
            .apply_acceptance_refused(instant(NOW));
        let expected = License {
            revision: before.revision + 2,
            decision_time: instant(NOW),
            ..before
        };
        assert_eq!(refused, expected);
    }

    #[test]
    fn sl_8_only_a_running_license_is_raised_and_only_upwards() {
        let now = instant(NOW);
        let reason = |license: &License, quota, now| {
            license
                .permit_increase(quota, now)
                .map_err(|refusal| refusal.reason)
        };
        let running = running(now);
        let (quota, end) = (running.first.quota(), running.end());
        assert_eq!(reason(&running, quota + 1, now), Ok(()));
        assert_eq!(reason(&running, quota, now), Err(Reason::QuotaNotHigher));
        assert_eq!(
            reason(&running, quota + 1, end),
            Err(Reason::LicenseNotActive)
        );
        let early = Instant::from_micros(now.as_micros() - 1).unwrap();
        assert_eq!(
            reason(&running, quota + 1, early),
            Err(Reason::LicenseNotActive)
        );
        assert_eq!(
            reason(&draft(), quota + 1, now),
            Err(Reason::LicenseNotActive)
        );
        let raised = running
            .clone()
            .apply_increase(quota + 1, InvoiceId::generate(), now);
        assert_eq!(
            (raised.first.quota(), raised.invoices.len()),
            (quota + 1, 2)
        );
        assert_eq!(raised.revision, running.revision + 1);
    }

    #[test]
    fn sl_17_the_past_keeps_the_quota_that_it_had() {
        let start = instant(NOW);
        let raise = instant("2026-09-01T00:00:00Z");
        let running = running(start);
        let (sold, end) = (running.first.quota(), running.end());
        let raised = running.apply_increase(500, InvoiceId::generate(), raise);
        let before = |at: Instant| Instant::from_micros(at.as_micros() - 1).unwrap();
        let quotas = [before(start), start, before(raise), raise, before(end), end]
            .map(|at| raised.quota_at(at));
        assert_eq!(quotas, [0, sold, sold, 500, 500, 0]);
        assert_eq!(accepted(start).quota_at(start), 0);
    }

    #[test]
    fn sl_20_a_product_has_one_license_until_that_is_over() {
        let now = instant(NOW);
        let holder = running(now);
        let end = holder.end();
        let product = holder.products.first().unwrap().clone();
        let wanted = License {
            account_id: holder.account_id,
            ..draft()
        };
        let holders = vec![(product, holder)];
        let refusal = wanted.refuse_held(&holders, now).unwrap_err();
        assert_eq!(refusal.reason, Reason::ProductAlreadyLicensed);
        assert_eq!(refusal.violations.len(), 1);
        assert_eq!(wanted.refuse_held(&holders, end), Ok(()));
        assert_eq!(holders[0].1.refuse_held(&holders, now), Ok(()));
        // While its next term is being charged, no other licence gets its product, even after its end.
        let renewing = |holder: &License| holder.clone().apply_renewal_accepted(now);
        let charging = vec![(holders[0].0.clone(), renewing(&holders[0].1))];
        assert!(wanted.refuse_held(&charging, end).is_err());
        let cancelled = holders[0].1.clone().apply_cancellation(now);
        let holders = vec![(holders[0].0.clone(), cancelled)];
        assert_eq!(wanted.refuse_held(&holders, now), Ok(()));
    }

    #[test]
    fn sl_7_a_draft_is_withdrawn_and_a_license_cancelled_while_it_runs() {
        let now = instant(NOW);
        let before = |at: Instant| Instant::from_micros(at.as_micros() - 1).unwrap();
        let reason = |result: Result<(), Refusal>| result.unwrap_err().reason;
        let draft = draft();
        assert_eq!(draft.permit_withdrawal(draft.valid_until), Ok(()));
        assert_eq!(
            reason(draft.permit_cancellation(now)),
            Reason::LicenseNotActive
        );
        let withdrawn = draft.apply_cancellation(now);
        assert_eq!(withdrawn.state(now), LicenseState::Cancelled);
        assert_eq!(
            reason(withdrawn.permit_withdrawal(now)),
            Reason::LicenseNotQuoted
        );
        assert_eq!(withdrawn.quota_at(now), 0);

        let running = running(now);
        assert_eq!(
            reason(running.permit_withdrawal(now)),
            Reason::LicenseNotQuoted
        );
        assert_eq!(running.permit_cancellation(before(now)), Ok(()));
        assert_eq!(
            reason(running.permit_cancellation(running.end())),
            Reason::LicenseNotActive
        );
        let over = instant("2026-09-01T00:00:00Z");
        let cancelled = running.apply_cancellation(over);
        assert_eq!(cancelled.state(over), LicenseState::Cancelled);
        let quotas = [before(now), now, before(over), over].map(|at| cancelled.quota_at(at));
        assert_eq!(quotas, [0, 100, 100, 0]);
        assert!(!cancelled.limits_as_of(over).is_active(over));
    }

    #[test]
    fn sl_10_a_license_has_a_product_once_and_a_hundred_at_most() {
        let now = instant(NOW);
        let mut running = running(now);
        let held = running.products.first().unwrap().clone();
        let other: ProductId = "other".parse().unwrap();
        let reason = |license: &License, product, now| {
            license
                .permit_product(product, now)
                .map_err(|refusal| refusal.reason)
        };
        assert_eq!(reason(&running, &other, now), Ok(()));
        assert_eq!(
            reason(&running, &held, now),
            Err(Reason::ProductAlreadyLicensed)
        );
        assert_eq!(
            reason(&running, &other, running.end()),
            Err(Reason::LicenseNotActive)
        );
        let many = (0..MAX_PRODUCTS).map(|number| format!("p{number}").parse().unwrap());
        running.products = many.collect();
        assert_eq!(reason(&running, &other, now), Err(Reason::TooManyProducts));
    }
}
