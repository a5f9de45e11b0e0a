//! `marque data …`

use super::{CliError, ImportData};
use crate::config::Config;
use marque_market::{
    catalogue::Catalogue,
    history::History,
    import::{ImportOptions, Imported, import_file},
};
use std::{io::Write, path::PathBuf};

pub(super) async fn import(config: &Config, import: ImportData, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let catalogue = Catalogue::embedded()?;
    let Some(instrument) = catalogue.by_symbol(&import.symbol).cloned() else {
        let known: Vec<&str> = catalogue.all().iter().map(|i| i.symbol.as_str()).collect();
        return Err(CliError::NoInstrument { symbol: import.symbol, known: known.join(", ") });
    };
    let options = ImportOptions { format: import.format, clock: import.timezone, ..ImportOptions::default() };
    let history = History::at(config.history_dir());
    for path in import.files {
        let (history, instrument, options) = (history.clone(), instrument.clone(), options.clone());
        let Imported { report, merged } = blocking(path.clone(), move |path| {
            import_file(&history, &instrument, path, &options)
                .map_err(|source| CliError::Import { path: path.clone(), source: Box::new(source) })
        })
        .await?;
        let change = if merged.changed {
            format!("{} rows before, {} now", merged.rows_before, merged.rows_after)
        } else {
            format!("all of it was there already, {} rows", merged.rows_after)
        };
        writeln!(out, "{}: {report}\n  history of {}: {change}", path.display(), import.symbol)?;
    }
    Ok(())
}

/// Reading a recording takes seconds: not on the runtime's own threads.
async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&PathBuf) -> Result<T, CliError> + Send + 'static,
) -> Result<T, CliError> {
    let done = tokio::task::spawn_blocking(move || work(&path)).await;
    done.map_err(|error| CliError::Print(std::io::Error::other(error)))?
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
