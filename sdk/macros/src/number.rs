//! A number as the author wrote it: exact, in units of 1e-8, as the SDK's fixed-point types count.

use proc_macro2::Span;
use syn::{Lit, Token, parse::ParseStream};

const DECIMALS: usize = 8;

/// A number with the text that stands for it in JSON.
#[derive(Clone)]
pub struct Number {
    pub units: i64,
    pub json: String,
    pub span: Span,
}

impl Number {
    pub fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let negative = input.parse::<Option<Token![-]>>()?.is_some();
        let literal: Lit = input.parse()?;
        Self::of(negative, &literal)
    }

    /// Of a literal with its sign.
    pub fn of(negative: bool, literal: &Lit) -> syn::Result<Self> {
        let (digits, suffix) = match literal {
            Lit::Int(int) => (int.base10_digits().to_owned(), int.suffix()),
            Lit::Float(float) => (float.base10_digits().to_owned(), float.suffix()),
            other => return Err(syn::Error::new(other.span(), "expected a number")),
        };
        if !suffix.is_empty() {
            return Err(syn::Error::new(literal.span(), "write the number without its type"));
        }
        let units = units(negative, &digits).ok_or_else(|| {
            syn::Error::new(literal.span(), "expected a number of at most eight decimal places within 92 billion")
        })?;
        let sign = if negative { "-" } else { "" };
        Ok(Self { units, json: format!("{sign}{}", digits.trim_end_matches('.')), span: literal.span() })
    }
}

fn units(negative: bool, digits: &str) -> Option<i64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > DECIMALS {
        return None;
    }
    let units: i64 = format!("{whole}{fraction:0<DECIMALS$}").parse().ok()?;
    Some(if negative { -units } else { units })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_or_refused() {
        for (text, wanted) in [
            ("1", Some((100_000_000, "1"))),
            ("-0.1", Some((-10_000_000, "-0.1"))),
            ("1_000", Some((100_000_000_000, "1000"))),
            ("2.", Some((200_000_000, "2"))),
            ("0.00000001", Some((1, "0.00000001"))),
            ("0.000000001", None),
            ("1e3", None),
            ("99999999999999", None),
            ("1u32", None),
            ("\"1\"", None),
            ("true", None),
        ] {
            let read = syn::parse::Parser::parse_str(Number::parse, text).ok();
            assert_eq!(read.as_ref().map(|n| (n.units, n.json.as_str())), wanted, "{text}");
        }
    }
}
