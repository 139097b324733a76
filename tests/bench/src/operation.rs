//! The streams' calls to SanLicensing, by the generated clients: authorise, authorise and record, and usage.
//! Every SAN is new.

use std::time::Duration;

use licet_contracts::{
    sanlicensing::v1::{
        AuthorizationDecision, AuthorizeIssuanceRequest, CertificateFacts, GetUsageRequest,
        ListDailyUsageRequest, RecordCertificateRequest, San, SanType,
        issuance_service_client::IssuanceServiceClient, record_certificate_request,
        usage_service_client::UsageServiceClient,
    },
    types::v1::{KeyType, Period},
};
use licet_domain::clock::Clock as _;
use licet_runtime::clock::SystemClock;
use prost_types::Timestamp;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{drive::Operation, trouble::Trouble};

/// The product of every licence.
pub(crate) const PRODUCT: &str = "bench-san-licence";

/// A running licence.
#[derive(Clone, Debug)]
pub(crate) struct License {
    pub(crate) account_id: String,
    pub(crate) license_id: String,
}

/// `CN=Bench CA` as DER.
pub(crate) const ISSUER: &[u8] = b"\x30\x13\x31\x11\x30\x0f\x06\x03\x55\x04\x03\x0c\x08Bench CA";
const VALID_SECONDS: i64 = 47 * 86_400;

/// Authorises three new SANs, on the licences in turn.
pub(crate) struct Authorize {
    pub(crate) client: IssuanceServiceClient<Channel>,
    pub(crate) licenses: Vec<License>,
    /// The number of the next licence.
    pub(crate) turn: usize,
    /// How long a reservation lasts; `None`: the service's default.
    pub(crate) hold: Option<Duration>,
}

impl Authorize {
    /// Returns the SANs, the reservation and its licence.
    async fn authorize(&mut self) -> Result<(Vec<San>, String, &License), Trouble> {
        let number = self.turn % self.licenses.len();
        self.turn += 1;
        let license = &self.licenses[number];
        let sans = new_sans();
        let answer = self
            .client
            .authorize_issuance(AuthorizeIssuanceRequest {
                license_id: license.license_id.clone(),
                product_id: PRODUCT.to_owned(),
                sans: sans.clone(),
                key_type: KeyType::Ecc.into(),
                not_before_time: None,
                not_after_time: Some(from_now(VALID_SECONDS)),
                hold_for: self.hold.map(prost_types::Duration::try_from).transpose()?,
                request_id: Uuid::new_v4().to_string(),
            })
            .await?
            .into_inner();
        if answer.decision() == AuthorizationDecision::Granted {
            Ok((sans, answer.reservation_id, license))
        } else {
            Err(Trouble(format!("denied: {}", answer.explanation)))
        }
    }
}

impl Operation for Authorize {
    async fn once(&mut self) -> Result<(), Trouble> {
        self.authorize().await.map(|_| ())
    }
}

/// Authorises three new SANs and records the certificate.
pub(crate) struct AuthorizeAndRecord(pub(crate) Authorize);

impl Operation for AuthorizeAndRecord {
    async fn once(&mut self) -> Result<(), Trouble> {
        let mut client = self.0.client.clone();
        let (sans, reservation_id, license) = self.0.authorize().await?;
        let facts = CertificateFacts {
            issuer_der: ISSUER.to_vec(),
            serial: Uuid::new_v4().simple().to_string(),
            sans,
            not_before_time: Some(from_now(0)),
            not_after_time: Some(from_now(VALID_SECONDS)),
            key_type: KeyType::Ecc.into(),
        };
        let request = RecordCertificateRequest {
            account_id: license.account_id.clone(),
            product_id: PRODUCT.to_owned(),
            certificate: Some(record_certificate_request::Certificate::Facts(facts)),
            reservation_id,
            request_id: Uuid::new_v4().to_string(),
        };
        let recorded = client.record_certificate(request).await?.into_inner();
        let counted = recorded
            .certificate
            .is_some_and(|certificate| certificate.license_id == license.license_id);
        if counted && !recorded.already_known {
            Ok(())
        } else {
            Err(Trouble("a certificate did not count as new".to_owned()))
        }
    }
}

/// Gets a licence's usage, now or as of an instant.
pub(crate) struct Usage {
    pub(crate) client: UsageServiceClient<Channel>,
    pub(crate) license_id: String,
    pub(crate) as_of: Option<Timestamp>,
    /// The expected number of distinct SANs; `None`: any.
    pub(crate) sans: Option<i64>,
}

impl Operation for Usage {
    async fn once(&mut self) -> Result<(), Trouble> {
        let request = GetUsageRequest {
            license_id: self.license_id.clone(),
            as_of_time: self.as_of,
        };
        let answer = self.client.get_usage(request).await?.into_inner();
        let found = answer.usage.map(|usage| usage.distinct_sans);
        if self.sans.is_none() || found == self.sans {
            Ok(())
        } else {
            Err(Trouble(format!("{found:?} SANs, not {:?}", self.sans)))
        }
    }
}

/// Gets the daily usage of a licence in a period.
pub(crate) struct Days {
    pub(crate) client: UsageServiceClient<Channel>,
    pub(crate) license_id: String,
    pub(crate) period: Period,
    /// The expected number of days.
    pub(crate) count: usize,
}

impl Operation for Days {
    async fn once(&mut self) -> Result<(), Trouble> {
        let request = ListDailyUsageRequest {
            license_id: self.license_id.clone(),
            period: Some(self.period),
            ..ListDailyUsageRequest::default()
        };
        let days = self
            .client
            .list_daily_usage(request)
            .await?
            .into_inner()
            .days;
        if days.len() == self.count && days.iter().any(|day| day.peak_used > 0) {
            Ok(())
        } else {
            Err(Trouble(format!("{} days, not {}", days.len(), self.count)))
        }
    }
}

/// Random SANs, because in practice names reach an index in random order.
fn new_sans() -> Vec<San> {
    let random = Uuid::new_v4().simple().to_string();
    ["a", "b", "c"]
        .map(|letter| San {
            r#type: SanType::DnsName.into(),
            value: format!("{letter}{}.example.com", &random[..16]),
        })
        .to_vec()
}

/// The instant `seconds` from now.
pub(crate) fn from_now(seconds: i64) -> Timestamp {
    Timestamp {
        seconds: SystemClock.now().as_micros() / 1_000_000 + seconds,
        nanos: 0,
    }
}
