//! The contract in Rust, generated from `proto/`: messages, clients, servers, the descriptor set, the table of
//! methods with their roles, and the traits of mutations and listings. It decides nothing.

mod access;
mod listing;
mod mutation;
pub mod types;

pub use access::{METHODS, Method, roles};
pub use listing::Listing;
pub use mutation::Mutation;
// Generated code refers to the package `licet.type.v1` by this name, which is a keyword.
use types as r#type;

/// Every file of the contract with its imports, comments and options, as an encoded `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/licet.descriptors"));

macro_rules! package {
    ($(#[$about:meta])+ $area:ident, $file:literal) => {
        $(#[$about])+
        #[expect(
            clippy::allow_attributes,
            clippy::allow_attributes_without_reason,
            reason = "tonic writes allow attributes into the clients and servers that it generates"
        )]
        pub mod $area {
            /// Version 1.
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/", $file));
            }
        }
    };
}

package! {
    /// Catalogue, accounts, quotes, invoices and refunds.
    billing, "licet.billing.v1.rs"
}
package! {
    /// Orders, their certificates and servers.
    orders, "licet.orders.v1.rs"
}
package! {
    /// The durable operations of a service.
    operations, "licet.operations.v1.rs"
}
package! {
    /// SAN licences: their sale, issuance under them, ingest and usage.
    sanlicensing, "licet.sanlicensing.v1.rs"
}
package! {
    /// The event log of a service.
    events, "licet.events.v1.rs"
}
package! {
    /// The suite's test clock.
    clock, "licet.clock.v1.rs"
}
