//! Messages that are in memory as a whole, and counted while they are: requests before anything is done for
//! their call, so that a client that never sends the rest of a message occupies no place of a call; and
//! responses until their client has read them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt as _;
use prost::bytes::BytesMut;
use tonic::{Status, body::Body, codegen::Bytes};

use crate::{
    concurrency::{ConcurrencyLimit, Permit},
    fault::Fault,
    transport::MAX_MESSAGE_BYTES,
};

/// The bytes before each message (gRPC over HTTP/2): a flag and the length.
const PREFIX: usize = 5;
/// Messages up to this size are not counted: a stream costs as much without a message.
const SMALL: usize = 4 << 10;
/// Bytes are counted in steps of this size.
const STEP: usize = 64 << 10;
/// DEFLATE (RFC 1951) makes no more than this of one byte.
const LARGEST_RATIO: usize = 1032;

/// The bytes that one caller's message takes of the limit of bytes in flight.
pub(crate) struct Counted<'a> {
    pub(crate) limit: &'a ConcurrencyLimit,
    pub(crate) caller: &'a str,
    permit: Option<Permit>,
}

impl<'a> Counted<'a> {
    pub(crate) fn new(limit: &'a ConcurrencyLimit, caller: &'a str) -> Self {
        Self {
            limit,
            caller,
            permit: None,
        }
    }

    /// Counts a message that has grown to `length` bytes.
    fn count(&mut self, length: usize) -> Result<(), Fault> {
        if length <= SMALL {
            return Ok(());
        }
        let due = length.next_multiple_of(STEP);
        match &mut self.permit {
            None => self.permit = Some(self.limit.take_many(self.caller, due)?),
            Some(permit) => permit.grow(due.saturating_sub(permit.held()))?,
        }
        Ok(())
    }
}

/// A body in memory.
#[derive(Debug)]
pub(crate) struct BufferedBody {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl BufferedBody {
    /// Reads the message of a request to its end, and the right to its bytes. Stops at a message that is too
    /// large, which the decoder refuses by its length.
    ///
    /// # Errors
    /// The client is gone, or too many bytes are in flight.
    pub(crate) async fn receive(
        mut body: Body,
        mut counted: Counted<'_>,
    ) -> Result<(Self, Option<Permit>), Status> {
        let mut data = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(more) = frame?.into_data() else {
                continue;
            };
            // Frames may be tiny, so their bytes are joined.
            join(&mut data, more);
            counted.count(unpacked_length(&data))?;
            if is_too_large(&data) {
                break;
            }
        }
        let received = Self {
            data: Some(data.freeze()).filter(|data| !data.is_empty()),
            trailers: None,
        };
        Ok((received, counted.permit))
    }

    /// Encodes the response of a call, which waits for nothing, and the right to its bytes.
    ///
    /// # Errors
    /// Too many bytes are in flight.
    pub(crate) async fn encode(
        mut body: Body,
        mut counted: Counted<'_>,
    ) -> Result<(Self, Option<Permit>), Status> {
        let mut data = BytesMut::new();
        let mut trailers = None;
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(more) => join(&mut data, more),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        counted.count(data.len())?;
        let encoded = Self {
            data: Some(data.freeze()).filter(|data| !data.is_empty()),
            trailers,
        };
        Ok((encoded, counted.permit))
    }
}

fn join(data: &mut BytesMut, more: Bytes) {
    if data.is_empty() {
        *data = BytesMut::from(more);
    } else {
        data.extend_from_slice(&more);
    }
}

/// The most bytes that a received message, or a part of it, takes.
fn unpacked_length(data: &[u8]) -> usize {
    match data.first() {
        Some(1) => MAX_MESSAGE_BYTES.min(data.len().saturating_mul(LARGEST_RATIO)),
        _ => data.len(),
    }
}

fn is_too_large(data: &[u8]) -> bool {
    let length = data.get(1..PREFIX).and_then(|bytes| bytes.try_into().ok());
    let stated = length.map_or(0, u32::from_be_bytes);
    data.len() > PREFIX + MAX_MESSAGE_BYTES
        || usize::try_from(stated).is_ok_and(|stated| stated > MAX_MESSAGE_BYTES)
}

