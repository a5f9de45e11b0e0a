//! The web server: hosts, people, pages, the API, and what runs behind them. Folders are features.

#![warn(clippy::indexing_slicing)]

pub mod api;
pub mod audit;
pub mod backtest;
mod bounded;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod edge;
mod hex;
pub mod housekeeping;
pub mod identity;
pub mod licensing;
pub mod mail;
pub mod objects;
pub mod outbound;
pub mod plugins;
pub mod portal;
pub mod problem;
pub mod secrets;
pub mod serve;
pub mod signing;
pub mod sso;
pub mod tenants;
pub mod theme;
pub mod trading;

#[cfg(test)]
mod testing;
