//! Replay of requests by `request_id` (BL-2): a repeat with the same body gets the first reply again, also
//! if that was a refusal; a different body is refused. Malformed requests and faults leave no record.

mod prune;
mod row;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use licet_contracts::Mutation;
use licet_domain::{
    ids::OperationId,
    refusal::{Reason, Refusal, not_found},
};
use prost::Message;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Set, Statement,
    sea_query::OnConflict,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    all_accounts::find_account,
    caller::{AccountScope, Call},
    clock::real_now,
    database::{Database, Tx, Work},
    fault::Fault,
    operation::record::{OperationHandle, SUBJECT},
    status::{decode_refusal, encode_refusal},
    stored,
};

pub(crate) use prune::RETENTION;

/// The result of accepting a request.
#[derive(Debug)]
pub enum Accepted<A> {
    /// The work is done.
    Done(A),
    /// The work continues as a durable operation, which repeats of the request wait for, too.
    Operation(OperationHandle),
}

/// Runs `work` at most once for the message's `request_id`; every repeat gets the same response. If `encode`
/// fails, nothing is done.
///
/// # Errors
/// The errors of the work; [`Reason::RequestIdReused`] for a different body under the same id.
pub async fn once<M, W, R>(
    database: &Database,
    call: &Call,
    message: &M,
    work: &W,
    encode: impl Fn(W::Output) -> Result<R, Fault> + Sync,
) -> Result<R, Fault>
where
    M: Mutation,
    W: Work,
    R: Message + Default,
{
    let to_reply = |output| Ok(StoredReply::Response(encode(output)?.encode_to_vec()));
    match run_once(database, call, message, work, &to_reply).await? {
        StoredReply::Response(body) => stored::message(&body),
        StoredReply::Operation(handle) => Err(Fault::internal(format!(
            "{} has a replay record of operation {}, but is not an operation",
            call.method, handle.id
        ))),
        StoredReply::Refusal(body) => Err(decode_refusal(&body)?.into()),
    }
}

/// As [`once`], for work that may continue as a durable operation.
pub(crate) async fn begin<M, A, W, R>(
    database: &Database,
    call: &Call,
    message: &M,
    work: &W,
    encode: impl Fn(A) -> Result<R, Fault> + Sync,
) -> Result<Accepted<R>, Fault>
where
    M: Mutation,
    A: Send,
    W: Work<Output = Accepted<A>>,
    R: Message + Default,
{
    let to_reply = |accepted| match accepted {
        Accepted::Done(output) => Ok(StoredReply::Response(encode(output)?.encode_to_vec())),
        Accepted::Operation(handle) => Ok(StoredReply::Operation(handle)),
    };
    match run_once(database, call, message, work, &to_reply).await? {
        StoredReply::Response(body) => Ok(Accepted::Done(stored::message(&body)?)),
        StoredReply::Operation(handle) => Ok(Accepted::Operation(handle)),
        StoredReply::Refusal(body) => Err(decode_refusal(&body)?.into()),
    }
}

/// The request field and the column that hold an account id.
const ACCOUNT_FIELD: &str = "account_id";

/// The identity of a request that is decided in a batch with others. The batch must hold a lock that
/// repeats of its requests wait for; [`once`] uses its first statement for that.
#[derive(Clone, Debug)]
pub struct Claim {
    key: Key,
    fingerprint: [u8; 32],
}

/// Caller, method and `request_id`: a repeat has all three in common.
type Key = (String, String, String);

impl Claim {
    /// The claim of a request.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when its `request_id` is not a UUID.
    pub fn of(call: &Call, message: &impl Mutation) -> Result<Self, Fault> {
        let request_id: Uuid = message
            .request_id()
            .parse()
            .map_err(|_| Fault::invalid("request_id", "must be a UUID"))?;
        Ok(Self {
            key: (
                call.caller.name.clone(),
                call.method.to_owned(),
                request_id.to_string(),
            ),
            fingerprint: fingerprint(message),
        })
    }
}

/// The reply to a request of a batch.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An encoded response.
    Response(Vec<u8>),
    /// A definite refusal.
    Refusal(Refusal),
}

/// The stored replies of earlier requests.
#[derive(Debug, Default)]
pub struct Replies(HashMap<Key, (Vec<u8>, Reply)>);

