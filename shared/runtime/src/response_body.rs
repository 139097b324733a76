//! Response bodies. A response stream ends at the client's deadline or when the service stops, even if the
//! client does not read it: HTTP/2 polls no body while the client's flow-control window is full.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{sync::watch, task::AbortHandle, time::Instant};
use tonic::{Status, body::Body};

use crate::{
    area,
    concurrency::Permit,
    fault::{TransientFault, TransientReason},
    status::transient_status,
};

/// The bounds that end a response stream before its handler does.
pub(crate) struct StreamBounds {
    /// The client's deadline, if it set one.
    pub(crate) deadline: Option<Instant>,
    /// When the client must open another stream.
    pub(crate) age: Instant,
    /// The stop of the service; `None` for a method that also reads a stream.
    pub(crate) stopped: Option<watch::Receiver<bool>>,
    /// Held until the stream ends.
    pub(crate) permit: Option<Arc<Permit>>,
}

impl StreamBounds {
    /// Waits for the first of these bounds.
    async fn first(
        deadline: Option<Instant>,
        age: Instant,
        stopped: Option<watch::Receiver<bool>>,
    ) -> TransientFault {
        let stop = async move {
            match stopped {
                Some(mut stopped) => {
                    let _ = stopped.wait_for(|stopped| *stopped).await;
                }
                None => std::future::pending().await,
            }
        };
        let deadline = async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop => stopping(),
            () = tokio::time::sleep_until(age) => TransientFault {
                reason: TransientReason::StreamExpired,
                message: "the stream has been open as long as one may be; open another one from its last position"
                    .to_owned(),
                retry_after: Some(Duration::from_millis(500)),
                metadata: BTreeMap::new(),
            },
            () = deadline => TransientFault {
                reason: TransientReason::DeadlineExceeded,
                message: "the stream reached the client's deadline".to_owned(),
                retry_after: None,
                metadata: BTreeMap::new(),
            },
        }
    }
}

/// The fault that ends open streams and rejects new calls while the service stops.
pub(crate) fn stopping() -> TransientFault {
    TransientFault {
        reason: TransientReason::ServiceStopping,
        message: "this instance is stopping; retry, another instance may serve the request"
            .to_owned(),
        retry_after: Some(Duration::from_millis(500)),
        metadata: BTreeMap::new(),
    }
}

/// A body that counts as in flight until it is handed to the connection or the client leaves.
pub(crate) struct TrackedBody {
    body: Body,
    /// A stop waits a moment for responses in flight.
    _in_flight: watch::Receiver<()>,
}

impl TrackedBody {
    pub(crate) fn new(body: Body, in_flight: watch::Receiver<()>) -> Self {
        Self {
            body,
            _in_flight: in_flight,
        }
    }
}

