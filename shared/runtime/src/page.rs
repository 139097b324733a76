//! Keyset paging: an opaque token contains the last row's key, the listing's time and a hash of its filter,
//! so that rows may come and go between pages.

use std::fmt::Display;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use licet_contracts::Listing;
use licet_domain::clock::Instant;
use sea_orm::{ColumnTrait, Condition, Order};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{caller::Call, fault::Fault};

const DEFAULT_SIZE: i32 = 50;
const MAX_SIZE: i32 = 1000;
/// The largest page in bytes, well below the largest message.
pub const MAX_PAGE_BYTES: usize = 2 << 20;

/// A page of a listing.
#[derive(Clone, Debug)]
pub struct Page {
    size: usize,
    is_sized: bool,
    filter: String,
    /// The key of the last row before the page, sort columns first; `None` for the first page.
    pub after: Option<Vec<String>>,
    /// The time at which the listing began: every page shows the state of its rows as of then. Invariant: do
    /// not filter rows by it. The instance that wrote a row may have a clock ahead of this one's (T-5).
    pub as_of: Instant,
}

/// A row's key in a listing by time and id.
pub fn time_key(time: Instant, id: impl Display) -> Vec<String> {
    vec![time.as_micros().to_string(), id.to_string()]
}

/// The violation of a token of another listing.
pub fn foreign_token() -> Fault {
    Fault::invalid("page_token", "is not a token of this listing")
}

#[derive(Serialize, Deserialize)]
struct Token {
    k: Vec<String>,
    f: String,
    t: i64,
}

impl Page {
    /// The page that a request asks for. A token is valid only for its own listing: the method and all other
    /// fields must be the same as for the first page.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for a negative size and for a token of another listing.
    pub fn of(call: &Call, message: &impl Listing) -> Result<Self, Fault> {
        let mut listing = message.clone();
        listing.clear_page();
        let filter = format!("{} {}", call.method, hex::encode(listing.encode_to_vec()));
        Self::decode(message.page_size(), message.page_token(), &filter, call.now)
    }

