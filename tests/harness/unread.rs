//! A client with an empty HTTP/2 window, which receives only headers until it opens the window. In all else
//! it must behave like a usual gRPC client.

use h2::{RecvStream, SendStream, client::SendRequest};
use prost::{Message, bytes::BufMut as _};
use tokio::{net::TcpStream, sync::oneshot};
use tonic::codegen::{Bytes, http};

/// One connection of such a client.
pub(crate) struct Unread {
    requests: SendRequest<Bytes>,
    address: String,
    window: oneshot::Sender<()>,
}

/// A call that has begun, with a response that is not read.
pub(crate) struct UnreadCall {
    /// The client may send more while this is open.
    _messages: SendStream<Bytes>,
    answer: RecvStream,
}

impl Unread {
    /// Connects to `127.0.0.1:50051`.
    pub(crate) async fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let mut client = h2::client::Builder::new();
        let connecting = client.initial_window_size(0).handshake(socket);
        let (requests, mut connection) = connecting.await.unwrap();
        let (window, opened) = oneshot::channel();
        tokio::spawn(async move {
            tokio::select! {
                // The server may close the connection without notice.
                _ = &mut connection => return,
                Ok(()) = opened => connection.set_initial_window_size(1 << 20).unwrap(),
            }
            let _ = connection.await;
        });
        Self {
            requests,
            address: address.to_owned(),
            window,
        }
    }

    /// A call with one request.
    pub(crate) async fn ask(
        &self,
        path: &str,
        metadata: &[(&str, &str)],
        message: &impl Message,
    ) -> UnreadCall {
        self.call(path, metadata, vec![framed(message)], true).await
    }

    /// A call with a stream of requests, which stays open.
    pub(crate) async fn send(
        &self,
        path: &str,
        metadata: &[(&str, &str)],
        messages: &[impl Message],
    ) -> UnreadCall {
        let messages = messages.iter().map(framed).collect();
        self.call(path, metadata, messages, false).await
    }

    async fn call(
        &self,
        path: &str,
        metadata: &[(&str, &str)],
        messages: Vec<Bytes>,
        ends: bool,
    ) -> UnreadCall {
        let mut request = http::Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (key, value) in metadata {
            request = request.header(*key, *value);
        }
        let request = request.body(()).unwrap();
        let mut requests = self.requests.clone().ready().await.unwrap();
        let (answer, mut sending) = requests.send_request(request, false).unwrap();
        let last = messages.len();
        for (number, message) in (1..).zip(messages) {
            sending.send_data(message, ends && number == last).unwrap();
        }
        let answer = answer.await.unwrap();
        assert_eq!(answer.headers().get("grpc-status"), None);
        UnreadCall {
            _messages: sending,
            answer: answer.into_body(),
        }
    }

    /// Opens the window, reads the call's response to its end, and returns the gRPC code.
    pub(crate) async fn read_to_end(self, mut call: UnreadCall) -> String {
        self.window.send(()).unwrap();
        while let Some(read) = call.answer.data().await {
            let length = read.unwrap().len();
            call.answer.flow_control().release_capacity(length).unwrap();
        }
        let trailers = call.answer.trailers().await.unwrap().unwrap();
        trailers["grpc-status"].to_str().unwrap().to_owned()
    }
}

/// A message in gRPC's framing: uncompressed, after its length.
fn framed(message: &impl Message) -> Bytes {
    let length = u32::try_from(message.encoded_len()).unwrap();
    let mut bytes = vec![0];
    bytes.put_u32(length);
    message.encode(&mut bytes).unwrap();
    bytes.into()
}
