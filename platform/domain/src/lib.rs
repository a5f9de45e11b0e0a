//! The nouns of the platform and their pure rules.
//!
//! Owns: ids, fixed-point money, prices and lots, time as a value, instruments and calendars, bars,
//! orders and their life, positions, the double-entry ledger, decisions and denials, tenants, plans,
//! licences of Expert Advisors.
//!
//! Refuses to know: files, sockets, databases, clocks, randomness, WebAssembly, HTTP. Everything here
//! can be tested as a table.

pub mod account;
pub mod bar;
pub mod calendar;
pub mod decision;
pub mod execution;
pub mod fixed;
pub mod id;
pub mod instrument;
pub mod kill;
pub mod ledger;
pub mod licence;
pub mod oracle;
pub mod order;
pub mod plugin;
pub mod succession;
pub mod swap;
pub mod tenant;
pub mod ticket;
pub mod time;
pub mod usage;
