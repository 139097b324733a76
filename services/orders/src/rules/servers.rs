//! Servers that use an order's certificate (AL-1, AL-6, AL-8, AL-11): how many, and with which
//! software. No server needs a CSR, an enrolment or authentication.

use licet_domain::{
    case::folded,
    clock::Instant,
    ids::{OrderId, ServerId},
    refusal::{Reason, Refusal},
    san::San,
    worded,
};

use super::{
    objections::Objections,
    order::{Order, Progress},
};

/// A server that was registered on an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) id: ServerId,
    pub(crate) order_id: OrderId,
    pub(crate) host_name: String,
    pub(crate) server_software: String,
    pub(crate) common_name: San,
    /// Whether the certificate itself covers it; any other server uses an additional licence.
    pub(crate) primary: bool,
    pub(crate) state: ServerState,
    pub(crate) register_time: Instant,
}

worded! {
    /// Whether a server may use the certificate.
    pub(crate) enum ServerState {
        /// It may.
        Registered = "REGISTERED",
        /// It was unregistered (AL-8).
        Unregistered = "UNREGISTERED",
        /// Its order was deleted (AL-7).
        Invalidated = "INVALIDATED",
        /// Its order was renewed without it, and the new term runs (AL-9).
        Lapsed = "LAPSED",
    }
}

impl Server {
    /// The server with its state on the order: one registered before the running term that the
    /// renewal did not keep has lapsed (AL-9). A lapse is not stored.
    pub(crate) fn with_lapse(mut self, order: &Order) -> Server {
        let stays = order.term.kept_servers.as_ref().is_none_or(|kept| {
            self.register_time >= order.term.term.start() || kept.contains(&self.id)
        });
        if self.state == ServerState::Registered && !stays {
            self.state = ServerState::Lapsed;
        }
        self
    }
}

/// The servers that use the order's certificate now.
pub(crate) fn registered(servers: &[Server]) -> impl Iterator<Item = &Server> {
    servers
        .iter()
        .filter(|server| server.state == ServerState::Registered)
}

/// Whether the next server becomes the primary one: the first server does, and the next one after
/// the primary left.
pub(crate) fn takes_primary_place(servers: &[Server]) -> bool {
    !registered(servers).any(|server| server.primary)
}

/// How many servers an order may have: the primary one and one per additional licence (AL-1); none
/// once deleted (AL-7).
pub(crate) fn server_limit(order: &Order) -> u64 {
    match order.progress {
        Progress::Pending | Progress::Paid | Progress::Issued => {
            u64::from(order.term.additional_licenses) + 1
        }
        Progress::Deleted => 0,
    }
}

/// Refuses one more server if its software or common name differ from the order's (AL-6), or no
/// place is left with `registered` servers. The primary server takes the first place, so with N
/// additional licences server N + 2 is refused (AL-8).
pub(crate) fn permit_server(
    order: &Order,
    registered: u64,
    server_software: &str,
    common_name: &San,
) -> Result<(), Refusal> {
    let mut objections = Objections::default();
    if folded(&order.server_software) != folded(server_software) {
        objections
            .add(
                Reason::ServerSoftwareMismatch,
                "server_software",
                format!(
                    "the order's servers run {}; this one runs {server_software}",
                    order.server_software
                ),
            )
            .with("expected", &order.server_software)
            .with("given", server_software);
    }
    if *common_name != order.common_name {
        objections
            .add(
                Reason::CommonNameMismatch,
                "common_name",
                format!(
                    "the order's common name is {}; this server's is {common_name}",
                    order.common_name
                ),
            )
            .with("expected", &order.common_name)
            .with("given", common_name);
    }
    objections.refuse_if_any()?;

    let limit = server_limit(order);
    if registered >= limit {
        return Err(Refusal::new(
            Reason::ServerLimitReached,
            format!(
                "{registered} servers are registered; {} additional licences allow {limit} including \
                 the primary one. Unregister one, or buy more licences when you renew the order",
                order.term.additional_licenses
            ),
        )
        .with("order_id", order.id)
        .with("registered", registered)
        .with("licensed", limit));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{dns, order},
        *,
    };

    #[test]
    fn al_1_al_8_the_primary_counts_as_the_one_and_server_n_plus_2_is_refused() {
        let mut order = order(&["example.com"]);
        let name = order.common_name.clone();
        for additional in 0..4 {
            order.term.additional_licenses = additional;
            let limit = u64::from(additional) + 1;
            for registered in 0..limit {
                assert!(permit_server(&order, registered, "nginx", &name).is_ok());
            }
            let refusal = permit_server(&order, limit, "nginx", &name).unwrap_err();
            assert_eq!(refusal.reason, Reason::ServerLimitReached);
            assert_eq!(refusal.metadata["licensed"], limit.to_string());
        }
    }

    #[test]
    fn al_7_a_deleted_order_licenses_no_server() {
        let mut order = order(&["example.com"]);
        assert_eq!(server_limit(&order), 2);
        order.progress = Progress::Deleted;
        assert_eq!(server_limit(&order), 0);
    }

    #[test]
    fn al_6_other_software_and_another_common_name_are_refused_together() {
        let order = order(&["example.com", "a.example.com"]);
        let refusal = permit_server(&order, 0, "apache", &dns("a.example.com")).unwrap_err();
        assert_eq!(refusal.reason, Reason::ServerSoftwareMismatch);
        assert_eq!(refusal.violations.len(), 2);
        assert_eq!(refusal.violations[1].kind, "COMMON_NAME_MISMATCH");
        // The case of the software's name does not matter.
        assert!(permit_server(&order, 0, "Nginx", &order.common_name).is_ok());
    }
}
