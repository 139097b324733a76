//! The scenarios: for each kind of operation, and each path through it with other steps, a setup made through
//! the services and the call that starts the operation.

use std::sync::Arc;

use licet_contracts::{
    orders::v1::{
        BeginIssuanceRequest, CancelDomainChangeRequest, DeleteOrderRequest, PlaceOrderRequest,
        RecordIssuanceRequest, RenewOrderRequest, UpdateDomainsRequest,
        certificate_service_client::CertificateServiceClient,
        order_service_client::OrderServiceClient,
    },
    sanlicensing::v1::{
        AcceptLicenseRequest, IncreaseQuotaRequest, QuoteLicenseRequest, RenewLicenseRequest,
        license_service_client::LicenseServiceClient,
    },
};
use tonic::Status;

use super::{network::Cell, stage::Stage};
use crate::harness::{
    channel::Channel,
    request_id,
    samples::{change_request, multi_domain_request},
    san::{accept_request, increase_request, quote_request},
    san_life::renew_request,
};

/// The service that drives an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Orders,
    SanLicensing,
}

/// A path through a kind of operation. Its name starts with the kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) place: Place,
}

const fn of_orders(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::Orders,
    }
}

const fn of_san_licensing(name: &'static str) -> Scenario {
    Scenario {
        name,
        place: Place::SanLicensing,
    }
}

/// All scenarios; [`Scenario::stage`] has the setup of each.
pub(super) const ALL: &[Scenario] = &[
    of_orders("PLACE_ORDER"),
    of_orders("RENEW_ORDER"),
    of_orders("UPDATE_DOMAINS"),
    of_orders("UPDATE_DOMAINS in both terms"),
    of_orders("UPDATE_DOMAINS in the next term"),
    of_orders("UPDATE_DOMAINS in turn"),
    of_orders(DELETION),
    of_orders("CANCEL_DOMAIN_CHANGE in both terms"),
    of_orders("CANCEL_DOMAIN_CHANGE under a licence"),
    of_orders("BEGIN_ISSUANCE"),
    of_orders("RECORD_ISSUANCE"),
    of_orders("RECORD_ISSUANCE beside a rival"),
    of_san_licensing("ACCEPT_LICENSE"),
    of_san_licensing("INCREASE_QUOTA"),
    of_san_licensing("RENEW_LICENSE"),
];

/// The scenario whose setup takes weeks.
pub(super) const DELETION: &str = "DELETE_ORDER";

/// The call that starts a scenario's operation.
#[derive(Clone)]
pub(super) enum Asked {
    PlaceOrder(PlaceOrderRequest),
    RenewOrder(RenewOrderRequest),
    UpdateDomains(UpdateDomainsRequest),
    DeleteOrder(DeleteOrderRequest),
    CancelDomainChange(CancelDomainChangeRequest),
    BeginIssuance(BeginIssuanceRequest),
    RecordIssuance(RecordIssuanceRequest),
    AcceptLicense(AcceptLicenseRequest),
    IncreaseQuota(IncreaseQuotaRequest),
    RenewLicense(RenewLicenseRequest),
}

/// Channels to an instance of each service that drives operations.
#[derive(Clone)]
pub(super) struct Doors {
    pub(super) orders: Channel,
    pub(super) san: Channel,
}

impl Asked {
    /// Makes the call and returns the response as text.
    pub(super) async fn send(&self, doors: &Doors) -> Result<String, Status> {
        macro_rules! send {
            ($client:expr, $method:ident, $request:expr) => {{
                let answer = $client.$method($request.clone()).await?;
                Ok(format!("{:?}", answer.into_inner()))
            }};
        }
        let (orders, san) = (doors.orders.clone(), doors.san.clone());
        let mut certificates = CertificateServiceClient::new(orders.clone());
        let mut orders = OrderServiceClient::new(orders);
        let mut licenses = LicenseServiceClient::new(san);
        match self {
            Self::PlaceOrder(asked) => send!(orders, place_order, asked),
            Self::RenewOrder(asked) => send!(orders, renew_order, asked),
            Self::UpdateDomains(asked) => send!(orders, update_domains, asked),
            Self::DeleteOrder(asked) => send!(orders, delete_order, asked),
            Self::CancelDomainChange(asked) => send!(orders, cancel_domain_change, asked),
            Self::BeginIssuance(asked) => send!(certificates, begin_issuance, asked),
            Self::RecordIssuance(asked) => send!(certificates, record_issuance, asked),
            Self::AcceptLicense(asked) => send!(licenses, accept_license, asked),
            Self::IncreaseQuota(asked) => send!(licenses, increase_quota, asked),
            Self::RenewLicense(asked) => send!(licenses, renew_license, asked),
        }
    }
}

