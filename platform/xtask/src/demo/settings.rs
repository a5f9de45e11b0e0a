//! How the demo configures `marque`: by the same variables that an operator uses.

use std::{path::PathBuf, process::Command};

use super::recordings::Recording;
use crate::root;

/// The binary and its settings.
pub struct Settings {
    marque: PathBuf,
    variables: Vec<(&'static str, String)>,
    /// The port of this machine it listens on.
    pub port: u16,
}

impl Settings {
    /// Settings of a demo on this port, that replays these recordings.
    pub fn new(marque: PathBuf, port: u16, speed: u32, recordings: &[Recording]) -> Self {
        let mut variables = vec![
            ("MARQUE_DATA_DIR", root::var().display().to_string()),
            ("MARQUE_TENANTS_DIR", root::workspace().join("tenants").display().to_string()),
            ("MARQUE_LISTEN", format!("127.0.0.1:{port}")),
            ("MARQUE_FEED_SPEED", speed.to_string()),
            // Open pages hold their streams; whoever presses Ctrl-C does not want to wait for them.
            ("MARQUE_LIMITS_SHUTDOWN_S", "2".to_owned()),
        ];
        if !recordings.is_empty() {
            let symbols: Vec<&str> = recordings.iter().map(|recording| recording.symbol.as_str()).collect();
            variables.push(("MARQUE_FEED_KIND", "replay".to_owned()));
            variables.push(("MARQUE_FEED_SYMBOLS", format!("[{}]", symbols.join(","))));
        }
        Self { marque, variables, port }
    }

    /// `marque` with these arguments and these settings only. A developer's own `MARQUE_*` variables may name a
    /// real database, and a `marque.toml` in the workspace too: neither reaches the demo.
    pub fn marque(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.marque);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MARQUE_")) {
            command.env_remove(name);
        }
        command.current_dir(root::var()).args(args).envs(self.variables.iter().map(|(name, value)| (*name, value)));
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(settings: &Settings, name: &str) -> Option<String> {
        let command = settings.marque(&["serve"]);
        let found = command.get_envs().find(|(key, _)| *key == name);
        found.and_then(|(_, value)| Some(value?.to_string_lossy().into_owned()))
    }

    #[test]
    fn recordings_are_replayed_and_without_one_the_default_market_runs() {
        let recording = |symbol: &str| Recording { symbol: symbol.into(), path: PathBuf::new() };
        let replay = Settings::new("marque".into(), 8090, 60, &[recording("EURUSD"), recording("XAUUSD")]);
        assert_eq!(variable(&replay, "MARQUE_LISTEN").as_deref(), Some("127.0.0.1:8090"));
        assert_eq!(variable(&replay, "MARQUE_FEED_KIND").as_deref(), Some("replay"));
        assert_eq!(variable(&replay, "MARQUE_FEED_SYMBOLS").as_deref(), Some("[EURUSD,XAUUSD]"));
        assert_eq!(variable(&Settings::new("marque".into(), 8090, 60, &[]), "MARQUE_FEED_KIND"), None);
    }
}
