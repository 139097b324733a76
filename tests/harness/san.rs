//! Sample SAN licences, sold and charged through the services, and the requests and reports made under them.

use chrono::TimeDelta;
use licet_contracts::{
    billing::v1::{CreateProductRequest, Product, ProductKind, SetPricesRequest, VolumeTier},
    sanlicensing::v1::{
        AcceptLicenseRequest, AuthorizationDecision, AuthorizeIssuanceRequest,
        AuthorizeIssuanceResponse, Certificate, CertificateFacts, DailyUsage, GetLicenseRequest,
        GetUsageRequest, IncreaseQuotaRequest, License, LicenseOptions, LicenseState,
        ListDailyUsageRequest, ListReservationsRequest, PreviewRevocationRequest,
        PreviewRevocationResponse, QuoteLicenseRequest, RecordCertificateRequest,
        RecordCertificateResponse, ReleaseReservationRequest, Reservation, RevocationReason,
        RevokeCertificatesRequest, San, SanType, Usage, record_certificate_request,
        usage_service_client::UsageServiceClient,
    },
    types::v1::{KeyType, Period},
};
use licet_domain::clock::Instant;

use super::{
    Backend,
    clock::{instant, timestamp},
    request_id,
    samples::price,
    world::World,
};

/// The product of every sample licence, at 12.00 per SAN and year, 6.00 from 100 SANs.
pub(crate) const BUNDLE: &str = "san-bundle";
/// Another product at the same price.
pub(crate) const OTHER: &str = "san-other";
/// Days that a sample certificate is valid.
pub(crate) const VALID_DAYS: i64 = 90;

/// SANs from their values: DNS names unless they begin with "ip:", "mail:" or "upn:".
pub(crate) fn sans(list: &[&str]) -> Vec<San> {
    list.iter().map(|text| san(text)).collect()
}

/// One SAN, as in [`sans`].
pub(crate) fn san(text: &str) -> San {
    let (kind, value) = match text.split_once(':') {
        Some(("ip", value)) => (SanType::IpAddress, value),
        Some(("mail", value)) => (SanType::Rfc822Name, value),
        Some(("upn", value)) => (SanType::Upn, value),
        _ => (SanType::DnsName, text),
    };
    San {
        r#type: kind.into(),
        value: value.to_owned(),
    }
}

/// The inverse of [`sans`].
pub(crate) fn texts(list: &[San]) -> Vec<String> {
    list.iter().map(text).collect()
}

/// The inverse of [`san`].
pub(crate) fn text(san: &San) -> String {
    let prefix = match san.r#type() {
        SanType::DnsName => "",
        SanType::IpAddress => "ip:",
        SanType::Rfc822Name => "mail:",
        SanType::Upn => "upn:",
        SanType::Unspecified => panic!("a SAN without a type: {san:?}"),
    };
    format!("{prefix}{}", san.value)
}

/// The DER of an issuer's name with only a common name.
pub(crate) fn issuer_der(common_name: &str) -> Vec<u8> {
    let tagged = |tag: u8, content: Vec<u8>| {
        let mut der = vec![tag, u8::try_from(content.len()).unwrap()];
        der.extend(content);
        der
    };
    let mut attribute = vec![0x06, 0x03, 0x55, 0x04, 0x03];
    attribute.extend(tagged(0x0c, common_name.as_bytes().to_vec()));
    tagged(0x30, tagged(0x31, tagged(0x30, attribute)))
}

pub(crate) fn san_product(product_id: &str) -> Product {
    Product {
        product_id: product_id.to_owned(),
        display_name: "SAN licence".to_owned(),
        kind: ProductKind::SanLicense.into(),
        term_months: vec![1, 12, 24],
        included_domains: 1,
        max_domains: 1,
        ..Product::default()
    }
}

pub(crate) fn tier(from_quantity: i64, price_12_months: &str) -> VolumeTier {
    VolumeTier {
        from_quantity,
        price_12_months: price(price_12_months),
    }
}

