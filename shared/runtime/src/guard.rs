//! The layer around every call: permissions, concurrency limits, deadlines and panics. A call takes a permit
//! when its message is there. A handler runs in its own task, so that neither a deadline nor a client that
//! leaves interrupts it.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body as _;
use licet_contracts::{METHODS, Method};
use licet_domain::clock::Clock;
use tokio::{
    sync::{OwnedSemaphorePermit, watch},
    time::Instant,
};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use crate::{
    access::Access,
    area::{AREA, area_of},
    buffered_body::{BufferedBody, Counted},
    caller::{Call, Caller},
    concurrency::Permit,
    deadline::{self, grpc_timeout},
    fault::Fault,
    guard_faults::{
        decoding_fault, not_begun, not_served, permission_denied, repeated_key, text_of, too_late,
    },
    identity::Peer,
    peer_store::{SERVICES, StoreCheck},
    response_body::{BoundedStream, StreamBounds, TrackedBody, stopping},
    server_limits::ServerLimits,
    status::internal_status,
    transport,
};

#[derive(Clone)]
pub(crate) struct GuardLayer {
    /// `None` on plaintext loopback.
    pub(crate) access: Option<Access>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The gRPC services that this server has, sorted.
    pub(crate) served: Arc<[String]>,
    pub(crate) limits: ServerLimits,
    pub(crate) longest_call: Duration,
    pub(crate) longest_stream: Duration,
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
            let path = request.uri().path();
            let mut response = if path.starts_with("/grpc.") {
                let path = path.to_owned();
                layer.unlimited(&path, inner.call(request).await?)
            } else {
                match layer.receive(request).await {
                    Ok((request, admitted)) => layer.run(inner, request, admitted, area).await,
                    Err(status) => status.into_http(),
                }
            };
            layer.stores.name_own(response.headers_mut());
            Ok(response)
        }))
    }
}

/// A caller who may call the method.
struct Admitted {
    caller: Caller,
    method: Method,
    /// The client's own limit.
    timeout: Option<Duration>,
    since: Instant,
    deadline: Instant,
}

struct AdmittedCall {
    call: Call,
    permit: Arc<Permit>,
    held: Held,
    /// For a response stream.
    bounds: Option<StreamBounds>,
}

/// What a handler holds while it works, besides its permit.
struct Held {
    /// The right to the bytes of its message.
    bytes: Option<Permit>,
    /// A listing's turn.
    turn: Option<OwnedSemaphorePermit>,
}

impl GuardLayer {
    /// Admits a call, waits for its message, and for a listing's turn.
    async fn receive(
        &self,
        request: Request<Body>,
    ) -> Result<(Request<Body>, AdmittedCall), Status> {
        let admitted = self.admit(&request).map_err(|fault| Status::from(*fault))?;
        let (head, body) = request.into_parts();
        let (body, bytes) = if admitted.method.reads_stream {
            (body, None)
        } else {
            let counted = Counted::new(&self.limits.bytes, &admitted.caller.name);
            let receiving = BufferedBody::receive(body, counted);
            let (received, bytes) = self.in_time(&admitted, receiving).await??;
            (Body::new(received), bytes)
        };
        let permit = self.take_permit(&admitted)?;
        let turn = if admitted.method.lists {
            let turn = Arc::clone(&self.limits.turns).acquire_owned();
            // Fails only on a closed semaphore, and nothing closes it.
            self.in_time(&admitted, turn).await?.ok()
        } else {
            None
        };
        let call = self.begin(admitted, permit, Held { bytes, turn });
        Ok((Request::from_parts(head, body), call))
    }

