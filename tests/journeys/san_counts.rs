//! SL-1 to SL-5, SL-9, SL-17 to SL-20: every read of a licence shows the same usage. Fills random stores with
//! unusual certificates and compares each read with the oracle. LICET_TEST_SEED repeats a store;
//! LICET_TEST_HISTORIES sets how many are filled.

use std::{collections::BTreeSet, time::Duration};

use licet_contracts::sanlicensing::v1::{
    CertificateFacts, License, ListCertificatesRequest, ListUniqueSansRequest, RenewLicenseRequest,
    WatchUsageRequest,
};
use licet_domain::clock::Instant;
use licet_oracle::{
    DAY_MICROS,
    licenses::{
        license::{Certificate, LicenseHistory, Reservation, San as Name},
        usage::ExpectedUsage,
    },
};

use super::{
    random::{Random, from_variable},
    san_shown::{name_of, shown_day, shown_usage, sold_term},
};
use crate::harness::{
    Backend,
    clock::{instant, shifted, timestamp},
    eventually,
    ingest::{batch, send, signed},
    run_within,
    san::{facts, quote_request, report_of, san},
    san_life::{renew_request, wildcards_of},
    world::World,
};

const LONGEST: Duration = Duration::from_secs(3600);

mod every_read_says_one_count {
    use super::{Backend, LONGEST, run_within, stores};

    #[test]
    fn sqlite() {
        run_within(LONGEST, stores(Backend::Sqlite));
    }

    #[test]
    fn postgres() {
        run_within(LONGEST, stores(Backend::Postgres));
    }
}

/// SANs as certificates contain them and as they count: wildcards, one text in several types, two spellings
/// of one name, malformed names.
const NAMES: [(&str, &str); 16] = [
    ("a.example", "a.example"),
    ("A.Example", "a.example"),
    ("b.example", "b.example"),
    ("*.a.example", "*.a.example"),
    ("*.B.example", "*.b.example"),
    ("*.*.c.example", "*.*.c.example"),
    ("x*.c.example", "x*.c.example"),
    ("Under_Score.example", "under_score.example"),
    ("a..b", "a..b"),
    ("mail:Ann@example.com", "mail:ann@example.com"),
    ("upn:Ann@example.com", "upn:ann@example.com"),
    ("ann@example.com", "ann@example.com"),
    ("mail:nobody", "mail:nobody"),
    ("upn:nobody", "upn:nobody"),
    ("ip:192.0.2.1", "ip:192.0.2.1"),
    ("192.0.2.1", "192.0.2.1"),
];

async fn stores(backend: Backend) {
    let count = from_variable("LICET_TEST_HISTORIES").unwrap_or(12);
    let mut seeds = Random::from_variable_or_chance("LICET_TEST_SEED");
    let is_chosen = std::env::var_os("LICET_TEST_SEED").is_some();
    let first_seed = seeds.seed();
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    for number in 0..if is_chosen { 1 } else { count } {
        let seed = if number == 0 {
            first_seed
        } else {
            seeds.next()
        };
        println!("store {number}: seed {seed} (set LICET_TEST_SEED to repeat it)");
        let mut store = Store::start(&world, Random::from_seed(seed)).await;
        store.fill().await;
        let before = store.hand_over().await;
        check(&world, &mut store.random, &before).await;
        store.fill().await;
        check(&world, &mut store.random, &before).await;
    }
}

/// A licence and its model.
struct Counting {
    license: License,
    model: LicenseHistory,
}

/// An account's store with its running licence.
struct Store<'a> {
    world: &'a World,
    random: Random,
    running: Counting,
    sequence: i64,
}

impl<'a> Store<'a> {
    async fn start(world: &'a World, mut random: Random) -> Self {
        let account_id = world.account_with("1000000.00").await;
        let multiplier = i32::try_from(2 + random.below(4)).unwrap();
        let running = begin(world, &account_id, multiplier).await;
        Self {
            world,
            random,
            running,
            sequence: 0,
        }
    }

    /// Records and revokes certificates, comparing every read with the model after each.
    async fn fill(&mut self) {
        for _ in 0..8 {
            match self.random.below(8) {
                0 => self.revoke().await,
                1 => self.reserve().await,
                2 => {
                    let seconds = i64::try_from(1 + self.random.below(200_000)).unwrap();
                    self.world
                        .time
                        .move_to(shifted(self.world.now(), seconds * 1_000_000));
                }
                _ => self.record().await,
            }
            check(self.world, &mut self.random, &self.running).await;
        }
    }

    /// The SANs of a certificate: none, a widely shared one, or several.
    fn names(&mut self) -> Vec<(&'static str, &'static str)> {
        match self.random.below(5) {
            0 => vec![],
            1 => vec![NAMES[0]],
            _ => (0..=self.random.below(4))
                .map(|_| NAMES[self.random.index(NAMES.len())])
                .collect(),
        }
    }

