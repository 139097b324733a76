//! Feeds with their positions, and refused records (SL-14).

use licet_domain::clock::Instant;
use licet_runtime::{
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{instant, parsed},
};
use sea_orm::{ConnectionTrait, FromQueryResult};

use super::{
    licenses::{signed, unsigned},
    query::{Query, Rows, insert},
};
use crate::rules::feed::{Feed, IngestCounts, ListedRefusal, RecordRefusal, RefusedRecord};

#[derive(FromQueryResult)]
struct FeedRow {
    feed_id: String,
    opened_by: String,
    sequence: i64,
    feed_cursor: String,
    fingerprint: Vec<u8>,
    acknowledgement: Vec<u8>,
    recorded: i64,
    unallocated: i64,
    revoked: i64,
    kept_for_later: i64,
    already_known: i64,
    refused: i64,
    create_us: i64,
    update_us: i64,
}

/// All columns.
const COLUMNS: &str = "feed_id, opened_by, sequence, feed_cursor, fingerprint, acknowledgement, recorded, unallocated, \
    revoked, kept_for_later, already_known, refused, create_us, update_us";

impl TryFrom<FeedRow> for Feed {
    type Error = Fault;

    fn try_from(row: FeedRow) -> Result<Self, Fault> {
        Ok(Self {
            id: row.feed_id.into(),
            opened_by: row.opened_by,
            sequence: unsigned("sequence", row.sequence)?,
            cursor: row.feed_cursor,
            fingerprint: row.fingerprint,
            acknowledgement: row.acknowledgement,
            counts: IngestCounts {
                recorded: unsigned("recorded", row.recorded)?,
                unallocated: unsigned("unallocated", row.unallocated)?,
                revoked: unsigned("revoked", row.revoked)?,
                kept_for_later: unsigned("kept_for_later", row.kept_for_later)?,
                already_known: unsigned("already_known", row.already_known)?,
                refused: unsigned("refused", row.refused)?,
            },
            create_time: instant("create_us", row.create_us)?,
            update_time: instant("update_us", row.update_us)?,
        })
    }
}

/// Locks the feed, which `caller` opens at `now` if it is new.
pub(crate) async fn lock(
    tx: &Tx,
    feed_id: &str,
    caller: &str,
    now: Instant,
) -> Result<Feed, Fault> {
    let query = Query::on(tx)
        .part("columns", COLUMNS)
        .value("feed_id", feed_id)
        .value("opened_by", caller)
        .value("nothing", Vec::<u8>::new())
        .value("now_us", now.as_micros());
    let text = "INSERT INTO feed ({columns}) \
        VALUES ({feed_id}, {opened_by}, 0, '', {nothing}, {nothing}, 0, 0, 0, 0, 0, 0, {now_us}, {now_us}) \
        ON CONFLICT (feed_id) DO UPDATE SET feed_id = excluded.feed_id RETURNING {columns}";
    let query = query.statement(text)?;
    let row = FeedRow::find_by_statement(query).one(tx).await?;
    row.ok_or_else(|| Fault::internal("an upserted feed returned no row"))?
        .try_into()
}

/// Finds a feed.
pub(crate) async fn find(tx: &Tx, feed_id: &str) -> Result<Option<Feed>, Fault> {
    let query = Query::on(tx)
        .part("columns", COLUMNS)
        .value("feed_id", feed_id);
    let query = query.statement("SELECT {columns} FROM feed WHERE feed_id = {feed_id}")?;
    let row = FeedRow::find_by_statement(query).one(tx).await?;
    row.map(Feed::try_from).transpose()
}

