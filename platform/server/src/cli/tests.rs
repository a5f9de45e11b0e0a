//! Commands as an operator types them.

use super::{Cli, CliError};
use crate::{audit::Act, testing};
use clap::{CommandFactory as _, Parser as _};
use marque_store::Store;
use std::path::Path;

/// A folder with settings that keep everything inside it.
fn site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let tenants = testing::demo_dir();
    let text = format!("data_dir = {:?}\ntenants_dir = {tenants:?}\n", dir.path().join("var"));
    std::fs::write(dir.path().join("marque.toml"), text).unwrap();
    dir
}

async fn run(site: &Path, args: &[&str]) -> Result<String, CliError> {
    let file = site.join("marque.toml").display().to_string();
    let given = ["marque", "--config", &file];
    let mut out = Vec::new();
    Cli::try_parse_from(given.iter().chain(args)).expect("arguments").run(&mut out).await?;
    Ok(String::from_utf8(out).unwrap())
}

/// Who did an act at Aurora and to what, as the log has it.
async fn recorded(site: &Path, act: Act) -> Vec<String> {
    let url = format!("sqlite:{}", site.join("var/marque.db").display());
    let system = Store::connect(&url).await.unwrap().system("tests");
    let aurora = system.tenant_by_host("aurora.localhost").await.unwrap().unwrap();
    testing::recorded(&system.tenant_db(aurora.id), act).await
}

#[test]
fn the_arguments_are_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_explains_itself_with_an_example() {
    fn visit(command: &mut clap::Command, path: &str) {
        let help = command.render_long_help().to_string();
        let leaf = command.get_subcommands().next().is_none();
        if leaf && !command.is_hide_set() {
            assert!(help.contains("Example"), "`{path} --help` has no example:\n{help}");
        }
        assert!(command.get_about().is_some() || command.get_long_about().is_some(), "{path}");
        for sub in command.get_subcommands_mut().filter(|sub| sub.get_name() != "help") {
            let path = format!("{path} {}", sub.get_name());
            visit(sub, &path);
        }
    }
    let mut command = Cli::command();
    command.build();
    visit(&mut command, "marque");
}

#[test]
fn arguments_that_are_wrong_are_refused() {
    for bad in [
        &["marque"][..],
        &["marque", "fly"],
        &["marque", "tenant"],
        &["marque", "tenant", "show"],
        &["marque", "tenant", "show", "Not A Slug"],
        &["marque", "plugin", "add", "aurora"],
        &["marque", "data", "import", "x.csv"],
        &["marque", "data", "import", "--symbol", "EURUSD", "--format", "excel", "x.csv"],
        &["marque", "data", "import", "--symbol", "EURUSD", "--timezone", "Mars", "x.csv"],
        &["marque", "serve", "--listen", "here"],
        &["marque", "person", "add", "aurora", "--email", "a@b.c", "--name", "A", "--role", "king"],
    ] {
        assert!(Cli::try_parse_from(bad).is_err(), "{bad:?}");
    }
    let add = Cli::try_parse_from(["marque", "plugin", "add", "aurora", "borealis", "x.wasm"]);
    assert!(add.is_ok());
}

#[tokio::test]
async fn from_nothing_to_two_brands() {
    let site = site();
    let error = run(site.path(), &["tenant", "list"]).await.unwrap_err().to_string();
    assert!(error.contains("marque migrate"), "{error}");
    for _ in 0..2 {
        assert_eq!(run(site.path(), &["migrate"]).await.unwrap(), "The database is up to date.\n");
    }
    assert!(run(site.path(), &["tenant", "list"]).await.unwrap().contains("no tenant yet"));
    assert_eq!(run(site.path(), &["tenant", "apply"]).await.unwrap(), "aurora: created\nborealis: created\n");
    assert_eq!(run(site.path(), &["tenant", "apply"]).await.unwrap(), "aurora: unchanged\nborealis: unchanged\n");
    let list = run(site.path(), &["tenant", "list"]).await.unwrap();
    let (aurora, borealis) = ("aurora.localhost\tAurora Markets", "borealis.localhost\tBorealis Pro");
    assert_eq!(list, format!("aurora\tactive\tdaybreak\t{aurora}\nborealis\tactive\tnightfall\t{borealis}\n"));
    let shown: serde_json::Value =
        serde_json::from_str(&run(site.path(), &["tenant", "show", "aurora"]).await.unwrap()).unwrap();
    assert_eq!(shown["definition"]["plans"][1]["quotas"]["trades_per_day"], 50);
    let error = run(site.path(), &["tenant", "show", "zephyr"]).await.unwrap_err().to_string();
    assert!(error.contains("There are: aurora, borealis"), "{error}");
}

