//! SL-19: certificates are revoked only if the revocation preview that the caller saw still holds.

use chrono::TimeDelta;
use licet_contracts::sanlicensing::v1::{
    Certificate, License, LicenseOptions, PreviewRevocationRequest, QuoteLicenseRequest,
    RevokeCertificatesRequest, RevokeCertificatesResponse, StayingSan, san_holder::Holder,
};
use licet_domain::ids::CertificateId;
use tonic::{Code, Request};

use crate::harness::{
    Backend,
    clock::{instant, shifted},
    errors::{Refused, refused},
    on_both_databases, request_id,
    san::{OTHER, figures, preview_request, quote_request, revoke_request, text},
    world::World,
};

on_both_databases![
    sl_19_a_preview_tells_what_returns_and_what_holds_the_rest,
    sl_19_what_cannot_be_revoked_has_no_preview,
    sl_19_whoever_is_more_than_a_service_must_have_looked,
    sl_19_a_token_is_good_once_and_for_its_certificates_alone,
    sl_19_a_token_goes_stale_when_something_else_would_return,
    sl_19_a_token_goes_stale_when_an_expiry_changes_what_returns,
    sl_19_a_token_is_good_for_a_quarter_of_an_hour,
    bl_2_a_revocation_is_repeated_after_its_token_went_stale,
    lists_of_certificates_to_look_at_have_limits,
];

/// A licence where a wildcard weighs five.
async fn start_weighted(backend: Backend) -> (World, License) {
    let world = World::start_with_san_licensing(backend).await;
    world.stock_sans().await;
    let account_id = world.account_with("1000000.00").await;
    let request = QuoteLicenseRequest {
        options: Some(LicenseOptions {
            wildcards_allowed: true,
            wildcard_multiplier: 5,
            ..LicenseOptions::default()
        }),
        ..quote_request(&account_id, 30)
    };
    let license = world.license_with(request).await;
    (world, license)
}

async fn revoke(world: &World, request: RevokeCertificatesRequest) -> RevokeCertificatesResponse {
    let answer = world.san_issuance().revoke_certificates(request).await;
    answer.unwrap().into_inner()
}

/// Fails unless a revocation is refused and changes nothing; returns the refusal.
async fn not_revoked(
    world: &World,
    license: &License,
    request: RevokeCertificatesRequest,
) -> Refused {
    let before = figures(&world.usage(license).await);
    let refusal = refused(world.san_issuance().revoke_certificates(request).await);
    assert_eq!(figures(&world.usage(license).await), before);
    refusal
}

async fn stale(world: &World, license: &License, request: RevokeCertificatesRequest) -> Refused {
    let refusal = not_revoked(world, license, request).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "PREVIEW_STALE");
    assert_eq!(refusal.value("license_id"), license.license_id);
    refusal
}

fn as_role<M>(message: M, role: &str) -> Request<M> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("licet-roles", role.parse().unwrap());
    request
}

/// A SAN that stays in use, its weight, and the ids of its holders.
fn staying(san: &StayingSan) -> (String, i64, Vec<String>) {
    let ids = san.holders.iter().map(|holder| match &holder.holder {
        Some(Holder::CertificateId(id) | Holder::ReservationId(id)) => id.clone(),
        None => panic!("nothing holds it: {san:?}"),
    });
    let ids: Vec<_> = ids.collect();
    assert_eq!(san.holder_count, i64::try_from(ids.len()).unwrap());
    (text(san.san.as_ref().unwrap()), san.weight, ids)
}

async fn sl_19_a_preview_tells_what_returns_and_what_holds_the_rest(backend: Backend) {
    let (world, license) = start_weighted(backend).await;
    let names = ["a.example", "*.b.example", "c.example", "*.d.example"];
    let first = world.recorded(&license, &names).await;
    let second = world
        .recorded(&license, &["A.example", "c.example", "ip:10.0.0.1"])
        .await;
    let held = world.granted(&license, &["*.d.example", "c.example"]).await;
    let before = world.usage(&license).await;
    assert_eq!(figures(&before), (13, 0, 17));

    let alone = world.preview(&license, &[&first]).await;
    assert_eq!(instant(alone.as_of_time), world.now());
    let returning = &alone.returning_sans;
    assert_eq!(returning.len(), 1);
    assert_eq!(text(returning[0].san.as_ref().unwrap()), "*.b.example");
    assert_eq!((returning[0].weight, alone.returning_weight), (5, 5));
    let (certificate, reservation) = (&second.certificate_id, &held.reservation_id);
    let stays: Vec<_> = alone.staying_sans.iter().map(staying).collect();
    assert_eq!(
        stays,
        [
            ("*.d.example".to_owned(), 5, vec![reservation.clone()]),
            ("a.example".to_owned(), 1, vec![certificate.clone()]),
            (
                "c.example".to_owned(),
                1,
                vec![certificate.clone(), reservation.clone()]
            ),
        ]
    );
    let until = |place: usize| instant(alone.staying_sans[place].holders[0].until_time);
    assert_eq!(until(0), instant(held.expire_time));
    assert_eq!(until(1), instant(second.until_time));
    assert_eq!((alone.returning_count, alone.staying_count), (1, 3));
    assert_eq!((alone.used_before, alone.used_after), (13, 3));

    let both = world.preview(&license, &[&first, &second]).await;
    assert_eq!((both.returning_weight, both.used_after), (7, 0));
    assert_eq!((both.returning_count, both.staying_count), (3, 2));
    // The preview changes nothing, and the revocation frees what it showed.
    assert_eq!(world.usage(&license).await, before);
    let request = RevokeCertificatesRequest {
        preview_token: alone.preview_token,
        ..revoke_request(&license, &[&first])
    };
    revoke(&world, request).await;
    assert_eq!(figures(&world.usage(&license).await), (3, 5, 22));
}

