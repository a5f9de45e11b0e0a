//! One Parquet file: columns of `i64`, delta encoded and compressed with zstd, in groups of rows.
//!
//! Owns writing a file so that it is whole or absent, and reading it back by group with every value checked.
//! Refuses to know what the columns mean beyond the first being the time.
//!
//! A file carries its own index: for each group the number of rows, the first and last time and a checksum.
//! Any Parquet reader can open it; only files with this index are taken for ours.

use super::HistoryError;
use parquet::{
    basic::{Compression, Encoding, Repetition, Type as Physical, ZstdLevel},
    column::reader::ColumnReader,
    data_type::Int64Type,
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        reader::{FileReader, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    schema::types::Type,
};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Rows of a group: what a replay holds in memory at a time, and what a query decodes at least.
pub(super) const GROUP_ROWS: usize = 128 * 1024;
/// Groups of a file, and with it the rows.
const GROUPS_MAX: usize = 8_192;
/// Under this key lies the index.
const INDEX_KEY: &str = "marque.index";
/// Under this key lies the kind and its version.
const KIND_KEY: &str = "marque.kind";

/// What a file of history holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Quotes.
    Ticks,
    /// Bars of one minute.
    Minutes,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ticks, Self::Minutes];

    /// The name of its file.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Ticks => "ticks.parquet",
            Self::Minutes => "m1.parquet",
        }
    }

    pub(super) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Ticks => &["at_ms", "bid_e8", "ask_e8"],
            Self::Minutes => &["open_at_ms", "open_e8", "high_e8", "low_e8", "close_e8", "spread_e8", "volume"],
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Ticks => "ticks-1",
            Self::Minutes => "m1-1",
        }
    }
}

/// A group of rows as the index tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Group {
    /// Number of its first row in the file.
    pub first_row: u64,
    pub rows: u64,
    pub first_at: i64,
    pub last_at: i64,
    sum: u64,
}

/// A checksum over all values of a group. Not proof against malice, but flipped bits do not pass.
fn checksum(columns: &[&[i64]]) -> u64 {
    columns.iter().flat_map(|column| column.iter()).fold(0xCBF2_9CE4_8422_2325, |sum, value| {
        (sum.rotate_left(5) ^ value.cast_unsigned()).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    })
}

/// Writes a file beside its place, makes it durable and moves it there: a reader sees the old file or the
/// new one, also after a power cut.
pub(super) fn write(path: &Path, kind: Kind, columns: &[&[i64]]) -> Result<(), HistoryError> {
    let temporary = path.with_extension("parquet.new");
    let done = write_temporary(&temporary, path, kind, columns).and_then(|()| {
        fs::rename(&temporary, path).and_then(|()| sync_folder(path)).map_err(|e| HistoryError::write(path, e))
    });
    if done.is_err() {
        // The first error is the one to tell; a leftover is overwritten by the next import.
        let _ = fs::remove_file(&temporary);
    }
    done
}

fn write_temporary(temporary: &Path, path: &Path, kind: Kind, columns: &[&[i64]]) -> Result<(), HistoryError> {
    let failed = |error: ParquetError| HistoryError::write(path, into_io(error));
    let file = File::create(temporary).map_err(|e| HistoryError::write(path, e))?;
    let mut writer =
        SerializedFileWriter::new(BufWriter::new(file), schema(kind).map_err(failed)?, properties().map_err(failed)?)
            .map_err(failed)?;
    let mut index = String::new();
    let rows = columns.first().map_or(0, |column| column.len());
    for from in (0..rows).step_by(GROUP_ROWS) {
        let to = rows.min(from + GROUP_ROWS);
        let parts: Vec<&[i64]> = columns.iter().map(|column| column.get(from..to).unwrap_or_default()).collect();
        write_group(&mut writer, &parts).map_err(failed)?;
        let at = parts.first().copied().unwrap_or_default();
        let (first, last) = (at.first().copied().unwrap_or_default(), at.last().copied().unwrap_or_default());
        index.push_str(&format!("{} {first} {last} {:016x}\n", to - from, checksum(&parts)));
    }
    writer.append_key_value_metadata(KeyValue::new(INDEX_KEY.to_owned(), index));
    writer.append_key_value_metadata(KeyValue::new(KIND_KEY.to_owned(), kind.version().to_owned()));
    let mut buffered = writer.into_inner().map_err(failed)?;
    buffered.flush().map_err(|e| HistoryError::write(path, e))?;
    let file = buffered.into_inner().map_err(|e| HistoryError::write(path, e.into_error()))?;
    file.sync_all().map_err(|e| HistoryError::write(path, e))
}

fn write_group<W: Write + Send>(writer: &mut SerializedFileWriter<W>, columns: &[&[i64]]) -> Result<(), ParquetError> {
    let mut group = writer.next_row_group()?;
    for column in columns {
        let Some(mut slot) = group.next_column()? else {
            return Err(ParquetError::General("the schema has fewer columns than the data".to_owned()));
        };
        slot.typed::<Int64Type>().write_batch(column, None, None)?;
        slot.close()?;
    }
    group.close().map(|_| ())
}

fn schema(kind: Kind) -> Result<Arc<Type>, ParquetError> {
    let column = |name: &&str| {
        let column = Type::primitive_type_builder(name, Physical::INT64).with_repetition(Repetition::REQUIRED);
        column.build().map(Arc::new)
    };
    let columns = kind.columns().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("history").with_fields(columns).build().map(Arc::new)
}

fn properties() -> Result<Arc<WriterProperties>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_BINARY_PACKED)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    Ok(Arc::new(properties))
}