    fn facts(&mut self, written: &[&str]) -> (CertificateFacts, Instant) {
        let now = self.world.now();
        let second = shifted(now, -now.as_micros().rem_euclid(1_000_000));
        let seconds = match self.random.below(6) {
            0 => -5,
            1 => 0,
            2 => 60 * 86_400,
            _ => 1 + i64::try_from(self.random.below(400_000)).unwrap(),
        };
        let not_after = shifted(second, seconds * 1_000_000);
        let facts = facts(written, shifted(second, -9_000_000), not_after);
        (facts, shifted(not_after, 1_000_000))
    }

    async fn record(&mut self) {
        let names = self.names();
        let written: Vec<_> = names.iter().map(|(written, _)| *written).collect();
        let counted: BTreeSet<Name> = names.iter().map(|(_, name)| name_of(&san(name))).collect();
        let (facts, until) = self.facts(&written);
        println!("  records {written:?} until {until}");
        let license = self.running.license.clone();
        if self.random.below(3) == 0 {
            self.sequence += 1;
            let records = vec![signed(&license, &facts)];
            let mut batch = batch(self.sequence, records);
            batch.feed_id = license.account_id.clone();
            let (answers, end) = send(self.world.san_channel(0), vec![batch]).await;
            assert_eq!((answers.len(), end.is_ok()), (1, true));
        }
        // An ingest may already have reported it.
        let answer = self.world.record_san(report_of(&license, facts)).await;
        let certificate = answer.certificate.unwrap();
        assert_eq!(
            certificate
                .sans
                .iter()
                .map(name_of)
                .collect::<BTreeSet<_>>(),
            counted
        );
        assert_eq!(certificate.license_id, license.license_id);
        self.running.model.certificates.push(Certificate {
            id: certificate.certificate_id,
            sans: counted,
            recorded: instant(certificate.record_time),
            until,
            is_revoked: false,
        });
    }

    /// The indices of the model's active certificates.
    fn active(&self) -> Vec<usize> {
        let now = self.world.now();
        let each = self.running.model.certificates.iter().enumerate();
        let active = each.filter(|(_, found)| found.recorded <= now && now < found.until);
        active.map(|(place, _)| place).collect()
    }

    /// Revokes an active certificate, with the effect that its preview showed.
    async fn revoke(&mut self) {
        let (now, active) = (self.world.now(), self.active());
        if active.is_empty() {
            return;
        }
        let place = active[self.random.index(active.len())];
        let id = self.running.model.certificates[place].id.clone();
        println!("  revokes {id}");
        let chosen = licet_contracts::sanlicensing::v1::Certificate {
            certificate_id: id,
            ..Default::default()
        };
        let license = &self.running.license;
        let seen = self.world.preview(license, &[&chosen]).await;
        assert_eq!(seen.used_before, self.running.model.usage(now).used);
        self.running.model.certificates[place].revoke(now);
        assert_eq!(seen.used_after, self.running.model.usage(now).used);
        self.world.revoke(license, &[&chosen]).await;
    }

    async fn reserve(&mut self) {
        let name = ["a.example", "*.a.example", "r.example"][self.random.index(3)];
        println!("  reserves {name}");
        let now = self.world.now();
        let held = self.world.granted(&self.running.license, &[name]).await;
        self.running.model.reservations.push(Reservation {
            id: held.reservation_id,
            sans: [name_of(&san(name))].into(),
            decided: now,
            expires: instant(held.expire_time),
            until: shifted(self.world.usual_end(), 1_000_000),
            closed: None,
            is_recorded: false,
        });
    }

    /// Cancels the licence and lets a successor take over the active certificates. Returns the old licence.
    async fn hand_over(&mut self) -> Counting {
        let (world, now) = (self.world, self.world.now());
        world.cancelled(&self.running.license).await;
        self.running.model.cancelled = Some(now);
        let account_id = self.running.license.account_id.clone();
        let multiplier = i32::try_from(2 + self.random.below(4)).unwrap();
        let moving = self.active();
        let successor = begin(world, &account_id, multiplier).await;
        let mut before = std::mem::replace(&mut self.running, successor);
        for &place in &moving {
            let found = &mut before.model.certificates[place];
            let moved = Certificate {
                recorded: now,
                ..found.clone()
            };
            found.until = now;
            self.running.model.certificates.push(moved);
        }
        let expected = self.running.model.usage(now).used;
        let license = &self.running.license;
        let listed = before.model.usage(now).used;
        eventually(
            "the successor has taken over the active certificates",
            || async {
                let used = world.usage(license).await.used;
                let left = world.usage(&before.license).await.used;
                // Usage does not show a certificate without SANs.
                let ask = ListCertificatesRequest {
                    license_id: license.license_id.clone(),
                    page_size: 1000,
                    ..ListCertificatesRequest::default()
                };
                let taken = world.san_usage().list_certificates(ask).await.unwrap();
                let all = taken.into_inner().certificates.len() == moving.len();
                (used == expected && left == listed && all).then_some(())
            },
        )
        .await;
        before
    }
}

