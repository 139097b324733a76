//! A client that begins calls and never finishes their messages.

use h2::{
    SendStream,
    client::{ResponseFuture, SendRequest},
};
use tokio::net::TcpStream;
use tonic::codegen::{Bytes, http};

/// One connection of such a client.
pub(crate) struct HalfSent {
    requests: SendRequest<Bytes>,
    address: String,
}

/// A call whose message is not complete; dropping it resets its stream.
pub(crate) struct HalfSentCall {
    _message: SendStream<Bytes>,
    response: ResponseFuture,
}

impl HalfSent {
    /// Connects to `127.0.0.1:50051`.
    pub(crate) async fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        let (requests, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(async move {
            // Ends when the server closes the connection, or when no call is left.
            let _ = connection.await;
        });
        Self {
            requests,
            address: address.to_owned(),
        }
    }

    /// Sends the headers of a call, and the first `sent` bytes of a message of `length` bytes.
    pub(crate) async fn begin(
        &self,
        path: &str,
        metadata: &[(&str, &str)],
        length: u32,
        sent: usize,
    ) -> HalfSentCall {
        let mut request = http::Request::post(format!("http://{}{path}", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (key, value) in metadata {
            request = request.header(*key, *value);
        }
        let request = request.body(()).unwrap();
        let mut requests = self.requests.clone().ready().await.unwrap();
        let (response, mut message) = requests.send_request(request, false).unwrap();
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(sent, 0);
        message.send_data(bytes.into(), false).unwrap();
        HalfSentCall {
            _message: message,
            response,
        }
    }
}

impl HalfSentCall {
    /// Waits for the response, and returns its gRPC code.
    pub(crate) async fn code(&mut self) -> String {
        let response = (&mut self.response).await.unwrap();
        let code = &response.headers()["grpc-status"];
        code.to_str().unwrap().to_owned()
    }
}
