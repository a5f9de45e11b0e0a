//! Bytes to lines. Owns unpacking (plain, gzip, zip, told apart by their first bytes) and the limits on size
//! and line length; refuses to know what a line says.

use super::ImportError;
use flate2::read::MultiGzDecoder;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    path::Path,
};

/// What an import may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Unpacked size of the file, in bytes.
    pub file_bytes: u64,
    /// Length of a line, in bytes; a longer one is a bad row.
    pub line_bytes: u64,
    /// Rows kept, since they are sorted in memory: 24 bytes a tick, 56 a bar.
    pub rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 8 << 30, line_bytes: 4_096, rows: 50_000_000 }
    }
}

/// Opens a recording, unpacks it as needed and hands its lines to `take`.
pub(super) fn with_lines<T>(
    path: &Path,
    limits: Limits,
    take: impl FnOnce(Lines<&mut dyn BufRead>) -> Result<T, ImportError>,
) -> Result<T, ImportError> {
    let mut file = File::open(path)?;
    let mut magic = [0_u8; 4];
    let length = read_up_to(&mut file, &mut magic)?;
    file.rewind()?;
    match magic.get(..length).unwrap_or_default() {
        [0x1F, 0x8B, ..] => take(Lines::new(&mut BufReader::new(MultiGzDecoder::new(file)), limits)),
        b"PK\x03\x04" => {
            let mut archive =
                zip::ZipArchive::new(BufReader::new(file)).map_err(|e| ImportError::Zip(e.to_string()))?;
            let entry = recording_in(&mut archive)?;
            let member = archive.by_index(entry).map_err(|e| ImportError::Zip(e.to_string()))?;
            take(Lines::new(&mut BufReader::new(member), limits))
        }
        _ => take(Lines::new(&mut BufReader::new(file), limits)),
    }
}

fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> Result<usize, ImportError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest)? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

/// The one member of an archive that is a recording. HistData packs a status report (`.txt`) beside the
/// `.csv`, so a `.txt` counts only where there is no `.csv`.
fn recording_in<R: Read + Seek>(archive: &mut zip::ZipArchive<R>) -> Result<usize, ImportError> {
    let (mut tables, mut texts) = (vec![], vec![]);
    for index in 0..archive.len().min(10_000) {
        let member = archive.by_index(index).map_err(|e| ImportError::Zip(e.to_string()))?;
        let name = String::from_utf8_lossy(member.name_raw()).to_ascii_lowercase();
        match name.rsplit_once('.').map(|(_, end)| end) {
            Some("csv") => tables.push(index),
            Some("txt" | "tsv") => texts.push(index),
            _ => {}
        }
    }
    match (tables.as_slice(), texts.as_slice()) {
        ([one], _) | ([], [one]) => Ok(*one),
        ([], []) => Err(ImportError::Zip("it holds no .csv file".to_owned())),
        _ => Err(ImportError::Zip("it holds several recordings: unpack it and import them one by one".to_owned())),
    }
}

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Counted from 1, as editors do.
    pub number: u64,
    /// Its bytes; the beginning only, when it is too long.
    pub text: &'a [u8],
    /// Whether it is longer than allowed.
    pub too_long: bool,
}

/// Reads lines one at a time within the limits.
pub(super) struct Lines<R> {
    source: R,
    limits: Limits,
    buffer: Vec<u8>,
    number: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(source: R, limits: Limits) -> Self {
        Self { source, limits, buffer: vec![], number: 0, bytes: 0 }
    }

    /// The next line.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ImportError> {
        self.buffer.clear();
        let mut count = (&mut self.source).take(self.limits.line_bytes + 1).read_until(b'\n', &mut self.buffer)?;
        if count == 0 {
            return Ok(None);
        }
        let too_long = count as u64 > self.limits.line_bytes && self.buffer.last() != Some(&b'\n');
        self.bytes += count as u64;
        while too_long && count > 0 {
            // Skip the rest in pieces, so that a file without line ends meets the size limit, not memory.
            self.check_size()?;
            let mut piece = Vec::new();
            count = (&mut self.source).take(64 << 10).read_until(b'\n', &mut piece)?;
            self.bytes += count as u64;
            if piece.last() == Some(&b'\n') {
                break;
            }
        }
        self.check_size()?;
        self.number += 1;
        let mut text = self.buffer.as_slice();
        if self.number == 1 {
            if text.starts_with(&[0xFF, 0xFE]) || text.starts_with(&[0xFE, 0xFF]) {
                return Err(ImportError::Utf16);
            }
            text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        }
        text = text.strip_suffix(b"\n").unwrap_or(text);
        text = text.strip_suffix(b"\r").unwrap_or(text);
        Ok(Some(Line { number: self.number, text, too_long }))
    }

    const fn check_size(&self) -> Result<(), ImportError> {
        if self.bytes > self.limits.file_bytes {
            return Err(ImportError::TooLarge { bytes_max: self.limits.file_bytes });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], limits: Limits) -> Result<Vec<(u64, String, bool)>, ImportError> {
        let mut lines = Lines::new(text, limits);
        let mut all = vec![];
        while let Some(line) = lines.next()? {
            all.push((line.number, String::from_utf8_lossy(line.text).into_owned(), line.too_long));
        }
        Ok(all)
    }

    #[test]
    fn line_ends_and_lengths() {
        let limits = Limits { line_bytes: 5, ..Limits::default() };
        let long = format!("{}\nok", "x".repeat(200_000));
        for (text, want) in [
            ("", vec![]),
            ("a\r\nb\n\nc", vec![(1, "a", false), (2, "b", false), (3, "", false), (4, "c", false)]),
            ("\u{FEFF}ab", vec![(1, "ab", false)]),
            ("12345\n123456\nz", vec![(1, "12345", false), (2, "123456", true), (3, "z", false)]),
            (long.as_str(), vec![(1, "xxxxxx", true), (2, "ok", false)]),
        ] {
            let want: Vec<_> = want.into_iter().map(|(n, t, l)| (n, t.to_owned(), l)).collect();
            assert_eq!(lines(text.as_bytes(), limits).unwrap(), want, "{:.20}", text);
        }
    }

    #[test]
    fn size_and_encoding_are_refused_by_name() {
        let limits = Limits { file_bytes: 100, line_bytes: 10, ..Limits::default() };
        for text in ["ab\n".repeat(40), "x".repeat(101)] {
            assert!(matches!(lines(text.as_bytes(), limits), Err(ImportError::TooLarge { bytes_max: 100 })));
        }
        assert!(matches!(lines(b"\xFF\xFEa\0b\0", Limits::default()), Err(ImportError::Utf16)));
    }
}
