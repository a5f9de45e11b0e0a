//! Bodies are read here, whole, within a size and a time, before a handler runs. A handler then cannot hang on a
//! slow sender or read without bound, and a request that is too large is refused before anything is done.

use crate::problem::{Problem, ProblemCode};
use poem::{Body, Request, error::ReadBodyError, http::header};
use std::time::Duration;

/// Reads the body of `request` and puts it back as bytes.
pub(super) async fn buffer(request: &mut Request, bytes_max: usize, timeout: Duration) -> Result<(), Problem> {
    let too_large = || Problem::new(ProblemCode::TooLarge, format!("Send at most {bytes_max} bytes."));
    let announced = request.header(header::CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > bytes_max)) {
        return Err(too_large());
    }
    let reading = request.take_body().into_bytes_limit(bytes_max);
    let bytes = match tokio::time::timeout(timeout, reading).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(ReadBodyError::PayloadTooLarge)) => return Err(too_large()),
        Ok(Err(_)) => return Err(Problem::new(ProblemCode::BadRequest, "The body broke off; send the request again.")),
        Err(_) => {
            let detail = format!("Send the whole body within {} seconds.", timeout.as_secs());
            return Err(Problem::new(ProblemCode::RequestTimeout, detail));
        }
    };
    request.set_body(Body::from_bytes(bytes));
    Ok(())
}
