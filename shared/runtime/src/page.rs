//! Keyset paging: an opaque token holds the last row's key, the as-of time and what was filtered
//! for, so that rows which come and go do not disturb a listing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use licet_domain::clock::Instant;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::fault::Fault;

const DEFAULT_SIZE: i32 = 50;
const MAX_SIZE: i32 = 1000;

/// Which rows to read next.
#[derive(Clone, Debug)]
pub struct Page {
    size: usize,
    filter: String,
    /// Key of the last row already given, sort columns first; `None` on the first page.
    pub after: Option<Vec<String>>,
    /// The instant at which the listing began: later rows do not belong to it.
    pub as_of: Instant,
}

#[derive(Serialize, Deserialize)]
struct Token {
    k: Vec<String>,
    f: String,
    t: i64,
}

impl Page {
    /// Reads `page_size` and `page_token`. `filter` is the text of all other request fields: a
    /// token is good only for the listing it came from.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for a negative size and for a token of another listing.
    pub fn decode(
        page_size: i32,
        page_token: &str,
        filter: &str,
        now: Instant,
    ) -> Result<Self, Fault> {
        if page_size < 0 {
            return Err(Fault::invalid("page_size", "must not be negative"));
        }
        let size = if page_size == 0 {
            DEFAULT_SIZE
        } else {
            page_size.min(MAX_SIZE)
        };
        let size = usize::try_from(size).map_err(Fault::internal)?;
        let filter = hex::encode(&Sha256::digest(filter.as_bytes())[..8]);
        if page_token.is_empty() {
            return Ok(Self {
                size,
                filter,
                after: None,
                as_of: now,
            });
        }
        let bad = || Fault::invalid("page_token", "is not a token of this listing");
        let bytes = URL_SAFE_NO_PAD.decode(page_token).map_err(|_| bad())?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| bad())?;
        if token.f != filter {
            return Err(bad());
        }
        let as_of = Instant::from_micros(token.t).ok_or_else(bad)?;
        Ok(Self {
            size,
            filter,
            after: Some(token.k),
            as_of,
        })
    }

    /// How many rows to ask the database for: one more than the page, to know whether another
    /// page follows.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.size as u64 + 1
    }

    /// The last key's only column, where the listing is sorted by one.
    #[must_use]
    pub fn after_key(&self) -> Option<&str> {
        self.after
            .as_ref()
            .and_then(|key| key.first())
            .map(String::as_str)
    }

    /// Cuts the extra row off and makes the token of the next page; empty when there is none.
    pub fn finish<R>(&self, mut rows: Vec<R>, key: impl Fn(&R) -> Vec<String>) -> (Vec<R>, String) {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        let token = match rows.last() {
            Some(last) if more => {
                let token = Token {
                    k: key(last),
                    f: self.filter.clone(),
                    t: self.as_of.as_micros(),
                };
                URL_SAFE_NO_PAD.encode(serde_json::json!(token).to_string())
            }
            Some(_) | None => String::new(),
        };
        (rows, token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Instant {
        Instant::from_micros(micros).unwrap()
    }

    #[test]
    fn a_token_continues_its_own_listing_and_no_other() {
        let first = Page::decode(2, "", "account=a", at(5)).unwrap();
        let (rows, token) = first.finish(vec![1, 2, 3], |row| vec![row.to_string()]);
        assert_eq!(rows, [1, 2]);
        let second = Page::decode(2, &token, "account=a", at(9)).unwrap();
        assert_eq!((second.after_key(), second.as_of), (Some("2"), at(5)));
        assert!(Page::decode(2, &token, "account=b", at(9)).is_err());
        assert!(Page::decode(2, "nonsense", "account=a", at(9)).is_err());
        let (_, end) = second.finish(vec![3], |row| vec![row.to_string()]);
        assert_eq!(end, "");
    }

    #[test]
    fn sizes_have_a_default_and_a_ceiling() {
        let limit = |size| Page::decode(size, "", "", at(0)).map(|page| page.limit());
        assert_eq!(limit(0).unwrap(), 51);
        assert_eq!(limit(5000).unwrap(), 1001);
        assert!(limit(-1).is_err());
    }
}
