//! Accepts connections: bounded in total and for each caller, with TLS if it is on. A client that does not
//! begin to speak HTTP/2 in time is disconnected.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, stream};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::Connected;

use crate::{
    concurrency::{ConcurrencyBounds, ConcurrencyLimit, Permit},
    config::Limits,
    fault::TransientReason,
    identity::{ClientCertificate, Peer},
    rarely::Rarely,
    tls::Tls,
};

/// How long a client has for the TLS handshake and the first bytes of HTTP/2 together.
const OPENING: Duration = Duration::from_secs(10);
/// How long the accept loop waits after a failure: without a free file descriptor, the next attempt fails too.
const BACK_OFF: Duration = Duration::from_millis(200);
/// What an HTTP/2 client sends first (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The connections of `listener` that are ready for HTTP.
pub(crate) fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    limits: &Limits,
) -> impl Stream<Item = io::Result<Connection>> + Send + use<> {
    let limit = || {
        ConcurrencyLimit::new(ConcurrencyBounds {
            what: "connections",
            reason: TransientReason::Overloaded,
            total: limits.max_connections,
            per_caller: limits.max_connections_per_caller,
        })
    };
    let acceptor = Acceptor {
        listener,
        opening: JoinSet::new(),
        shared: Arc::new(Shared {
            tls,
            by_address: limit(),
            by_identity: limit(),
            log: Rarely::new(),
        }),
    };
    stream::unfold(acceptor, |mut acceptor| async move {
        let connection = acceptor.next().await;
        Some((Ok(connection), acceptor))
    })
}

struct Acceptor {
    listener: TcpListener,
    opening: JoinSet<Option<Connection>>,
    shared: Arc<Shared>,
}

struct Shared {
    tls: Option<Tls>,
    /// Plaintext connections, and TLS connections before the certificate of the client is known.
    by_address: ConcurrencyLimit,
    /// TLS connections of known clients, so that handshakes never finished do not take their places.
    by_identity: ConcurrencyLimit,
    log: Rarely,
}

impl Acceptor {
    async fn next(&mut self) -> Connection {
        loop {
            tokio::select! {
                Some(opened) = self.opening.join_next() => {
                    if let Ok(Some(connection)) = opened {
                        return connection;
                    }
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => self.open(stream, address),
                    Err(error) => {
                        self.shared.warn("accept", &format!("cannot accept connections: {error}"));
                        tokio::time::sleep(BACK_OFF).await;
                    }
                },
            }
        }
    }

    fn open(&mut self, stream: TcpStream, address: SocketAddr) {
        let host = address.ip().to_string();
        // Refused connections are closed at once.
        let Some(permit) = self.shared.take(&self.shared.by_address, &host) else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        self.opening.spawn(async move {
            match tokio::time::timeout(OPENING, shared.open(stream, address, permit)).await {
                Ok(Ok(connection)) => connection,
                Ok(Err(error)) => {
                    shared.warn(&host, &format!("{address} was disconnected: {error}"));
                    None
                }
                Err(_) => {
                    let text =
                        format!("{address} did not begin to speak HTTP/2 within {OPENING:?}");
                    shared.warn(&host, &text);
                    None
                }
            }
        });
    }
}

impl Shared {
    fn warn(&self, key: &str, text: &str) {
        if self.log.permits(key) {
            tracing::warn!("{text}");
        }
    }

    fn take(&self, limit: &ConcurrencyLimit, caller: &str) -> Option<Permit> {
        let taken = limit.take(caller);
        taken
            .inspect_err(|fault| self.warn(caller, &format!("a connection was refused: {fault}")))
            .ok()
    }

    /// `None` for a client that has left without a word, as a port scan does, or that has too many connections.
    async fn open(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        permit: Permit,
    ) -> io::Result<Option<Connection>> {
        // Otherwise a response may wait 40 ms for the client's acknowledgement of the one before.
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            let peer = Peer {
                address,
                certificate: None,
            };
            return begin(Box::new(stream), peer, permit).await;
        };
        let stream = TlsAcceptor::from(tls.server()).accept(stream).await?;
        let (_, session) = stream.get_ref();
        let certificates = session.peer_certificates().unwrap_or_default();
        let certificate = certificates.first().map(|der| ClientCertificate::of(der));
        let certificate = certificate.ok_or_else(|| io::Error::other("no client certificate"))?;
        let Some(permit) = self.take(&self.by_identity, certificate.label()) else {
            return Ok(None);
        };
        let peer = Peer {
            address,
            certificate: Some(Arc::new(certificate)),
        };
        begin(Box::new(stream), peer, permit).await
    }
}

/// Reads the preface of HTTP/2, or as much as shows that the client speaks something else: the server then
/// responds in HTTP/1.
async fn begin(
    mut stream: Box<dyn Duplex>,
    peer: Peer,
    permit: Permit,
) -> io::Result<Option<Connection>> {
    let mut first = Vec::with_capacity(PREFACE.len());
    while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
        let wanted = PREFACE.len() - first.len();
        let mut rest = (&mut stream).take(u64::try_from(wanted).unwrap_or_default());
        if rest.read_buf(&mut first).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(Connection {
        first: io::Cursor::new(first),
        stream,
        peer,
        _permit: permit,
    }))
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An accepted connection.
pub(crate) struct Connection {
    /// Bytes that were read and are not passed on yet.
    first: io::Cursor<Vec<u8>>,
    stream: Box<dyn Duplex>,
    peer: Peer,
    _permit: Permit,
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let first = Pin::new(&mut self.first).poll_read(context, buffer);
        if buffer.filled().len() > before || first.is_pending() {
            return first;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt as _;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn an_address_has_a_bounded_number_of_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits {
            max_connections: 3,
            max_connections_per_caller: 2,
            ..Limits::default()
        };
        let mut accepted = Box::pin(accept(listener, None, &limits));
        let connect = async |first: &[u8]| {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(first).await.unwrap();
            client
        };
        // One client speaks HTTP/2 and one HTTP/1, and what they have sent is not lost.
        let mut held = Vec::new();
        for first in [PREFACE, b"GET / HTTP/1.1\r\n\r\n"] {
            let _client = connect(first).await;
            let mut connection = accepted.next().await.unwrap().unwrap();
            let mut read = vec![0; first.len()];
            connection.read_exact(&mut read).await.unwrap();
            assert_eq!(read, first);
            held.push(connection);
        }
        let mut third = TcpStream::connect(address).await.unwrap();
        let mut answer = [0];
        tokio::select! {
            _ = accepted.next() => panic!("accepted beyond the limit"),
            read = third.read(&mut answer) => assert_eq!(read.unwrap(), 0, "it is closed"),
        }
        held.pop();
        let _client = connect(PREFACE).await;
        assert!(accepted.next().await.unwrap().is_ok());
    }
}
