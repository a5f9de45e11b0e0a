//! Other programs that backtest, each in a Python process of its own on one core: `platform/bench/peers`.
//!
//! A peer is asked for one backtest at a time, so that its samples and ours take turns: a machine that slows down slows all.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use marque_domain::fixed::Money;
use serde_json::{Value, json};

use crate::{
    columns::{Columns, Market},
    reference::float,
    shipped::{FAST, FEE, SLOW, UNITS},
};

/// The Python that has them; `cargo xtask bench peers` sets it up.
const PYTHON: &str = "XTASK_PEERS";

/// A recording where peers can read it. Its folder goes with it.
pub struct Shared {
    folder: PathBuf,
}

impl Shared {
    /// Writes a market and the terms of the backtest.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write(market: &Market, cash: Money) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("marque-peers-{}-{}", std::process::id(), market.rows()));
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let shared = Self { folder };
        let (kind, columns): (&str, Vec<(&str, &[i64])>) = match &market.columns {
            Columns::Ticks(t) => ("ticks", vec![("at", &t.at), ("bid", &t.bid), ("ask", &t.ask)]),
            Columns::Minutes(b) => (
                "minutes",
                vec![
                    ("open_at", &b.open_at),
                    ("open", &b.open),
                    ("high", &b.high),
                    ("low", &b.low),
                    ("close", &b.close),
                    ("spread", &b.spread),
                ],
            ),
        };
        for (name, column) in &columns {
            let bytes: Vec<u8> = column.iter().flat_map(|value| value.to_le_bytes()).collect();
            fs::write(shared.folder.join(format!("{name}.i64")), bytes)?;
        }
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let terms = json!({
            "kind": kind, "fast": FAST, "slow": SLOW, "units": UNITS, "fee": float(FEE), "cash": float(cash),
            "columns": names,
        });
        fs::write(shared.folder.join("recording.json"), terms.to_string())?;
        Ok(shared)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // What is left is in the system's folder for what may be deleted.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a peer answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// Seconds that the backtest took, by its own clock.
    pub seconds: f64,
    /// Closed trades.
    pub trades: u64,
    /// Equity at the end.
    pub equity: f64,
}

/// A running peer.
pub struct Peer {
    /// Its name and version.
    pub name: String,
    child: Child,
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts the script of a package on a recording.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start(package: &str, script: &str, shared: &Shared) -> Result<Self> {
        let python = std::env::var_os(PYTHON).context(
            "vectorbt and nautilus_trader are not there. Run `cargo xtask bench peers` where PyPI can be reached.",
        )?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
        let mut child = Command::new(&python)
            .arg(&script)
            .arg(&shared.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", Path::new(&python).display()))?;
        let asks = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("a peer has no output")?);
        let mut peer = Self { name: package.to_owned(), child, asks, answers };
        let hello = peer.read()?;
        let version = hello.get("version").and_then(Value::as_str).context("a peer does not say its version")?;
        peer.name = format!("{package} {version}");
        Ok(peer)
    }

    /// One backtest.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn test(&mut self) -> Result<Answer> {
        let asks = self.asks.as_mut().context("a peer has no input")?;
        asks.write_all(b"run\n").and_then(|()| asks.flush()).with_context(|| format!("{} has ended", self.name))?;
        let answer = self.read()?;
        let number = |name: &str| answer.get(name).and_then(Value::as_f64);
        let (Some(seconds), Some(equity)) = (number("seconds"), number("equity")) else {
            bail!("{} answers {answer}", self.name);
        };
        let trades = answer.get("trades").and_then(Value::as_u64).context("a peer counts no trades")?;
        Ok(Answer { seconds, trades, equity })
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("{} ended without an answer: run its script in platform/bench/peers by hand to see why", self.name);
        }
        serde_json::from_str(&line).with_context(|| format!("{} answers {line:?}", self.name))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // At the end of its input it goes by itself; what hangs is ended.
        drop(self.asks.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