#[tokio::test]
async fn recordings_go_into_the_history() {
    let site = site();
    assert!(run(site.path(), &["data", "list"]).await.unwrap().contains("no history yet"));
    let file = site.path().join("ticks.csv");
    std::fs::write(&file, "ts,bid,ask\n2014-05-01T00:00:00Z,1.3861,1.3862\n2014-05-01T00:00:01Z,1.3862,1.3863\n")
        .unwrap();
    let file = file.display().to_string();
    let said = run(site.path(), &["data", "import", "--symbol", "EURUSD", &file]).await.unwrap();
    assert!(said.contains("2 of 2 rows kept"), "{said}");
    let again = run(site.path(), &["data", "import", "--instrument", "EURUSD", &file]).await.unwrap();
    assert!(again.contains("all of it was there already"), "{again}");
    let list = run(site.path(), &["data", "list"]).await.unwrap();
    assert!(list.starts_with("EURUSD\tticks\t2 rows\t2014-05-01T00:00:00.000Z"), "{list}");

    let error = run(site.path(), &["data", "import", "--symbol", "NOPE", &file]).await.unwrap_err().to_string();
    assert!(error.contains("There are: ") && error.contains("EURUSD"), "{error}");
    let missing = run(site.path(), &["data", "import", "--symbol", "EURUSD", "missing.csv"]).await.unwrap_err();
    assert!(missing.to_string().starts_with("missing.csv: cannot read"), "{missing}");
}

#[tokio::test]
async fn plugins_that_are_none_are_refused() {
    let site = site();
    run(site.path(), &["migrate"]).await.unwrap();
    run(site.path(), &["tenant", "apply"]).await.unwrap();
    let file = site.path().join("x.wasm").display().to_string();
    let error = run(site.path(), &["plugin", "add", "aurora", &file]).await.unwrap_err().to_string();
    assert!(error.contains("cannot read"), "{error}");
    std::fs::write(&file, "not a component").unwrap();
    let error = run(site.path(), &["plugin", "add", "aurora", &file]).await.unwrap_err().to_string();
    assert!(error.contains("x.wasm"), "{error}");
    assert!(run(site.path(), &["plugin", "list", "aurora"]).await.unwrap().contains("no plugins yet"));
}

#[tokio::test]
async fn settings_are_printed_and_checked() {
    let site = site();
    let printed = run(site.path(), &["config"]).await.unwrap();
    assert_eq!(printed, crate::config::DEFAULTS);
    assert_eq!(run(site.path(), &["config", "--check"]).await.unwrap(), "The settings can be used.\n");
    std::fs::write(site.path().join("marque.toml"), "lisen = 1").unwrap();
    let error = run(site.path(), &["config", "--check"]).await.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("unknown setting `lisen`"), "{error}");
}