impl Replies {
    /// The reply for a repeat; a refusal if the id was used with a different body.
    #[must_use]
    pub fn find(&self, claim: &Claim) -> Option<Reply> {
        let (fingerprint, reply) = self.0.get(&claim.key)?;
        Some(if *fingerprint == claim.fingerprint {
            reply.clone()
        } else {
            let (_, method, request_id) = &claim.key;
            Reply::Refusal(reused(request_id, method))
        })
    }

    /// Adds a reply of this batch.
    pub fn insert(&mut self, claim: &Claim, reply: Reply) {
        let fingerprint = claim.fingerprint.to_vec();
        self.0.insert(claim.key.clone(), (fingerprint, reply));
    }
}

/// The stored replies to the repeats among `claims`.
///
/// # Errors
/// When the database does not answer.
pub async fn find_replies(tx: &Tx, claims: &[&Claim]) -> Result<Replies, Fault> {
    if claims.is_empty() {
        return Ok(Replies::default());
    }
    let wanted: Vec<_> = claims
        .iter()
        .map(|Claim { key, .. }| json!({ "c": key.0, "m": key.1, "r": key.2 }))
        .collect();
    let text = if tx.get_database_backend() == DbBackend::Postgres {
        "SELECT caller, method, request_id, fingerprint, outcome, body, operation_id, recorded_us \
         FROM json_to_recordset($1::json) AS wanted(c TEXT, m TEXT, r TEXT) \
         JOIN replay ON caller = wanted.c AND method = wanted.m AND request_id = wanted.r"
    } else {
        "SELECT caller, method, request_id, fingerprint, outcome, body, operation_id, recorded_us \
         FROM json_each($1) AS wanted JOIN replay ON caller = wanted.value ->> 'c' \
         AND method = wanted.value ->> 'm' AND request_id = wanted.value ->> 'r'"
    };
    let query = Statement::from_sql_and_values(
        tx.get_database_backend(),
        text,
        [json!(wanted).to_string().into()],
    );
    let rows = row::Entity::find().from_raw_sql(query).all(tx).await?;
    let mut replies = Replies::default();
    for row in rows {
        let body = row.body.unwrap_or_default();
        let first = if row.outcome == "REFUSAL" {
            Reply::Refusal(decode_refusal(&body)?)
        } else {
            Reply::Response(body)
        };
        let key = (row.caller, row.method, row.request_id);
        replies.0.insert(key, (row.fingerprint, first));
    }
    Ok(replies)
}

/// Stores the replies of a batch.
///
/// # Errors
/// When the database does not answer, or another batch has replied to one of the requests.
pub async fn store_replies(tx: &Tx, replies: &[(Claim, Reply)]) -> Result<(), Fault> {
    if replies.is_empty() {
        return Ok(());
    }
    let recorded_us = real_now().as_micros();
    let rows: Vec<_> = replies
        .iter()
        .map(|(claim, reply)| {
            let (outcome, body) = match reply {
                Reply::Response(body) => ("ANSWER", hex::encode(body)),
                Reply::Refusal(refusal) => ("REFUSAL", hex::encode(encode_refusal(refusal))),
            };
            json!({
                "c": claim.key.0,
                "m": claim.key.1,
                "r": claim.key.2,
                "f": hex::encode(claim.fingerprint),
                "o": outcome,
                "b": body,
            })
        })
        .collect();
    let text = if tx.get_database_backend() == DbBackend::Postgres {
        include_str!("sql/postgres/store_replies.sql")
    } else {
        include_str!("sql/sqlite/store_replies.sql")
    };
    let values = [json!(rows).to_string().into(), recorded_us.into()];
    let query = Statement::from_sql_and_values(tx.get_database_backend(), text, values);
    tx.execute_raw(query).await?;
    Ok(())
}

/// The fingerprint of a record that applies to any body.
const ANY_BODY: Vec<u8> = Vec::new();

