//! The listening socket: a bounded number of connections, none of them silent for ever, and no spinning when the system has no
//! more files.
//!
//! poem's own time for silent connections is not used: a second task for each connection is then woken, and its timer set anew,
//! with every read and every write. Here a connection only notes when it last did something, and its timer goes off about once
//! in that time.

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
    time::{Instant, Sleep, sleep},
};

/// After a failed accept (no more file descriptors) the next try waits: poem tries again at once.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections while fewer than the limit are open; more wait in the system's queue.
pub struct BoundedAcceptor {
    listener: TcpListener,
    local: SocketAddr,
    room: Arc<Semaphore>,
    patience: Duration,
}

impl BoundedAcceptor {
    /// Takes a bound socket. A connection on which no byte goes either way for `patience` is ended, whatever is under way: it
    /// must be longer than anything that is answered may take.
    ///
    /// # Errors
    /// When it is not bound.
    pub fn new(listener: TcpListener, connections_max: u32, patience: Duration) -> Result<Self> {
        let room = Arc::new(Semaphore::new(usize::try_from(connections_max).unwrap_or(1)));
        Ok(Self { local: listener.local_addr()?, listener, room, patience })
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
                let held = Held { stream, silence: Silence::new(self.patience), _place: place };
                Ok((held, LocalAddr(self.local.into()), RemoteAddr(peer.into()), Scheme::HTTP))
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(PAUSE).await;
                Err(error)
            }
        }
    }
}

/// How long nothing has happened.
struct Silence {
    patience: Duration,
    heard_at: Instant,
    /// Goes off when the patience may be at an end. It is not set anew with each byte, but when it went off too early.
    alarm: Pin<Box<Sleep>>,
}

impl Silence {
    fn new(patience: Duration) -> Self {
        Self { patience, heard_at: Instant::now(), alarm: Box::pin(sleep(patience)) }
    }

    fn broken(&mut self) {
        self.heard_at = Instant::now();
    }

    /// Whether it has lasted too long; if not, the task is woken when it may have.
    fn is_too_long(&mut self, cx: &mut Context<'_>) -> bool {
        while self.alarm.as_mut().poll(cx).is_ready() {
            let end = self.heard_at + self.patience;
            if Instant::now() >= end {
                return true;
            }
            self.alarm.as_mut().reset(end);
        }
        false
    }
}

/// A connection with its place among the allowed ones.
pub struct Held {
    stream: TcpStream,
    silence: Silence,
    _place: OwnedSemaphorePermit,
}

impl Held {
    /// Notes that bytes were taken.
    fn wrote(&mut self, wrote: Poll<Result<usize>>) -> Poll<Result<usize>> {
        if wrote.is_ready() {
            self.silence.broken();
        }
        wrote
    }
}

impl AsyncRead for Held {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            // To the server it looks as if the other end had nothing more to say. It ends the connection then.
            Poll::Pending if self.silence.is_too_long(cx) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
            read => {
                self.silence.broken();
                read
            }
        }
    }
}

impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.wrote(wrote)
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
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.wrote(wrote)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const PATIENCE: Duration = Duration::from_millis(300);

    /// Both ends of a connection, the accepted one first.
    async fn pair() -> (Held, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut acceptor = BoundedAcceptor::new(listener, 1, PATIENCE).unwrap();
        let client = TcpStream::connect(acceptor.local).await.unwrap();
        (acceptor.accept().await.unwrap().0, client)
    }

    #[tokio::test]
    async fn a_silent_connection_ends() {
        let (mut held, _client) = pair().await;
        let began = Instant::now();
        assert_eq!(held.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() + Duration::from_millis(20) >= PATIENCE, "{:?}", began.elapsed());
        assert_eq!(held.read(&mut [0; 8]).await.unwrap(), 0, "and stays ended");
    }

    #[tokio::test]
    async fn bytes_either_way_let_it_go_on() {
        let (mut held, mut client) = pair().await;
        let began = Instant::now();
        for turn in 0..4_u32 {
            sleep(PATIENCE / 2).await;
            if turn % 2 == 0 {
                client.write_all(b"x").await.unwrap();
                assert_eq!(held.read(&mut [0; 8]).await.unwrap(), 1);
            } else {
                held.write_all(b"y").await.unwrap();
            }
        }
        assert_eq!(held.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(began.elapsed() + Duration::from_millis(20) >= PATIENCE * 3, "{:?}", began.elapsed());
    }
}
