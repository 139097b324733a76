//! Servers that use an order's certificate.

use licet_contracts::orders::v1 as orders;
use licet_runtime::{
    caller::Call,
    fault::Fault,
    field::{Fields, only_of_change},
    wire::{encode_count, encode_time},
};

use super::order::{dns_name, label};
use crate::{
    queries::servers::ServerPage,
    rules::servers::{Server, ServerState},
    use_cases::{
        register_server::{RegisterServer, ServerPlaces},
        set_server_software::SetServerSoftware,
        unregister_server::UnregisterServer,
    },
};

/// The longest host name, in characters.
const MAX_HOST_NAME_CHARS: usize = 200;

/// Decodes the request to register a server.
pub(crate) fn decode_register(
    _: &Call,
    message: &orders::RegisterServerRequest,
) -> Result<RegisterServer, Fault> {
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
        Ok(RegisterServer {
            order_id: order_id?,
            host_name: host_name?,
            server_software: server_software?,
            common_name: common_name?,
        })
    })
}

/// Decodes the request to correct the software.
pub(crate) fn decode_software(
    _: &Call,
    message: &orders::SetServerSoftwareRequest,
) -> Result<SetServerSoftware, Fault> {
    let mut fields = Fields::new();
    let order_id = fields.required("order_id", &message.order_id);
    let server_software = label(&mut fields, "server_software", &message.server_software);
    fields.request_id(message);
    fields.build(|| {
        Ok(SetServerSoftware {
            order_id: order_id?,
            server_software: server_software?,
        })
    })
}

/// Decodes the request to unregister a server.
pub(crate) fn decode_unregister(
    _: &Call,
    message: &orders::UnregisterServerRequest,
) -> Result<UnregisterServer, Fault> {
    let server_id = only_of_change(message, "server_id", &message.server_id)?;
    Ok(UnregisterServer { server_id })
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

/// The registered server, and how many the order is licensed for and has.
pub(crate) fn encode_registered(places: &ServerPlaces) -> orders::RegisterServerResponse {
    orders::RegisterServerResponse {
        server: places.server.as_ref().map(encode),
        licensed_servers: encode_count(places.licensed),
        registered_servers: encode_count(places.registered),
    }
}

/// The unregistered server, and how many the order is licensed for and has.
pub(crate) fn encode_unregistered(places: &ServerPlaces) -> orders::UnregisterServerResponse {
    orders::UnregisterServerResponse {
        server: places.server.as_ref().map(encode),
        licensed_servers: encode_count(places.licensed),
        registered_servers: encode_count(places.registered),
    }
}

/// A page of servers, and how many the order is licensed for and has.
pub(crate) fn encode_page(page: ServerPage) -> orders::ListServersResponse {
    orders::ListServersResponse {
        servers: page.servers.iter().map(encode).collect(),
        licensed_servers: encode_count(page.licensed),
        registered_servers: encode_count(page.registered),
        next_page_token: page.next_page_token,
    }
}
