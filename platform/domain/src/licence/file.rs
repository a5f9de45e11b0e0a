//! Files that go with a version of an Expert Advisor: what they may be called, and whether they are what their names say.
//!
//! A name is a name everywhere: in a header, on every file system, in the terminal's folder. What a file is stands in its
//! first bytes where its kind has any; sources and presets are text, and text is readable.

/// Bytes of a file. More is no Expert Advisor; and a file is sealed in one piece, in memory.
pub const FILE_BYTES_MAX: usize = 16 << 20;
/// Characters of a name.
pub const FILE_NAME_MAX: usize = 100;

/// What a file is, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A program for MetaTrader 4.
    Ex4,
    /// A program for MetaTrader 5.
    Ex5,
    /// MQL4 source.
    Mq4,
    /// MQL5 source.
    Mq5,
    /// An MQL include.
    Mqh,
    /// Inputs of an EA, to be loaded.
    Set,
    /// A manual.
    Pdf,
    /// Several of these.
    Zip,
}

/// Why a file is not taken, and what would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileFault {
    /// The name.
    #[error(
        "is not a name that every system can save: use up to 100 letters, digits, spaces and . _ - + ( ), and begin with a letter or digit"
    )]
    Name,
    /// The end of the name.
    #[error(
        "is of no kind that is offered here: its name must end in .ex4, .ex5, .mq4, .mq5, .mqh, .set, .pdf or .zip"
    )]
    Kind,
    /// Nothing is in it.
    #[error("is empty")]
    Empty,
    /// Too much is in it.
    #[error("is larger than 16 MiB")]
    TooLarge,
    /// It is not what its name says.
    #[error("is not what its name says: it does not begin like {0}")]
    NotSo(&'static str),
    /// It is no text.
    #[error("is not text in UTF-8 or UTF-16: save it as such in MetaEditor")]
    NoText,
}

impl FileKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [Self::Ex4, Self::Ex5, Self::Mq4, Self::Mq5, Self::Mqh, Self::Set, Self::Pdf, Self::Zip];

    /// The end of its names, without the point.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ex4 => "ex4",
            Self::Ex5 => "ex5",
            Self::Mq4 => "mq4",
            Self::Mq5 => "mq5",
            Self::Mqh => "mqh",
            Self::Set => "set",
            Self::Pdf => "pdf",
            Self::Zip => "zip",
        }
    }

    /// The kind of a file of this name.
    ///
    /// # Errors
    /// [`FileFault::Name`], [`FileFault::Kind`].
    pub fn of(name: &str) -> Result<Self, FileFault> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b" ._-+()".contains(&b);
        let whole = (1..=FILE_NAME_MAX).contains(&name.len())
            && name.bytes().all(plain)
            && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if !whole {
            return Err(FileFault::Name);
        }
        let (_, extension) = name.rsplit_once('.').ok_or(FileFault::Kind)?;
        let kind = Self::ALL.into_iter().find(|kind| kind.extension().eq_ignore_ascii_case(extension));
        kind.ok_or(FileFault::Kind)
    }

    /// How files of this kind begin, and what that is called; none for text. Of compiled programs this is what
    /// published ones have: `EX5`; `EX4` up to build 509, `EX-` and a 4 since.
    const fn beginnings(self) -> Option<(&'static [&'static [u8]], &'static str)> {
        match self {
            Self::Ex4 => Some((&[b"EX4", b"EX-\x04"], "a compiled MetaTrader 4 program")),
            Self::Ex5 => Some((&[b"EX5"], "a compiled MetaTrader 5 program")),
            Self::Pdf => Some((&[b"%PDF-"], "a PDF")),
            Self::Zip => Some((&[b"PK\x03\x04"], "a zip archive with something in it")),
            Self::Mq4 | Self::Mq5 | Self::Mqh | Self::Set => None,
        }
    }
}

/// What a file is, once its name and its bytes agree.
///
/// # Errors
/// [`FileFault`].
pub fn file_kind(name: &str, bytes: &[u8]) -> Result<FileKind, FileFault> {
    let kind = FileKind::of(name)?;
    if bytes.is_empty() {
        return Err(FileFault::Empty);
    }
    if bytes.len() > FILE_BYTES_MAX {
        return Err(FileFault::TooLarge);
    }
    match kind.beginnings() {
        Some((beginnings, what)) => {
            let begins = beginnings.iter().any(|beginning| bytes.starts_with(beginning));
            if begins { Ok(kind) } else { Err(FileFault::NotSo(what)) }
        }
        None if is_text(bytes) => Ok(kind),
        None => Err(FileFault::NoText),
    }
}

