//! Numbers and times as texts.

use super::caller::invalid;
use crate::problem::{Problem, ProblemCode};
use core::str::FromStr;
use jiff::Timestamp;
use marque_domain::{
    fixed::{FixedError, Money},
    time::Millis,
};

/// Money with its cents.
pub(super) fn money(amount: Money) -> String {
    amount.to_text(2)
}

/// A decimal of a body.
///
/// # Errors
/// [`ProblemCode::Invalid`] names the field.
pub(super) fn decimal<T>(field: &str, text: &str) -> Result<T, Problem>
where
    T: FromStr<Err = FixedError>,
{
    text.parse().map_err(|error: FixedError| invalid(field, error.to_string()))
}

/// A time of a query.
///
/// # Errors
/// [`ProblemCode::BadRequest`] names the parameter.
pub(super) fn instant(name: &str, text: &str) -> Result<Millis, Problem> {
    let parsed = text.parse::<Timestamp>().map_err(|_| {
        Problem::new(ProblemCode::BadRequest, "Correct the parameters that `errors` names.")
            .field(name, "must be a time as RFC 3339 writes it, such as 2026-11-20T12:00:00Z")
    });
    Ok(Millis(parsed?.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::fixed::Lots;
    use proptest::prelude::*;

    #[test]
    fn times() {
        assert_eq!(instant("before", "1970-01-01T00:00:01.5Z"), Ok(Millis(1_500)));
        assert_eq!(instant("before", "1970-01-01T01:00:01+01:00"), Ok(Millis(1_000)));
        for bad in ["", "now", "1970-01-01", "1970-01-01T00:00:00", "12", "1970-13-01T00:00:00Z", "\0"] {
            assert_eq!(instant("before", bad).unwrap_err().code, ProblemCode::BadRequest, "{bad}");
        }
    }

    #[test]
    fn decimals() {
        assert_eq!(decimal::<Lots>("/lots", "0.01"), Ok(Lots::from_units(1_000_000)));
        for bad in ["", "1e3", "NaN", "0x1", " 1", "1,5", "0.000000001", "99999999999999999999", "1\0"] {
            let problem = decimal::<Lots>("/lots", bad).unwrap_err();
            assert_eq!((problem.code, problem.errors[0].field.as_str()), (ProblemCode::Invalid, "/lots"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = (instant("before", &text), decimal::<Lots>("/lots", &text));
        }
    }
}
