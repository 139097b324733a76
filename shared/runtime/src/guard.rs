//! The layer around every call: who may call, how many at once, how long, and what a panic becomes.
//! A handler runs in a task of its own, so that neither a deadline nor a caller who leaves cuts it.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use licet_contracts::{METHODS, Method, types::v1::Role};
use licet_domain::clock::Clock;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Instant, Sleep},
};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{
    caller::{Call, Caller},
    fault::{Fault, Passing, PassingReason, internal_status, passing_status},
};

tokio::task_local! {
    /// The area of the call under way, for `ErrorInfo.domain`.
    static AREA: String;
}

/// `licet.billing` while a Billing call is under way.
pub(crate) fn area() -> String {
    AREA.try_with(Clone::clone)
        .unwrap_or_else(|_| "licet".to_owned())
}

/// Runs work of the call of method `path` in another task, under the area that its errors name.
pub(crate) async fn within<F: Future>(path: &str, work: F) -> F::Output {
    AREA.scope(area_of(path), work).await
}

fn area_of(path: &str) -> String {
    let service = path.trim_start_matches('/');
    service
        .split_once(".v1.")
        .map_or(service, |(area, _)| area)
        .to_owned()
}

#[derive(Clone)]
pub(crate) struct GuardLayer {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) longest_call: Duration,
    pub(crate) stopped: watch::Receiver<bool>,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            inner,
            layer: self.clone(),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    layer: GuardLayer,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        // Health and reflection must answer even when nothing else gets through.
        if request.uri().path().starts_with("/grpc.") {
            return Box::pin(self.inner.call(request));
        }
        let area = area_of(request.uri().path());
        let inner = self.inner.clone();
        let layer = self.layer.clone();
        Box::pin(AREA.scope(area.clone(), async move {
            Ok(match layer.admit(&request) {
                Ok(admitted) => run(inner, request, admitted, area).await,
                Err(fault) => Status::from(*fault).into_http(),
            })
        }))
    }
}

struct Admitted {
    call: Call,
    permit: OwnedSemaphorePermit,
    /// Set where the client named a deadline: it then bounds the answer's stream, too.
    stream_deadline: Option<Instant>,
}

impl GuardLayer {
    fn admit(&self, request: &Request<Body>) -> Result<Admitted, Box<Fault>> {
        let path = request.uri().path();
        let Ok(index) = METHODS.binary_search_by(|method| method.path.cmp(path)) else {
            return Err(Box::new(not_served(path)));
        };
        let Method {
            path: method,
            roles,
        } = METHODS[index];
        let caller = Caller::local_operator(request.headers())
            .map_err(|error| Box::new(Fault::invalid("metadata", error)))?;
        if !caller.has_any(roles) {
            return Err(Box::new(permission_denied(path, roles)));
        }
        let permit = Arc::clone(&self.permits)
            .try_acquire_owned()
            .map_err(|_| Box::new(overloaded()))?;
        let wanted = grpc_timeout(request.headers());
        let now = Instant::now();
        let deadline = now + wanted.unwrap_or(self.longest_call).min(self.longest_call);
        let call = Call {
            caller,
            now: self.clock.now(),
            method,
            deadline,
            stopped: self.stopped.clone(),
        };
        Ok(Admitted {
            call,
            permit,
            stream_deadline: wanted.map(|wanted| now + wanted),
        })
    }
}

async fn run<S>(
    mut inner: S,
    mut request: Request<Body>,
    admitted: Admitted,
    area: String,
) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let Admitted {
        call,
        permit,
        stream_deadline,
    } = admitted;
    let (method, deadline) = (call.method, call.deadline);
    request.extensions_mut().insert(call);
    // The handler keeps the permit: one that outlives its deadline still counts as a call.
    let handler =
        tokio::spawn(AREA.scope(area, async move { (inner.call(request).await, permit) }));
    match tokio::time::timeout_at(deadline, handler).await {
        Ok(Ok((Ok(response), _))) if is_bare_unimplemented(response.headers()) => {
            Status::from(not_served(method)).into_http()
        }
        Ok(Ok((Ok(response), permit))) => {
            let sleep = stream_deadline.map(|at| Box::pin(tokio::time::sleep_until(at)));
            response.map(|inner| {
                Body::new(Guarded {
                    inner,
                    sleep,
                    over: false,
                    _permit: permit,
                })
            })
        }
        Ok(Ok((Err(never), _))) => match never {},
        Ok(Err(panic)) => {
            internal_status(&format!("{method} panicked: {}", text_of(panic))).into_http()
        }
        Err(_) => Status::from(too_late(method)).into_http(),
    }
}

fn text_of(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned()),
        Err(error) => error.to_string(),
    }
}

fn not_served(path: &str) -> Fault {
    let mut passing = Passing {
        reason: PassingReason::MethodNotServed,
        message: format!("{path} is not served here"),
        retry_after: None,
        metadata: std::collections::BTreeMap::new(),
    };
    passing
        .metadata
        .insert("method".to_owned(), path.to_owned());
    Fault::Passing(Box::new(passing))
}

fn permission_denied(path: &str, roles: &[Role]) -> Fault {
    let names: Vec<_> = roles.iter().map(Role::as_str_name).collect();
    let mut passing = Passing {
        reason: PassingReason::PermissionDenied,
        message: format!("{path} needs one of the roles {}", names.join(", ")),
        retry_after: None,
        metadata: std::collections::BTreeMap::new(),
    };
    passing.metadata.insert("roles".to_owned(), names.join(","));
    Fault::Passing(Box::new(passing))
}

fn overloaded() -> Fault {
    Fault::Passing(Box::new(Passing {
        reason: PassingReason::Overloaded,
        message: "more calls at once than this service takes".to_owned(),
        retry_after: Some(Duration::from_millis(500)),
        metadata: std::collections::BTreeMap::new(),
    }))
}

fn too_late(path: &str) -> Fault {
    Fault::passing(
        PassingReason::DeadlineExceeded,
        format!("{path} did not answer in time; ask again with the same request_id"),
    )
}

/// tonic's own stubs answer UNIMPLEMENTED without details; the contract promises an `ErrorInfo`.
fn is_bare_unimplemented(headers: &HeaderMap) -> bool {
    headers
        .get("grpc-status")
        .is_some_and(|status| status == "12")
        && !headers.contains_key("grpc-status-details-bin")
}

/// The `grpc-timeout` header: up to eight digits and a unit.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// A response body that counts against the limit while it lasts and ends at the client's deadline.
struct Guarded {
    inner: Body,
    sleep: Option<Pin<Box<Sleep>>>,
    over: bool,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Guarded {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            return Poll::Ready(frame);
        }
        match self.sleep.as_mut() {
            None => Poll::Pending,
            Some(sleep) => {
                ready!(sleep.as_mut().poll(context));
                self.over = true;
                let status = passing_status(Passing {
                    reason: PassingReason::DeadlineExceeded,
                    message: "the stream lasted to the client's deadline".to_owned(),
                    retry_after: None,
                    metadata: std::collections::BTreeMap::new(),
                });
                let mut trailers = status.into_http::<Body>().headers().clone();
                trailers.remove(http::header::CONTENT_TYPE);
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            grpc_timeout(&headers)
        };
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
        for bad in ["", "m", "1", "1x", "-1S", "123456789S"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_area_is_the_package_without_its_version() {
        assert_eq!(
            area_of("/licet.billing.v1.AccountService/Deposit"),
            "licet.billing"
        );
        assert_eq!(area_of("/nonsense"), "nonsense");
    }
}
