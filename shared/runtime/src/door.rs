//! The door of a service: the only place where messages become values and values become messages. A verb
//! is a request as a value and knows no message. The door accepts and decodes a request, runs its verb at
//! most once (BL-2) and encodes the output; it decides nothing.

use licet_contracts::{Listing, Mutation};
use licet_domain::ids::OperationId;
use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    caller::{Call, Origin, accept},
    database::{Database, Tx, Work},
    fault::Fault,
    join::join,
    operation::{self, Operations, View},
    page::Page,
    replay::{self, Accepted},
};

/// An accepted request for a change.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// The caller, the method and the decision time.
    pub call: Call,
    /// The request's id, the same in every repeat.
    pub request_id: String,
}

impl ChangeRequest {
    /// The origin that events record.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.call.origin(&self.request_id)
    }
}

/// A change that one transaction makes.
pub trait Verb: Send + Sync {
    /// What the change returns.
    type Output: Send;

    /// Makes the change.
    fn run(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// A change that can be previewed (`validate_only`).
pub trait Preview: Send + Sync {
    /// What the preview returns: the same as the change itself.
    type Output: Send;
    /// What the preview reads: the store, and the peers if it needs them.
    type Context: Sync;

    /// Computes what the change would return. Changes nothing.
    fn preview(
        &self,
        call: &Call,
        within: &Self::Context,
    ) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// A change that may continue as a durable operation once it is accepted.
pub trait DurableVerb: Send + Sync {
    /// What the change returns.
    type Output: Send;
    /// The resource that its operation changes, as responses show it.
    type View: UnderWay;

    /// Makes the change, or begins its operation.
    fn accept(
        &self,
        request: &ChangeRequest,
        tx: &Tx,
    ) -> impl Future<Output = Result<Accepted<Self::Output>, Fault>> + Send;

    /// The response while the operation is in progress. `tx` is the snapshot that `view` was read from.
    fn pending(
        &self,
        tx: &Tx,
        view: Self::View,
    ) -> impl Future<Output = Result<Self::Output, Fault>> + Send;
}

/// A resource as it is shown while an operation runs on it.
pub trait UnderWay: Sized + Send {
    /// Reads the resource of a running operation that the caller may see.
    fn load(
        tx: &Tx,
        call: &Call,
        running: View,
    ) -> impl Future<Output = Result<Self, Fault>> + Send;
}

/// A decoded request, before anything is done.
pub struct Entry<M, V> {
    request: ChangeRequest,
    message: M,
    /// The change that it asks for.
    pub verb: V,
}

/// Accepts and decodes a request for a change.
///
/// # Errors
/// If the request is malformed.
pub fn enter<M: Mutation, V>(
    request: Request<M>,
    decode: impl FnOnce(&Call, &M) -> Result<V, Fault>,
) -> Result<Entry<M, V>, Status> {
    let (call, message) = accept(request)?;
    let verb = decode(&call, &message)?;
    let request_id = message.request_id().to_owned();
    Ok(Entry {
        request: ChangeRequest { call, request_id },
        message,
        verb,
    })
}

impl<M: Mutation, V> Entry<M, V> {
    /// The call.
    pub fn call(&self) -> &Call {
        &self.request.call
    }

    /// The same request with another verb, such as one that includes data read from peers.
    #[must_use]
    pub fn map<W>(self, verb: impl FnOnce(V) -> W) -> Entry<M, W> {
        Entry {
            request: self.request,
            message: self.message,
            verb: verb(self.verb),
        }
    }

    /// Makes the change, or its preview.
    ///
    /// # Errors
    /// The refusal.
    pub async fn run_or_preview<R>(
        &self,
        database: &Database,
        context: &<V as Preview>::Context,
        encode: impl Fn(<V as Verb>::Output) -> Result<R, Fault> + Send + Sync,
    ) -> Result<R, Fault>
    where
        V: Verb + Preview<Output = <V as Verb>::Output>,
        R: Message + Default,
    {
        if self.message.is_validate_only() {
            encode(self.verb.preview(&self.request.call, context).await?)
        } else {
            self.run(database, encode).await
        }
    }

    /// Runs the verb once, whatever the number of repeats.
    async fn run<R>(
        &self,
        database: &Database,
        encode: impl Fn(V::Output) -> Result<R, Fault> + Send + Sync,
    ) -> Result<R, Fault>
    where
        V: Verb,
        R: Message + Default,
    {
        let work = Run(self);
        replay::once(database, &self.request.call, &self.message, &work, encode).await
    }

    /// Accepts the verb once, whatever the number of repeats: a repeat gets the operation that the first
    /// attempt began.
    ///
    /// # Errors
    /// The refusal.
    pub async fn begin<R>(
        &self,
        database: &Database,
        encode: impl Fn(V::Output) -> Result<R, Fault> + Send + Sync,
    ) -> Result<Accepted<R>, Fault>
    where
        V: DurableVerb,
        R: Message + Default,
    {
        let work = Begin(self);
        replay::begin(database, &self.request.call, &self.message, &work, encode).await
    }
}

struct Run<'a, M, V>(&'a Entry<M, V>);

impl<M: Mutation, V: Verb> Work for Run<'_, M, V> {
    type Output = V::Output;

    async fn run(&self, tx: &Tx) -> Result<V::Output, Fault> {
        self.0.verb.run(&self.0.request, tx).await
    }
}

struct Begin<'a, M, V>(&'a Entry<M, V>);

