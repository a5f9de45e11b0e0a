//! `certify`: backtests the shipped strategies on the recordings beside the repository, and keeps a signed certificate and
//! its figures in each strategy's folder.
//!
//! The brand that signs is the demo's, with a key made for this and thrown away with its database: what stays is
//! the public half. Whatever changes a plugin's code, the contract or the engine asks for new certificates, and a test says so.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{build, plugins, progress::Step, root, run, setup};

/// Where the keys and the toolchain stand, below the workspace.
const COMMON: &str = "plugins/certified";
/// Who signs.
const BRAND: &str = "aurora";

/// A strategy and what it is tested on.
struct Case {
    plugin: &'static str,
    symbol: &'static str,
    /// The recording, in `../shared/data`.
    file: &'static str,
    timeframe: &'static str,
    settings: &'static str,
    /// More arguments.
    terms: &'static [&'static str],
}

/// As each strategy's own documentation asks for: the suggested size, and everything else as its form proposes it.
const CASES: [Case; 4] = [
    Case {
        plugin: "sma-cross",
        symbol: "EURUSD",
        file: "eurusd-ticks-fxcm-2014-05.csv.gz",
        timeframe: "M5",
        settings: r#"{"fast":10,"slow":20,"lots":0.1}"#,
        terms: &["--source", "ticks"],
    },
    Case {
        plugin: "bos-retest",
        symbol: "EURUSD",
        file: "eurusd-ticks-fxcm-2014-05.csv.gz",
        timeframe: "M1",
        settings: r#"{"lots":0.1}"#,
        terms: &["--source", "ticks"],
    },
    Case {
        plugin: "submarine-gold",
        symbol: "XAUUSD",
        file: "xauusd-m1-oanda-2014-05.csv.gz",
        timeframe: "M5",
        // Gold is quoted thirty cents wide here, and its pip is a cent: the suggested six would never let it trade.
        settings: r#"{"lots":0.1,"max_spread_pips":60}"#,
        terms: &["--source", "minutes"],
    },
    Case {
        plugin: "ferrari-scalper",
        symbol: "EURUSD",
        file: "eurusd-ticks-fxcm-2014-05.csv.gz",
        timeframe: "M1",
        settings: r#"{"lots":0.1}"#,
        // A scalper is tested with what an order really takes.
        terms: &["--source", "ticks", "--latency", "50", "--slippage", "0.00002"],
    },
];

/// Makes all of them anew.
pub fn run() -> Result<ExitCode> {
    setup::wasm_target()?;
    let recordings = root::workspace().join("../shared/data");
    for case in &CASES {
        if !recordings.join(case.file).is_file() {
            bail!("{} is not there. Certificates are made on the recordings in ../shared/data.", case.file);
        }
    }
    let plugins = plugins::ensure()?;
    let site = Site::new(build::server()?)?;
    let step = Step::begin("Backtesting and certifying the shipped strategies");
    site.marque(&step, &["migrate"])?;
    site.marque(&step, &["tenant", "apply"])?;
    let mut imported = Vec::new();
    let mut key = None;
    for case in &CASES {
        step.note(case.plugin);
        if !imported.contains(&case.file) {
            let file = recordings.join(case.file).display().to_string();
            site.marque(&step, &["data", "import", "--symbol", case.symbol, &file])?;
            imported.push(case.file);
        }
        let certificate = case.make(&site, &step, plugins.folder())?;
        let signed_with = text_at(&certificate, "/key")?;
        if *key.get_or_insert_with(|| signed_with.clone()) != signed_with {
            bail!("two certificates are signed with two keys");
        }
        let since = text_at(&certificate, "/statement/signed_at")?;
        keep_keys(&signed_with, &since)?;
    }
    let toolchain = run::ask("rustc", &["--version", "--verbose"]).context("`rustc` did not answer")?;
    put(&root::workspace().join(COMMON).join("toolchain.txt"), &(toolchain.trim_end().to_owned() + "\n"))?;
    step.done(&format!("{} strategies certified", CASES.len()));
    Ok(ExitCode::SUCCESS)
}

impl Case {
    /// The command that makes the certificate, with paths as given.
    fn command(&self, plugin: &str, certificate: &str) -> Vec<String> {
        let mut words = vec!["backtest", "run", "--plugin", plugin, "--symbol", self.symbol];
        words.extend(["--timeframe", self.timeframe, "--settings", self.settings]);
        words.extend(self.terms);
        words.extend(["--certificate", certificate, "--signed-by", BRAND]);
        words.into_iter().map(str::to_owned).collect()
    }

