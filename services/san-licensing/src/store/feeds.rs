//! Feeds: where each stands, and the records that were refused (SL-14).

use licet_domain::clock::Instant;
use licet_runtime::{
    database::Tx,
    fault::Fault,
    page::Page,
    stored::{instant, parsed},
};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement, Value};

use super::{
    cells::{Cells, parameters},
    licenses::{signed, unsigned},
    quota::{of_rows, statement},
};
use crate::rules::feed::{Counts, Feed, ListedRefusal, RecordRefusal, RefusedRecord};

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
            counts: Counts {
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

/// The feed, opened by `caller` at `now` if it is new; nobody else takes a batch of it before this
/// transaction ends.
pub(crate) async fn lock(
    tx: &Tx,
    feed_id: &str,
    caller: &str,
    now: Instant,
) -> Result<Feed, Fault> {
    let text = "INSERT INTO feed (feed_id, opened_by, sequence, feed_cursor, fingerprint, \
            acknowledgement, recorded, unallocated, revoked, kept_for_later, already_known, refused, \
            create_us, update_us) \
        VALUES ($1, $2, 0, '', $3, $3, 0, 0, 0, 0, 0, 0, $4, $4) \
        ON CONFLICT (feed_id) DO UPDATE SET feed_id = excluded.feed_id RETURNING *";
    let values: [Value; 4] = [
        feed_id.into(),
        caller.into(),
        Vec::<u8>::new().into(),
        now.as_micros().into(),
    ];
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    let row = FeedRow::find_by_statement(query).one(tx).await?;
    row.ok_or_else(|| Fault::internal("a feed vanished under its key"))?
        .try_into()
}

/// The feed as it stands.
pub(crate) async fn find(tx: &Tx, feed_id: &str) -> Result<Option<Feed>, Fault> {
    let query = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "SELECT * FROM feed WHERE feed_id = $1",
        [feed_id.into()],
    );
    let row = FeedRow::find_by_statement(query).one(tx).await?;
    row.map(Feed::try_from).transpose()
}

/// Writes a feed that was read by [`lock`].
pub(crate) async fn save(tx: &Tx, feed: &Feed) -> Result<(), Fault> {
    let text = "UPDATE feed SET sequence = $2, feed_cursor = $3, fingerprint = $4, \
            acknowledgement = $5, recorded = $6, unallocated = $7, revoked = $8, \
            kept_for_later = $9, already_known = $10, refused = $11, update_us = $12 \
        WHERE feed_id = $1";
    let counts = &feed.counts;
    let values: [Value; 12] = [
        (*feed.id).into(),
        signed("sequence", feed.sequence)?.into(),
        feed.cursor.clone().into(),
        feed.fingerprint.clone().into(),
        feed.acknowledgement.clone().into(),
        signed("recorded", counts.recorded)?.into(),
        signed("unallocated", counts.unallocated)?.into(),
        signed("revoked", counts.revoked)?.into(),
        signed("kept_for_later", counts.kept_for_later)?.into(),
        signed("already_known", counts.already_known)?.into(),
        signed("refused", counts.refused)?.into(),
        feed.update_time.as_micros().into(),
    ];
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    tx.execute_raw(query).await?;
    Ok(())
}

/// Keeps the records of a batch that were refused.
pub(crate) async fn insert_refused(
    tx: &Tx,
    feed: &Feed,
    refused: &[RefusedRecord],
    now: Instant,
) -> Result<(), Fault> {
    let sizes = refused
        .iter()
        .map(|record| signed("content_bytes", record.content_bytes));
    let query = of_rows!(
        tx,
        "insert_refused_records",
        [
            Cells::long(refused.iter().map(|record| record.index.into())),
            Cells::text(refused.iter().map(|record| record.refusal.as_str())),
            Cells::text(refused.iter().map(|record| record.reasons.join("\n"))),
            Cells::bytes(refused.iter().map(|record| record.content.clone())),
            Cells::Long(sizes.collect::<Result<_, _>>()?),
        ],
        (*feed.id),
        signed("sequence", feed.sequence)?,
        now.as_micros()
    );
    tx.execute_raw(query).await?;
    Ok(())
}

/// The refused records of a page, the last ones first.
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
    let text = "SELECT * FROM refused_record WHERE feed_id = $1 \
        AND (sequence, record_index) < ($2, $3) ORDER BY sequence DESC, record_index DESC LIMIT $4";
    let values: [Value; 4] = [
        feed_id.into(),
        sequence.into(),
        index.into(),
        page.limit().into(),
    ];
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
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
