//! Requests that change something, told by their `request_id` (BL-2). Implemented from the descriptors, never by hand.

/// A request that carries a `request_id`, so that its repeat gets the first answer.
pub trait Mutation: prost::Message + Clone {
    /// The id that names the attempt, as the client wrote it: a UUID, if the client keeps to the contract.
    fn request_id(&self) -> &str;
    /// Empties the id; what is left is the body that a repeat must match.
    fn clear_request_id(&mut self);
    /// Whether the client only asks what would happen. False for requests that have no such field.
    fn is_validate_only(&self) -> bool;
    /// What the request is about: the field that names it, such as `order_id`, and the id in it. None: nothing that
    /// belongs to an account.
    fn subject(&self) -> Option<(&'static str, &str)>;
}

include!(concat!(env!("OUT_DIR"), "/mutations.rs"));
