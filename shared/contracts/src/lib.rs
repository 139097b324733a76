//! The contract in Rust: messages, clients and servers generated from `proto/`, its descriptor set, and what is read
//! from it: who may call a method, which requests are mutations and which are listings. Nothing here decides anything.

mod access;
mod listing;
mod mutation;
pub mod types;

pub use access::{METHODS, Method, roles};
pub use listing::Listing;
pub use mutation::Mutation;
// The generated code reaches the package `licet.type.v1` by its own name, which is a keyword.
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
    /// What is under way in a service: its durable operations.
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