/// Whether it reads as text: UTF-8, with or without a mark, or UTF-16 with one; and nothing that no editor writes.
fn is_text(bytes: &[u8]) -> bool {
    let units = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, odd) = rest.as_chunks::<2>();
        let text = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)));
        odd.is_empty() && text.into_iter().all(|letter| letter.is_ok_and(is_written))
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => units(rest, u16::from_be_bytes),
        _ => core::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_written)),
    }
}

fn is_written(letter: char) -> bool {
    !letter.is_control() || matches!(letter, '\t' | '\n' | '\r' | '\u{c}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        for good in ["Gold Rush.ex5", "a.EX4", "Manual (v1.2)+notes.pdf", "1.set", "x.y.z.mqh"] {
            assert!(FileKind::of(good).is_ok(), "{good}");
        }
        let long = format!("{}.ex5", "a".repeat(97));
        for bad in [
            "",
            ".ex5",
            " a.ex5",
            "a/b.ex5",
            "a\\b.ex5",
            "..",
            "../a.ex5",
            "a\r\nb.ex5",
            "a\".ex5",
            "ä.ex5",
            "a%2f.ex5",
            &long,
        ] {
            assert_eq!(FileKind::of(bad), Err(FileFault::Name), "{bad:?}");
        }
        for other in ["a", "a.", "a.exe", "a.ex5.html", "a.js", "a.dll"] {
            assert_eq!(FileKind::of(other), Err(FileFault::Kind), "{other}");
        }
    }

    #[test]
    fn contents() {
        let utf16 = |text: &str| -> Vec<u8> {
            [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
        };
        let table: &[(&str, &[u8], Result<FileKind, FileFault>)] = &[
            ("a.ex5", b"EX5\x02q\x00", Ok(FileKind::Ex5)),
            ("a.ex4", b"EX-\x04q", Ok(FileKind::Ex4)),
            ("a.ex4", b"EX4\x00q", Ok(FileKind::Ex4)),
            ("a.ex4", b"EX5\x02q", Err(FileFault::NotSo("a compiled MetaTrader 4 program"))),
            ("a.ex5", b"MZ\x90\x00", Err(FileFault::NotSo("a compiled MetaTrader 5 program"))),
            ("a.ex5", b"<html>", Err(FileFault::NotSo("a compiled MetaTrader 5 program"))),
            ("a.pdf", b"%PDF-1.7\n", Ok(FileKind::Pdf)),
            ("a.pdf", b" %PDF-1.7\n", Err(FileFault::NotSo("a PDF"))),
            ("a.zip", b"PK\x03\x04..", Ok(FileKind::Zip)),
            ("a.zip", b"PK\x05\x06..", Err(FileFault::NotSo("a zip archive with something in it"))),
            ("a.mq5", b"#property strict\r\n\tint x;\n", Ok(FileKind::Mq5)),
            ("a.mq5", "\u{feff}// für Ä\n".as_bytes(), Ok(FileKind::Mq5)),
            ("a.mq4", b"// f\xFCr\n", Err(FileFault::NoText)),
            ("a.mqh", b"a\x00b", Err(FileFault::NoText)),
            ("a.set", &utf16("lots=0.1\r\n"), Ok(FileKind::Set)),
            ("a.set", &utf16("lots=0.1")[..5], Err(FileFault::NoText)),
            ("a.set", &[0xFF, 0xFE, 0x00, 0xD8], Err(FileFault::NoText)),
            ("a.set", &[0xFE, 0xFF, 0x00, 0x61], Ok(FileKind::Set)),
            ("a.set", b"", Err(FileFault::Empty)),
            ("a.exe", b"MZ", Err(FileFault::Kind)),
        ];
        for (name, bytes, want) in table {
            assert_eq!(file_kind(name, bytes), *want, "{name} {bytes:?}");
        }
        assert_eq!(file_kind("a.mq5", &vec![b'a'; FILE_BYTES_MAX + 1]), Err(FileFault::TooLarge));
        assert!(file_kind("a.mq5", &vec![b'a'; FILE_BYTES_MAX]).is_ok());
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_needs_no_escaping(name in "\\PC{0,12}(\\.[a-z0-9]{1,4})?") {
            if FileKind::of(&name).is_ok() {
                prop_assert!(!name.contains(['"', '\\', '/', ':', '\r', '\n', '%', ';']) && name.is_ascii());
            }
        }

        #[test]
        fn any_bytes_are_judged(bytes: Vec<u8>) {
            for kind in FileKind::ALL {
                let _ = file_kind(&format!("a.{}", kind.extension()), &bytes);
            }
        }
    }
}
