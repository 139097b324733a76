//! A database at a distance: a proxy on loopback that delivers each byte some time after it was sent.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::mpsc,
    task::JoinHandle,
    time::Instant,
};

use crate::trouble::Trouble;

/// The proxy; it ends with this value.
pub(crate) struct Distance {
    pub(crate) port: u16,
    accepting: JoinHandle<()>,
}

impl Distance {
    /// Forwards connections to a port of this machine; a round trip takes twice `each_way` longer.
    pub(crate) async fn to(port: u16, each_way: Duration) -> Result<Self, Trouble> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let own = listener.local_addr()?.port();
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(forward(near, port, each_way));
            }
        });
        Ok(Self {
            port: own,
            accepting,
        })
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Forwards one connection until either side closes it.
async fn forward(near: TcpStream, port: u16, each_way: Duration) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    if near.set_nodelay(true).is_err() || far.set_nodelay(true).is_err() {
        return;
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::join!(
        carry(near_read, far_write, each_way),
        carry(far_read, near_write, each_way),
    );
}

/// Carries bytes one way. Reading goes on while bytes are on their way, so that only time is added.
async fn carry(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, each_way: Duration) {
    let (sender, mut on_the_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let reading = async move {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut bytes).await {
            let arrival = Instant::now() + each_way;
            if sender.send((arrival, bytes[..length].to_vec())).is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((arrival, bytes)) = on_the_way.recv().await {
            tokio::time::sleep_until(arrival).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}