impl HttpBody for TrackedBody {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response stream that ends at its bounds. A separate task ends it, because nobody may be polling the
/// stream.
pub(crate) struct BoundedStream {
    stream: Arc<Mutex<Stream>>,
    ending: AbortHandle,
}

struct Stream {
    /// The handler's stream; replaced at the end, so that its producer stops at once.
    body: Body,
    permit: Option<Arc<Permit>>,
    state: State,
    /// Wakes the task that waits for the next message.
    reader: Option<Waker>,
}

enum State {
    Open,
    /// Ended, but the client has not received the trailers yet.
    Ended(HeaderMap),
    /// The trailers were sent.
    Closed,
}

impl BoundedStream {
    /// The response stream of a call to `method`.
    pub(crate) fn new(body: Body, bounds: StreamBounds, method: &'static str) -> Self {
        let StreamBounds {
            deadline,
            age,
            stopped,
            permit,
        } = bounds;
        let stream = Arc::new(Mutex::new(Stream {
            body,
            permit,
            state: State::Open,
            reader: None,
        }));
        let ended = Arc::clone(&stream);
        let ending = tokio::spawn(area::within(method, async move {
            let why = StreamBounds::first(deadline, age, stopped).await;
            end(&ended, trailers(why));
        }));
        Self {
            stream,
            ending: ending.abort_handle(),
        }
    }
}

impl Drop for BoundedStream {
    fn drop(&mut self) {
        self.ending.abort();
    }
}

fn trailers(why: TransientFault) -> HeaderMap {
    let mut trailers = transient_status(why).into_http::<Body>().headers().clone();
    trailers.remove(http::header::CONTENT_TYPE);
    trailers
}

fn end(stream: &Mutex<Stream>, trailers: HeaderMap) {
    let mut stream = lock(stream);
    stream.state = State::Ended(trailers);
    let left = (
        std::mem::replace(&mut stream.body, Body::empty()),
        stream.permit.take(),
    );
    let reader = stream.reader.take();
    drop(stream);
    drop(left);
    if let Some(reader) = reader {
        reader.wake();
    }
}

fn lock(stream: &Mutex<Stream>) -> MutexGuard<'_, Stream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpBody for BoundedStream {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let mut stream = lock(&self.stream);
        match std::mem::replace(&mut stream.state, State::Closed) {
            State::Closed => Poll::Ready(None),
            State::Ended(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            State::Open => {
                stream.state = State::Open;
                let frame = Pin::new(&mut stream.body).poll_frame(context);
                if frame.is_pending() {
                    stream.reader = Some(context.waker().clone());
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let stream = lock(&self.stream);
        match stream.state {
            State::Open => stream.body.is_end_stream(),
            State::Ended(_) => false,
            State::Closed => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio_stream::StreamExt as _;
    use tonic::codegen::Bytes;

    use super::*;
    use crate::concurrency::{ConcurrencyBounds, ConcurrencyLimit};

    fn limit() -> ConcurrencyLimit {
        ConcurrencyLimit::new(ConcurrencyBounds {
            what: "streams",
            reason: TransientReason::TooManyStreams,
            total: 1,
            per_caller: 1,
        })
    }

    /// A body that never ends.
    fn endless() -> Body {
        let frames = tokio_stream::iter(std::iter::repeat(Bytes::from_static(b"more")));
        Body::new(StreamBody::new(
            frames.map(|bytes| Ok::<_, Status>(Frame::data(bytes))),
        ))
    }

    fn endless_stream(bounds: StreamBounds) -> BoundedStream {
        BoundedStream::new(endless(), bounds, "/licet.events.v1.EventService/Ask")
    }

    async fn read_trailers(mut stream: BoundedStream) -> HeaderMap {
        loop {
            let frame = stream.frame().await.unwrap().unwrap();
            if let Ok(trailers) = frame.into_trailers() {
                assert!(stream.frame().await.is_none() && stream.is_end_stream());
                return trailers;
            }
            // The body is always ready: give the task that ends it a turn.
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_stop_ends_an_endless_stream() {
        let (stop, stopped) = watch::channel(false);
        let limit = limit();
        let bounds = StreamBounds {
            deadline: None,
            age: Instant::now() + Duration::from_secs(600),
            stopped: Some(stopped),
            permit: Some(Arc::new(limit.take("a caller").unwrap())),
        };
        let mut stream = endless_stream(bounds);
        assert!(stream.frame().await.unwrap().unwrap().is_data());
        stop.send(true).unwrap();
        let trailers = read_trailers(stream).await;
        assert_eq!(trailers[Status::GRPC_STATUS], "14");
        limit.all_free().await;
    }

    #[tokio::test]
    async fn an_unread_stream_drops_its_permit_at_its_deadline() {
        let limit = limit();
        let bounds = StreamBounds {
            deadline: Some(Instant::now() + Duration::from_millis(100)),
            age: Instant::now() + Duration::from_secs(600),
            stopped: None,
            permit: Some(Arc::new(limit.take("a caller").unwrap())),
        };
        let stream = endless_stream(bounds);
        limit.all_free().await;
        let trailers = read_trailers(stream).await;
        assert_eq!(trailers[Status::GRPC_STATUS], "4");
    }

    #[tokio::test]
    async fn an_old_stream_tells_its_client_to_come_again() {
        let bounds = StreamBounds {
            deadline: None,
            age: Instant::now() + Duration::from_millis(100),
            stopped: None,
            permit: None,
        };
        let trailers = read_trailers(endless_stream(bounds)).await;
        assert_eq!(trailers[Status::GRPC_STATUS], "14");
    }
}
