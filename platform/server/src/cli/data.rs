//! `marque data …`

use super::{CliError, ImportData};
use crate::config::Config;
use marque_market::{
    catalogue::Catalogue,
    history::History,
    import::{ImportOptions, Imported, import_files},
};
use std::io::Write;

pub(super) async fn import(config: &Config, import: ImportData, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let catalogue = Catalogue::embedded()?;
    let Some(instrument) = catalogue.by_symbol(&import.symbol).cloned() else {
        let known: Vec<&str> = catalogue.all().iter().map(|i| i.symbol.as_str()).collect();
        return Err(CliError::NoInstrument { symbol: import.symbol, known: known.join(", ") });
    };
    let options = ImportOptions { format: import.format, clock: import.timezone, ..ImportOptions::default() };
    let history = History::at(config.history_dir());
    let files = import.files.clone();
    // Reading recordings takes seconds: not on the runtime's own threads.
    let done = tokio::task::spawn_blocking(move || import_files(&history, &instrument, &files, &options)).await;
    let Imported { reports, merged } = done.map_err(|error| CliError::Print(std::io::Error::other(error)))??;
    for (path, report) in import.files.iter().zip(reports) {
        writeln!(out, "{}: {report}", path.display())?;
    }
    let change = if merged.changed {
        format!("{} rows before, {} now", merged.rows_before, merged.rows_after)
    } else {
        format!("all of it was there already, {} rows", merged.rows_after)
    };
    writeln!(out, "  history of {}: {change}", import.symbol)?;
    Ok(())
}

pub(super) fn list(config: &Config, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let listed = History::at(config.history_dir()).list()?;
    if listed.is_empty() {
        writeln!(out, "There is no history yet. Add some with `marque data import --symbol EURUSD <file>`.")?;
    }
    for entry in listed {
        let what = match entry.holding {
            Ok(held) => format!("{} rows\t{}\t{}", held.rows, held.first.to_rfc3339(), held.last.to_rfc3339()),
            Err(error) => format!("cannot be used: {error}"),
        };
        writeln!(out, "{}\t{}\t{what}", entry.symbol, entry.kind.name())?;
    }
    Ok(())
}
