//! The form that sets another version of a deployment up.

use super::{
    Page,
    component::{Banner, Field, Link},
};
use serde::Serialize;

/// A version that the deployment could run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionCard {
    /// Which.
    pub version: String,
    /// Its channel, and whether the settings that run fit it.
    pub note: String,
    /// The form that sets it up.
    pub href: String,
    /// Whether this is the one being set up.
    pub selected: bool,
}

impl VersionCard {
    /// A version for the deployment at an address.
    #[must_use]
    pub fn new(deployment: &str, version: &str, channel: &str, fits: bool, selected: bool) -> Self {
        let fit = if fits { "takes the present settings" } else { "needs other settings" };
        Self {
            version: version.to_owned(),
            note: format!("{channel}, {fit}"),
            // A semantic version may hold a plus, which an address takes for a space.
            href: format!("{deployment}/version?version={}", version.replace('+', "%2B")),
            selected,
        }
    }
}

/// The form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionPage {
    /// The account.
    pub account: Link,
    /// The deployment's address.
    pub href: String,
    /// The strategy's name.
    pub strategy: String,
    /// The version that it runs.
    pub current: String,
    /// The versions to choose from.
    pub versions: Vec<VersionCard>,
    /// The one being set up.
    pub version: String,
    /// Its settings, from its schema.
    pub settings: Vec<Field>,
    /// Why the last try was refused and what to do.
    pub banner: Option<Banner>,
    /// The settings that run and that this version does not know, in a sentence.
    pub dropped: Option<String>,
    /// Whether the deployment runs, so that a version may run beside it.
    pub running: bool,
    /// The token of the form.
    pub csrf: String,
}

impl VersionPage {
    /// What is left out, in a sentence; none when nothing is.
    #[must_use]
    pub fn dropped(names: &[String]) -> Option<String> {
        match names {
            [] => None,
            [one] => Some(format!("The setting {one} is not known to this version and is left out.")),
            many => Some(format!("The settings {} are not known to this version and are left out.", many.join(", "))),
        }
    }
}

impl Page for VersionPage {
    const TEMPLATE: &'static str = "version";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_named() {
        let told =
            |names: &[&str]| VersionPage::dropped(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(told(&[]), None);
        assert_eq!(told(&["slow"]).unwrap(), "The setting slow is not known to this version and is left out.");
        assert!(told(&["slow", "exit"]).unwrap().starts_with("The settings slow, exit are not known"));
        let card = VersionCard::new("/deployments/x", "1.0.0+b1", "beta", false, false);
        assert_eq!(card.href, "/deployments/x/version?version=1.0.0%2Bb1");
    }
}
