//! Tenants as files: `tenants/<slug>/tenant.toml`, read, checked and applied to the database.
//!
//! Owns: what a tenant's file may say, and that every mistake in it is named with file, line and remedy.
//! Refuses to know how a brand looks (`theme`) and what a plugin's settings mean: the plugin's own schema says whether
//! they fit.

mod apply;
mod definition;
mod feature;
mod file;
mod mistake;
mod plans;
mod rules;
mod told;
mod venue;

pub use apply::{ApplyError, apply, read_dir};
pub use definition::{AccountTemplate, Definition, RuleBinding, Sender, Words};
pub use feature::Feature;
pub use file::read;
pub use mistake::{Mistake, Mistakes, Place};
pub use rules::{RuleError, misfits};
pub use told::terms_in_words;
pub use venue::{NightPoints, OwnTerms, SlippagePoints, SpreadPoints, TradingTerms, VenueTerms};