pub(crate) fn tiers_request(product_id: &str, san_tiers: Vec<VolumeTier>) -> SetPricesRequest {
    SetPricesRequest {
        product_id: product_id.to_owned(),
        currency_code: "USD".to_owned(),
        san_tiers,
        request_id: request_id(),
        ..SetPricesRequest::default()
    }
}

pub(crate) fn quote_request(account_id: &str, quota: i64) -> QuoteLicenseRequest {
    QuoteLicenseRequest {
        account_id: account_id.to_owned(),
        product_ids: vec![BUNDLE.to_owned()],
        quota,
        term_months: 12,
        options: Some(LicenseOptions {
            wildcards_allowed: true,
            ..LicenseOptions::default()
        }),
        request_id: request_id(),
        ..QuoteLicenseRequest::default()
    }
}

pub(crate) fn accept_request(license_id: &str) -> AcceptLicenseRequest {
    AcceptLicenseRequest {
        license_id: license_id.to_owned(),
        validate_only: false,
        request_id: request_id(),
    }
}

pub(crate) fn increase_request(license: &License, quota: i64) -> IncreaseQuotaRequest {
    IncreaseQuotaRequest {
        license_id: license.license_id.clone(),
        quota,
        validate_only: false,
        request_id: request_id(),
    }
}

pub(crate) fn release_request(
    license: &License,
    reservation_id: &str,
) -> ReleaseReservationRequest {
    ReleaseReservationRequest {
        license_id: license.license_id.clone(),
        reservation_id: reservation_id.to_owned(),
        request_id: request_id(),
    }
}

pub(crate) fn preview_request(
    license: &License,
    certificates: &[&Certificate],
) -> PreviewRevocationRequest {
    PreviewRevocationRequest {
        license_id: license.license_id.clone(),
        certificate_ids: certificates
            .iter()
            .map(|certificate| certificate.certificate_id.clone())
            .collect(),
    }
}

/// A revocation without a preview.
pub(crate) fn revoke_request(
    license: &License,
    certificates: &[&Certificate],
) -> RevokeCertificatesRequest {
    RevokeCertificatesRequest {
        license_id: license.license_id.clone(),
        certificate_ids: certificates
            .iter()
            .map(|certificate| certificate.certificate_id.clone())
            .collect(),
        reason: RevocationReason::Superseded.into(),
        request_id: request_id(),
        ..RevokeCertificatesRequest::default()
    }
}

/// The facts of a certificate with a new serial number.
pub(crate) fn facts(list: &[&str], not_before: Instant, not_after: Instant) -> CertificateFacts {
    CertificateFacts {
        issuer_der: issuer_der("Licet Test Authority"),
        serial: uuid::Uuid::new_v4().simple().to_string(),
        sans: sans(list),
        not_before_time: Some(timestamp(not_before)),
        not_after_time: Some(timestamp(not_after)),
        key_type: KeyType::Rsa.into(),
    }
}

pub(crate) fn report_of(license: &License, facts: CertificateFacts) -> RecordCertificateRequest {
    RecordCertificateRequest {
        account_id: license.account_id.clone(),
        product_id: license.product_ids[0].clone(),
        certificate: Some(record_certificate_request::Certificate::Facts(facts)),
        reservation_id: String::new(),
        request_id: request_id(),
    }
}

/// A request for the days of a period.
pub(crate) fn days_request(
    license: &License,
    start: Instant,
    end: Instant,
) -> ListDailyUsageRequest {
    ListDailyUsageRequest {
        license_id: license.license_id.clone(),
        period: Some(Period {
            start_time: Some(timestamp(start)),
            end_time: Some(timestamp(end)),
        }),
        ..ListDailyUsageRequest::default()
    }
}

/// Weights used, reserved and free.
pub(crate) fn figures(usage: &Usage) -> (i64, i64, i64) {
    (usage.used, usage.reserved, usage.free)
}

impl World {
    /// A world with the two products and a running licence with this quota; wildcards are permitted.
    pub(crate) async fn start_licensed(backend: Backend, quota: i64) -> (Self, License) {
        let world = Self::start_with_san_licensing(backend).await;
        world.stock_sans().await;
        let account_id = world.account_with("1000000.00").await;
        let license = world.license(&account_id, quota).await;
        (world, license)
    }

