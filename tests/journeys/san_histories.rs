//! SL-1 to SL-13, SL-17, SL-18, SL-21: random histories of a SAN licence over its terms, compared with the
//! oracle after every step. LICET_TEST_SEED repeats a history; LICET_TEST_HISTORIES sets how many are played.

mod alerts;
mod asking;
mod days;

use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;
use licet_contracts::{
    sanlicensing::v1::{
        AuthorizeIssuanceRequest, AuthorizeIssuanceResponse, GetUsageRequest, License,
        ListCertificatesRequest, ListReservationsRequest, ListUniqueSansRequest,
        QuoteLicenseRequest, RecordCertificateRequest, Reservation as HeldReservation,
        ReservationState, San, Usage, issuance_service_client::IssuanceServiceClient,
        usage_service_client::UsageServiceClient,
    },
    types::v1::KeyType,
};
use licet_domain::clock::Instant;
use licet_oracle::licenses::{
    authorization::IssuanceQuestion,
    license::{Certificate, LicenseHistory, San as Name},
};
use tonic::Code;

use super::{
    random::{Random, from_variable, histories_to_play},
    san_shown::{name_of, options, shown_usage, sold_term},
};
use crate::harness::{
    Backend,
    channel::Channel,
    clock::{instant, shifted, timestamp},
    errors::refused,
    request_id, run_within,
    san::{
        BUNDLE, OTHER, facts, preview_request, quote_request, release_request, report_of,
        revoke_request, san, text,
    },
    world::World,
};

/// Enough for several thousand histories on a slow machine.
const LONGEST: Duration = Duration::from_secs(3600);

mod random_histories_agree_with_a_recount {
    use super::{Backend, LONGEST, histories, run_within};

    #[test]
    fn sqlite() {
        run_within(LONGEST, histories(Backend::Sqlite));
    }

    #[test]
    fn postgres() {
        run_within(LONGEST, histories(Backend::Postgres));
    }
}

/// Few canonical SANs, so that requests share them.
const NAMES: [&str; 9] = [
    "a.example",
    "b.example",
    "c.example",
    "*.a.example",
    "*.b.example",
    "ip:192.0.2.1",
    "mail:a@example",
    "upn:a@example",
    "d.example",
];

/// The current second; certificate times are whole seconds.
fn whole_second(time: Instant) -> Instant {
    shifted(time, -time.as_micros().rem_euclid(1_000_000))
}

async fn histories(backend: Backend) {
    let count = histories_to_play();
    let steps = from_variable("LICET_TEST_STEPS").unwrap_or(15);
    let mut seeds = Random::from_variable_or_chance("LICET_TEST_SEED");
    // A given seed repeats one history only.
    let is_chosen = std::env::var_os("LICET_TEST_SEED").is_some();
    let first_seed = seeds.seed();
    let mut world = World::start_with_san_licensing(backend).await;
    if backend == Backend::Postgres {
        world.start_san_licensing().await;
    }
    world.stock_sans().await;
    let mut happened = [0_u32; 11];
    let mut ended = Vec::new();
    for number in 0..if is_chosen { 1 } else { count } {
        let seed = if number == 0 {
            first_seed
        } else {
            seeds.next()
        };
        println!("history {number}: seed {seed} (set LICET_TEST_SEED to repeat it)");
        let mut history = History::start(&world, Random::from_seed(seed)).await;
        for step in 0..steps {
            println!("  step {step} at {}", world.now());
            let kind = history.step().await;
            happened[kind] += 1;
            history.compare().await;
            history.compare_days().await;
        }
        history.compare_lists().await;
        ended.push((history.license, history.model, world.now()));
        if number % 20 == 19 {
            // A new instance, with nothing in memory, takes over.
            world.stop_san_licensing(0).await;
            world.start_san_licensing().await;
        }
    }
    for (license, mut model, last) in ended {
        model.pass(last, world.now());
        alerts::compare(&world, &license, &model).await;
    }
    println!("steps of each kind: {happened:?}");
    assert!(is_chosen || count < 20 || happened.iter().all(|count| *count > 0));
}

