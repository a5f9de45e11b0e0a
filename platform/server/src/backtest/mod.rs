//! Backtests: a strategy over recorded prices, with the very engine and sandbox that trade live.
//!
//! Owns: what is tested ([`Spec`]), the quotes it is tested on ([`Recorded`]), single runs, sweeps over settings and
//! walk-forward, the report, the certificate, and the jobs that people start. Refuses to know: how a shard decides (`engine`), how
//! a plugin runs (`sandbox`), pages and the API.
//!
//! Nothing here reads a clock or chance while a test runs: the same spec on the same quotes has the same result, byte for
//! byte, which is what a certificate says and `marque verify` checks.

pub mod certificate;
mod data;
mod export;
pub mod figures;
mod forward;
mod jobs;
mod permits;
pub mod plot;
mod report;
pub mod request;
mod run;
mod spec;
mod sweep;

#[cfg(test)]
mod tests;

pub use data::{DataError, Market, Recorded, Source, quotes_digest};
pub use export::{equity_csv, equity_points, html, trades_csv};
pub use forward::Window;
pub use jobs::Backtests;
pub use permits::Permits;
pub use report::{Candle, Report};
pub use request::NewBacktest;
pub use run::{NoReport, RunError, Runner, result_digest};
pub use spec::{AccountSpec, Fault, Kind, PluginSpec, Spec};
pub use sweep::{Combination, Grid, Rank, Row, run as sweep};

/// An error's text as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let stop = if text.ends_with('.') { "" } else { "." };
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>() + stop)
}
