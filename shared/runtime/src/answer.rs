//! The body of an answer. One that streams ends at the client's deadline or at the service's stop,
//! whether the client reads it or not: HTTP/2 asks a body for nothing while the client's window is empty.

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

/// What ends a stream of answers before its handler does.
pub(crate) struct Ends {
    /// The deadline, where the client named one.
    pub(crate) deadline: Option<Instant>,
    /// The service's stop, where the method only streams answers.
    pub(crate) stopped: Option<watch::Receiver<bool>>,
    /// What the stream keeps until then.
    pub(crate) permit: Option<Arc<Permit>>,
}

impl Ends {
    /// Resolves at the first of them.
    async fn first(
        deadline: Option<Instant>,
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
            () = deadline => TransientFault {
                reason: TransientReason::DeadlineExceeded,
                message: "the stream lasted to the client's deadline".to_owned(),
                retry_after: None,
                metadata: BTreeMap::new(),
            },
        }
    }
}

/// Ends every stream that is open when the service stops, and refuses calls from then on.
pub(crate) fn stopping() -> TransientFault {
    TransientFault {
        reason: TransientReason::ServiceStopping,
        message: "this instance is stopping; ask again, another one may answer".to_owned(),
        retry_after: Some(Duration::from_millis(500)),
        metadata: BTreeMap::new(),
    }
}

/// A body until it was handed over to the connection, or the client left.
pub(crate) struct Delivered {
    body: Body,
    /// A stop gives the answers that are on their way some time.
    _on_its_way: watch::Receiver<()>,
}

impl Delivered {
    pub(crate) fn new(body: Body, on_its_way: watch::Receiver<()>) -> Self {
        Self {
            body,
            _on_its_way: on_its_way,
        }
    }
}

impl HttpBody for Delivered {
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

/// A stream of answers that ends when it must. A task of its own ends it, because nobody may ask for
/// its next message any more.
pub(crate) struct Ending {
    stream: Arc<Mutex<Stream>>,
    ending: AbortHandle,
}

struct Stream {
    /// The handler's stream; empty from the end on, so that what feeds it goes at once.
    body: Body,
    /// Taken until the end.
    permit: Option<Arc<Permit>>,
    state: State,
    /// Who waits for the next message.
    reader: Option<Waker>,
}

enum State {
    Open,
    /// It must end, and the client does not know yet.
    Ended(HeaderMap),
    Over,
}

impl Ending {
    /// The answer to a call of `method`.
    pub(crate) fn new(body: Body, ends: Ends, method: &'static str) -> Self {
        let Ends {
            deadline,
            stopped,
            permit,
        } = ends;
        let stream = Arc::new(Mutex::new(Stream {
            body,
            permit,
            state: State::Open,
            reader: None,
        }));
        let ended = Arc::clone(&stream);
        let ending = tokio::spawn(area::within(method, async move {
            let why = Ends::first(deadline, stopped).await;
            end(&ended, trailers(why));
        }));
        Self {
            stream,
            ending: ending.abort_handle(),
        }
    }
}

impl Drop for Ending {
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

impl HttpBody for Ending {
    type Data = <Body as HttpBody>::Data;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        let mut stream = lock(&self.stream);
        match std::mem::replace(&mut stream.state, State::Over) {
            State::Over => Poll::Ready(None),
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
            State::Over => true,
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

    /// A body that always has something more.
    fn endless() -> Body {
        let frames = tokio_stream::iter(std::iter::repeat(Bytes::from_static(b"more")));
        Body::new(StreamBody::new(
            frames.map(|bytes| Ok::<_, Status>(Frame::data(bytes))),
        ))
    }

    fn answer(ends: Ends) -> Ending {
        Ending::new(endless(), ends, "/licet.events.v1.EventService/Ask")
    }

    async fn last_frame(mut answer: Ending) -> HeaderMap {
        loop {
            let frame = answer.frame().await.unwrap().unwrap();
            if let Ok(trailers) = frame.into_trailers() {
                assert!(answer.frame().await.is_none() && answer.is_end_stream());
                return trailers;
            }
            // Nothing of the body waits: it lets the task run that ends it.
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_stop_ends_a_stream_that_always_has_something_more() {
        let (stop, stopped) = watch::channel(false);
        let limit = limit();
        let ends = Ends {
            deadline: None,
            stopped: Some(stopped),
            permit: Some(Arc::new(limit.take("a caller").unwrap())),
        };
        let mut answer = answer(ends);
        assert!(answer.frame().await.unwrap().unwrap().is_data());
        stop.send(true).unwrap();
        let trailers = last_frame(answer).await;
        assert_eq!(trailers[Status::GRPC_STATUS], "14");
        limit.all_free().await;
    }

    #[tokio::test]
    async fn a_stream_that_is_not_read_gives_its_place_back_at_its_deadline() {
        let limit = limit();
        let ends = Ends {
            deadline: Some(Instant::now() + Duration::from_millis(100)),
            stopped: None,
            permit: Some(Arc::new(limit.take("a caller").unwrap())),
        };
        let answer = answer(ends);
        limit.all_free().await;
        let trailers = last_frame(answer).await;
        assert_eq!(trailers[Status::GRPC_STATUS], "4");
    }
}
