//! A certificate binds what a backtest came to to everything it came from: plugin, contract, engine, settings, rules,
//! instrument, venue, account, quotes. It is signed with the brand's key, and whoever has the plugin and the quotes runs it
//! again with `marque verify` and hears yes or no. See decision 0066 for why it is written as it is.
//!
//! Tests hand a strategy many bars at once, so that what comes later lies in its memory. What is certified was gone through
//! once more quote by quote, as live, and came to the same ([`Proof`]); so does `marque verify`.
//!
//! # The file
//! JSON in exactly one spelling: what [`Certificate::to_text`] writes. Any other byte makes it no certificate.
//!
//! # What is signed
//! The line `marque backtest certificate 1`, then for each field of the statement in its order its name and its value, each
//! as its length in bytes (big-endian, 64 bits) and its UTF-8 text. All values are text, so there is one way to write each.

use super::{
    data::{Recorded, quotes_digest},
    report::Report,
    run::{RunError, Runner, result_digest},
    spec::{AccountSpec, Kind, PluginSpec, Spec},
};
use crate::signing::{PublicKey, Signatory};
use marque_domain::{instrument::Instrument, plugin::PluginDigest, time::Millis};
use marque_engine::{
    backtest::{ENGINE_VERSION, Pace},
    venue::VenueModel,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a certificate's first line says.
const HEAD: &str = "marque backtest certificate 1";
/// Largest certificate that is read.
pub const BYTES_MAX: usize = 256 * 1_024;

macro_rules! statement {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// What a certificate says. Every value is text; times are RFC 3339 in UTC, money and prices decimals.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Statement {
            $($(#[$doc])* pub $name: String,)*
        }

        impl Statement {
            /// The names of its fields, in their order.
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($name),)*];

            /// Name and value of each field, in their order.
            #[must_use]
            pub fn fields(&self) -> Vec<(&'static str, &str)> {
                vec![$((stringify!($name), self.$name.as_str()),)*]
            }

            /// A field by its name.
            #[cfg(test)]
            pub fn field_mut(&mut self, name: &str) -> &mut String {
                match name {
                    $(stringify!($name) => &mut self.$name,)*
                    _ => panic!("no field {name}"),
                }
            }
        }
    };
}

statement! {
    /// Who vouches for it: the brand's address. Its keys are at `/.well-known/marque-keys.json` there.
    issuer;
    /// The backtest's id there.
    backtest;
    /// When it was signed.
    signed_at;
    /// SHA-256 of the strategy's component.
    plugin;
    /// The strategy's name.
    plugin_name;
    /// The strategy's version.
    plugin_version;
    /// The version of the plugin contract that the host offered.
    contract;
    /// The version of what the engine makes of the same input.
    engine;
    /// The strategy's settings: a JSON object.
    settings;
    /// The rules that watched the account: a JSON list of digest, name, version and settings.
    rules;
    /// The instrument with everything that prices and orders depend on, as JSON.
    instrument;
    /// The bars that the strategy saw.
    timeframe;
    /// `ticks`, `minutes` or `synthetic`.
    source;
    /// From this instant on.
    from;
    /// Up to before this one.
    to;
    /// Rows of the recording.
    rows;
    /// SHA-256 of the quotes' canonical bytes.
    data;
    /// The venue's terms, as JSON.
    venue;
    /// The account's terms, as JSON.
    account;
    /// Closed trades.
    trades;
    /// What the account earned.
    net_profit;
    /// SHA-256 of the outcome's canonical bytes.
    result;
}

/// A signed statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The format's name and version.
    pub format: String,
    /// What it says.
    pub statement: Statement,
    /// The public key of who signed it.
    pub key: String,
    /// The signature.
    pub signature: String,
}

/// Why a certificate does not hold: what differs, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// It is no certificate, or was edited.
    #[error("this is not a certificate as this program writes one: {0}. It was changed, or is of a later version")]
    Unreadable(String),
    /// The signature is of something else.
    #[error("the signature does not fit: what the certificate says was changed after it was signed")]
    Signature,
    /// Somebody else signed it.
    #[error("it is signed with a key that {0} does not publish: somebody else made it")]
    Stranger(String),
    /// The engine is another.
    #[error(
        "it was made with engine version {made} and this program has {have}, whose results may differ. Check it with a program of that version"
    )]
    Engine {
        /// The certificate's.
        made: String,
        /// This program's.
        have: u32,
    },
    /// The contract is another.
    #[error(
        "it was made with plugin contract {made} and this program has {have}. Check it with a program of that version"
    )]
    Contract {
        /// The certificate's.
        made: String,
        /// This program's.
        have: String,
    },
    /// The plugin is another.
    #[error("there is no file with the digest {digest} of {name}: the plugin is another one, or was changed")]
    Plugin {
        /// Which is missing.
        digest: String,
        /// What it is called.
        name: String,
    },
    /// The instrument is another.
    #[error("this program describes {0} otherwise than the certificate does: contract size, steps or nights differ")]
    Instrument(String),
    /// The quotes are others.
    #[error("the quotes are not those of the certificate: they have the digest {found} and it says {said}")]
    Data {
        /// Theirs.
        found: String,
        /// The certificate's.
        said: String,
    },
    /// There are none.
    #[error("the quotes cannot be read: {0}")]
    NoData(String),
    /// It came to something else.
    #[error("run again it comes to something else: {found} instead of {said}")]
    Result {
        /// What came of it now.
        found: String,
        /// What the certificate says.
        said: String,
    },
    /// It could not be run again.
    #[error("it could not be run again: {0}")]
    Run(String),
}

