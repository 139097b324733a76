//! Servers that use an order's certificate.

use licet_contracts::orders::v1 as orders;
use licet_domain::{
    ids::{OrderId, ServerId},
    san::San,
};
use licet_runtime::{fault::Fault, field::Fields, wire::encode_time};

use super::order::{dns_name, label};
use crate::rules::servers::{Server, ServerState};

/// The longest label of a server, in characters.
const MAX_HOST_NAME_CHARS: usize = 200;

/// A server that is to use an order's certificate.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) order_id: OrderId,
    pub(crate) host_name: String,
    pub(crate) server_software: String,
    pub(crate) common_name: San,
}

/// Reads the request to register a server.
pub(crate) fn decode_register(
    message: &orders::RegisterServerRequest,
) -> Result<Registration, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let host_name = fields.required_text("host_name", &message.host_name);
    fields.check(
        "host_name",
        message.host_name.chars().count() <= MAX_HOST_NAME_CHARS,
        "is longer than 200 characters",
    );
    let server_software = label(&mut fields, "server_software", &message.server_software);
    let common_name = dns_name(&mut fields, "common_name", &message.common_name);
    fields.request_id(message);
    fields.build(|| {
        Ok(Registration {
            order_id: order_id?,
            host_name: host_name?,
            server_software: server_software?,
            common_name: common_name?,
        })
    })
}

/// The software that an order's servers run in truth.
#[derive(Debug, Clone)]
pub(crate) struct SoftwareWish {
    pub(crate) order_id: OrderId,
    pub(crate) server_software: String,
}

/// Reads the request to correct the software.
pub(crate) fn decode_software(
    message: &orders::SetServerSoftwareRequest,
) -> Result<SoftwareWish, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let server_software = label(&mut fields, "server_software", &message.server_software);
    fields.request_id(message);
    fields.build(|| {
        Ok(SoftwareWish {
            order_id: order_id?,
            server_software: server_software?,
        })
    })
}

/// Reads the request to take a server off its order.
pub(crate) fn decode_unregister(
    message: &orders::UnregisterServerRequest,
) -> Result<ServerId, Fault> {
    let mut fields = Fields::new();
    let server_id = fields.required("server_id", &message.server_id);
    fields.request_id(message);
    fields.build(|| server_id)
}

/// A server.
pub(crate) fn encode(server: &Server) -> orders::Server {
    let state = match server.state {
        ServerState::Registered => orders::ServerState::Registered,
        ServerState::Unregistered => orders::ServerState::Unregistered,
        ServerState::Invalidated => orders::ServerState::Invalidated,
        ServerState::Lapsed => orders::ServerState::Lapsed,
    };
    orders::Server {
        server_id: server.id.to_string(),
        order_id: server.order_id.to_string(),
        host_name: server.host_name.clone(),
        server_software: server.server_software.clone(),
        primary: server.primary,
        state: state.into(),
        register_time: Some(encode_time(server.register_time)),
        common_name: server.common_name.value().to_owned(),
    }
}