/// Updates a feed read by [`lock`].
pub(crate) async fn save(tx: &Tx, feed: &Feed) -> Result<(), Fault> {
    let text = "UPDATE feed SET sequence = {sequence}, feed_cursor = {feed_cursor}, \
            fingerprint = {fingerprint}, acknowledgement = {acknowledgement}, recorded = {recorded}, \
            unallocated = {unallocated}, revoked = {revoked}, kept_for_later = {kept_for_later}, \
            already_known = {already_known}, refused = {refused}, update_us = {update_us} \
        WHERE feed_id = {feed_id}";
    let counts = &feed.counts;
    let query = Query::on(tx)
        .value("feed_id", &*feed.id)
        .value("sequence", signed("sequence", feed.sequence)?)
        .value("feed_cursor", feed.cursor.as_str())
        .value("fingerprint", feed.fingerprint.clone())
        .value("acknowledgement", feed.acknowledgement.clone())
        .value("recorded", signed("recorded", counts.recorded)?)
        .value("unallocated", signed("unallocated", counts.unallocated)?)
        .value("revoked", signed("revoked", counts.revoked)?)
        .value(
            "kept_for_later",
            signed("kept_for_later", counts.kept_for_later)?,
        )
        .value(
            "already_known",
            signed("already_known", counts.already_known)?,
        )
        .value("refused", signed("refused", counts.refused)?)
        .value("update_us", feed.update_time.as_micros());
    tx.execute_raw(query.statement(text)?).await?;
    Ok(())
}

/// Inserts the refused records of a batch.
pub(crate) async fn insert_refused(
    tx: &Tx,
    feed: &Feed,
    refused: &[RefusedRecord],
    now: Instant,
) -> Result<(), Fault> {
    let sequence = signed("sequence", feed.sequence)?;
    let rows = Rows::of(refused)
        .text("feed_id", |_| &*feed.id)
        .long("sequence", |_| sequence)
        .long("record_index", |record| record.index.into())
        .text("refusal", |record| record.refusal.as_str())
        .string("reasons", |record| record.reasons.join("\n"))
        .bytes("content", |record| record.content.clone())
        .try_long("content_bytes", |record| {
            signed("content_bytes", record.content_bytes)
        })?
        .long("refuse_us", |_| now.as_micros());
    insert(tx, "refused_record", rows).await
}

/// Removes up to `limit` refused records from before `before`, the oldest first. Returns how many.
pub(crate) async fn drop_refused(tx: &Tx, before: Instant, limit: u64) -> Result<u64, Fault> {
    let query = Query::on(tx)
        .value("before", before.as_micros())
        .value("limit", limit);
    let text = "DELETE FROM refused_record WHERE (feed_id, sequence, record_index) IN \
        (SELECT feed_id, sequence, record_index FROM refused_record \
        WHERE refuse_us < {before} ORDER BY refuse_us LIMIT {limit})";
    let deleted = tx.execute_raw(query.statement(text)?).await?;
    Ok(deleted.rows_affected())
}

/// A page of refused records, latest first.
pub(crate) async fn list_refused(
    tx: &Tx,
    feed_id: &str,
    page: &Page,
) -> Result<Vec<ListedRefusal>, Fault> {
    #[derive(FromQueryResult)]
    struct Row {
        sequence: i64,
        record_index: i64,
        refusal: String,
        reasons: String,
        content: Vec<u8>,
        content_bytes: i64,
        refuse_us: i64,
    }
    let (sequence, index) = page.after_numbers()?.unwrap_or((i64::MAX, i64::MAX));
    let query = Query::on(tx)
        .value("feed_id", feed_id)
        .value("sequence", sequence)
        .value("index", index)
        .value("limit", page.limit());
    let text = "SELECT sequence, record_index, refusal, reasons, content, content_bytes, refuse_us \
        FROM refused_record WHERE feed_id = {feed_id} \
        AND (sequence, record_index) < ({sequence}, {index}) \
        ORDER BY sequence DESC, record_index DESC LIMIT {limit}";
    let query = query.statement(text)?;
    let rows = Row::find_by_statement(query).all(tx).await?;
    rows.into_iter()
        .map(|row| {
            let index = unsigned("record_index", row.record_index)?;
            Ok(ListedRefusal {
                sequence: unsigned("sequence", row.sequence)?,
                record: RefusedRecord {
                    index: u32::try_from(index).map_err(Fault::internal)?,
                    refusal: parsed::<RecordRefusal>("refusal", &row.refusal)?,
                    reasons: row.reasons.lines().map(str::to_owned).collect(),
                    content: row.content,
                    content_bytes: unsigned("content_bytes", row.content_bytes)?,
                },
                refuse_time: instant("refuse_us", row.refuse_us)?,
            })
        })
        .collect()
}