    /// Runs it, and writes the certificate and its figures beside the strategy.
    fn make(&self, site: &Site, step: &Step, plugins: &Path) -> Result<Value> {
        let folder = root::workspace().join("plugins").join(self.plugin);
        let certificate = folder.join("certificate.json");
        let component = plugins.join(format!("{}.wasm", self.plugin)).display().to_string();
        let words = self.command(&component, &certificate.display().to_string());
        let said = site.marque(step, &words.iter().map(String::as_str).collect::<Vec<_>>())?;
        let text = fs::read_to_string(&certificate).context("no certificate was written")?;
        let made: Value = serde_json::from_str(&text)?;
        put(&folder.join("CERTIFIED.md"), &self.page(&said, &text_at(&made, "/statement/net_profit")?))?;
        Ok(made)
    }

    /// What a reader is told.
    fn page(&self, said: &str, net_profit: &str) -> String {
        let figures: Vec<&str> = said.lines().filter(|line| !line.starts_with("Certificate:")).collect();
        let verdict = if net_profit.starts_with('-') {
            "It **lost money** on this recording."
        } else {
            "It earned money on this recording, which promises nothing on any other."
        };
        let quoted = |words: &[String]| {
            let quote = |word: &String| if word.contains('"') { format!("'{word}'") } else { word.clone() };
            words.iter().map(quote).collect::<Vec<_>>().join(" ")
        };
        let (plugin, file) = (self.plugin, self.file);
        let component = format!("target/plugins/{plugin}.wasm");
        let command = quoted(&self.command(&component, &format!("plugins/{plugin}/certificate.json")));
        let mut page = format!(
            "# A certified backtest of {plugin}\n\n\
             {verdict} Two weeks of one instrument are far too few to judge a strategy by; what the certificate shows is\n\
             that the figures below are what this very component comes to, commission and spread included.\n\n\
             Made by `cargo xtask certify`, which runs\n\n\
             ```console\n$ marque data import --symbol {} ../shared/data/{file}\n$ marque {command}\n```\n\n\
             and prints\n\n```text\n{}\n```\n\n\
             `certificate.json` binds the plugin's digest, the contract, the engine, settings, venue, account, quotes and the result. \
             Check it with\n\n\
             ```console\n$ marque verify plugins/{plugin}/certificate.json --plugin {component} --keys {COMMON}/keys.json\n```\n",
            self.symbol,
            figures.join("\n")
        );
        page.push_str(
            "\nWhat it binds, who signed it and when it must be made again: [certified](../certified/README.md).\n",
        );
        page
    }
}

/// A data directory that lives as long as this.
struct Site {
    marque: PathBuf,
    folder: PathBuf,
}

impl Site {
    fn new(marque: PathBuf) -> Result<Self> {
        let folder = root::target().join("certify");
        // What a run that was cut off has left.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).with_context(|| format!("{} could not be created", root::shown(&folder)))?;
        Ok(Self { marque, folder })
    }

    fn marque(&self, step: &Step, args: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.marque);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MARQUE_")) {
            command.env_remove(name);
        }
        command.current_dir(&self.folder).args(args);
        command.env("MARQUE_DATA_DIR", &self.folder).env("MARQUE_TENANTS_DIR", root::workspace().join("tenants"));
        command.env("MARQUE_LOG_FILTER", "error");
        run::quietly(step, &mut command)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // The key that signed goes with it.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn keep_keys(key: &str, since: &str) -> Result<()> {
    let keys = json!({ "keys": [{ "key": key, "since": since }] });
    put(&root::workspace().join(COMMON).join("keys.json"), &(serde_json::to_string_pretty(&keys)? + "\n"))
}

fn text_at(value: &Value, pointer: &str) -> Result<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    Ok(text.with_context(|| format!("the certificate has no {pointer}"))?.to_owned())
}

fn put(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{} could not be written", root::shown(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_was_run_and_whether_it_lost() {
        let [case, ..] = &CASES;
        let lost = case.page("sma-cross on EURUSD\n  Net profit  -3.00 USD\nCertificate: /x\n", "-3.00");
        assert!(lost.contains("**lost money**") && lost.contains("-3.00 USD") && !lost.contains("/x"), "{lost}");
        assert!(lost.contains(r#"--settings '{"fast":10,"slow":20,"lots":0.1}' --source ticks"#), "{lost}");
        assert!(case.page("", "3.00").contains("promises nothing"));
    }
}
