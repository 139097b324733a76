//! Channels to peer services: lazily connected, kept alive, each call with a deadline and the
//! caller's identity; a seam where tests let calls fail, before or after the peer acted.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::HeaderValue;
use licet_domain::refusal::Refusal;
use tonic::{
    Response, Status,
    body::Body,
    transport::{Channel, Endpoint, Error},
};
use tower::Service;

use crate::{
    caller::{CALLER_KEY, ROLES_KEY},
    fault::{Fault, PassingReason, refusal_of},
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
}

impl From<Status> for PeerFault {
    fn from(status: Status) -> Self {
        match refusal_of(&status) {
            Some(refusal) => Self::Refused(Box::new(refusal)),
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
                Self::passing(
                    PassingReason::PeerUnavailable,
                    "a service that this call needs did not answer; ask again",
                )
            }
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
    fn next(&self, path: &str) -> Interference;
}

/// A channel for generated clients.
#[derive(Clone)]
pub struct PeerChannel {
    channel: Channel,
    caller: HeaderValue,
    roles: Option<HeaderValue>,
    faults: Option<Arc<dyn FaultPlan>>,
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
        })
    }

    /// The same channel, whose calls have the role of a service and no other: a peer tells by it a
    /// machine, which follows its own rules, from a person (SL-19).
    #[must_use]
    pub fn as_service(mut self) -> Self {
        self.roles = Some(HeaderValue::from_static("service"));
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
    type Future = std::pin::Pin<
        Box<dyn Future<Output = Result<http::Response<Body>, tonic::transport::Error>> + Send>,
    >;

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
        let lost = || Ok(Status::unavailable("the connection was lost").into_http());
        match interference {
            Interference::None => Box::pin(self.channel.call(request)),
            Interference::LoseRequest => Box::pin(async move { lost() }),
            Interference::LoseAnswer => {
                let answer = self.channel.call(request);
                Box::pin(async move {
                    answer.await?;
                    lost()
                })
            }
        }
    }
}
