//! Bookmarks: positions of an event log with their chain hashes. A follower keeps some of its past ones, so
//! that it finds its way back when the log has lost events.

use serde::{Deserialize, Serialize};

/// A position of a log with its chain hash, which proves what the log held up to there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(i64, String)", try_from = "(i64, String)")]
pub struct Bookmark {
    /// The position; 0: before the first event.
    pub position: i64,
    /// The chain hash of the event there; empty at position 0.
    pub chain_hash: Vec<u8>,
}

/// Stored as a number and hexadecimal digits.
impl From<Bookmark> for (i64, String) {
    fn from(bookmark: Bookmark) -> Self {
        (bookmark.position, hex::encode(bookmark.chain_hash))
    }
}

impl TryFrom<(i64, String)> for Bookmark {
    type Error = hex::FromHexError;

    fn try_from((position, digits): (i64, String)) -> Result<Self, Self::Error> {
        Ok(Self {
            position,
            chain_hash: hex::decode(digits)?,
        })
    }
}

/// Thins bookmarks, newest first: the further behind the newest one, the fewer remain. Of those 2^n to
/// 2^(n+1) - 1 positions behind it, the oldest remains, because it is the next to be that far behind. So a few
/// dozen reach back to the beginning, and a follower of a log that lost some positions goes back by not much more than those.
pub(crate) fn thin(bookmarks: &mut Vec<Bookmark>) {
    let Some(newest) = bookmarks.first().map(|newest| newest.position) else {
        return;
    };
    let mut before = None;
    let mut remaining: Vec<_> = bookmarks
        .drain(..)
        .rev()
        .filter(|bookmark| {
            let distance = newest.saturating_sub(bookmark.position).checked_ilog2();
            before.replace(distance) != Some(distance)
        })
        .collect();
    remaining.reverse();
    *bookmarks = remaining;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(position: i64) -> Bookmark {
        Bookmark {
            position,
            chain_hash: position.to_be_bytes().to_vec(),
        }
    }

    #[test]
    fn a_bookmark_is_stored_as_its_position_and_digits() {
        let text = serde_json::to_string(&[at(258)]).unwrap();
        assert_eq!(text, "[[258,\"0000000000000102\"]]");
        let read: Vec<Bookmark> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, [at(258)]);
        assert!(serde_json::from_str::<Bookmark>("[1,\"x\"]").is_err());
    }

    /// After a loss of `lost` positions, a follower goes back by at most four times as many, and by one batch.
    #[test]
    fn few_bookmarks_reach_back_to_any_loss() {
        for batch in [1, 7, 100] {
            let mut bookmarks = Vec::new();
            for newest in (batch..20_000).step_by(7).map(|at| at / batch * batch) {
                if bookmarks.first() != Some(&at(newest)) {
                    bookmarks.insert(0, at(newest));
                }
                thin(&mut bookmarks);
                assert!(bookmarks.len() <= 16, "{} at {newest}", bookmarks.len());
                for lost in (0..14)
                    .map(|power| 1_i64 << power)
                    .filter(|lost| *lost < newest)
                {
                    let agreed = bookmarks.iter().map(|bookmark| bookmark.position);
                    let agreed = agreed.chain([0]).find(|agreed| *agreed <= newest - lost);
                    let back = newest - agreed.unwrap();
                    assert!(
                        back <= 4 * lost + batch.max(7),
                        "{back} for {lost} at {newest}"
                    );
                }
            }
        }
    }
}