    /// Waits for what a call needs before it begins, until its deadline or the stop of the service.
    async fn in_time<F: Future>(
        &self,
        admitted: &Admitted,
        awaited: F,
    ) -> Result<F::Output, Fault> {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            biased;
            output = awaited => Ok(output),
            () = tokio::time::sleep_until(admitted.deadline) => Err(not_begun(admitted.method.path)),
            _ = stopped.wait_for(|stopped| *stopped) => Err(Fault::Transient(Box::new(stopping()))),
        }
    }

    fn admit(&self, request: &Request<Body>) -> Result<Admitted, Box<Fault>> {
        let path = request.uri().path();
        let found = METHODS.binary_search_by(|method| method.path.cmp(path));
        let Some(method) = found
            .ok()
            .map(|index| METHODS[index])
            .filter(|_| self.serves(path))
        else {
            return Err(Box::new(not_served(path)));
        };
        if let Some(key) = repeated_key(request.headers()) {
            let text = format!("{key} is sent more than once; send one value");
            return Err(Box::new(Fault::invalid("metadata", text)));
        }
        let mut caller = self.caller(request)?;
        if !caller.has_any(method.roles) {
            return Err(Box::new(permission_denied(path, method.roles)));
        }
        caller.confine(method.roles);
        if *self.stopped.borrow() {
            return Err(Box::new(Fault::Transient(Box::new(stopping()))));
        }
        let timeout = grpc_timeout(request.headers());
        let since = Instant::now();
        Ok(Admitted {
            caller,
            method,
            timeout,
            since,
            deadline: since + timeout.unwrap_or(self.longest_call).min(self.longest_call),
        })
    }

    fn take_permit(&self, admitted: &Admitted) -> Result<Permit, Fault> {
        let Admitted { caller, method, .. } = admitted;
        let limit = if method.lists {
            &self.limits.listings
        } else if method.streams && !SERVICES.contains(&caller.name.as_str()) {
            &self.limits.streams
        } else {
            // A peer that follows this service's events must get through, whatever the number of other streams.
            &self.limits.calls
        };
        limit.take(&caller.name)
    }

    /// Begins a call whose message is there: the time now is its decision time (T-3).
    fn begin(&self, admitted: Admitted, permit: Permit, held: Held) -> AdmittedCall {
        let Admitted {
            caller,
            method,
            timeout,
            since,
            deadline,
        } = admitted;
        let permit = Arc::new(permit);
        let call = Call {
            caller,
            now: self.clock.now(),
            method: method.path,
            deadline,
            stopped: self.stopped.clone(),
            permit: Some(Arc::clone(&permit)),
        };
        let (streams, reads_stream) = (method.streams, method.reads_stream);
        let bounds = streams.then(|| StreamBounds {
            deadline: timeout.map(|timeout| since + timeout),
            age: since + self.longest_stream,
            // A method that reads a stream handles the stop itself, and holds its permit while it works.
            stopped: (!reads_stream).then(|| self.stopped.clone()),
            permit: (!reads_stream).then(|| Arc::clone(&permit)),
        });
        AdmittedCall {
            call,
            permit,
            held,
            bounds,
        }
    }

    /// A response of health or reflection. A stop ends a stream of reflection; the watch of health reports it.
    fn unlimited(&self, path: &str, response: Response<Body>) -> Response<Body> {
        if !path.starts_with("/grpc.reflection.") {
            return response;
        }
        let bounds = StreamBounds {
            deadline: None,
            age: Instant::now() + self.longest_stream,
            stopped: Some(self.stopped.clone()),
            permit: None,
        };
        response.map(|body| Body::new(BoundedStream::new(body, bounds, "/licet")))
    }

    fn caller(&self, request: &Request<Body>) -> Result<Caller, Box<Fault>> {
        let Some(access) = &self.access else {
            return Caller::local_operator(request.headers())
                .map_err(|error| Box::new(Fault::invalid("metadata", error)));
        };
        let peer = request.extensions().get::<Peer>();
        access.caller(peer, request.headers()).map_err(Box::new)
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
            held: Held { bytes, turn },
            bounds,
        } = admitted;
        let (method, deadline) = (call.method, call.deadline);
        let caller = call.caller.name.clone();
        request.extensions_mut().insert(call);
        let (stores, working) = (self.stores.clone(), Arc::clone(&permit));
        // The handler holds the permit: it counts even after its deadline.
        let admitting = caller.clone();
        let work = async move {
            let response = match stores.admit(&admitting, request.headers()).await {
                Ok(()) => inner.call(request).await,
                Err(fault) => Ok(Status::from(fault).into_http()),
            };
            drop((working, bytes, turn));
            response
        };
        let handler = tokio::spawn(AREA.scope(area, deadline::until(deadline, work)));
        match tokio::time::timeout_at(deadline, handler).await {
            Ok(Ok(Ok(response))) => {
                let response = match bounds {
                    Some(bounds) => {
                        response.map(|body| Body::new(BoundedStream::new(body, bounds, method)))
                    }
                    None => self.buffer(response, &caller, method).await,
                };
                response.map(|body| Body::new(TrackedBody::new(body, self.in_flight.subscribe())))
            }
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(panic)) => {
                internal_status(&format!("{method} panicked: {}", text_of(panic))).into_http()
            }
            Err(_) => Status::from(too_late(method)).into_http(),
        }
    }
}

impl GuardLayer {
    /// Encodes the response of a call. Its client has as long as a call may take to read it.
    async fn buffer(
        &self,
        response: Response<Body>,
        caller: &str,
        method: &'static str,
    ) -> Response<Body> {
        if response.body().is_end_stream() {
            return decoding_fault(response);
        }
        let (head, body) = response.into_parts();
        let counted = Counted::new(&self.limits.bytes, caller);
        match BufferedBody::encode(body, counted).await {
            Ok((encoded, None)) => Response::from_parts(head, Body::new(encoded)),
            Ok((encoded, Some(permit))) => {
                let bounds = StreamBounds {
                    deadline: Some(Instant::now() + self.longest_call),
                    age: Instant::now() + self.longest_stream,
                    stopped: None,
                    permit: Some(Arc::new(permit)),
                };
                let body = BoundedStream::new(Body::new(encoded), bounds, method);
                Response::from_parts(head, Body::new(body))
            }
            Err(status) => status.into_http(),
        }
    }
}