async fn sl_19_what_cannot_be_revoked_has_no_preview(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let good = world.recorded(&license, &["a.example"]).await;
    let gone = world.recorded(&license, &["b.example"]).await;
    let over = world
        .recorded_until(&license, &["c.example"], world.now())
        .await;
    let theirs = world.account_with("1000.00").await;
    let theirs = world.license(&theirs, 5).await;
    let foreign = world.recorded(&theirs, &["a.example"]).await;
    world.revoke(&license, &[&gone]).await;
    world.time.move_to(instant(over.until_time));
    let look = async |certificates: &[&Certificate]| {
        let request = preview_request(&license, certificates);
        refused(world.san_issuance().preview_revocation(request).await)
    };
    let refusal = look(&[&good, &foreign]).await;
    let refusal = refusal.expect(Code::NotFound, "NOT_FOUND");
    assert_eq!(refusal.value("id"), foreign.certificate_id);
    let refusal = look(&[&good, &gone, &over]).await;
    let refusal = refusal.expect(Code::FailedPrecondition, "CERTIFICATE_NOT_REVOCABLE");
    let mut expected = [&*gone.certificate_id, &*over.certificate_id];
    expected.sort_unstable();
    assert_eq!(refusal.subjects(), expected);
    let stranger = world.empty_account().await;
    let mut request = as_role(preview_request(&license, &[&good]), "customer");
    let metadata = request.metadata_mut();
    metadata.insert("licet-accounts", stranger.parse().unwrap());
    refused(world.san_issuance().preview_revocation(request).await)
        .expect(Code::NotFound, "NOT_FOUND");
}

async fn sl_19_whoever_is_more_than_a_service_must_have_looked(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let first = world.recorded(&license, &["a.example"]).await;
    let unseen = revoke_request(&license, &[&first]);
    let refusal = not_revoked(&world, &license, unseen.clone()).await;
    let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(refusal.paths(), ["preview_token"]);
    for role in ["customer", "certificate_authority", "service,operator"] {
        let request = as_role(unseen.clone(), role);
        let refusal = refused(world.san_issuance().revoke_certificates(request).await);
        let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.paths(), ["preview_token"], "{role}");
    }
    let too_long = "0".repeat(82);
    for garbage in ["seen", "00", too_long.as_str()] {
        let request = RevokeCertificatesRequest {
            preview_token: garbage.to_owned(),
            ..unseen.clone()
        };
        let refusal = not_revoked(&world, &license, request).await;
        let refusal = refusal.expect(Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(refusal.paths(), ["preview_token"], "{garbage}");
    }
    let only_asked = RevokeCertificatesRequest {
        validate_only: true,
        ..unseen.clone()
    };
    let asked = revoke(&world, only_asked).await.certificates;
    assert_eq!(asked, std::slice::from_ref(&first));
    // A token is checked even if a caller need not send one.
    let forged = RevokeCertificatesRequest {
        preview_token: "0".repeat(80),
        request_id: request_id(),
        ..unseen.clone()
    };
    let forged = as_role(forged, "service");
    refused(world.san_issuance().revoke_certificates(forged).await)
        .expect(Code::FailedPrecondition, "PREVIEW_STALE");
    let machine = as_role(unseen, "service");
    let answer = world.san_issuance().revoke_certificates(machine).await;
    assert_eq!(answer.unwrap().into_inner().certificates.len(), 1);
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 9));
}

async fn sl_19_a_token_is_good_once_and_for_its_certificates_alone(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let mut second = quote_request(&license.account_id, 5);
    second.product_ids = vec![OTHER.to_owned()];
    let other = world.license_with(second).await;
    let [a, b] = ["a.example", "b.example"];
    let first = world.recorded(&license, &[a]).await;
    let second = world.recorded(&license, &[b]).await;
    let foreign = world.recorded(&other, &[a]).await;
    let shown = |token: &str, certificates: &[&Certificate]| RevokeCertificatesRequest {
        preview_token: token.to_owned(),
        ..revoke_request(&license, certificates)
    };
    let token = world.preview(&license, &[&first, &second]).await;
    let token = token.preview_token.as_str();
    for wrong in [&[&first][..], &[&second]] {
        stale(&world, &license, shown(token, wrong)).await;
    }
    let of_one = world.preview(&license, &[&first]).await.preview_token;
    stale(&world, &license, shown(&of_one, &[&first, &second])).await;
    let theirs = world.preview(&other, &[&foreign]).await.preview_token;
    stale(&world, &license, shown(&theirs, &[&first])).await;
    // The order of certificates does not matter.
    let good = shown(token, &[&second, &first]);
    assert_eq!(revoke(&world, good).await.certificates.len(), 2);
    let refusal = not_revoked(&world, &license, shown(token, &[&first, &second])).await;
    refusal.expect(Code::FailedPrecondition, "CERTIFICATE_NOT_REVOCABLE");
}