/// The built strategy of the demo.
fn ema_cross() -> std::path::PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let me = std::env::current_exe().unwrap();
    let target = me.ancestors().nth(3).expect("tests run from target/<profile>/deps");
    let built = marque_pluginbuild::build(&root, &target.join("plugins")).unwrap();
    built.into_iter().map(|plugin| plugin.path).find(|path| path.to_string_lossy().contains("ema")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_a_certificate_and_whether_it_holds() {
    let site = site();
    let (plugin, at) = (ema_cross().display().to_string(), |name: &str| site.path().join(name).display().to_string());
    run(site.path(), &["migrate"]).await.unwrap();
    run(site.path(), &["tenant", "apply"]).await.unwrap();
    let base = ["backtest", "run", "--plugin", &plugin, "--symbol", "EURUSD", "--source", "synthetic"];
    let span = ["--from", "2026-11-10", "--to", "2026-11-12"];
    let settings = ["--settings", r#"{"fast":3,"slow":8,"lots":0.1}"#];
    let (certificate, trades, page) = (at("certificate.json"), at("trades.csv"), at("report.html"));
    let files = ["--certificate", &certificate, "--signed-by", "aurora", "--trades", &trades, "--html", &page];
    let told = run(site.path(), &[&base[..], &span, &settings, &files].concat()).await.unwrap();
    assert!(told.contains("Net profit") && told.contains("Sharpe"), "{told}");
    let signed = recorded(site.path(), Act::BacktestSigned).await;
    assert!(std::fs::read_to_string(&page).unwrap().contains("<svg"));
    assert!(std::fs::read_to_string(&trades).unwrap().lines().count() > 5);
    let sweep = [&base[..], &span, &settings, &["--grid", "fast=3,5", "--grid", "slow=8,13"]].concat();
    let swept = run(site.path(), &sweep).await.unwrap();
    assert!(swept.contains("4 combinations, best first"), "{swept}");

    let read = std::fs::read_to_string(&certificate).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&read).unwrap();
    let backtest = parsed["statement"]["backtest"].as_str().unwrap();
    assert_eq!(signed, [format!("system marque backtest run: {backtest}")]);
    let keys = serde_json::json!({ "keys": [{ "key": parsed["key"], "since": "2026-11-10T00:00:00.000Z" }] });
    std::fs::write(at("keys.json"), keys.to_string()).unwrap();
    let keys = at("keys.json");
    let verify = ["verify", &certificate, "--plugin", &plugin, "--keys", &keys];
    let yes = run(site.path(), &verify).await.unwrap();
    assert!(yes.starts_with("yes: https://aurora.localhost vouches for it"), "{yes}");
    let other = serde_json::json!({ "keys": [] }).to_string();
    std::fs::write(at("keys.json"), other).unwrap();
    let no = run(site.path(), &verify).await.unwrap_err().to_string();
    assert!(no.starts_with("no: it is signed with a key that https://aurora.localhost does not publish"), "{no}");
    std::fs::write(&certificate, read.replace("\"trades\": \"", "\"trades\": \"1")).unwrap();
    let no = run(site.path(), &verify).await.unwrap_err().to_string();
    assert!(no.starts_with("no: the signature does not fit"), "{no}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_test_cannot_do_is_said() {
    let site = site();
    let plugin = ema_cross().display().to_string();
    let base = ["backtest", "run", "--plugin", &plugin, "--symbol"];
    for (more, says) in [
        (&["MOON"][..], "there is no instrument MOON"),
        (&["EURUSD"], "import a recording with `marque data import`"),
        (&["EURUSD", "--source", "dreams"], "--source is one of"),
        (&["EURUSD", "--source", "synthetic", "--from", "then", "--to", "2026-11-12"], "--from needs a day"),
        (
            &["EURUSD", "--source", "synthetic", "--from", "2026-11-10", "--to", "2026-11-12", "--settings", "7"],
            "JSON object",
        ),
        (
            &["EURUSD", "--source", "synthetic", "--from", "2026-11-10", "--to", "2026-11-12", "--grid", "fast"],
            "--grid needs",
        ),
        (&["EURUSD", "--source", "synthetic", "--from", "2026-11-12", "--to", "2026-11-10"], "to: must be later"),
        (
            &["EURUSD", "--source", "synthetic", "--from", "2026-11-10", "--to", "2026-11-12", "--currency", "EUR"],
            "set --currency to it",
        ),
    ] {
        let error = run(site.path(), &[&base[..], more].concat()).await.unwrap_err().to_string();
        assert!(error.contains(says), "{more:?}: {error}");
    }
}
