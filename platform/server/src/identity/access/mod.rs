//! Programs: what they show instead of a session, and what that opens.
//!
//! Owns: access tokens that last ten minutes, refresh tokens that are exchanged once, personal tokens with scopes, and
//! the `Authorization` header. A token is looked up through the tenant of the request's host, as a session is: at
//! another tenant it is unknown.
//!
//! Refuses to know: pages, and what an operation does.

mod bearer;
mod grants;
mod personal;
pub mod scope;
mod token;

pub use grants::AccessTokens;
pub use personal::{MadeToken, NewPersonalToken};

pub(super) use bearer::{Shown, shown};

#[cfg(test)]
mod tests;
