//! Bodies are read here, whole, within a size and a time, before a handler runs. A handler then cannot hang on a
//! slow sender or read without bound, and a request that is too large is refused before anything is done.

use crate::problem::{Problem, ProblemCode};
use core::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};
use futures_util::StreamExt as _;
use poem::{Body, Request, http::header};
use std::time::Duration;

/// Room that is made for what was announced, before any of it is there.
const ROOM_MAX: usize = 16_384;

/// Why a body was not read.
enum Broken {
    TooLarge,
    Off,
}

/// Reads the body of `request` and puts it back as bytes.
pub(super) async fn buffer(request: &mut Request, bytes_max: usize, timeout: Duration) -> Result<(), Problem> {
    let too_large = || Problem::new(ProblemCode::TooLarge, format!("Send at most {bytes_max} bytes."));
    let announced = request.header(header::CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > bytes_max)) {
        return Err(too_large());
    }
    let room = announced.map_or(0, |length| usize::try_from(length).unwrap_or(ROOM_MAX).min(ROOM_MAX));
    let mut reading = pin!(whole(request.take_body(), bytes_max, room));
    let read = match at_once(reading.as_mut()).await {
        Some(read) => Ok(read),
        None => tokio::time::timeout(timeout, reading).await,
    };
    let bytes = match read {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(Broken::TooLarge)) => return Err(too_large()),
        Ok(Err(Broken::Off)) => {
            return Err(Problem::new(ProblemCode::BadRequest, "The body broke off; send the request again."));
        }
        Err(_) => {
            let detail = format!("Send the whole body within {} seconds.", timeout.as_secs());
            return Err(Problem::new(ProblemCode::RequestTimeout, detail));
        }
    };
    request.set_body(Body::from_vec(bytes));
    Ok(())
}

/// What is there at the second look. hyper hands a body over once it was asked for; one that came with its head is there then,
/// and no timer is set for it.
async fn at_once<F: Future>(mut reading: Pin<&mut F>) -> Option<F::Output> {
    let mut looked = false;
    poll_fn(|cx| match reading.as_mut().poll(cx) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending if looked => Poll::Ready(None),
        Poll::Pending => {
            looked = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// All bytes of a body, each copied once.
async fn whole(body: Body, bytes_max: usize, room: usize) -> Result<Vec<u8>, Broken> {
    let mut parts = pin!(body.into_bytes_stream());
    let mut whole = Vec::with_capacity(room);
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Broken::Off)?;
        if part.len() > bytes_max.saturating_sub(whole.len()) {
            return Err(Broken::TooLarge);
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}
