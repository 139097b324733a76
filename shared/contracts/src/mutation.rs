//! Requests for changes: every request message with a `request_id` (BL-2). The build script implements the trait.

/// A request with a `request_id`, so that a repeat gets the first reply.
pub trait Mutation: prost::Message + Clone {
    /// The request's id as the client sent it, not checked to be a UUID.
    fn request_id(&self) -> &str;
    /// Clears the id; the rest is the body that a repeat must match.
    fn clear_request_id(&mut self);
    /// Whether the client only wants a preview. False for requests without this field.
    fn is_validate_only(&self) -> bool;
    /// The field that names the request's subject, such as `order_id`, and the id in it. `None` if the subject
    /// belongs to no account.
    fn subject(&self) -> Option<(&'static str, &str)>;
}

include!(concat!(env!("OUT_DIR"), "/mutations.rs"));
