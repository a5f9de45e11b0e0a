//! A load generator: keep-alive connections that send prepared bytes and read whole answers.
//!
//! Owns: as little work per request as HTTP/1.1 allows, so that what is measured is the server. It reads only what our
//! own servers send: a `Content-Length` or `chunked`.

use std::{net::SocketAddr, time::Instant};

use anyhow::{Context as _, Result, bail};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::Duration,
};

/// The longest answer that is read.
const ANSWER_MAX: usize = 1 << 20;

/// One connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Head and body, as they came.
    pub text: String,
}

impl Answer {
    /// The value of the first header of this name, given in lower case.
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.headers(name).next()
    }

    /// The values of all headers of this name, given in lower case.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.lines().filter_map(move |line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("nobody listens on {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16_384) })
    }

    /// Sends a request and reads its answer to the end.
    ///
    /// # Errors
    /// When the server closes or answers what is not HTTP/1.1.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if let Some(end) = whole(&self.buffer)? {
                let text = String::from_utf8_lossy(self.buffer.get(..end).unwrap_or_default()).into_owned();
                let status = text.split(' ').nth(1).and_then(|code| code.parse().ok());
                return Ok(Answer { status: status.context("an answer without a status")?, text });
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection in the middle of an answer");
            }
            if self.buffer.len() > ANSWER_MAX {
                bail!("an answer of more than {ANSWER_MAX} bytes");
            }
        }
    }
}

/// Where the answer in `bytes` ends, once it is whole.
fn whole(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = String::from_utf8_lossy(bytes.get(..head).unwrap_or_default()).to_ascii_lowercase();
    let body = head + 4;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
    if let Some(length) = field("content-length:") {
        let end = body + length.parse::<usize>().context("a length that is no number")?;
        return Ok((bytes.len() >= end).then_some(end));
    }
    if field("transfer-encoding:") == Some("chunked") {
        let rest = bytes.get(body..).unwrap_or_default();
        let last = rest.windows(5).position(|five| five == b"0\r\n\r\n");
        return Ok(last.map(|at| body + at + 5));
    }
    Ok(Some(body))
}

/// Sends `requests` one after the other and answers the nanoseconds that each took.
///
/// # Errors
/// When one is not answered with `status`.
pub async fn one_by_one(connection: &mut Connection, requests: &[Vec<u8>], status: u16) -> Result<Vec<f64>> {
    let mut nanos = Vec::with_capacity(requests.len());
    for request in requests {
        let began = Instant::now();
        let answer = connection.send(request).await?;
        nanos.push(began.elapsed().as_secs_f64() * 1e9);
        expect(&answer, status)?;
    }
    Ok(nanos)
}

/// Sends `requests` over as many connections as there are lists, each list in order; answers the nanoseconds that
/// each took and those of all together.
///
/// # Errors
/// When one is not answered with `status`.
pub async fn side_by_side(address: SocketAddr, requests: Vec<Vec<Vec<u8>>>, status: u16) -> Result<(Vec<f64>, f64)> {
    let mut lanes = Vec::new();
    for lane in requests {
        lanes.push((Connection::open(address).await?, lane));
    }
    let (mut tasks, began) = (JoinSet::new(), Instant::now());
    for (mut connection, lane) in lanes {
        tasks.spawn(async move { one_by_one(&mut connection, &lane, status).await });
    }
    let mut nanos = Vec::new();
    while let Some(lane) = tasks.join_next().await {
        nanos.extend(lane??);
    }
    Ok((nanos, began.elapsed().as_secs_f64() * 1e9))
}

/// Sends requests at a steady rate, each at its time whether or not earlier ones are answered; answers nanoseconds
/// from the time a request was due to its answer, so that a server that stalls cannot hide behind waiting clients.
///
/// # Errors
/// When one is not answered with `status`.
pub async fn at_rate(address: SocketAddr, requests: Vec<Vec<u8>>, per_second: u32, status: u16) -> Result<Vec<f64>> {
    const LANES: usize = 32;
    let gap = Duration::from_secs_f64(1.0 / f64::from(per_second));
    let mut lanes: Vec<Vec<(u32, Vec<u8>)>> = (0..LANES).map(|_| Vec::new()).collect();
    for (turn, request) in (0_u32..).zip(requests) {
        let lane = usize::try_from(turn)? % LANES;
        lanes.get_mut(lane).context("a lane")?.push((turn, request));
    }
    let mut connections = Vec::new();
    for lane in lanes {
        connections.push((Connection::open(address).await?, lane));
    }
    let (mut tasks, began) = (JoinSet::new(), tokio::time::Instant::now() + Duration::from_millis(20));
    for (mut connection, lane) in connections {
        tasks.spawn(async move {
            let mut nanos = Vec::with_capacity(lane.len());
            for (turn, request) in lane {
                let due = began + gap * turn;
                tokio::time::sleep_until(due).await;
                let answer = connection.send(&request).await?;
                nanos.push(due.elapsed().as_secs_f64() * 1e9);
                expect(&answer, status)?;
            }
            anyhow::Ok(nanos)
        });
    }
    let mut nanos = Vec::new();
    while let Some(lane) = tasks.join_next().await {
        nanos.extend(lane??);
    }
    Ok(nanos)
}

fn expect(answer: &Answer, status: u16) -> Result<()> {
    if answer.status != status {
        bail!("expected {status}, was answered:\n{}", answer.text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn an_answer_ends_where_it_says() {
        let table: &[(&str, Option<usize>)] = &[
            ("HTTP/1.1 200 OK\r\n", None),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", None),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Some(40)),
            ("HTTP/1.1 303 See Other\r\n\r\n", Some(26)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", Some(59)),
        ];
        for (text, end) in table {
            assert_eq!(whole(text.as_bytes()).unwrap(), *end, "{text}");
        }
        assert!(whole(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n").is_err());
    }
}
