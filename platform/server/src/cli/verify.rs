//! `marque verify …`: whether a certificate holds. Needs no database.

use super::{
    CliError,
    backtest::{Bench, instrument_of},
};
use crate::{
    backtest::{
        NoReport, Report,
        certificate::{BYTES_MAX, Certificate, No},
    },
    config::Config,
    outbound::Outbound,
    signing::{PublishedKeys, WELL_KNOWN},
};
use clap::Args;
use std::{
    io::{Read as _, Write},
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The certificate.
    #[arg(value_name = "CERTIFICATE")]
    certificate: PathBuf,
    /// The folder of the history that it was made on. Without it, that of the settings.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The strategy, and each rule: .wasm files. May be given again.
    #[arg(long, value_name = "FILE", required = true)]
    plugin: Vec<PathBuf>,
    /// The issuer's public keys, as fetched from its /.well-known/marque-keys.json. Without it they are fetched now.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

pub(super) async fn run(config: &Config, args: VerifyArgs, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let text = read(&args.certificate)?;
    let certificate = Certificate::read(&text).map_err(CliError::NotVerified)?;
    let said = &certificate.statement;
    let keys = match &args.keys {
        Some(path) => read(path)?,
        None => fetch(config, &said.issuer).await?,
    };
    let keys: PublishedKeys = serde_json::from_str(&keys)
        .map_err(|error| CliError::Backtest(format!("the keys of {} cannot be read: {error}", said.issuer)))?;
    certificate.is_by(&keys).map_err(CliError::NotVerified)?;
    let history = args.data.clone().unwrap_or_else(|| config.history_dir());
    let files: Vec<&Path> = args.plugin.iter().map(PathBuf::as_path).collect();
    let bench = Bench::new(&files, history)?;
    let held = tokio::task::block_in_place(|| check(&certificate, &bench));
    held?;
    writeln!(out, "yes: {} vouches for it, and run again it comes to the same.", said.issuer)?;
    writeln!(
        out,
        "  {} {} on {} {} from {} to {}: {} trades, {} earned. Signed {}.",
        said.plugin_name,
        said.plugin_version,
        said.source,
        said.timeframe,
        said.from,
        said.to,
        said.trades,
        said.net_profit,
        said.signed_at
    )?;
    Ok(())
}

/// Runs it again and compares.
fn check(certificate: &Certificate, bench: &Bench) -> Result<(), CliError> {
    let no = CliError::NotVerified;
    let (spec, instrument) = certificate.spec().map_err(no)?;
    for (digest, name) in Certificate::plugins(&spec) {
        if !bench.plugins.iter().any(|plugin| plugin.digest == digest) {
            return Err(no(No::Plugin { digest: digest.to_string(), name }));
        }
    }
    let ours = instrument_of(&bench.market, &instrument.symbol)?;
    if ours != instrument {
        return Err(no(No::Instrument(instrument.symbol)));
    }
    let recorded = bench.market.read(&spec).map_err(|error| no(No::NoData(error.to_string())))?;
    certificate.is_on(&recorded).map_err(no)?;
    drop(recorded);
    // As live: what lay in its memory before it was due is no part of what is vouched for.
    let report = bench.run(&spec, &instrument, Report::stepped).map_err(|error| {
        no(match error {
            NoReport::Data(error) => No::NoData(error.to_string()),
            NoReport::Run(error) => No::Run(error.to_string()),
        })
    })?;
    certificate.is_of(&report).map_err(no)
}

fn read(path: &Path) -> Result<String, CliError> {
    let unreadable = |source| CliError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.take(BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

async fn fetch(config: &Config, issuer: &str) -> Result<String, CliError> {
    let failed = |error: &dyn core::fmt::Display| {
        CliError::Backtest(format!(
            "the keys of {issuer} cannot be fetched: {error}. Fetch {issuer}{WELL_KNOWN} yourself and name the file with --keys"
        ))
    };
    let request = poem::http::Request::builder().uri(format!("{issuer}{WELL_KNOWN}")).body(Vec::new());
    let request = request.map_err(|error| failed(&error))?;
    let answer = Outbound::new(config.outbound_reach()).send(request).await.map_err(|error| failed(&error))?;
    if !answer.status().is_success() {
        return Err(failed(&answer.status()));
    }
    String::from_utf8(answer.into_body()).map_err(|error| failed(&error))
}
