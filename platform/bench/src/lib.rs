//! Measures what Marque promises to be fast at: `cargo xtask bench`.
//!
//! Owns: sampling, medians, limits and the table. Each row's figure comes with a limit; where the limit is another
//! program's speed, that program is measured in the same run on the same machine, sample by sample in turn.
//! Refuses to know: what a good machine is. A ratio travels between machines, a bare number does not.

pub mod bare;
pub mod columns;
pub mod fixture;
pub mod groups;
pub mod growth;
pub mod http;
pub mod large;
pub mod licences;
pub mod native;
pub mod peer;
pub mod plain;
pub mod population;
pub mod raw;
pub mod recorded;
pub mod recorder;
pub mod reference;
pub mod row;
pub mod sample;
pub mod shipped;
pub mod table;
pub mod walk;