/// Why a report has no certificate, in words for its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Uncertified {
    /// It is of many runs.
    #[error("a walk-forward is many runs and has no certificate: certify one of its runs")]
    ManyRuns,
    /// The strategy did something else when nothing later lay in its memory.
    #[error(
        "it has no certificate: shown one bar at a time, as live, the strategy did something else. It reads what comes later, or does not decide the same of the same"
    )]
    Differs,
    /// The host stopped a plugin.
    #[error(
        "it has no certificate: the server had to stop the strategy or a rule on the way, because it took too long or found no room. Start the test again"
    )]
    Stopped,
}

/// That what a report is of comes to the same quote by quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    result: [u8; 32],
}

impl Proof {
    /// Runs what a report is of once more, as live.
    ///
    /// # Errors
    /// [`RunError`] when that could not be done to the end.
    pub fn of(runner: &Runner<'_>, spec: &Spec, report: &Report) -> Result<Result<Self, Uncertified>, RunError> {
        if report.outcome.host_faults > 0 {
            return Ok(Err(Uncertified::Stopped));
        }
        let strategy = PluginSpec { settings: report.settings.clone(), ..spec.strategy.clone() };
        let one = Spec { strategy, kind: Kind::Single, ..spec.clone() };
        let stepped = runner.run_whole(&one, Pace::Steps)?;
        if stepped.host_faults > 0 {
            return Ok(Err(Uncertified::Stopped));
        }
        let result = result_digest(&stepped);
        Ok(if result == report.result_digest { Ok(Self { result }) } else { Err(Uncertified::Differs) })
    }

    /// That nothing was run for.
    #[cfg(test)]
    pub const fn for_tests(report: &Report) -> Self {
        Self { result: report.result_digest }
    }
}

impl Certificate {
    /// Certifies a report on one run of a spec.
    ///
    /// # Errors
    /// [`Uncertified`] for a walk-forward, and where the proof is of another result.
    pub fn sign(
        spec: &Spec,
        report: &Report,
        about: &About<'_>,
        key: &Signatory,
        proof: Proof,
    ) -> Result<Self, Uncertified> {
        if matches!(spec.kind, Kind::Forward { .. }) {
            return Err(Uncertified::ManyRuns);
        }
        if proof.result != report.result_digest {
            return Err(Uncertified::Differs);
        }
        let statement = Statement {
            issuer: about.issuer.to_owned(),
            backtest: about.backtest.to_owned(),
            signed_at: about.at.to_rfc3339(),
            plugin: spec.strategy.digest.to_string(),
            plugin_name: spec.strategy.name.clone(),
            plugin_version: spec.strategy.version.clone(),
            contract: marque_sandbox::contract_version().to_owned(),
            engine: ENGINE_VERSION.to_string(),
            settings: report.settings.clone(),
            rules: rules_text(&spec.rules),
            instrument: instrument_text(about.instrument),
            timeframe: spec.timeframe.name().to_owned(),
            source: spec.source.name().to_owned(),
            from: spec.from.to_rfc3339(),
            to: spec.to.to_rfc3339(),
            rows: report.data_rows.to_string(),
            data: hex(&report.data_digest),
            venue: venue_text(&spec.venue),
            account: account_text(&spec.account),
            trades: report.statistics.trades.to_string(),
            net_profit: report.statistics.net_profit.to_text(2),
            result: hex(&report.result_digest),
        };
        let (public, signature) = (key.public().to_string(), key.sign(&signed_bytes(&statement)));
        Ok(Self { format: HEAD.to_owned(), statement, key: public, signature })
    }

    /// Its one spelling.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Reads it and checks its signature, which says nothing of whose key it is: see [`Certificate::is_by`].
    ///
    /// # Errors
    /// [`No::Unreadable`], [`No::Signature`].
    pub fn read(text: &str) -> Result<Self, No> {
        if text.len() > BYTES_MAX {
            return Err(No::Unreadable(format!("it is longer than {BYTES_MAX} bytes")));
        }
        let read: Self = serde_json::from_str(text).map_err(|error| No::Unreadable(error.to_string()))?;
        if read.format != HEAD {
            return Err(No::Unreadable(format!("its format is {:?}", read.format)));
        }
        if read.to_text() != text {
            return Err(No::Unreadable("it is spelled otherwise".to_owned()));
        }
        let key: PublicKey = read.key.parse().map_err(|_| No::Signature)?;
        let fits = key.to_string() == read.key && key.verifies(&signed_bytes(&read.statement), &read.signature);
        if fits { Ok(read) } else { Err(No::Signature) }
    }