impl<M: Mutation, V: DurableVerb> Work for Begin<'_, M, V> {
    type Output = Accepted<V::Output>;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        self.0.verb.accept(&self.0.request, tx).await
    }
}

/// Serves a one-transaction change that has no preview.
///
/// # Errors
/// The refusal, or if the request is malformed.
pub async fn run<M, V, R>(
    database: &Database,
    request: Request<M>,
    decode: impl FnOnce(&Call, &M) -> Result<V, Fault> + Send,
    encode: impl Fn(V::Output) -> Result<R, Fault> + Send + Sync,
) -> Result<Response<R>, Status>
where
    M: Mutation,
    V: Verb,
    R: Message + Default,
{
    let entry = enter(request, decode)?;
    entry.check_no_preview()?;
    Ok(Response::new(entry.run(database, encode).await?))
}

/// Serves a one-transaction change, or its preview.
///
/// # Errors
/// As [`run`].
pub async fn run_or_preview<M, V, R>(
    database: &Database,
    context: &V::Context,
    request: Request<M>,
    decode: impl FnOnce(&Call, &M) -> Result<V, Fault> + Send,
    encode: impl Fn(<V as Verb>::Output) -> Result<R, Fault> + Send + Sync,
) -> Result<Response<R>, Status>
where
    M: Mutation,
    V: Verb + Preview<Output = <V as Verb>::Output>,
    R: Message + Default,
{
    let entry = enter(request, decode)?;
    let response = entry.run_or_preview(database, context, encode).await?;
    Ok(Response::new(response))
}

/// Serves a change that may continue as an operation and has no preview.
///
/// # Errors
/// As [`run`], or the refusal of the operation.
pub async fn begin<P, M, V, R>(
    operations: &Operations<P>,
    request: Request<M>,
    decode: impl FnOnce(&Call, &M) -> Result<V, Fault> + Send,
    encode: impl Fn(V::Output) -> Result<R, Fault> + Send + Sync,
) -> Result<Response<R>, Status>
where
    P: Send + Sync + 'static,
    M: Mutation,
    V: DurableVerb,
    R: Message + Default,
{
    let entry = enter(request, decode)?;
    entry.check_no_preview()?;
    Ok(Response::new(
        entry.begin_and_join(operations, encode).await?,
    ))
}

/// Serves a change that may continue as an operation, or its preview.
///
/// # Errors
/// As [`begin`].
pub async fn begin_or_preview<P, M, V, R>(
    operations: &Operations<P>,
    context: &V::Context,
    request: Request<M>,
    decode: impl FnOnce(&Call, &M) -> Result<V, Fault> + Send,
    encode: impl Fn(<V as DurableVerb>::Output) -> Result<R, Fault> + Send + Sync,
) -> Result<Response<R>, Status>
where
    P: Send + Sync + 'static,
    M: Mutation,
    V: DurableVerb + Preview<Output = <V as DurableVerb>::Output>,
    R: Message + Default,
{
    let entry = enter(request, decode)?;
    let response = if entry.message.is_validate_only() {
        encode(entry.verb.preview(&entry.request.call, context).await?)?
    } else {
        entry.begin_and_join(operations, encode).await?
    };
    Ok(Response::new(response))
}

impl<M: Mutation, V> Entry<M, V> {
    /// A `validate_only` request must never run a change that has no preview.
    fn check_no_preview(&self) -> Result<(), Fault> {
        if self.message.is_validate_only() {
            let method = self.request.call.method;
            return Err(Fault::internal(format!(
                "{method} has no preview, but its request has validate_only"
            )));
        }
        Ok(())
    }

    async fn begin_and_join<P, R>(
        &self,
        operations: &Operations<P>,
        encode: impl Fn(V::Output) -> Result<R, Fault> + Send + Sync,
    ) -> Result<R, Fault>
    where
        P: Send + Sync + 'static,
        V: DurableVerb,
        R: Message + Default,
    {
        let database = operations.database();
        let accepted = self.begin(database, &encode).await?;
        let pending = |id| self.pending(database, id, &encode);
        join(operations, &self.request.call, accepted, pending).await
    }

    /// The response while the operation is in progress; `None` if it has ended meanwhile.
    async fn pending<R>(
        &self,
        database: &Database,
        operation_id: OperationId,
        encode: &(impl Fn(V::Output) -> Result<R, Fault> + Send + Sync),
    ) -> Result<Option<R>, Fault>
    where
        V: DurableVerb,
    {
        let call = &self.request.call;
        let tx = database.read();
        let found = operation::find_under_way(&tx, &call.caller, operation_id).await?;
        let Some(running) = found else {
            return Ok(None);
        };
        let view = V::View::load(&tx, call, running).await?;
        encode(self.verb.pending(&tx, view).await?).map(Some)
    }
}

/// Accepts and decodes a read request.
///
/// # Errors
/// If the request is malformed.
pub fn read<M, Q>(
    request: Request<M>,
    decode: impl FnOnce(&Call, &M) -> Result<Q, Fault>,
) -> Result<(Call, Q), Status> {
    let (call, message) = accept(request)?;
    let query = decode(&call, &message)?;
    Ok((call, query))
}

/// Accepts and decodes a request for a page of a listing: its filter and the page.
///
/// # Errors
/// As [`read`].
pub fn list<M: Listing, F>(
    request: Request<M>,
    decode: impl FnOnce(&Call, &M) -> Result<F, Fault>,
) -> Result<(Call, F, Page), Status> {
    let (call, message) = accept(request)?;
    let filter = decode(&call, &message)?;
    let page = Page::of(&call, &message)?;
    Ok((call, filter, page))
}