/// A licence and its model.
pub(super) struct History<'a> {
    pub(super) world: &'a World,
    pub(super) random: Random,
    pub(super) license: License,
    pub(super) model: LicenseHistory,
    asked: Vec<(
        IssuanceQuestion,
        AuthorizeIssuanceRequest,
        AuthorizeIssuanceResponse,
    )>,
    /// Whether a certificate was recorded while no licence covered it.
    pub(super) is_stray: bool,
}

impl<'a> History<'a> {
    async fn start(world: &'a World, mut random: Random) -> Self {
        let account_id = world.account_with("1000000.00").await;
        let options = options(&mut random);
        let quote = QuoteLicenseRequest {
            term_months: 1,
            options: Some(options),
            ..quote_request(&account_id, 3 + i64::try_from(random.below(10)).unwrap())
        };
        let license = world.license_with(quote).await;
        let term = sold_term(license.term.as_ref().unwrap());
        println!("  {term:?}");
        let model = LicenseHistory::new(term);
        Self {
            world,
            random,
            license,
            model,
            asked: vec![],
            is_stray: false,
        }
    }

    /// A channel to any instance.
    pub(super) fn channel(&mut self) -> Channel {
        let instance = self.random.index(self.world.san_instances());
        self.world.san_channel(instance)
    }

    fn issuance(&mut self) -> IssuanceServiceClient<Channel> {
        IssuanceServiceClient::new(self.channel())
    }

    fn views(&mut self) -> UsageServiceClient<Channel> {
        UsageServiceClient::new(self.channel())
    }

    /// Some of the names, at least one.
    fn names(&mut self) -> BTreeSet<Name> {
        let count = 1 + self.random.below(4);
        let pick = (0..count).map(|_| name_of(&san(NAMES[self.random.index(NAMES.len())])));
        pick.collect()
    }

    /// The SANs in some spelling.
    fn spelt(&mut self, names: &BTreeSet<Name>) -> Vec<San> {
        let mut list: Vec<_> = names.iter().cloned().collect();
        if self.random.below(3) == 0 {
            list.push(list[0].clone());
        }
        list.into_iter()
            .map(|(kind, value)| San {
                r#type: kind,
                value: match self.random.below(3) {
                    0 => value.to_uppercase(),
                    _ => value,
                },
            })
            .collect()
    }

    /// A later instant, mostly at or beside one at which something changes.
    fn later(&mut self) -> Instant {
        let now = self.world.now();
        let mut ends = self.model.ends(now);
        if self.random.below(6) > 0 {
            // The licence's end comes rarely, since most histories would otherwise end before much happens.
            ends.remove(&self.model.end());
        }
        let next = self.model.next_term(now).map(|next| next.start);
        let ends: Vec<_> = match next.filter(|_| self.random.below(4) == 0) {
            Some(start) => vec![start],
            None => ends.into_iter().collect(),
        };
        if self.random.below(4) == 0 || ends.is_empty() {
            let seconds = [1, 60, 3600, 86_400][self.random.index(4)];
            return shifted(
                now,
                1 + i64::try_from(self.random.below(seconds * 1_000_000)).unwrap(),
            );
        }
        let reach = ends.len().min(3);
        let end = ends[self.random.index(reach)];
        [shifted(end, -1), end, shifted(end, 1)][self.random.index(3)].max(now)
    }

    /// The last second of a new certificate: soon, later, or beyond the licence's end.
    fn not_after(&mut self) -> Instant {
        let now = self.world.now();
        if let Some(next) = self.model.next_term(now)
            && self.random.below(3) == 0
        {
            let seconds = i64::try_from(self.random.below(4)).unwrap() - 2;
            return shifted(whole_second(next.start), seconds * 1_000_000).max(whole_second(now));
        }
        let seconds = match self.random.below(8) {
            0 => 40 * 86_400,
            1 => 86_400,
            2 => 3 * 86_400 - 1,
            _ => 1 + i64::try_from(self.random.below(3000)).unwrap(),
        };
        shifted(whole_second(self.world.now()), seconds * 1_000_000)
    }

