//! Requests for a page: every request message with a `page_token`. The build script implements the trait.

/// A request for a page of a listing. All other fields define the listing.
pub trait Listing: prost::Message + Clone {
    /// The most rows to return; 0 for the default.
    fn page_size(&self) -> i32;
    /// The token of this page from the response before; empty for the first page.
    fn page_token(&self) -> &str;
    /// Clears both fields; the rest must be the same for all pages of a listing.
    fn clear_page(&mut self);
}

include!(concat!(env!("OUT_DIR"), "/listings.rs"));
