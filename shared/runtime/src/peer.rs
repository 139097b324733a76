//! Channels to peer services: lazily connected, kept alive, each call with a deadline and the
//! caller's identity; a seam where tests let calls fail, before or after the peer acted.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use licet_contracts::METHODS;
use licet_domain::refusal::Refusal;
use tonic::{
    Code, Response, Status,
    body::Body,
    transport::{Channel, Endpoint, Error},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::Service;
use uuid::Uuid;

use crate::{
    caller::{CALLER_KEY, ROLES_KEY},
    database::Database,
    fault::{Fault, TransientFault, TransientReason},
    peer_store::{EXPECTED_KEY, PeerStores, STORE_KEY, header, id_of, named},
    status::{refusal_of, store_change},
};

/// The longest that one call to a peer may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a peer gave no answer.
#[derive(Debug)]
pub enum PeerFault {
    /// A definite refusal: nothing was done there, and never will be for this request id.
    Refused(Box<Refusal>),
    /// Whether it was done is unknown: ask again with the same request id.
    Unknown(String),
    /// Nothing was done: one of the two services is on another store than before.
    StoreChanged(Box<TransientFault>),
}

impl From<Status> for PeerFault {
    fn from(status: Status) -> Self {
        match refusal_of(&status) {
            Some(refusal) => Self::Refused(Box::new(refusal)),
            None if let Some(changed) = store_change(&status) => {
                Self::StoreChanged(Box::new(changed))
            }
            None => Self::Unknown(format!("{:?}: {}", status.code(), status.message())),
        }
    }
}

impl From<PeerFault> for Fault {
    /// For reads made while the client waits.
    fn from(fault: PeerFault) -> Self {
        match fault {
            PeerFault::Refused(refusal) => Self::Refused(refusal),
            PeerFault::Unknown(error) => {
                tracing::info!(error, "a peer gave no answer");
                Self::transient(
                    TransientReason::PeerUnavailable,
                    "a service that this call needs did not answer; ask again",
                )
            }
            PeerFault::StoreChanged(changed) => Self::Transient(changed),
        }
    }
}

/// The answer of a peer, or why there is none.
///
/// # Errors
/// [`PeerFault`].
pub fn outcome<T>(answer: Result<Response<T>, Status>) -> Result<T, PeerFault> {
    Ok(answer?.into_inner())
}

/// What a fault plan does to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interference {
    /// The call goes through.
    None,
    /// The call fails before the peer sees it.
    LoseRequest,
    /// The peer acts and its answer is lost.
    LoseAnswer,
}

/// Decides what happens to each call; tests only.
pub trait FaultPlan: Send + Sync + 'static {
    /// What happens to the next call of `path`.
    fn next(&self, _path: &str) -> Interference {
        Interference::None
    }

    /// Carries a call that is not lost to its peer. A plan may look into it, hold it up, repeat it or
    /// answer it itself.
    fn carry(self: Arc<Self>, call: http::Request<Body>, forwarder: Forwarder) -> CallFuture {
        Box::pin(async move { forwarder.send(call).await })
    }
}

/// The answer to a call that is under way.
pub type CallFuture = BoxFuture<'static, Result<http::Response<Body>, Error>>;

/// The way that is left of a call's: to the peer, and back with its answer.
#[derive(Clone)]
pub struct Forwarder {
    channel: Channel,
    stores: Option<Stores>,
}

impl Forwarder {
    /// Makes the call.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn send(
        mut self,
        mut call: http::Request<Body>,
    ) -> Result<http::Response<Body>, Error> {
        if let Some(stores) = &self.stores
            && let Err(fault) = stores.name(&self.channel, call.headers_mut()).await
        {
            return Ok(Status::from(fault).into_http());
        }
        std::future::poll_fn(|context| self.channel.poll_ready(context)).await?;
        let answer = self.channel.call(call).await?;
        if let Some(stores) = &self.stores {
            stores.look_at(answer.headers()).await;
        }
        Ok(answer)
    }
}

/// A channel for generated clients.
#[derive(Clone)]
pub struct PeerChannel {
    channel: Channel,
    caller: HeaderValue,
    roles: Option<HeaderValue>,
    faults: Option<Arc<dyn FaultPlan>>,
    stores: Option<Stores>,
}

/// The two stores that calls are between.
#[derive(Clone)]
struct Stores {
    kept: PeerStores,
    peer: &'static str,
}

impl PeerChannel {
    /// A channel to `address` (`http://127.0.0.1:50052`) that speaks as `caller`. Connects when
    /// first used, and again whenever the connection is lost.
    ///
    /// # Errors
    /// When the address is no URI.
    pub fn new(address: &str, caller: &'static str) -> Result<Self, Error> {
        let channel = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(Duration::from_secs(2))
            .timeout(CALL_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true)
            .tcp_nodelay(true)
            .connect_lazy();
        Ok(Self {
            channel,
            caller: HeaderValue::from_static(caller),
            roles: None,
            faults: None,
            stores: None,
        })
    }

    /// The same channel, whose calls have the role of a service and no other: a peer tells by it a
    /// machine, which follows its own rules, from a person (SL-19).
    #[must_use]
    pub fn as_service(mut self) -> Self {
        self.roles = Some(HeaderValue::from_static("service"));
        self
    }