/// Every read of a licence must show the model's usage.
async fn check(world: &World, random: &mut Random, counting: &Counting) {
    let now = world.now();
    let Counting { license, model } = counting;
    let expected = model.usage(now);
    assert_eq!(shown_usage(&world.usage(license).await), expected, "now");
    let as_of = world.usage_at(license, now).await;
    assert_eq!(shown_usage(&as_of), expected, "as of now");
    let ends = model.ends(model.start()).into_iter();
    let starts = model.certificates.iter().map(|found| found.recorded);
    let marks: Vec<_> = ends.chain(starts).collect();
    for _ in 0..2 {
        let by = [-1, 0, 1][random.index(3)];
        let at = shifted(marks[random.index(marks.len())], by);
        let usage = world.usage_at(license, at).await;
        assert_eq!(shown_usage(&usage), model.usage(at), "as of {at}");
    }
    let first = i64::try_from(random.below(4)).unwrap();
    check_days(world, counting, first).await;
    check_unique(world, counting).await;
    check_watch(world, license, &expected).await;
    if model.runs(now) {
        check_foreseen(world, counting).await;
    }
}

/// Compares the days from `before` days ago on.
async fn check_days(world: &World, counting: &Counting, before: i64) {
    let Counting { license, model } = counting;
    let today = world.now().as_micros().div_euclid(DAY_MICROS);
    let midnight = |day: i64| Instant::from_micros(day * DAY_MICROS).unwrap();
    let (first, last) = (today - before, today + 4);
    let days = world.days(license, midnight(first), midnight(last)).await;
    let found = days.iter().map(shown_day);
    let expected: Vec<_> = (first..last).map(|day| model.day(midnight(day))).collect();
    assert_eq!(found.collect::<Vec<_>>(), expected, "days");
}

/// A running one-month licence with room for all names.
async fn begin(world: &World, account_id: &str, multiplier: i32) -> Counting {
    let mut quote = quote_request(account_id, 200);
    quote.term_months = 1;
    quote.options = Some(wildcards_of(multiplier));
    let license = world.license_with(quote).await;
    let model = LicenseHistory::new(sold_term(license.term.as_ref().unwrap()));
    Counting { license, model }
}

/// Compares the distinct SANs page by page, with the number of certificates that hold each and until when.
async fn check_unique(world: &World, counting: &Counting) {
    let (now, model) = (world.now(), &counting.model);
    let mut found = Vec::new();
    let mut ask = ListUniqueSansRequest {
        license_id: counting.license.license_id.clone(),
        page_size: 3,
        ..ListUniqueSansRequest::default()
    };
    loop {
        let answer = world.san_usage().list_unique_sans(ask.clone()).await;
        let page = answer.unwrap().into_inner();
        for unique in page.unique_sans {
            let name = name_of(unique.san.as_ref().unwrap());
            let held = (instant(unique.until_time), unique.certificate_count);
            assert_eq!(held, model.holders(&name, now), "{name:?}");
            found.push((name, unique.weight));
        }
        ask.page_token = page.next_page_token;
        if ask.page_token.is_empty() {
            break;
        }
    }
    let names: Vec<_> = found.iter().map(|(name, _)| name.clone()).collect();
    let expected: Vec<_> = model.active(now).into_iter().collect();
    assert_eq!(names, expected, "distinct SANs");
    let weight: i64 = found.iter().map(|(_, weight)| weight).sum();
    assert_eq!(weight, model.usage(now).used, "weight of the distinct SANs");
}

/// Compares the first usage that a watcher gets.
async fn check_watch(world: &World, license: &License, expected: &ExpectedUsage) {
    let request = WatchUsageRequest {
        license_id: license.license_id.clone(),
    };
    let answer = world.san_usage().watch_usage(request).await;
    let mut watched = answer.unwrap().into_inner();
    let first = watched.message().await.unwrap().unwrap().usage.unwrap();
    assert_eq!(&shown_usage(&first), expected, "watched");
}

/// Compares the usage that a renewal predicts (SL-9).
async fn check_foreseen(world: &World, counting: &Counting) {
    let (now, model) = (world.now(), &counting.model);
    let end = model.end();
    if now < shifted(end, -30 * DAY_MICROS) {
        return;
    }
    let multiplier = 3;
    let request = RenewLicenseRequest {
        term_months: 1,
        options: Some(wildcards_of(multiplier)),
        validate_only: true,
        accept_over_quota: true,
        ..renew_request(&counting.license, 1)
    };
    let answer = world.renewed(request).await;
    let foreseen = answer.foreseen_usage.unwrap();
    let expected = model.foreseen(end.max(now), multiplier.into());
    assert_eq!(foreseen.used, expected, "predicted for {end}");
    assert_eq!(foreseen.as_of_time, Some(timestamp(end.max(now))));
}