impl HttpBody for BufferedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match self.data.take() {
            Some(data) => Some(Frame::data(data)),
            None => self.trailers.take().map(Frame::trailers),
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::StreamBody;

    use super::*;
    use crate::{concurrency::ConcurrencyBounds, fault::TransientReason};

    fn bytes(total: usize) -> ConcurrencyLimit {
        ConcurrencyLimit::new(ConcurrencyBounds {
            what: "bytes of messages",
            reason: TransientReason::TooManyBytes,
            total,
            per_caller: total,
        })
    }

    fn body(frames: &[&'static [u8]]) -> Body {
        let frames: Vec<_> = frames
            .iter()
            .map(|bytes| Ok::<_, Status>(Frame::data(Bytes::from_static(bytes))))
            .collect();
        Body::new(StreamBody::new(tokio_stream::iter(frames)))
    }

    async fn read(frames: &[&'static [u8]]) -> Vec<u8> {
        let limit = bytes(0);
        let counted = Counted::new(&limit, "a caller");
        let (received, permit) = BufferedBody::receive(body(frames), counted).await.unwrap();
        assert!(permit.is_none(), "a small message is not counted");
        received.collect().await.unwrap().to_bytes().to_vec()
    }

    #[tokio::test]
    async fn a_message_is_the_same_in_any_frames() {
        let whole: &[u8] = b"\0\0\0\0\x04text";
        assert_eq!(read(&[whole]).await, whole);
        assert_eq!(read(&[b"\0\0", b"\0\0\x04t", b"", b"ext"]).await, whole);
        assert!(read(&[]).await.is_empty());
    }

    #[tokio::test]
    async fn no_more_is_read_of_a_message_that_is_too_large() {
        assert_eq!(read(&[b"\0\x7f\0\0\0", b"rest"]).await, b"\0\x7f\0\0\0");
    }

    #[tokio::test]
    async fn a_message_counts_as_many_bytes_as_it_may_unpack_to() {
        let limit = bytes(2 * STEP);
        let receive = async |frames: &[&'static [u8]]| {
            BufferedBody::receive(body(frames), Counted::new(&limit, "a caller")).await
        };
        const PART: &[u8] = &[0; STEP - PREFIX];
        let first = receive(&[b"\0\0\x01\0\0", PART]).await.unwrap();
        assert_eq!(first.1.as_ref().map(Permit::held), Some(STEP));
        let grown = receive(&[b"\0\0\x02\0\0", PART, PART]).await;
        assert_eq!(
            grown.unwrap_err().code(),
            tonic::Code::ResourceExhausted,
            "{first:?}"
        );
        drop(first);
        let grown = receive(&[b"\0\0\x02\0\0", PART, PART]).await.unwrap();
        assert_eq!(grown.1.as_ref().map(Permit::held), Some(2 * STEP));
        drop(grown);
        // A hundred compressed bytes may become a hundred thousand.
        let packed = receive(&[b"\x01\0\0\0\x64", &[0; 100]]).await.unwrap();
        assert_eq!(packed.1.as_ref().map(Permit::held), Some(2 * STEP));
    }

    #[tokio::test]
    async fn a_response_keeps_its_trailers() {
        let mut trailers = HeaderMap::new();
        trailers.insert(Status::GRPC_STATUS, http::HeaderValue::from_static("0"));
        let frames = [
            Frame::data(Bytes::from_static(b"text")),
            Frame::trailers(trailers.clone()),
        ];
        let frames = tokio_stream::iter(frames.map(Ok::<_, Status>));
        let limit = bytes(0);
        let counted = Counted::new(&limit, "a caller");
        let encoding = BufferedBody::encode(Body::new(StreamBody::new(frames)), counted);
        let (encoded, _) = encoding.await.unwrap();
        let read = encoded.collect().await.unwrap();
        assert_eq!(read.trailers(), Some(&trailers));
        assert_eq!(read.to_bytes(), "text");
    }
}