    /// Reads `page_size` and `page_token`. `filter` identifies the listing: a token is valid only for its own.
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
        let is_sized = page_size > 0;
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
                is_sized,
                filter,
                after: None,
                as_of: now,
            });
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(page_token)
            .map_err(|_| foreign_token())?;
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| foreign_token())?;
        if token.f != filter {
            return Err(foreign_token());
        }
        // PostgreSQL rejects NUL in text, which would look like a defect of ours.
        if token.k.iter().any(|part| part.contains('\0')) {
            return Err(foreign_token());
        }
        let as_of = Instant::from_micros(token.t).ok_or_else(foreign_token)?;
        Ok(Self {
            size,
            is_sized,
            filter,
            after: Some(token.k),
            as_of,
        })
    }

    /// The page, of a listing that begins no earlier than `now`, so that it shows earlier decisions (T-5).
    #[must_use]
    pub fn not_before(mut self, now: Instant) -> Self {
        if self.after.is_none() {
            self.as_of = self.as_of.max(now);
        }
        self
    }

    /// The page, with `size` rows if the request sets no size.
    #[must_use]
    pub fn or_size(mut self, size: usize) -> Self {
        if !self.is_sized {
            self.size = size;
        }
        self
    }

    /// How many rows to read: one more than the page has, to know whether another page follows.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.size as u64 + 1
    }

    /// The last key, in a listing sorted by one column.
    #[must_use]
    pub fn after_key(&self) -> Option<&str> {
        self.after
            .as_ref()
            .and_then(|key| key.first())
            .map(String::as_str)
    }

    /// The last key, in a listing sorted by two numbers.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the token has a key of another form.
    pub fn after_numbers(&self) -> Result<Option<(i64, i64)>, Fault> {
        let Some(key) = &self.after else {
            return Ok(None);
        };
        let [first, second] = key.as_slice() else {
            return Err(foreign_token());
        };
        let number = |text: &str| text.parse().map_err(|_| foreign_token());
        Ok(Some((number(first)?, number(second)?)))
    }

    /// The condition for rows after the last key, in a listing by time and id.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the token has a key of another form.
    pub fn rows_after<C: ColumnTrait>(
        &self,
        order: &Order,
        time_us: C,
        id: C,
    ) -> Result<Condition, Fault> {
        let Some(key) = &self.after else {
            return Ok(Condition::all());
        };
        let [after_us, after_id] = key.as_slice() else {
            return Err(foreign_token());
        };
        let after_us: i64 = after_us.parse().map_err(|_| foreign_token())?;
        let same_time = Condition::all().add(time_us.eq(after_us));
        let after_id = after_id.as_str();
        // Redundant, but it lets the database begin its index scan here.
        let (bound, later) = if matches!(order, Order::Desc) {
            let later = Condition::any()
                .add(time_us.lt(after_us))
                .add(same_time.add(id.lt(after_id)));
            (time_us.lte(after_us), later)
        } else {
            let later = Condition::any()
                .add(time_us.gt(after_us))
                .add(same_time.add(id.gt(after_id)));
            (time_us.gte(after_us), later)
        };
        Ok(Condition::all().add(bound).add(later))
    }

    /// Truncates the rows to the page and returns the token of the next page; empty if this is the last.
    pub fn finish<R>(&self, rows: Vec<R>, key: impl Fn(&R) -> Vec<String>) -> (Vec<R>, String) {
        self.finish_sized(rows, |_| 0, key)
    }

    /// As [`Page::finish`], and also truncates to [`MAX_PAGE_BYTES`] by the `bytes` of each row. A page has at
    /// least one row.
    pub fn finish_sized<R>(
        &self,
        mut rows: Vec<R>,
        bytes: impl Fn(&R) -> usize,
        key: impl Fn(&R) -> Vec<String>,
    ) -> (Vec<R>, String) {
        let mut room = MAX_PAGE_BYTES;
        let fitting = rows
            .iter()
            .take(self.size)
            .take_while(|row| match room.checked_sub(bytes(row)) {
                Some(left) => {
                    room = left;
                    true
                }
                None => false,
            })
            .count()
            .max(1);
        let more = rows.len() > fitting;
        rows.truncate(fitting);
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
    use std::hint::black_box;

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

    #[test]
    fn a_page_of_large_rows_is_short_and_goes_on() {
        let page = Page::decode(10, "", "", at(0)).unwrap();
        let rows = vec![MAX_PAGE_BYTES / 2; 5];
        let (given, token) = page.finish_sized(rows, |row| *row, |_| vec!["k".to_owned()]);
        assert_eq!(given.len(), 2);
        assert_ne!(token, "");
        let huge = vec![MAX_PAGE_BYTES * 2; 2];
        let (given, token) = page.finish_sized(huge, |row| *row, |_| vec!["k".to_owned()]);
        assert_eq!((given.len(), token.is_empty()), (1, false));
    }

    #[test]
    fn tokens_are_read_or_refused() {
        let page = Page::decode(1, "", "account=a", at(5)).unwrap();
        let token = |key: &[&str]| {
            let key: Vec<_> = key.iter().map(ToString::to_string).collect();
            page.finish(vec![(); 3], |()| key.clone()).1
        };
        let json = |token: &str| URL_SAFE_NO_PAD.decode(token).unwrap();
        let keys = [token(&["1"]), token(&["12", "34"]), token(&["-1", "ord_1"])];
        let seeds = keys.each_ref().map(|token| json(token));
        let words = [
            "\"k\":",
            "\\u0000",
            "[",
            "{",
            "9223372036854775808",
            "null",
            "\"t\":",
        ];
        licet_fuzz::fuzz("page tokens", &seeds, &words, |bytes| {
            for token in [
                URL_SAFE_NO_PAD.encode(bytes),
                String::from_utf8_lossy(bytes).into_owned(),
            ] {
                if let Ok(page) = Page::decode(1, &token, "account=a", at(9)) {
                    assert_eq!(page.after.is_none(), token.is_empty());
                    black_box(page.after_numbers().is_ok());
                }
            }
        });
    }
}