    /// Two products with volume tiers.
    pub(crate) async fn stock_sans(&self) {
        for product_id in [BUNDLE, OTHER] {
            let product = CreateProductRequest {
                product: Some(san_product(product_id)),
                request_id: request_id(),
            };
            self.catalog().create_product(product).await.unwrap();
            let tiers = vec![tier(1, "12.00"), tier(100, "6.00")];
            let prices = tiers_request(product_id, tiers);
            self.catalog().set_prices(prices).await.unwrap();
        }
    }

    /// A drafted licence.
    pub(crate) async fn quoted(&self, request: QuoteLicenseRequest) -> License {
        let answer = self.san_licenses().quote_license(request).await;
        answer.unwrap().into_inner().license.unwrap()
    }

    /// A running licence, drafted with this request and accepted.
    pub(crate) async fn license_with(&self, request: QuoteLicenseRequest) -> License {
        let draft = self.quoted(request).await;
        let accept = accept_request(&draft.license_id);
        let answer = self.san_licenses().accept_license(accept).await;
        let license = answer.unwrap().into_inner().license.unwrap();
        assert_eq!(license.state(), LicenseState::Active, "{license:?}");
        license
    }

    /// A running licence for a year, with wildcards permitted and every other option by default.
    pub(crate) async fn license(&self, account_id: &str, quota: i64) -> License {
        self.license_with(quote_request(account_id, quota)).await
    }

    pub(crate) async fn get_license(&self, license_id: &str) -> License {
        let request = GetLicenseRequest {
            license_id: license_id.to_owned(),
        };
        let answer = self.san_licenses().get_license(request).await;
        answer.unwrap().into_inner().license.unwrap()
    }

    pub(crate) async fn increase(&self, license: &License, quota: i64) -> License {
        let request = increase_request(license, quota);
        let answer = self.san_licenses().increase_quota(request).await;
        answer.unwrap().into_inner().license.unwrap()
    }

    /// The last second of a certificate that is valid for [`VALID_DAYS`] from now.
    pub(crate) fn usual_end(&self) -> Instant {
        let validity = TimeDelta::days(VALID_DAYS) - TimeDelta::seconds(1);
        self.now().checked_add(validity).unwrap()
    }

    /// A request to authorise a certificate with these SANs.
    pub(crate) fn question(&self, license: &License, list: &[&str]) -> AuthorizeIssuanceRequest {
        AuthorizeIssuanceRequest {
            license_id: license.license_id.clone(),
            product_id: license.product_ids[0].clone(),
            sans: sans(list),
            key_type: KeyType::Rsa.into(),
            not_before_time: None,
            not_after_time: Some(timestamp(self.usual_end())),
            hold_for: None,
            request_id: request_id(),
        }
    }

    pub(crate) async fn authorize(
        &self,
        request: AuthorizeIssuanceRequest,
    ) -> AuthorizeIssuanceResponse {
        let answer = self.san_issuance().authorize_issuance(request).await;
        answer.unwrap().into_inner()
    }

    /// Authorises these SANs, which must be granted.
    pub(crate) async fn granted(
        &self,
        license: &License,
        list: &[&str],
    ) -> AuthorizeIssuanceResponse {
        let answer = self.authorize(self.question(license, list)).await;
        assert_eq!(
            answer.decision(),
            AuthorizationDecision::Granted,
            "{answer:?}"
        );
        answer
    }

    /// Asks for authorisation of these SANs, which must be denied.
    pub(crate) async fn denied(
        &self,
        license: &License,
        list: &[&str],
    ) -> AuthorizeIssuanceResponse {
        let answer = self.authorize(self.question(license, list)).await;
        assert_eq!(
            answer.decision(),
            AuthorizationDecision::Denied,
            "{answer:?}"
        );
        answer
    }

    /// The report of a certificate with these SANs, valid from now.
    pub(crate) fn report(&self, license: &License, list: &[&str]) -> RecordCertificateRequest {
        report_of(license, facts(list, self.now(), self.usual_end()))
    }

