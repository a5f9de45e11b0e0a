//! The author's workshop: what turns an idea into a component that passes the gate, on the author's own machine.
//!
//! Owns: the templates and the SDK that lies beside a new crate, scenarios and how they are run and told. Refuses to
//! know the database and who anybody is: none of it needs a platform.

mod market;
mod rules;
mod scenario;
mod story;
mod template;

pub use scenario::{Outcome, ScenarioError, run_all};
pub use template::{NewError, PluginName, Sdk, TemplateKind, create};