    /// The same channel, whose calls are between the store `own` and the one that `peer` was first met
    /// on: from another, or to another, they are refused.
    #[must_use]
    pub fn between(mut self, own: &Database, peer: &'static str) -> Self {
        self.stores = Some(Stores {
            kept: PeerStores::new(own.clone()),
            peer,
        });
        self
    }

    /// The same channel, with calls failing as `plan` says.
    #[must_use]
    pub fn with_faults(mut self, plan: Arc<dyn FaultPlan>) -> Self {
        self.faults = Some(plan);
        self
    }
}

impl Service<http::Request<Body>> for PeerChannel {
    type Response = http::Response<Body>;
    type Error = tonic::transport::Error;
    type Future = CallFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        request
            .headers_mut()
            .insert(CALLER_KEY, self.caller.clone());
        if let Some(roles) = &self.roles {
            request.headers_mut().insert(ROLES_KEY, roles.clone());
        }
        let timeout = format!("{}m", CALL_TIMEOUT.as_millis());
        if let Ok(timeout) = HeaderValue::from_str(&timeout) {
            request
                .headers_mut()
                .entry("grpc-timeout")
                .or_insert(timeout);
        }
        let interference = self
            .faults
            .as_ref()
            .map_or(Interference::None, |plan| plan.next(request.uri().path()));
        let waiting = self.channel.clone();
        let forwarder = Forwarder {
            channel: std::mem::replace(&mut self.channel, waiting),
            stores: self.stores.clone(),
        };
        let faults = self.faults.clone();
        Box::pin(async move {
            if interference == Interference::LoseRequest {
                return Ok(lost());
            }
            let answer = match faults {
                Some(plan) => plan.carry(request, forwarder).await?,
                None => forwarder.send(request).await?,
            };
            Ok(match interference {
                Interference::LoseAnswer => lost(),
                Interference::None | Interference::LoseRequest => answer,
            })
        })
    }
}

fn lost() -> http::Response<Body> {
    Status::unavailable("the connection was lost").into_http()
}

/// A service of the contract that this peer serves and no other does.
fn service_of(peer: &str) -> &'static str {
    let own = format!("/licet.{}.", peer.replace('-', ""));
    let paths = METHODS.iter().map(|method| method.path);
    let mut own = paths.filter(|path| path.starts_with(&own));
    let path = own.next().unwrap_or_default();
    path.split('/').nth(1).unwrap_or_default()
}

impl Stores {
    /// Says which store the call comes from, and which it is for. The peer's is learnt before the first
    /// call, so that none is ever made to just any.
    async fn name(&self, channel: &Channel, headers: &mut HeaderMap) -> Result<(), Fault> {
        let expected = match self.kept.find(self.peer).await? {
            Some(expected) => Some(expected),
            None => self.learn(channel).await?,
        };
        let named = [(STORE_KEY, Some(self.kept.own())), (EXPECTED_KEY, expected)];
        for (key, store_id) in named {
            if let Some(value) = store_id.and_then(header) {
                headers.insert(key, value);
            }
        }
        Ok(())
    }

    /// Asks the peer for its store. One of a version before stores had ids names none.
    async fn learn(&self, channel: &Channel) -> Result<Option<Uuid>, Fault> {
        let mut health = HealthClient::new(channel.clone());
        let request = HealthCheckRequest {
            service: service_of(self.peer).to_owned(),
        };
        let answer = health.check(request).await;
        let metadata = match &answer {
            Ok(answer) => answer.metadata(),
            Err(status) => status.metadata(),
        };
        let found = metadata.get(STORE_KEY);
        let found = found.map(|value| id_of(value.to_str().unwrap_or_default()));
        match (answer.as_ref().map_err(Status::code), found) {
            (Ok(_), Some(found)) => self.kept.keep(self.peer, found).await.map(Some),
            // A proxy may answer by itself: the first real answer names the store, then.
            (Ok(_) | Err(Code::Unimplemented | Code::NotFound), None) => Ok(None),
            (Err(Code::NotFound), Some(_)) => Err(Fault::transient(
                TransientReason::PeerUnavailable,
                format!("another service answers at the address of {}", self.peer),
            )),
            (Err(_), _) => Err(Fault::transient(
                TransientReason::PeerUnavailable,
                format!("{} does not say which store it is on; ask again", self.peer),
            )),
        }
    }

    /// A person may have said meanwhile that another store of the peer is the right one. Where none is
    /// kept yet, that of a first answer is; a refusal could come from another service.
    async fn look_at(&self, headers: &HeaderMap) {
        let Some(found) = named(headers, STORE_KEY) else {
            return;
        };
        match self.kept.find(self.peer).await {
            Ok(Some(kept)) if kept != found => self.kept.forget(self.peer),
            Ok(None) if !headers.contains_key(Status::GRPC_STATUS) => {
                if let Err(fault) = self.kept.keep(self.peer, found).await {
                    tracing::warn!(peer = self.peer, ?fault, "the peer's store is not kept");
                }
            }
            Ok(_) => {}
            Err(fault) => tracing::warn!(peer = self.peer, ?fault, "the peer's store is not known"),
        }
    }
}
