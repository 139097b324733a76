//! Requests for a page of a listing, told by their `page_token`. Implemented from the descriptors, never by hand.

/// A request for a page. Whatever it has beside the two fields of paging says what is listed.
pub trait Listing: prost::Message + Clone {
    /// How many rows are wanted at most; 0 for the service's own number.
    fn page_size(&self) -> i32;
    /// The token that the page before ended with; empty for the first page.
    fn page_token(&self) -> &str;
    /// Empties both; what is left must be the same for all pages of one listing.
    fn clear_page(&mut self);
}

include!(concat!(env!("OUT_DIR"), "/listings.rs"));
