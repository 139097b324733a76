//! Channels to peer services. They connect when first used; each call carries a deadline and the caller's
//! name. A fault plan lets tests make calls fail before or after the peer acts.

use std::{
    net::IpAddr,
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
    deadline,
    fault::{Fault, TransientFault, TransientReason},
    peer_store::{EXPECTED_KEY, PeerStores, STORE_KEY, header, id_of, named},
    status::{refusal_of, store_change},
    tls::{Connector, Tls},
};

/// The longest deadline of a call to a peer; that of the call which makes it may be sooner.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a call to a peer failed.
#[derive(Debug)]
pub enum PeerFault {
    /// A definite refusal: nothing was done, nor ever will be under this request id.
    Refused(Box<Refusal>),
    /// The result is unknown: repeat the call with the same request id.
    Unknown(String),
    /// Nothing was done: one of the two services uses a different store than before.
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
    /// Only for reads: a client's call waits for them.
    fn from(fault: PeerFault) -> Self {
        match fault {
            PeerFault::Refused(refusal) => Self::Refused(refusal),
            PeerFault::Unknown(error) => {
                tracing::info!(error, "a call to a peer failed");
                Self::transient(
                    TransientReason::PeerUnavailable,
                    "a service that this call depends on did not answer; retry",
                )
            }
            PeerFault::StoreChanged(changed) => Self::Transient(changed),
        }
    }
}

/// The message of a peer's response.
///
/// # Errors
/// [`PeerFault`].
pub fn outcome<T>(answer: Result<Response<T>, Status>) -> Result<T, PeerFault> {
    Ok(answer?.into_inner())
}

/// The effect of a fault plan on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interference {
    /// The call goes through.
    None,
    /// The call fails before it reaches the peer.
    LoseRequest,
    /// The peer acts, but its response is lost.
    LoseResponse,
}

/// Decides what happens to each call. For tests only.
pub trait FaultPlan: Send + Sync + 'static {
    /// What happens to the next call of `path`.
    fn next(&self, _path: &str) -> Interference {
        Interference::None
    }

    /// Sends a call whose request is not lost. A plan may inspect it, delay it, repeat it, or respond itself.
    fn carry(self: Arc<Self>, call: http::Request<Body>, forwarder: Forwarder) -> CallFuture {
        Box::pin(async move { forwarder.send(call).await })
    }
}

/// The future of a call.
pub type CallFuture = BoxFuture<'static, Result<http::Response<Body>, Error>>;

/// Sends a call to the peer.
#[derive(Clone)]
pub struct Forwarder {
    channel: Channel,
    stores: Option<Stores>,
}

impl Forwarder {
    /// Sends the call.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn send(
        mut self,
        mut call: http::Request<Body>,
    ) -> Result<http::Response<Body>, Error> {
        if let Some(stores) = &self.stores
            && let Err(fault) = stores.add_headers(&self.channel, call.headers_mut()).await
        {
            return Ok(Status::from(fault).into_http());
        }
        std::future::poll_fn(|context| self.channel.poll_ready(context)).await?;
        let response = self.channel.call(call).await?;
        if let Some(stores) = &self.stores {
            stores.check_response(response.headers()).await;
        }
        Ok(response)
    }
}

/// Why a peer's address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressFault {
    /// Not a URL.
    #[error("{0}")]
    Url(#[from] Error),
    /// Other machines would read and change what is sent.
    #[error(
        "{0} is plaintext to another machine; use https:// with --tls-certificate, --tls-key and --tls-ca"
    )]
    Plaintext(String),
    /// The peer requires a certificate.
    #[error("{0} needs a certificate; set --tls-certificate, --tls-key and --tls-ca")]
    NoCertificate(String),
}

/// A channel for generated clients.
#[derive(Clone)]
pub struct PeerChannel {
    channel: Channel,
    /// Only on plaintext.
    caller: Option<HeaderValue>,
    roles: Option<HeaderValue>,
    faults: Option<Arc<dyn FaultPlan>>,
    stores: Option<Stores>,
}

/// The two stores of a channel: the caller's and the peer's.
#[derive(Clone)]
struct Stores {
    known: PeerStores,
    peer: &'static str,
}

impl PeerChannel {
    /// A plaintext channel to `address` (`http://127.0.0.1:50052`) for calls by `caller`. Connects when first
    /// used, and reconnects when the connection is lost.
    ///
    /// # Errors
    /// [`AddressFault`].
    pub fn new(address: &str, caller: &'static str) -> Result<Self, AddressFault> {
        Self::open(address, caller, None)
    }

    /// As [`PeerChannel::new`], over TLS if there is any. The certificate then names the caller.
    ///
    /// # Errors
    /// [`AddressFault`].
    pub fn open(
        address: &str,
        caller: &'static str,
        tls: Option<&Tls>,
    ) -> Result<Self, AddressFault> {
        let endpoint = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(Duration::from_secs(2))
            .timeout(CALL_TIMEOUT)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        let uri = endpoint.uri();
        let is_https = uri.scheme_str() == Some("https");
        if !is_https && !is_loopback(uri.host().unwrap_or_default()) {
            return Err(AddressFault::Plaintext(address.to_owned()));
        }
        let channel = match tls {
            Some(tls) if is_https => endpoint.connect_with_connector_lazy(Connector(tls.clone())),
            None if is_https => return Err(AddressFault::NoCertificate(address.to_owned())),
            _ => endpoint.connect_lazy(),
        };
        Ok(Self {
            channel,
            caller: (!is_https).then(|| HeaderValue::from_static(caller)),
            roles: None,
            faults: None,
            stores: None,
        })
    }