    /// Does a step and compares the response with the model. Returns the kind of step.
    async fn step(&mut self) -> usize {
        let roll = self.random.below(26);
        match roll {
            24..=25 => self.wait_to_fit().await,
            20..=22 => self.renew().await,
            23 => self.cancel().await,
            0..=5 => self.authorize().await,
            6..=7 => self.record(false).await,
            8..=10 => self.record(true).await,
            11 => self.revoke().await,
            12..=13 => self.release().await,
            14 => self.increase().await,
            15 => self.repeat().await,
            _ => {
                let later = self.later();
                println!("    the clock moves to {later}");
                self.move_to(later).await;
                6
            }
        }
    }

    async fn authorize(&mut self) -> usize {
        let now = self.world.now();
        let names = self.names();
        let not_before = (self.random.below(5) == 0).then(|| shifted(whole_second(now), 1_000_000));
        let question = IssuanceQuestion {
            product_is_licensed: self.random.below(12) > 0,
            key_type: [KeyType::Rsa, KeyType::Ecc][usize::from(self.random.below(5) == 0)].into(),
            not_before,
            not_after: self.not_after(),
            hold: TimeDelta::microseconds(
                1 + i64::try_from(self.random.below(3_000_000_000)).unwrap(),
            ),
            sans: names,
        };
        let hold = question.hold;
        let request = AuthorizeIssuanceRequest {
            license_id: self.license.license_id.clone(),
            product_id: if question.product_is_licensed {
                BUNDLE
            } else {
                OTHER
            }
            .to_owned(),
            sans: self.spelt(&question.sans),
            key_type: question.key_type,
            not_before_time: question.not_before.map(timestamp),
            not_after_time: Some(timestamp(question.not_after)),
            hold_for: Some(prost_types::Duration {
                seconds: hold.num_seconds(),
                nanos: hold.subsec_nanos(),
            }),
            request_id: request_id(),
        };
        self.ask(question, request).await
    }

    /// Records a certificate with or without a reservation, sometimes an expired one.
    async fn record(&mut self, with_reservation: bool) -> usize {
        let now = self.world.now();
        let mut names = self.names();
        let mut used = None;
        if with_reservation && !self.model.reservations.is_empty() {
            let place = self.random.index(self.model.reservations.len());
            let reservation = &self.model.reservations[place];
            if self.random.below(3) > 0 {
                names.clone_from(&reservation.sans);
            }
            used = Some(place);
        }
        let is_over = self.random.below(12) == 0;
        let second = whole_second(now);
        let not_after = if is_over {
            shifted(second, -5_000_000)
        } else {
            self.not_after()
        };
        let mut facts = facts(&[], shifted(second, -9_000_000), not_after);
        facts.sans = self.spelt(&names);
        let mut report = report_of(&self.license, facts);
        if let Some(place) = used {
            report
                .reservation_id
                .clone_from(&self.model.reservations[place].id);
        }
        println!("    records {names:?} until {not_after}, reservation {used:?}");
        if used.is_some_and(|place| self.model.reservations[place].is_recorded) {
            let answer = self.issuance().record_certificate(report).await;
            refused(answer).expect(Code::FailedPrecondition, "RESERVATION_SPENT");
            return 2;
        }
        self.record_as(report, names, not_after, used).await;
        2
    }

    async fn record_as(
        &mut self,
        report: RecordCertificateRequest,
        names: BTreeSet<Name>,
        not_after: Instant,
        used: Option<usize>,
    ) {
        let now = self.world.now();
        let answer = self.issuance().record_certificate(report).await;
        let answer = answer.unwrap().into_inner();
        let recorded = answer.certificate.unwrap();
        let runs = self.model.runs(now);
        let until = shifted(not_after, 1_000_000);
        assert_eq!(instant(recorded.until_time), until);
        assert_eq!(instant(recorded.record_time), now);
        assert_eq!(
            recorded.sans.iter().map(name_of).collect::<BTreeSet<_>>(),
            names
        );
        // Certificates are allocated only to a running licence (SL-16, SL-20).
        let place = if runs {
            self.license.license_id.as_str()
        } else {
            ""
        };
        assert_eq!(recorded.license_id, place);
        if !runs {
            self.is_stray = true;
            if let Some(used) = used {
                self.model.reservations[used].use_up(now);
            }
            return;
        }
        let over_quota = self.model.record(
            Certificate {
                id: recorded.certificate_id,
                sans: names,
                recorded: now,
                until,
                is_revoked: false,
            },
            used,
        );
        assert_eq!(answer.over_quota, over_quota);
    }