/// Refuses in advance any request that the caller may still send to `method` under `request_id`, whatever its
/// body. Returns false if that request has already succeeded.
///
/// # Errors
/// When the database does not answer.
pub async fn refuse_ahead(
    tx: &Tx,
    caller: &str,
    method: &str,
    request_id: Uuid,
    refusal: &Refusal,
) -> Result<bool, Fault> {
    let key = (caller.to_owned(), method.to_owned(), request_id.to_string());
    let record = row::ActiveModel {
        caller: Set(key.0.clone()),
        method: Set(key.1.clone()),
        request_id: Set(key.2.clone()),
        fingerprint: Set(ANY_BODY),
        outcome: Set("REFUSAL".to_owned()),
        body: Set(Some(encode_refusal(refusal))),
        operation_id: Set(None),
        recorded_us: Set(real_now().as_micros()),
    };
    // Waits here for an attempt in progress; its result stands.
    let added = row::Entity::insert(record)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    if added == 1 {
        return Ok(true);
    }
    let earlier = row::Entity::find_by_id(key).one(tx).await?;
    let earlier = earlier.ok_or_else(|| Fault::internal("a replay record disappeared"))?;
    Ok(earlier.outcome == "REFUSAL")
}

fn reused(request_id: &str, method: &str) -> Refusal {
    Refusal::new(
        Reason::RequestIdReused,
        format!("request_id {request_id} was already used for a different {method} request; use a new one"),
    )
    .with("request_id", request_id)
}

/// SHA-256 of the message's encoding without `request_id`; a repeat must have the same (BL-2).
pub fn fingerprint(message: &impl Mutation) -> [u8; 32] {
    let mut body = message.clone();
    body.clear_request_id();
    Sha256::digest(body.encode_to_vec()).into()
}

async fn run_once<M, W, F>(
    database: &Database,
    call: &Call,
    message: &M,
    work: &W,
    to_reply: &F,
) -> Result<StoredReply, Fault>
where
    M: Mutation,
    W: Work,
    F: Fn(W::Output) -> Result<StoredReply, Fault> + Sync,
{
    let request_id: Uuid = message
        .request_id()
        .parse()
        .map_err(|_| Fault::invalid("request_id", "must be a UUID"))?;
    let once = OnceWork {
        call,
        subjects: database.subjects,
        subject: message.subject().map(|(field, id)| (field, id.to_owned())),
        request_id: request_id.to_string(),
        fingerprint: fingerprint(message).to_vec(),
        work,
        to_reply,
        has_run: AtomicBool::new(false),
    };
    match database.transact(&once).await {
        // The work was rolled back; store only its refusal. If a concurrent attempt has replied meanwhile,
        // its reply counts for both.
        Err(Fault::Refused(refusal)) => {
            let body = encode_refusal(&refusal);
            let once = &once;
            database.transact(&RecordRefusal { once, body }).await
        }
        result => result,
    }
}

/// A reply as its record stores it.
enum StoredReply {
    Response(Vec<u8>),
    Refusal(Vec<u8>),
    Operation(OperationHandle),
}

impl StoredReply {
    fn from_row(row: row::Model) -> Result<Self, Fault> {
        let body = row.body.unwrap_or_default();
        match row.outcome.as_str() {
            "ANSWER" => Ok(Self::Response(body)),
            "REFUSAL" => Ok(Self::Refusal(body)),
            "OPERATION" => row
                .operation_id
                .and_then(|id| id.parse().ok())
                .map(|id: OperationId| Self::Operation(id.into()))
                .ok_or_else(|| Fault::internal("a replay record has no operation id")),
            other => Err(Fault::internal(format!(
                "a replay record has the outcome {other}"
            ))),
        }
    }
}

/// Work that runs at most once, with the record of its reply.
struct OnceWork<'a, W, F> {
    call: &'a Call,
    /// The table of each request field that names a resource.
    subjects: &'static [(&'static str, &'static str)],
    /// The field that names this request's resource, and the id in it.
    subject: Option<(&'static str, String)>,
    request_id: String,
    fingerprint: Vec<u8>,
    work: &'a W,
    to_reply: &'a F,
    has_run: AtomicBool,
}

