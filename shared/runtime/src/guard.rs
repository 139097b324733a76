//! The layer around every call: permissions, concurrency limits, deadlines and panics. A handler runs in
//! its own task, so that neither a deadline nor a client that leaves interrupts it.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use licet_contracts::{METHODS, Method, types::v1::Role};
use licet_domain::clock::Clock;
use tokio::{sync::watch, time::Instant};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{
    area::{AREA, area_of},
    caller::{Call, Caller},
    concurrency::{ConcurrencyLimit, Permit},
    fault::{Fault, TransientFault, TransientReason},
    peer_store::{SERVICES, StoreCheck},
    response_body::{BoundedStream, StreamBounds, TrackedBody, stopping},
    status::internal_status,
    transport,
};

#[derive(Clone)]
pub(crate) struct GuardLayer {
    pub(crate) clock: Arc<dyn Clock>,
    /// The gRPC services that this server has, sorted.
    pub(crate) served: Arc<[String]>,
    /// For unary calls, and for streams of peers.
    pub(crate) calls: ConcurrencyLimit,
    /// For all other streams.
    pub(crate) streams: ConcurrencyLimit,
    pub(crate) longest_call: Duration,
    pub(crate) stopped: watch::Receiver<bool>,
    /// Every response in flight holds a receiver.
    pub(crate) in_flight: Arc<watch::Sender<()>>,
    pub(crate) stores: StoreCheck,
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

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

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
    type Future = ResponseFuture;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> ResponseFuture {
        if let Some(response) = transport::refuse_foreign(&request) {
            return Box::pin(std::future::ready(Ok(response)));
        }
        let area = area_of(request.uri().path());
        let mut inner = self.inner.clone();
        let layer = self.layer.clone();
        Box::pin(AREA.scope(area.clone(), async move {
            // Health and reflection have no limits: they must work under overload.
            let mut response = if request.uri().path().starts_with("/grpc.") {
                inner.call(request).await?
            } else {
                match layer.admit(&request) {
                    Ok(admitted) => layer.run(inner, request, admitted, area).await,
                    Err(fault) => Status::from(*fault).into_http(),
                }
            };
            layer.stores.name_own(response.headers_mut());
            Ok(response)
        }))
    }
}

struct AdmittedCall {
    call: Call,
    permit: Arc<Permit>,
    /// For a response stream.
    bounds: Option<StreamBounds>,
}

impl GuardLayer {
    fn admit(&self, request: &Request<Body>) -> Result<AdmittedCall, Box<Fault>> {
        let path = request.uri().path();
        let found = METHODS.binary_search_by(|method| method.path.cmp(path));
        let Some(Method {
            path: method,
            roles,
            streams,
            reads_stream,
            ..
        }) = found
            .ok()
            .map(|index| METHODS[index])
            .filter(|_| self.serves(path))
        else {
            return Err(Box::new(not_served(path)));
        };
        let mut caller = Caller::local_operator(request.headers())
            .map_err(|error| Box::new(Fault::invalid("metadata", error)))?;
        if !caller.has_any(roles) {
            return Err(Box::new(permission_denied(path, roles)));
        }
        caller.confine(roles);
        if *self.stopped.borrow() {
            return Err(Box::new(Fault::Transient(Box::new(stopping()))));
        }
        // A peer that follows this service's events must get through, whatever the number of other streams.
        let limit = if streams && !SERVICES.contains(&caller.name.as_str()) {
            &self.streams
        } else {
            &self.calls
        };
        let permit = Arc::new(limit.take(&caller.name).map_err(Box::new)?);
        let timeout = grpc_timeout(request.headers());
        let now = Instant::now();
        let deadline = now + timeout.unwrap_or(self.longest_call).min(self.longest_call);
        let call = Call {
            caller,
            now: self.clock.now(),
            method,
            deadline,
            stopped: self.stopped.clone(),
            permit: Some(Arc::clone(&permit)),
        };
        let bounds = streams.then(|| StreamBounds {
            deadline: timeout.map(|timeout| now + timeout),
            // A method that reads a stream handles the stop itself, and holds its permit while it works.
            stopped: (!reads_stream).then(|| self.stopped.clone()),
            permit: (!reads_stream).then(|| Arc::clone(&permit)),
        });
        Ok(AdmittedCall {
            call,
            permit,
            bounds,
        })
    }

    fn serves(&self, path: &str) -> bool {
        let service = path.trim_start_matches('/').split('/').next();
        service.is_some_and(|name| {
            let found = self
                .served
                .binary_search_by(|served| served.as_str().cmp(name));
            found.is_ok()
        })
    }

    async fn run<S>(
        &self,
        mut inner: S,
        mut request: Request<Body>,
        admitted: AdmittedCall,
        area: String,
    ) -> Response<Body>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send + 'static,
        S::Future: Send,
    {
        let AdmittedCall {
            call,
            permit,
            bounds,
        } = admitted;
        let (method, deadline) = (call.method, call.deadline);
        request.extensions_mut().insert(call);
        let (stores, working) = (self.stores.clone(), Arc::clone(&permit));
        // The handler holds the permit: it counts even after its deadline.
        let handler = tokio::spawn(AREA.scope(area, async move {
            let response = match stores.admit(request.headers()).await {
                Ok(()) => inner.call(request).await,
                Err(fault) => Ok(Status::from(fault).into_http()),
            };
            drop(working);
            response
        }));
        match tokio::time::timeout_at(deadline, handler).await {
            Ok(Ok(Ok(response))) => response.map(|body| {
                let body = match bounds {
                    Some(bounds) => Body::new(BoundedStream::new(body, bounds, method)),
                    None => body,
                };
                Body::new(TrackedBody::new(body, self.in_flight.subscribe()))
            }),
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(panic)) => {
                internal_status(&format!("{method} panicked: {}", text_of(panic))).into_http()
            }
            Err(_) => Status::from(too_late(method)).into_http(),
        }
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
    let mut transient = TransientFault {
        reason: TransientReason::MethodNotServed,
        message: format!(
            "this address does not serve {path}; Orders, Billing and SanLicensing have one each"
        ),
        retry_after: None,
        metadata: std::collections::BTreeMap::new(),
    };
    transient
        .metadata
        .insert("method".to_owned(), path.to_owned());
    Fault::Transient(Box::new(transient))
}

fn permission_denied(path: &str, roles: &[Role]) -> Fault {
    let names: Vec<_> = roles.iter().map(Role::as_str_name).collect();
    let mut transient = TransientFault {
        reason: TransientReason::PermissionDenied,
        message: format!("{path} needs one of the roles {}", names.join(", ")),
        retry_after: None,
        metadata: std::collections::BTreeMap::new(),
    };
    transient
        .metadata
        .insert("roles".to_owned(), names.join(","));
    Fault::Transient(Box::new(transient))
}

fn too_late(path: &str) -> Fault {
    Fault::transient(
        TransientReason::DeadlineExceeded,
        format!("{path} did not finish in time; retry with the same request_id"),
    )
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
}
