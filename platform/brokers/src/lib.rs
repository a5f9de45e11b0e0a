//! Adapters to real venues.
//!
//! Owns: how each venue's wire protocol becomes the engine's events, and the engine's orders its requests. Refuses to know: rules,
//! ledgers and tenants. No venue is connected yet: trading happens on the simulated one, which is the engine's own.