impl<W, F> OnceWork<'_, W, F> {
    /// The reply of an earlier attempt. The first run does not look: a repeat is rare, and inserting its
    /// record fails as a lost race. The next run then finds the reply.
    async fn earlier(&self, tx: &Tx) -> Result<Option<StoredReply>, Fault> {
        if !self.has_run.swap(true, Ordering::Relaxed) {
            return Ok(None);
        }
        let key = (
            self.call.caller.name.clone(),
            self.call.method.to_owned(),
            self.request_id.clone(),
        );
        let found = row::Entity::find_by_id(key).one(tx.before()?).await?;
        if found.is_some() {
            self.check_scope(tx).await?;
        }
        match found {
            Some(row) if row.fingerprint != self.fingerprint && row.fingerprint != ANY_BODY => {
                Err(reused(&self.request_id, self.call.method).into())
            }
            found => found.map(StoredReply::from_row).transpose(),
        }
    }

    /// Invariant: no stored reply is returned before this check. The caller may have lost access to the
    /// account, or may be another one of the same name: both get NOT_FOUND.
    async fn check_scope(&self, tx: &Tx) -> Result<(), Fault> {
        let AccountScope::Only(accounts) = &self.call.caller.accounts else {
            return Ok(());
        };
        let Some((field, id)) = &self.subject else {
            return Ok(());
        };
        let is_seen = if *field == ACCOUNT_FIELD {
            accounts.iter().any(|account| account.to_string() == *id)
        } else {
            let mut subjects = self.subjects.iter().chain([&SUBJECT]);
            let subject = subjects.find(|(named_by, _)| named_by == field);
            let subject = subject.ok_or_else(|| {
                Fault::internal(format!("no table is known for the field {field}"))
            })?;
            let found = find_account(tx.before()?, &self.call.caller.accounts, *subject, id);
            found.await?.is_some()
        };
        if is_seen {
            return Ok(());
        }
        let resource = field.trim_end_matches("_id");
        Err(not_found(resource, id).into())
    }

    fn record(&self, outcome: &str, body: Option<Vec<u8>>) -> row::ActiveModel {
        row::ActiveModel {
            caller: Set(self.call.caller.name.clone()),
            method: Set(self.call.method.to_owned()),
            request_id: Set(self.request_id.clone()),
            fingerprint: Set(self.fingerprint.clone()),
            outcome: Set(outcome.to_owned()),
            body: Set(body),
            operation_id: Set(None),
            recorded_us: Set(real_now().as_micros()),
        }
    }

    async fn store(&self, tx: &Tx, reply: &StoredReply) -> Result<(), Fault> {
        let (kind, body, operation_id) = match reply {
            StoredReply::Response(body) => ("ANSWER", Some(body.clone()), None),
            StoredReply::Refusal(body) => ("REFUSAL", Some(body.clone()), None),
            StoredReply::Operation(handle) => ("OPERATION", None, Some(handle.id.to_string())),
        };
        if tx.take_opening() {
            let record = row::ActiveModel {
                operation_id: Set(operation_id),
                ..self.record(kind, body)
            };
            return Ok(tx.later(row::Entity, row::Entity::insert(record)).await?);
        }
        let columns = row::ActiveModel {
            outcome: Set(kind.to_owned()),
            body: Set(body),
            operation_id: Set(operation_id),
            ..Default::default()
        };
        let update = row::Entity::update_many()
            .set(columns)
            .filter(row::Column::Caller.eq(&self.call.caller.name))
            .filter(row::Column::Method.eq(self.call.method))
            .filter(row::Column::RequestId.eq(&self.request_id));
        Ok(tx.later(row::Entity, update).await?)
    }
}

impl<W: Work, F: Fn(W::Output) -> Result<StoredReply, Fault> + Sync> Work for OnceWork<'_, W, F> {
    type Output = StoredReply;

    async fn run(&self, tx: &Tx) -> Result<StoredReply, Fault> {
        if let Some(reply) = self.earlier(tx).await? {
            return Ok(reply);
        }
        // Part of the first statement: a concurrent attempt with the same id waits there until this one has
        // ended, so a delayed attempt cannot act after its retry was refused.
        tx.open_with(row::Entity::insert(self.record("OPEN", None)));
        let reply = (self.to_reply)(self.work.run(tx).await?)?;
        self.store(tx, &reply).await?;
        Ok(reply)
    }
}

/// Stores a refusal, in a new transaction after the work's own was rolled back.
struct RecordRefusal<'a, W, F> {
    once: &'a OnceWork<'a, W, F>,
    body: Vec<u8>,
}

impl<W: Sync, F: Sync> Work for RecordRefusal<'_, W, F> {
    type Output = StoredReply;

    async fn run(&self, tx: &Tx) -> Result<StoredReply, Fault> {
        if let Some(reply) = self.once.earlier(tx).await? {
            return Ok(reply);
        }
        let record = self.once.record("REFUSAL", Some(self.body.clone()));
        tx.later(row::Entity, row::Entity::insert(record)).await?;
        Ok(StoredReply::Refusal(self.body.clone()))
    }
}
