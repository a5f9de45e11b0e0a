//! The sandbox from outside: the plugins we ship, guests that misbehave, and files that are no plugins.

mod bytes;
mod fixture;
mod guests;
mod hostile;
mod laws;
mod rules;
mod strategies;