    async fn revoke(&mut self) -> usize {
        let now = self.world.now();
        if self.model.certificates.is_empty() {
            return 3;
        }
        let mut places: BTreeSet<usize> = BTreeSet::new();
        for _ in 0..=self.random.below(2) {
            places.insert(self.random.index(self.model.certificates.len()));
        }
        let chosen: Vec<_> = places
            .iter()
            .map(|place| &self.model.certificates[*place])
            .collect();
        let mut request = revoke_request(&self.license, &[]);
        request.certificate_ids = chosen.iter().map(|it| it.id.clone()).collect();
        let is_refused = chosen.iter().any(|it| it.is_revoked || it.until <= now);
        println!("    revokes {chosen:?}");
        let mut look = preview_request(&self.license, &[]);
        look.certificate_ids.clone_from(&request.certificate_ids);
        let seen = self.issuance().preview_revocation(look).await;
        if is_refused {
            refused(seen).expect(Code::FailedPrecondition, "CERTIFICATE_NOT_REVOCABLE");
            request.preview_token = "0".repeat(80); // A token of no preview; the refusal precedes its check.
            let answer = self.issuance().revoke_certificates(request).await;
            refused(answer).expect(Code::FailedPrecondition, "CERTIFICATE_NOT_REVOCABLE");
            return 3;
        }
        let seen = seen.unwrap().into_inner();
        let before = self.world.usage(&self.license).await;
        request.preview_token.clone_from(&seen.preview_token);
        let answer = self.issuance().revoke_certificates(request).await;
        let revoked = answer.unwrap().into_inner().certificates;
        assert_eq!(revoked.len(), places.len());
        let after = self.world.usage(&self.license).await;
        assert_eq!(seen.used_before, before.used);
        assert_eq!(seen.used_after, after.used);
        let returned = before.used + before.reserved - after.used - after.reserved;
        assert_eq!(seen.returning_weight, returned);
        for place in places {
            self.model.certificates[place].revoke(now);
        }
        3
    }

    async fn release(&mut self) -> usize {
        let now = self.world.now();
        if self.model.reservations.is_empty() {
            return 4;
        }
        let place = self.random.index(self.model.reservations.len());
        let reservation = self.model.reservations[place].clone();
        let request = release_request(&self.license, &reservation.id);
        println!("    releases {reservation:?}");
        let answer = self.issuance().release_reservation(request).await;
        if reservation.closed.is_some() {
            refused(answer).expect(Code::FailedPrecondition, "RESERVATION_SPENT");
            return 4;
        }
        let released = answer.unwrap().into_inner().reservation.unwrap();
        if reservation.expires <= now {
            assert_eq!(released.state(), ReservationState::Expired);
        } else {
            assert_eq!(released.state(), ReservationState::Released);
            self.model.reservations[place].closed = Some(now);
        }
        4
    }

    /// Repeats an earlier request, which must get its first response (BL-2).
    async fn repeat(&mut self) -> usize {
        if !self.asked.is_empty() {
            let place = self.random.index(self.asked.len());
            let (_, request, first) = self.asked[place].clone();
            let again = self.issuance().authorize_issuance(request).await;
            assert_eq!(again.unwrap().into_inner(), first);
        }
        7
    }

    async fn usage(&mut self, time: Option<Instant>) -> Usage {
        let ask = GetUsageRequest {
            license_id: self.license.license_id.clone(),
            as_of_time: time.map(timestamp),
        };
        self.views()
            .get_usage(ask)
            .await
            .unwrap()
            .into_inner()
            .usage
            .unwrap()
    }