    /// Whether its key is one that the issuer publishes.
    ///
    /// # Errors
    /// [`No::Stranger`].
    pub fn is_by(&self, published: &crate::signing::PublishedKeys) -> Result<(), No> {
        if published.have(&self.key) { Ok(()) } else { Err(No::Stranger(self.statement.issuer.clone())) }
    }

    /// The test that it speaks of, to be run again.
    ///
    /// # Errors
    /// [`No::Unreadable`] for a value that is none, [`No::Engine`], [`No::Contract`].
    pub fn spec(&self) -> Result<(Spec, Instrument), No> {
        let said = &self.statement;
        if said.engine != ENGINE_VERSION.to_string() {
            return Err(No::Engine { made: said.engine.clone(), have: ENGINE_VERSION });
        }
        if said.contract != marque_sandbox::contract_version() {
            let have = marque_sandbox::contract_version().to_owned();
            return Err(No::Contract { made: said.contract.clone(), have });
        }
        let time = |field: &str, text: &str| Millis::from_rfc3339(text).ok_or_else(|| wrong(field));
        let instrument: Instrument = serde_json::from_str(&said.instrument).map_err(|_| wrong("instrument"))?;
        let spec = Spec {
            strategy: PluginSpec {
                digest: said.plugin.parse().map_err(|_| wrong("plugin"))?,
                name: said.plugin_name.clone(),
                version: said.plugin_version.clone(),
                settings: said.settings.clone(),
            },
            rules: serde_json::from_str(&said.rules).map_err(|_| wrong("rules"))?,
            symbol: instrument.symbol.clone(),
            swap: instrument.swap.clone(),
            timeframe: said.timeframe.parse().map_err(|_| wrong("timeframe"))?,
            source: serde_json::from_value(Value::String(said.source.clone())).map_err(|_| wrong("source"))?,
            from: time("from", &said.from)?,
            to: time("to", &said.to)?,
            account: serde_json::from_str(&said.account).map_err(|_| wrong("account"))?,
            venue: serde_json::from_str(&said.venue).map_err(|_| wrong("venue"))?,
            kind: Kind::Single,
        };
        Ok((spec, instrument))
    }

    /// Every plugin that it needs: digest and name.
    #[must_use]
    pub fn plugins(spec: &Spec) -> Vec<(PluginDigest, String)> {
        std::iter::once(&spec.strategy).chain(&spec.rules).map(|p| (p.digest, p.name.clone())).collect()
    }

    /// Whether quotes are those that it speaks of.
    ///
    /// # Errors
    /// [`No::Data`].
    pub fn is_on(&self, recorded: &Recorded) -> Result<(), No> {
        let found = hex(&quotes_digest(recorded));
        let same = found == self.statement.data && recorded.len().to_string() == self.statement.rows;
        if same { Ok(()) } else { Err(No::Data { found, said: self.statement.data.clone() }) }
    }

    /// Whether a report is what it says.
    ///
    /// # Errors
    /// [`No::Result`].
    pub fn is_of(&self, report: &Report) -> Result<(), No> {
        let said = &self.statement;
        let figures = |trades: &str, profit: &str, digest: &str| {
            format!("{trades} trades, {profit} earned, digest {}", digest.get(..16).unwrap_or(digest))
        };
        let (trades, profit) = (report.statistics.trades.to_string(), report.statistics.net_profit.to_text(2));
        let digest = hex(&report.result_digest);
        if trades == said.trades && profit == said.net_profit && digest == said.result {
            return Ok(());
        }
        Err(No::Result {
            found: figures(&trades, &profit, &digest),
            said: figures(&said.trades, &said.net_profit, &said.result),
        })
    }
}

/// What a certificate says of itself.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Who vouches for it: the brand's address.
    pub issuer: &'a str,
    /// The backtest's id.
    pub backtest: &'a str,
    /// When it is signed.
    pub at: Millis,
    /// What was traded.
    pub instrument: &'a Instrument,
}

fn wrong(field: &str) -> No {
    No::Unreadable(format!("its {field} cannot be understood"))
}

fn signed_bytes(statement: &Statement) -> Vec<u8> {
    let mut bytes = format!("{HEAD}\n").into_bytes();
    for text in statement.fields().into_iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn rules_text(rules: &[PluginSpec]) -> String {
    serde_json::to_string(rules).unwrap_or_default()
}

fn instrument_text(instrument: &Instrument) -> String {
    serde_json::to_string(instrument).unwrap_or_default()
}

fn account_text(account: &AccountSpec) -> String {
    serde_json::to_string(account).unwrap_or_default()
}

fn venue_text(venue: &VenueModel) -> String {
    serde_json::to_string(venue).unwrap_or_default()
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
