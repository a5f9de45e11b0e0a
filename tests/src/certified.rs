//! The certified backtests of the shipped strategies: form and signature always, and the backtest itself once more where
//! the recordings lie beside the repository.

use marque_server::{backtest::certificate::Certificate, signing::PublishedKeys};
use marque_testkit::site::{Site, workspace};
use std::{fs, path::PathBuf, process::Command};

/// Each strategy with the instrument and the recording of its certificate.
const CERTIFIED: [(&str, &str, &str); 4] = [
    ("sma-cross", "EURUSD", "eurusd-ticks-fxcm-2014-05.csv.gz"),
    ("bos-retest", "EURUSD", "eurusd-ticks-fxcm-2014-05.csv.gz"),
    ("ferrari-scalper", "EURUSD", "eurusd-ticks-fxcm-2014-05.csv.gz"),
    ("submarine-gold", "XAUUSD", "xauusd-m1-oanda-2014-05.csv.gz"),
];
/// What to do when they are of another time.
const AGAIN: &str = "Make the certificates again: `cargo xtask certify`, with the recordings in ../shared/data.";

fn path_of(strategy: &str, file: &str) -> PathBuf {
    workspace().join("plugins").join(strategy).join(file)
}

fn text_of(strategy: &str, file: &str) -> String {
    let path = path_of(strategy, file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}. {AGAIN}", path.display()))
}

fn certificate_of(strategy: &str) -> Certificate {
    Certificate::read(&text_of(strategy, "certificate.json")).unwrap_or_else(|no| panic!("{strategy}: {no}"))
}

#[test]
fn every_shipped_strategy_has_a_signed_certificate_and_figures_that_agree_with_it() {
    let keys: PublishedKeys = serde_json::from_str(&text_of("certified", "keys.json")).unwrap();
    for (strategy, symbol, _) in CERTIFIED {
        let certificate = certificate_of(strategy);
        certificate.is_by(&keys).unwrap_or_else(|no| panic!("{strategy}: {no}"));
        let (spec, instrument) = certificate.spec().unwrap_or_else(|no| panic!("{strategy}: {no}. {AGAIN}"));
        assert_eq!((spec.strategy.name.as_str(), instrument.symbol.as_str()), (strategy, symbol));
        let (page, said) = (text_of(strategy, "CERTIFIED.md"), &certificate.statement);
        let says =
            |name: &str, value: &str| page.lines().any(|line| line.trim().starts_with(name) && line.contains(value));
        assert!(says("Net profit", &said.net_profit) && says("Trades", &said.trades), "{strategy}: {page}");
        assert_eq!(page.contains("lost money"), said.net_profit.starts_with('-'), "{strategy} hides what it came to");
        assert!(page.contains(&said.settings), "{strategy}: the command is of other settings");
    }
}

/// The recordings beside the repository, when all are there.
fn recordings() -> Option<Vec<(&'static str, PathBuf)>> {
    let folder = workspace().join("../shared/data");
    let mut files: Vec<(&str, PathBuf)> =
        CERTIFIED.iter().map(|(_, symbol, file)| (*symbol, folder.join(file))).collect();
    files.dedup();
    files.iter().all(|(_, path)| path.is_file()).then_some(files)
}

/// Whether plugins are built here by what built those of the certificates: another compiler may write other bytes.
fn is_same_toolchain() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--version", "--verbose"]).output().expect("rustc must start");
    let toolchain = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    text_of("certified", "toolchain.txt").trim() == toolchain
}

#[test]
fn certificates_hold_where_their_recordings_are() {
    let (Some(recordings), true) = (recordings(), is_same_toolchain()) else {
        println!("the recordings or the toolchain of the certificates are not here: nothing can be run again");
        return;
    };
    let site = Site::empty();
    for (symbol, file) in recordings {
        site.succeeds(&["data", "import", "--symbol", symbol, &file.display().to_string()]);
    }
    let target = marque_testkit::site::binary().ancestors().nth(2).expect("a binary lies in target/<profile>");
    let plugins = marque_pluginbuild::build(&workspace(), &target.join("plugins")).unwrap();
    let keys = path_of("certified", "keys.json").display().to_string();
    for (strategy, ..) in CERTIFIED {
        let plugin = plugins.iter().find(|plugin| plugin.name == strategy).expect("it is built");
        let (certificate, plugin) = (path_of(strategy, "certificate.json"), plugin.path.display().to_string());
        let output = site.run(&["verify", &certificate.display().to_string(), "--plugin", &plugin, "--keys", &keys]);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && out.starts_with("yes: "), "{strategy}: {out}{err}\n{AGAIN}");
    }
}
