//! Deleting an order (AL-7, X-3): what becomes invalid. Billing decides about refunds (AL-4).

use licet_domain::{
    clock::Instant,
    ids::{CertificateId, ServerId},
};
use serde::{Deserialize, Serialize};

use super::{
    certificate::{Certificate, CertificateState},
    order::Order,
    servers::{Server, registered},
};

/// Everything that a deletion invalidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deletion {
    /// Certificates that the deletion revokes: those neither revoked nor expired.
    pub(crate) certificates: Vec<CertificateId>,
    /// Servers that lose their licence (AL-7).
    pub(crate) servers: Vec<ServerId>,
    /// Additional licences of the running term that are void (AL-7).
    pub(crate) additional_licenses: u32,
    /// Additional licences of the next term that are void.
    #[serde(default)]
    pub(crate) next_additional_licenses: u32,
    /// Whether a pending domain change is dropped.
    pub(crate) drops_change: bool,
}

/// Plans what deleting the order at `now` invalidates. A superseded certificate that was to be
/// revoked later is revoked now.
pub(crate) fn plan_deletion(
    order: &Order,
    certificates: &[Certificate],
    servers: &[Server],
    now: Instant,
) -> Deletion {
    let standing = certificates.iter().filter(|found| match found.state(now) {
        CertificateState::Active | CertificateState::Superseded => true,
        CertificateState::Revoked | CertificateState::Expired | CertificateState::ToRevoke => false,
    });
    Deletion {
        certificates: standing.map(|found| found.id).collect(),
        servers: registered(servers).map(|server| server.id).collect(),
        additional_licenses: order.term.additional_licenses,
        next_additional_licenses: next_additional_licenses(order),
        drops_change: order.change.is_some(),
    }
}

/// The additional licences bought for the next term.
pub(crate) fn next_additional_licenses(order: &Order) -> u32 {
    let next = order.next_term.as_ref();
    next.map_or(0, |next| next.additional_licenses)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            samples::{certificate, instant, order},
            servers::ServerState,
        },
        *,
    };

    #[test]
    fn al_7_everything_that_stands_falls_at_once() {
        let order = order(&["example.com"]);
        let now = instant("2026-02-02T00:00:00Z");
        let active = certificate(&["example.com"]);
        let mut superseded = certificate(&["example.com"]);
        superseded.superseded_time = Some(instant("2026-02-01T00:00:00Z"));
        superseded.revoke_time = Some(instant("2026-02-04T00:00:00Z"));
        let mut revoked = superseded.clone();
        revoked.revoke_time = Some(instant("2026-02-02T00:00:00Z"));
        let mut expired = certificate(&["example.com"]);
        expired.not_after = instant("2026-01-31T00:00:00Z");
        let server = Server {
            id: ServerId::generate(),
            order_id: order.id,
            host_name: "www1".into(),
            server_software: "nginx".into(),
            common_name: order.common_name.clone(),
            primary: true,
            state: ServerState::Registered,
            register_time: now,
        };
        let gone = Server {
            state: ServerState::Unregistered,
            ..server.clone()
        };

        let standing = vec![active.id, superseded.id];
        let deletion = plan_deletion(
            &order,
            &[active, superseded, revoked, expired],
            &[server.clone(), gone],
            now,
        );
        assert_eq!(deletion.certificates, standing);
        assert_eq!(deletion.servers, [server.id]);
        assert_eq!(deletion.additional_licenses, 1);
        assert_eq!(deletion.next_additional_licenses, 0);
    }
}
