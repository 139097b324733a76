//! Calls any method by its path, with encoded requests and responses.

use prost::bytes::{Buf as _, BufMut as _};
use tonic::{
    Request, Status, Streaming,
    body::Body,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{Service, http},
    transport,
};

use super::channel::Channel;

#[derive(Clone, Copy, Default)]
struct Octets;

impl Codec for Octets {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Octets {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Octets {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut octets = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut octets);
        Ok(Some(octets))
    }
}

/// The first response of a method, streaming or not.
pub(crate) async fn first_answer<C>(
    channel: C,
    path: &'static str,
    request: Request<Vec<u8>>,
) -> Result<Option<Vec<u8>>, Status>
where
    C: Service<http::Request<Body>, Response = http::Response<Body>, Error = transport::Error>,
{
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static(path);
    let answers = client.server_streaming(request, path, Octets).await?;
    answers.into_inner().message().await
}

/// The responses of a method that streams both ways.
pub(crate) async fn streamed(
    channel: Channel,
    path: &'static str,
    messages: Vec<Vec<u8>>,
) -> Streaming<Vec<u8>> {
    let mut client = Grpc::new(channel).max_encoding_message_size(64 << 20);
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static(path);
    let request = Request::new(tokio_stream::iter(messages));
    let answers = client.streaming(request, path, Octets).await;
    answers.unwrap().into_inner()
}