    /// Compares usage now and at one past or future instant.
    async fn compare(&mut self) {
        let now = self.world.now();
        let usage = self.usage(None).await;
        assert_eq!(instant(usage.as_of_time), now);
        self.check_usage(&usage, now);
        self.check_returns(&usage, now);
        let start = self.model.start();
        let age = start.micros_until(now);
        let past = shifted(
            start,
            i64::try_from(self.random.below(age.unsigned_abs() + 2)).unwrap() - 1,
        );
        // A past instant is mostly one at which something happened.
        let marks: Vec<_> = self
            .marks()
            .into_iter()
            .filter(|mark| *mark <= now)
            .collect();
        let past = match self.random.below(4) {
            0 => past,
            1 => shifted(marks[self.random.index(marks.len())], -1),
            _ => marks[self.random.index(marks.len())],
        };
        let time = match self.random.below(2) {
            0 => past.min(now),
            _ => self.later(),
        };
        let usage = self.usage(Some(time)).await;
        assert_eq!(instant(usage.as_of_time), time);
        self.check_usage(&usage, time);
        if time >= now {
            self.check_returns(&usage, time);
        }
    }

    /// Every instant at which something starts or ends.
    fn marks(&self) -> BTreeSet<Instant> {
        let mut marks = self.model.ends(self.model.start());
        let quotas = self.model.terms.iter().flat_map(|term| &term.quotas);
        marks.extend(quotas.map(|(from, _)| *from));
        marks.extend(self.model.cancelled);
        marks.extend(self.model.certificates.iter().map(|it| it.recorded));
        for reservation in &self.model.reservations {
            marks.extend([reservation.decided].into_iter().chain(reservation.closed));
        }
        marks
    }

    #[track_caller]
    fn check_usage(&self, usage: &Usage, time: Instant) {
        let now = self.world.now();
        assert_eq!(
            shown_usage(usage),
            self.model.usage(time),
            "at {time}, asked at {now}: {:#?}",
            self.model
        );
    }

    #[track_caller]
    fn check_returns(&self, usage: &Usage, time: Instant) {
        let returns = usage.next_returns.iter();
        let returns: Vec<_> = returns
            .map(|it| (instant(it.return_time), it.weight))
            .collect();
        assert_eq!(
            returns,
            self.model.next_returns(time),
            "at {time}: {:#?}",
            self.model
        );
    }

    /// Compares the SANs, reservations and certificates that usage counts.
    async fn compare_lists(&mut self) {
        let now = self.world.now();
        let license_id = self.license.license_id.clone();
        let ask = ListUniqueSansRequest {
            license_id: license_id.clone(),
            page_size: 1000,
            ..ListUniqueSansRequest::default()
        };
        let listed = self
            .views()
            .list_unique_sans(ask)
            .await
            .unwrap()
            .into_inner()
            .unique_sans;
        let found: Vec<_> = listed
            .iter()
            .map(|it| name_of(it.san.as_ref().unwrap()))
            .collect();
        assert_eq!(
            found,
            self.model.active(now).into_iter().collect::<Vec<_>>()
        );
        for unique in listed {
            let name = unique.san.unwrap();
            let holders = (instant(unique.until_time), unique.certificate_count);
            assert_eq!(
                holders,
                self.model.holders(&name_of(&name), now),
                "{}",
                text(&name)
            );
        }

        let ask = ListReservationsRequest {
            license_id: license_id.clone(),
            page_size: 1000,
            ..ListReservationsRequest::default()
        };
        let listed = self
            .issuance()
            .list_reservations(ask)
            .await
            .unwrap()
            .into_inner()
            .reservations;
        let names = |it: &HeldReservation| it.sans.iter().map(name_of).collect::<BTreeSet<_>>();
        let found: BTreeSet<_> = listed
            .iter()
            .map(|it| (it.reservation_id.clone(), names(it)))
            .collect();
        let reservations = self.model.reservations.iter();
        let expected: BTreeSet<_> = reservations
            .filter(|it| it.holds(now))
            .map(|it| (it.id.clone(), it.sans.clone()))
            .collect();
        assert_eq!(found, expected);

        let ask = ListCertificatesRequest {
            license_id,
            page_size: 1000,
            ..ListCertificatesRequest::default()
        };
        let listed = self
            .views()
            .list_certificates(ask)
            .await
            .unwrap()
            .into_inner()
            .certificates;
        let found: BTreeSet<_> = listed
            .iter()
            .map(|it| (it.certificate_id.clone(), instant(it.until_time)))
            .collect();
        let certificates = self.model.certificates.iter();
        let expected: BTreeSet<_> = certificates.map(|it| (it.id.clone(), it.until)).collect();
        assert_eq!(found, expected);
    }
}