    pub(crate) async fn record_san(
        &self,
        request: RecordCertificateRequest,
    ) -> RecordCertificateResponse {
        let answer = self.san_issuance().record_certificate(request).await;
        answer.unwrap().into_inner()
    }

    /// Records a certificate with these SANs, without a reservation.
    pub(crate) async fn recorded(&self, license: &License, list: &[&str]) -> Certificate {
        let answer = self.record_san(self.report(license, list)).await;
        answer.certificate.unwrap()
    }

    /// Records a certificate with these SANs whose last second is `not_after`.
    pub(crate) async fn recorded_until(
        &self,
        license: &License,
        list: &[&str],
        not_after: Instant,
    ) -> Certificate {
        let report = report_of(license, facts(list, self.now(), not_after));
        self.record_san(report).await.certificate.unwrap()
    }

    /// The preview of a revocation.
    pub(crate) async fn preview(
        &self,
        license: &License,
        certificates: &[&Certificate],
    ) -> PreviewRevocationResponse {
        let request = preview_request(license, certificates);
        let answer = self.san_issuance().preview_revocation(request).await;
        answer.unwrap().into_inner()
    }

    /// The request for a revocation, with the token of a new preview.
    pub(crate) async fn revocation(
        &self,
        license: &License,
        certificates: &[&Certificate],
    ) -> RevokeCertificatesRequest {
        RevokeCertificatesRequest {
            preview_token: self.preview(license, certificates).await.preview_token,
            ..revoke_request(license, certificates)
        }
    }

    pub(crate) async fn revoke(
        &self,
        license: &License,
        certificates: &[&Certificate],
    ) -> Vec<Certificate> {
        let request = self.revocation(license, certificates).await;
        let answer = self.san_issuance().revoke_certificates(request).await;
        answer.unwrap().into_inner().certificates
    }

    pub(crate) async fn release(&self, license: &License, reservation_id: &str) -> Reservation {
        let request = release_request(license, reservation_id);
        let answer = self.san_issuance().release_reservation(request).await;
        answer.unwrap().into_inner().reservation.unwrap()
    }

    /// The reservations that hold SANs, at most one page.
    pub(crate) async fn reservations(&self, license: &License) -> Vec<Reservation> {
        let request = ListReservationsRequest {
            license_id: license.license_id.clone(),
            page_size: 1000,
            page_token: String::new(),
        };
        let answer = self.san_issuance().list_reservations(request).await;
        answer.unwrap().into_inner().reservations
    }

    pub(crate) async fn usage(&self, license: &License) -> Usage {
        self.ask_usage(license, None).await
    }

    /// The usage as an instance of SanLicensing sees it.
    pub(crate) async fn usage_from(&self, instance: usize, license: &License) -> Usage {
        let request = GetUsageRequest {
            license_id: license.license_id.clone(),
            as_of_time: None,
        };
        let usage = UsageServiceClient::new(self.san_channel(instance));
        // An instance whose connections were cut answers once it has others.
        let answer = super::eventually("the instance answers", || {
            let (mut usage, request) = (usage.clone(), request.clone());
            async move { usage.get_usage(request).await.ok() }
        })
        .await;
        answer.into_inner().usage.unwrap()
    }

    pub(crate) async fn usage_at(&self, license: &License, time: Instant) -> Usage {
        let usage = self.ask_usage(license, Some(time)).await;
        assert_eq!(instant(usage.as_of_time), time);
        usage
    }

    /// The days of a period, at most one page.
    pub(crate) async fn days(
        &self,
        license: &License,
        start: Instant,
        end: Instant,
    ) -> Vec<DailyUsage> {
        let request = days_request(license, start, end);
        let answer = self.san_usage().list_daily_usage(request).await;
        let page = answer.unwrap().into_inner();
        assert!(page.next_page_token.is_empty());
        page.days
    }

    async fn ask_usage(&self, license: &License, time: Option<Instant>) -> Usage {
        let request = GetUsageRequest {
            license_id: license.license_id.clone(),
            as_of_time: time.map(timestamp),
        };
        let answer = self.san_usage().get_usage(request).await;
        answer.unwrap().into_inner().usage.unwrap()
    }
}