async fn sl_19_a_token_goes_stale_when_something_else_would_return(backend: Backend) {
    let (world, license) = start_weighted(backend).await;
    let first = world
        .recorded(&license, &["a.example", "*.b.example"])
        .await;
    let seen = world.revocation(&license, &[&first]).await;
    let looked = world.now();
    world.time.advance(TimeDelta::minutes(1));
    world.recorded(&license, &["*.b.example"]).await;
    let refusal = stale(&world, &license, seen).await;
    assert_eq!(refusal.value("preview_time"), looked.to_string());
    assert_eq!(refusal.value("as_of_time"), world.now().to_string());
    assert_eq!(refusal.value("returning_weight"), "1");
    // A reservation keeps a SAN in use; after its release the preview holds again.
    let seen = world.revocation(&license, &[&first]).await;
    let held = world.granted(&license, &["a.example"]).await;
    stale(&world, &license, seen.clone()).await;
    world.release(&license, &held.reservation_id).await;
    // Other SANs do not matter.
    world.recorded(&license, &["c.example"]).await;
    let again = RevokeCertificatesRequest {
        request_id: request_id(),
        ..seen
    };
    revoke(&world, again).await;
    assert_eq!(figures(&world.usage(&license).await), (6, 0, 24));
}

async fn sl_19_a_token_goes_stale_when_an_expiry_changes_what_returns(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let first = world.recorded(&license, &["a.example"]).await;
    let soon = shifted(world.now(), 60_000_000);
    let short = world.recorded_until(&license, &["a.example"], soon).await;
    let preview = world.preview(&license, &[&first]).await;
    assert_eq!((preview.returning_weight, preview.used_after), (0, 1));
    let request = RevokeCertificatesRequest {
        preview_token: preview.preview_token,
        ..revoke_request(&license, &[&first])
    };
    world.time.move_to(instant(short.until_time));
    let refusal = stale(&world, &license, request).await;
    assert_eq!(refusal.value("returning_weight"), "1");
    world.revoke(&license, &[&first]).await;
    assert_eq!(figures(&world.usage(&license).await), (0, 0, 9));
}

async fn sl_19_a_token_is_good_for_a_quarter_of_an_hour(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let first = world.recorded(&license, &["a.example"]).await;
    let second = world.recorded(&license, &["b.example"]).await;
    let preview = world.preview(&license, &[&first]).await;
    let expire_time = instant(preview.expire_time);
    assert_eq!(expire_time, shifted(world.now(), 15 * 60 * 1_000_000));
    let shown = |token: String, certificate: &Certificate| RevokeCertificatesRequest {
        preview_token: token,
        ..revoke_request(&license, &[certificate])
    };
    let too_late = world.preview(&license, &[&second]).await.preview_token;
    world.time.move_to(shifted(expire_time, -1));
    revoke(&world, shown(preview.preview_token, &first)).await;
    world.time.move_to(expire_time);
    stale(&world, &license, shown(too_late, &second)).await;
}

async fn bl_2_a_revocation_is_repeated_after_its_token_went_stale(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 9).await;
    let first = world.recorded(&license, &["a.example"]).await;
    let second = world.recorded(&license, &["b.example"]).await;
    let good = world.revocation(&license, &[&first]).await;
    let revoked = revoke(&world, good.clone()).await;
    let wrong = RevokeCertificatesRequest {
        preview_token: good.preview_token.clone(),
        ..revoke_request(&license, &[&second])
    };
    let refusal = stale(&world, &license, wrong.clone()).await;
    world.time.advance_days(2);
    assert_eq!(revoke(&world, good).await, revoked);
    assert_eq!(stale(&world, &license, wrong).await, refusal);
}

async fn lists_of_certificates_to_look_at_have_limits(backend: Backend) {
    let (world, license) = World::start_licensed(backend, 5).await;
    let look = async |request: PreviewRevocationRequest| {
        let refusal = refused(world.san_issuance().preview_revocation(request).await);
        refusal.expect(Code::InvalidArgument, "INVALID_FIELDS")
    };
    let refusal = look(PreviewRevocationRequest::default()).await;
    assert_eq!(refusal.paths(), ["certificate_ids", "license_id"]);
    let certificate = world.recorded(&license, &["a.example"]).await;
    let twice = preview_request(&license, &[&certificate, &certificate]);
    assert_eq!(look(twice).await.paths(), ["certificate_ids[1]"]);
    let many = PreviewRevocationRequest {
        certificate_ids: (0..1001)
            .map(|_| CertificateId::generate().to_string())
            .collect(),
        ..preview_request(&license, &[])
    };
    assert_eq!(look(many).await.paths(), ["certificate_ids"]);
}