    /// The same channel for calls with only the role SERVICE, by which a peer distinguishes a service that
    /// follows its own rules from a person (SL-19).
    #[must_use]
    pub fn as_service(mut self) -> Self {
        self.roles = Some(HeaderValue::from_static("service"));
        self
    }

    /// The same channel, bound to the store `own` and to the store that `peer` had at the first call. Calls
    /// from or to any other store are rejected.
    #[must_use]
    pub fn between(mut self, own: &Database, peer: &'static str) -> Self {
        self.stores = Some(Stores {
            known: PeerStores::new(own.clone()),
            peer,
        });
        self
    }

    /// The same channel with a fault plan.
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
        if let Some(caller) = &self.caller {
            request.headers_mut().insert(CALLER_KEY, caller.clone());
        }
        if let Some(roles) = &self.roles {
            request.headers_mut().insert(ROLES_KEY, roles.clone());
        }
        let left = deadline::remaining().map_or(CALL_TIMEOUT, |left| left.min(CALL_TIMEOUT));
        let timeout = format!("{}m", left.as_millis());
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
        // The clone is not ready yet: the call takes the channel that was polled ready.
        let next = self.channel.clone();
        let forwarder = Forwarder {
            channel: std::mem::replace(&mut self.channel, next),
            stores: self.stores.clone(),
        };
        let faults = self.faults.clone();
        Box::pin(async move {
            if interference == Interference::LoseRequest {
                return Ok(lost());
            }
            let response = match faults {
                Some(plan) => plan.carry(request, forwarder).await?,
                None => forwarder.send(request).await?,
            };
            Ok(match interference {
                Interference::LoseResponse => lost(),
                Interference::None | Interference::LoseRequest => response,
            })
        })
    }
}

/// Whether a host of a URL is this machine.
fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn lost() -> http::Response<Body> {
    Status::unavailable("the connection was lost").into_http()
}

/// The name of a gRPC service that only this peer has.
fn service_of(peer: &str) -> &'static str {
    let own = format!("/licet.{}.", peer.replace('-', ""));
    let paths = METHODS.iter().map(|method| method.path);
    let mut own = paths.filter(|path| path.starts_with(&own));
    let path = own.next().unwrap_or_default();
    path.split('/').nth(1).unwrap_or_default()
}

impl Stores {
    /// Adds the ids of both stores to a call. The first call learns the peer's store before, so that no call
    /// reaches an unknown store.
    async fn add_headers(&self, channel: &Channel, headers: &mut HeaderMap) -> Result<(), Fault> {
        let expected = match self.known.find(self.peer).await? {
            Some(expected) => Some(expected),
            None => self.learn(channel).await?,
        };
        let named = [
            (STORE_KEY, Some(self.known.own())),
            (EXPECTED_KEY, expected),
        ];
        for (key, store_id) in named {
            if let Some(value) = store_id.and_then(header) {
                headers.insert(key, value);
            }
        }
        Ok(())
    }

    /// Asks the peer for its store's id. A peer of a version before store ids has none.
    async fn learn(&self, channel: &Channel) -> Result<Option<Uuid>, Fault> {
        let mut health = HealthClient::new(channel.clone());
        let request = HealthCheckRequest {
            service: service_of(self.peer).to_owned(),
        };
        let response = health.check(request).await;
        let metadata = match &response {
            Ok(response) => response.metadata(),
            Err(status) => status.metadata(),
        };
        let found = metadata.get(STORE_KEY);
        let found = found.map(|value| id_of(value.to_str().unwrap_or_default()));
        match (response.as_ref().map_err(Status::code), found) {
            (Ok(_), Some(found)) => self.known.remember(self.peer, found).await.map(Some),
            // A proxy may have responded instead: the store is then learnt from the first real response.
            (Ok(_) | Err(Code::Unimplemented | Code::NotFound), None) => Ok(None),
            (Err(Code::NotFound), Some(_)) => Err(Fault::transient(
                TransientReason::PeerUnavailable,
                format!(
                    "the address of {} belongs to another service; check the address",
                    self.peer
                ),
            )),
            (Err(_), _) => Err(Fault::transient(
                TransientReason::PeerUnavailable,
                format!("{} did not return its store id; retry", self.peer),
            )),
        }
    }

    /// Checks the store id of a response. If it differs, drops the cached id: a person may have accepted the
    /// new store meanwhile. If none is stored, stores that of a successful response; an error could come from
    /// another service.
    async fn check_response(&self, headers: &HeaderMap) {
        let Some(found) = named(headers, STORE_KEY) else {
            return;
        };
        match self.known.find(self.peer).await {
            Ok(Some(known)) if known != found => self.known.forget(self.peer),
            Ok(None) if !headers.contains_key(Status::GRPC_STATUS) => {
                if let Err(fault) = self.known.remember(self.peer, found).await {
                    tracing::warn!(peer = self.peer, ?fault, "cannot store the peer's store id");
                }
            }
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(peer = self.peer, ?fault, "cannot read the peer's store id");
            }
        }
    }
}
