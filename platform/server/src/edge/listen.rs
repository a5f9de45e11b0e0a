//! The listening socket: a bounded number of connections, and no spinning when the system has no more files.

use core::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use poem::{
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use std::{
    io::{Error, IoSlice, Result},
    net::SocketAddr,
    sync::Arc,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// After a failed accept (no more file descriptors) the next try waits: poem tries again at once.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections while fewer than the limit are open; more wait in the system's queue.
pub struct BoundedAcceptor {
    listener: TcpListener,
    local: SocketAddr,
    room: Arc<Semaphore>,
}

impl BoundedAcceptor {
    /// Takes a bound socket.
    ///
    /// # Errors
    /// When it is not bound.
    pub fn new(listener: TcpListener, connections_max: u32) -> Result<Self> {
        let room = Arc::new(Semaphore::new(usize::try_from(connections_max).unwrap_or(1)));
        Ok(Self { local: listener.local_addr()?, listener, room })
    }
}

impl Acceptor for BoundedAcceptor {
    type Io = Held;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![LocalAddr(self.local.into())]
    }

    async fn accept(&mut self) -> Result<(Held, LocalAddr, RemoteAddr, Scheme)> {
        let place = self.room.clone().acquire_owned().await.map_err(Error::other)?;
        match self.listener.accept().await {
            Ok((stream, peer)) => {
                // Live events are small and must not wait for more. A socket that refuses is gone already.
                let _ = stream.set_nodelay(true);
                let held = Held { stream, _place: place };
                Ok((held, LocalAddr(self.local.into()), RemoteAddr(peer.into()), Scheme::HTTP))
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
                Err(error)
            }
        }
    }
}

/// A connection with its place among the allowed ones.
pub struct Held {
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Held {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