/// Makes a rename durable: it lives in the folder, not in the file.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn into_io(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(io) => *io,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

/// An open file. It stays readable, unchanged, when a later import puts another in its place.
pub(crate) struct Table {
    path: PathBuf,
    kind: Kind,
    reader: SerializedFileReader<File>,
    groups: Vec<Group>,
}

impl Table {
    /// Opens a file; absent is `None`.
    pub(super) fn open(path: &Path, kind: Kind) -> Result<Option<Self>, HistoryError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HistoryError::read(path, error)),
        };
        let reader = SerializedFileReader::new(file).map_err(|e| HistoryError::corrupt(path, &e.to_string()))?;
        let groups = index_of(&reader, kind).map_err(|fault| HistoryError::corrupt(path, &fault))?;
        Ok(Some(Self { path: path.to_owned(), kind, reader, groups }))
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        self.groups.last().map_or(0, |group| group.first_row + group.rows)
    }

    /// Times of the first and last row.
    pub(super) fn span(&self) -> Option<(i64, i64)> {
        Some((self.groups.first()?.first_at, self.groups.last()?.last_at))
    }

    /// A number that another content has not.
    pub(crate) fn fingerprint(&self) -> u64 {
        let sums: Vec<i64> = self.groups.iter().map(|group| group.sum.cast_signed()).collect();
        checksum(&[&sums])
    }

    /// The group that holds a row.
    pub(crate) fn group_of(&self, row: u64) -> Option<usize> {
        let index = self.groups.partition_point(|group| group.first_row + group.rows <= row);
        (index < self.groups.len()).then_some(index)
    }

    /// Reads and checks a group's columns.
    pub(crate) fn read_group(&self, index: usize) -> Result<Vec<Vec<i64>>, HistoryError> {
        let corrupt = |fault: &str| HistoryError::corrupt(&self.path, fault);
        let group = self.groups.get(index).ok_or_else(|| corrupt("it has fewer row groups than its index"))?;
        let columns = self.decode(index, group).map_err(|e| corrupt(&e.to_string()))?;
        let parts: Vec<&[i64]> = columns.iter().map(Vec::as_slice).collect();
        if parts.iter().any(|column| column.len() as u64 != group.rows) {
            return Err(corrupt("a column is shorter than its index says"));
        }
        if checksum(&parts) != group.sum {
            return Err(corrupt("the values do not match their checksum"));
        }
        Ok(columns)
    }

    /// Reads and checks all rows.
    pub(super) fn read_all(&self) -> Result<Vec<Vec<i64>>, HistoryError> {
        let mut all = vec![Vec::with_capacity(usize::try_from(self.rows()).unwrap_or(0)); self.kind.columns().len()];
        for index in 0..self.groups.len() {
            for (column, part) in all.iter_mut().zip(self.read_group(index)?) {
                column.extend(part);
            }
        }
        Ok(all)
    }

    fn decode(&self, index: usize, group: &Group) -> Result<Vec<Vec<i64>>, ParquetError> {
        let reader = self.reader.get_row_group(index)?;
        let rows = usize::try_from(group.rows)?;
        let decode_column = |place| {
            let ColumnReader::Int64ColumnReader(mut column) = reader.get_column_reader(place)? else {
                return Err(ParquetError::General("a column is not of 64-bit integers".to_owned()));
            };
            let mut values = Vec::with_capacity(rows);
            while values.len() < rows {
                let (records, ..) = column.read_records(rows - values.len(), None, None, &mut values)?;
                if records == 0 {
                    break;
                }
            }
            Ok(values)
        };
        (0..self.kind.columns().len()).map(decode_column).collect()
    }
}

/// Reads and checks a file's own index against its schema and row groups.
fn index_of(reader: &SerializedFileReader<File>, kind: Kind) -> Result<Vec<Group>, String> {
    let metadata = reader.metadata();
    let pairs = metadata.file_metadata().key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let value = |key: &str| pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
    if value(KIND_KEY) != Some(kind.version()) {
        return Err(format!("it was not written by Marque as {}", kind.version()));
    }
    let schema = metadata.file_metadata().schema_descr();
    let names = schema.columns().iter().map(|c| (c.name(), c.physical_type(), c.max_def_level()));
    if !names.eq(kind.columns().iter().map(|name| (*name, Physical::INT64, 0))) {
        return Err("its columns are not those of this kind".to_owned());
    }
    let index = value(INDEX_KEY).ok_or("it has no index")?;
    let mut groups = Vec::new();
    let mut first_row = 0;
    for line in index.lines().take(GROUPS_MAX + 1) {
        let group = group_of_line(line, first_row).ok_or("its index cannot be read")?;
        first_row += group.rows;
        groups.push(group);
    }
    let told: Vec<_> = groups.iter().map(|group| Some(group.rows)).collect();
    let real: Vec<_> = metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).ok()).collect();
    let ordered = groups.iter().zip(groups.iter().skip(1)).all(|(a, b)| a.last_at <= b.first_at);
    if told != real || !ordered || groups.len() > GROUPS_MAX {
        return Err("its index does not fit its rows".to_owned());
    }
    Ok(groups)
}

fn group_of_line(line: &str, first_row: u64) -> Option<Group> {
    let mut words = line.split(' ');
    let rows: u64 = words.next()?.parse().ok()?;
    let (first_at, last_at) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let sum = u64::from_str_radix(words.next()?, 16).ok()?;
    let fits = (1..=GROUP_ROWS as u64).contains(&rows) && first_at <= last_at && words.next().is_none();
    fits.then_some(Group { first_row, rows, first_at, last_at, sum })
}