/// A finished setup.
#[derive(Clone)]
pub(super) struct Staged {
    pub(super) cell: Arc<Cell>,
    pub(super) asked: Asked,
}

impl Scenario {
    /// The kind of operation, such as `DELETE_ORDER`.
    pub(super) fn kind(&self) -> &'static str {
        self.name.split(' ').next().unwrap()
    }

    /// Makes the setup. Starts the operation only if `is_begun`.
    pub(super) async fn set(&self, stage: &Stage, is_begun: bool) -> Staged {
        let (asked, cell) = match self.name {
            DELETION => {
                let early = stage.take_early();
                (early.deletion(stage).await, early.cell)
            }
            name => {
                let cell = stage.enter("5000.00").await;
                (ask(name, stage, &cell, is_begun).await, cell)
            }
        };
        Staged { cell, asked }
    }
}

async fn ask(name: &str, stage: &Stage, cell: &Cell, is_begun: bool) -> Asked {
    let account_id = cell.account_id.as_str();
    match name {
        "PLACE_ORDER" => {
            let place = multi_domain_request(account_id, &["www.example.com", "a.example"]);
            Asked::PlaceOrder(PlaceOrderRequest {
                additional_licenses: 1,
                ..place
            })
        }
        "RENEW_ORDER" => {
            let order = stage
                .order_of_a_month(account_id, &["www.example.com"])
                .await;
            Asked::RenewOrder(RenewOrderRequest {
                additional_licenses: 2,
                ..stage.renewal(&order)
            })
        }
        "UPDATE_DOMAINS" => {
            let order = stage
                .order_of_a_month(account_id, &["www.example.com"])
                .await;
            stage.record(&order).await;
            Asked::UpdateDomains(change_request(&order, &["b.example"], &[]))
        }
        "UPDATE_DOMAINS in both terms" => {
            let order = stage.renewed_order(account_id).await;
            Asked::UpdateDomains(change_request(&order, &["b.example"], &[]))
        }
        "UPDATE_DOMAINS in the next term" => {
            let names = ["www.example.com", "a.example"];
            let order = stage.order_of_a_month(account_id, &names).await;
            stage.record(&order).await;
            // The next term does not include the slot that is free in this term.
            stage
                .world
                .update_domains(&order, &[], &["a.example"])
                .await;
            stage.record(&order).await;
            stage.renew(&order).await;
            Asked::UpdateDomains(change_request(&order, &["b.example"], &[]))
        }
        "UPDATE_DOMAINS in turn" => stage.charged_in_turn(cell, is_begun).await,
        "CANCEL_DOMAIN_CHANGE in both terms" => {
            let order = stage.renewed_order(account_id).await;
            stage
                .world
                .update_domains(&order, &["b.example"], &[])
                .await;
            Asked::CancelDomainChange(cancel_request(&order))
        }
        "CANCEL_DOMAIN_CHANGE under a licence" => {
            let order = stage.order_under_license(account_id).await;
            stage.record(&order).await;
            stage
                .world
                .update_domains(&order, &["b.example"], &[])
                .await;
            stage.begin_issuance(&order).await;
            Asked::CancelDomainChange(cancel_request(&order))
        }
        "BEGIN_ISSUANCE" => {
            let order = stage.order_under_license(account_id).await;
            stage.begin_issuance(&order).await;
            Asked::BeginIssuance(stage.issuance_request(&order))
        }
        "RECORD_ISSUANCE" => {
            let order = stage.order_under_license(account_id).await;
            stage.begin_issuance(&order).await;
            Asked::RecordIssuance(stage.report(&order).await)
        }
        "RECORD_ISSUANCE beside a rival" => stage.beside_a_rival(cell, is_begun).await,
        "ACCEPT_LICENSE" => {
            let draft = stage.world.quoted(quote_request(account_id, 10)).await;
            Asked::AcceptLicense(accept_request(&draft.license_id))
        }
        "INCREASE_QUOTA" => {
            let license = stage.world.license(account_id, 10).await;
            Asked::IncreaseQuota(increase_request(&license, 20))
        }
        "RENEW_LICENSE" => {
            let of_a_month = QuoteLicenseRequest {
                term_months: 1,
                ..quote_request(account_id, 10)
            };
            let license = stage.world.license_with(of_a_month).await;
            Asked::RenewLicense(renew_request(&license, 20))
        }
        name => panic!("{name} has no setup: add it here"),
    }
}

fn cancel_request(order_id: &str) -> CancelDomainChangeRequest {
    CancelDomainChangeRequest {
        order_id: order_id.to_owned(),
        reason: "the domain is not ours".to_owned(),
        request_id: request_id(),
        ..CancelDomainChangeRequest::default()
    }
}
