//! Reads feeds and their refused records.

use licet_runtime::{
    caller::Call,
    database::{Database, Tx},
    fault::Fault,
    page::Page,
};

use crate::{
    quota::check_visible,
    rules::{
        feed::{Feed, ListedRefusal},
        not_found,
    },
    store,
};

/// The feed, or NOT_FOUND.
pub(crate) async fn get(database: &Database, call: &Call, feed_id: &str) -> Result<Feed, Fault> {
    let tx = database.read();
    visible(&tx, call, feed_id).await
}

async fn visible(tx: &Tx, call: &Call, feed_id: &str) -> Result<Feed, Fault> {
    let feed = store::feeds::find(tx, feed_id).await?;
    let feed = feed.ok_or_else(|| not_found("feed", feed_id))?;
    check_visible(&feed, &call.caller.name, &call.caller.accounts)?;
    Ok(feed)
}

/// Lists a feed's refused records, latest first, with the token of the next page.
pub(crate) async fn list_refused(
    database: &Database,
    call: &Call,
    feed_id: &str,
    page: &Page,
) -> Result<(Vec<ListedRefusal>, String), Fault> {
    let tx = database.read();
    let feed = visible(&tx, call, feed_id).await?;
    let rows = store::feeds::list_refused(&tx, &feed.id, page).await?;
    let bytes = |listed: &ListedRefusal| {
        let texts = listed.record.reasons.iter().map(String::len);
        listed.record.content.len() + texts.sum::<usize>()
    };
    let key =
        |listed: &ListedRefusal| vec![listed.sequence.to_string(), listed.record.index.to_string()];
    Ok(page.finish_sized(rows, bytes, key))
}
