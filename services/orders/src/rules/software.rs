//! Correcting the software of an order's servers (AL-6): all servers of an order run the same, so
//! it is fixed once a further server is registered.

use licet_domain::{
    clock::Instant,
    ids::ServerId,
    refusal::{Reason, Refusal},
};

use super::{
    order::Order,
    servers::{Server, registered},
};

/// The registered servers to correct: at most the primary one *(ours)*. Refused if further servers
/// are registered.
pub(crate) fn plan_software(order: &Order, servers: &[Server]) -> Result<Vec<ServerId>, Refusal> {
    let further = registered(servers).filter(|server| !server.primary).count();
    if further > 0 {
        return Err(Refusal::new(
            Reason::FurtherServersRegistered,
            format!(
                "servers other than the primary one of order {} run {} ({further} in all): unregister \
                 them first",
                order.id, order.server_software
            ),
        )
        .with("order_id", order.id)
        .with("registered", further));
    }
    Ok(registered(servers).map(|server| server.id).collect())
}

impl Order {
    /// The order's servers run this software from now on.
    pub(crate) fn apply_software(mut self, server_software: String, now: Instant) -> Order {
        self.server_software = server_software;
        self.moved(now)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{samples::order, servers::ServerState},
        *,
    };

    fn server(order: &Order, primary: bool, state: ServerState) -> Server {
        Server {
            id: ServerId::generate(),
            order_id: order.id,
            host_name: "www1".into(),
            server_software: "nginx".into(),
            common_name: order.common_name.clone(),
            primary,
            state,
            register_time: order.create_time,
        }
    }

    #[test]
    fn al_6_the_software_is_corrected_until_a_further_server_is_registered() {
        use ServerState::{Lapsed, Registered, Unregistered};
        let order = order(&["example.com"]);
        assert_eq!(plan_software(&order, &[]), Ok(vec![]));
        let primary = server(&order, true, Registered);
        let gone = [Unregistered, Lapsed].map(|state| server(&order, false, state));
        let mut servers = vec![primary.clone(), gone[0].clone(), gone[1].clone()];
        assert_eq!(plan_software(&order, &servers), Ok(vec![primary.id]));

        servers.push(server(&order, false, Registered));
        let refusal = plan_software(&order, &servers).unwrap_err();
        assert_eq!(refusal.reason, Reason::FurtherServersRegistered);
        assert_eq!(refusal.metadata["registered"], "1");
        let after = order
            .clone()
            .apply_software("apache".to_owned(), order.create_time);
        assert_eq!(after.server_software, "apache");
        assert_eq!(after.revision, order.revision + 1);
    }
}
