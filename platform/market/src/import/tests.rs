//! Formats as tables, the rules for bad and unordered rows, and the real recordings where they are present.

use super::*;
use crate::{catalogue::Catalogue, history::Kind};
use marque_domain::time::Millis;
use proptest::prelude::*;
use std::{fmt::Write as _, fs, io::Write as _, path::PathBuf, slice::from_ref};

fn instrument(symbol: &str) -> Instrument {
    Catalogue::embedded().unwrap().by_symbol(symbol).unwrap().clone()
}

fn read_text(text: &str, options: &ImportOptions) -> Result<(Rows, Report), ImportError> {
    read(text.as_bytes(), &instrument("EURUSD"), options)
}

/// Options under which a bad row does not fail the few good ones of a test.
fn lenient() -> ImportOptions {
    ImportOptions { bad_rows_max_percent: 100, ..ImportOptions::default() }
}

/// What a file gives, as a person would write it down.
fn told(text: &str, options: &ImportOptions) -> String {
    let (rows, report) = match read_text(text, options) {
        Ok(read) => read,
        Err(error) => return error.to_string(),
    };
    let mut told = format!("{}", report.format);
    let units = |units: i64| marque_domain::fixed::format_units(units, 0);
    match rows {
        Rows::Ticks(ticks) => {
            for t in ticks.iter() {
                write!(told, "\n{} {} {}", Millis(t.at).to_rfc3339(), units(t.bid), units(t.ask)).unwrap();
            }
        }
        Rows::Minutes(bars) => {
            for b in bars.iter() {
                let at = b.open_at.to_rfc3339();
                write!(told, "\n{at} {} {} {} {} s{} v{}", b.open, b.high, b.low, b.close, b.spread, b.volume).unwrap();
            }
        }
    }
    for row in report.bad_rows {
        write!(told, "\n! {row}").unwrap();
    }
    told
}

#[test]
fn metatrader() {
    let ticks = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n\
        2014.05.01\t00:00:00.100\t1.38727\t\t\t\t2\r\n\
        2014.05.01\t00:00:00.200\t\t1.38729\t\t\t4\r\n\
        2014.05.01\t00:00:00.300\t1.38728\t1.38730\t\t\t6\r\n\
        2014.05.01\t00:00:00.400\t1.38729\t\t\t\t2\r\n\
        2014.05.01\t00:00:00.500\tx\t1.38731\t\t\t6\r\n\
        2014.05.01\t00:00:00.600\r\n";
    assert_eq!(
        told(ticks, &lenient()),
        "mt5-ticks\n\
         2014-05-01T00:00:00.200Z 1.38727 1.38729\n\
         2014-05-01T00:00:00.300Z 1.38728 1.3873\n\
         2014-05-01T00:00:00.400Z 1.38729 1.3873\n\
         ! line 6: bid: not a decimal number: write digits with an optional sign and point, such as -12.5: \
         2014.05.01\t00:00:00.500\tx\t1.38731\t\t\t6\n\
         ! line 7: there is no bid column: 2014.05.01\t00:00:00.600"
    );
    let bars = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n\
        2014.05.01\t00:00:00\t1.38700\t1.38750\t1.38690\t1.38740\t42\t7\t12\n\
        2014.05.01\t00:01:30\t1.38700\t1.38750\t1.38690\t1.38740\t42\t7\t12\n\
        2014.05.01\t00:02:00\t1.38700\t1.38650\t1.38690\t1.38740\t42\t7\t12\n";
    assert_eq!(
        told(bars, &lenient()),
        "mt5-bars\n\
         2014-05-01T00:00:00.000Z 1.387 1.3875 1.3869 1.3874 s0.00012 v42\n\
         ! line 3: a minute bar opens on a full minute: 2014.05.01\t00:01:30\t1.38700\t1.38750\t1.38690\t1.38740\t42\t7\t12\n\
         ! line 4: open, high, low and close do not fit together: 2014.05.01\t00:02:00\t1.38700\t1.38650\t1.38690\t1.38740\t42\t7\t12"
    );
    let mt4 = "2014.05.01,00:00,1.38700,1.38750,1.38690,1.38740,42\n2014.05.01,00:01,1.3874,1.3875,1.3873,1.3875,9\n";
    let options = ImportOptions {
        clock: Some("America/New_York+7h".parse().unwrap()),
        default_spread: "0.0001".parse().unwrap(),
        ..lenient()
    };
    assert_eq!(
        told(mt4, &options),
        "mt4-bars\n\
         2014-04-30T21:00:00.000Z 1.387 1.3875 1.3869 1.3874 s0.0001 v42\n\
         2014-04-30T21:01:00.000Z 1.3874 1.3875 1.3873 1.3875 s0.0001 v9"
    );
}

#[test]
fn dukascopy() {
    let ticks = "Gmt time,Ask,Bid,AskVolume,BidVolume\n\
        01.05.2014 00:00:00.123,1.38729,1.38727,1.5,2.25\n\
        01.05.2014 00:00:00.456,1.3873000000000002,1.3872799999999998,1.5,2.25\n\
        32.05.2014 00:00:00.456,1.38730,1.38728,1.5,2.25\n";
    assert_eq!(
        told(ticks, &lenient()),
        "dukascopy-ticks\n\
         2014-05-01T00:00:00.123Z 1.38727 1.38729\n\
         2014-05-01T00:00:00.456Z 1.38728 1.3873\n\
         ! line 4: the time is not written as in the rest of the file: 32.05.2014 00:00:00.456,1.38730,1.38728,1.5,2.25"
    );
    let local = "Local time,Ask,Bid,AskVolume,BidVolume\n01.05.2014 02:00:00.123 GMT+0200,1.38729,1.38727,1.5,2.25\n";
    assert_eq!(told(local, &lenient()), "dukascopy-ticks\n2014-05-01T00:00:00.123Z 1.38727 1.38729");
    let bars = "Gmt time,Open,High,Low,Close,Volume\n\
        02.05.2014 20:59:00.000,1.3870,1.3875,1.3869,1.3874,179.4\n\
        02.05.2014 21:00:00.000,1.3874,1.3874,1.3874,1.3874,0\n\
        04.05.2014 21:00:00.000,1.3874,1.3875,1.3874,1.3874,0.3\n";
    assert_eq!(
        told(bars, &lenient()),
        "dukascopy-bars\n\
         2014-05-02T20:59:00.000Z 1.387 1.3875 1.3869 1.3874 s0 v179\n\
         2014-05-04T21:00:00.000Z 1.3874 1.3875 1.3874 1.3874 s0 v1"
    );
    assert_eq!(read_text(bars, &lenient()).unwrap().1.flat, 1);
}

#[test]
fn histdata() {
    // Standard time the whole year: midnight is 05:00 UTC in May as in January.
    let ticks = "20140501 000000123,1.387270,1.387290,0\n20140501 000001000,1.387280,1.387290,0\n20140501 0000x1000,1.387280,1.387290,0\n";
    assert_eq!(
        told(ticks, &lenient()),
        "histdata-ticks\n\
         2014-05-01T05:00:00.123Z 1.38727 1.38729\n\
         2014-05-01T05:00:01.000Z 1.38728 1.38729\n\
         ! line 3: the time is not written as in the rest of the file: 20140501 0000x1000,1.387280,1.387290,0"
    );
    let bars =
        "20140101 000000;1.306600;1.306700;1.306560;1.306560;0\n20140101 000100;1.306600;1.306700;1.306560;0;0\n";
    assert_eq!(
        told(bars, &lenient()),
        "histdata-bars\n\
         2014-01-01T05:00:00.000Z 1.3066 1.3067 1.30656 1.30656 s0 v0\n\
         ! line 2: close must be above zero: 20140101 000100;1.306600;1.306700;1.306560;0;0"
    );
    let error = told(bars, &ImportOptions { clock: Some(LocalClock::utc()), ..lenient() });
    assert_eq!(error, "histdata-bars files carry their own time zone: leave the zone out");
}

#[test]
fn plain() {
    for (text, want) in [
        ("ts,bid,ask\n1398902401,1.1,1.2\n", "ticks\n2014-05-01T00:00:01.000Z 1.1 1.2"),
        ("ts_ms,bid,ask\n1398902401787,1.1,1.2\n", "ticks\n2014-05-01T00:00:01.787Z 1.1 1.2"),
        ("1398902401787,1.1,1.2\n", "ticks\n2014-05-01T00:00:01.787Z 1.1 1.2"),
        ("\u{FEFF}ts;ask;bid\n\n\"2014-05-01T00:00:01Z\"; 1.2 ;1.1\n", "ticks\n2014-05-01T00:00:01.000Z 1.1 1.2"),
        (
            "time,ask,bid,ask_volume,bid_volume\n2017-01-01 22:00:20.786,1.05236,1.05148,0.75,0.75\n",
            "ticks\n2017-01-01T22:00:20.786Z 1.05148 1.05236",
        ),
        (
            "ts,open,high,low,close,volume\n1398902400,1.1,1.3,1.0,1.2,5\n",
            "bars\n2014-05-01T00:00:00.000Z 1.1 1.3 1 1.2 s0 v5",
        ),
        ("1398902400000,1.1,1.3,1.0,1.2\n", "bars\n2014-05-01T00:00:00.000Z 1.1 1.3 1 1.2 s0 v0"),
        (
            "timestamp,open,high,low,close,volume,spread\n1398902400,1.1,1.3,1.0,1.2,5,0.01\n",
            "bars\n2014-05-01T00:00:00.000Z 1.1 1.3 1 1.2 s0.01 v5",
        ),
        (
            "ts_ms,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close\n1398902400000,1.1,1.3,1.0,1.2,1.2,1.4,1.1,1.25\n",
            "bid-ask-bars\n2014-05-01T00:00:00.000Z 1.1 1.3 1 1.2 s0.05 v0",
        ),
        // A bad first row does not hide the format.
        (
            "oops\n1398902401,1.1,1.2\n",
            "ticks\n2014-05-01T00:00:01.000Z 1.1 1.2\n! line 1: the time is not written as in the rest of the file: oops",
        ),
    ] {
        assert_eq!(told(text, &lenient()), want, "{text}");
    }
}

#[test]
fn files_that_are_not_recordings_are_refused_by_name() {
    let options = ImportOptions::default();
    let hours: String = (0..12).map(|h| format!("{},1,1,1,1,1\n", 1_398_902_400 + h * 3_600)).collect();
    let mostly_bad: String =
        (0..10).map(|i| format!("{},1.1,{}\n", 1_398_902_400 + i, if i < 8 { "1.2" } else { "x" })).collect();
    for (text, want) in [
        ("", "no known format fits; the first line is \"\""),
        ("name,address\nx,y\n", "no known format fits; the first line is \"name,address\""),
        ("ts,bid,ask\n", "the file has no usable rows (0 read, 0 bad)"),
        ("ts,bid,ask\n1398902400,1.3,1.2\n", "the file has no usable rows (1 read, 0 bad)"),
        (&hours, "its bars are 60 minutes long: export bars of one minute"),
        (
            &mostly_bad,
            "2 of 10 rows are bad, more than 10 %: nothing was imported. The first:\n  line 9: ask: not a decimal",
        ),
    ] {
        let error = told(text, &options);
        assert!(error.starts_with(want), "{error}");
    }
    let given = |format| ImportOptions { format: Some(format), ..ImportOptions::default() };
    assert_eq!(
        told("ts,bid,ask\n1398902400,1.1,1.2\n", &given(Format::Mt4Bars)),
        "the file was said to be mt4-bars, but its header is that of ticks: leave the format out"
    );
    assert!(told("2014.05.01\t00:00:00\t1.1\t1.2\n", &given(Format::Mt5Ticks)).starts_with("mt5-ticks\n2014-05-01"));
    let few = ImportOptions { limits: Limits { rows: 2, ..Limits::default() }, ..options };
    let error = told("1398902400,1,2\n1398902401,1,2\n1398902402,1,2\n", &few);
    assert_eq!(error, "the file has more than 2 rows: split it and import the parts");
}

#[test]
fn order_duplicates_crossed_and_locked_follow_the_rules() {
    let text = "ts_ms,bid,ask\n\
        1398902400002,1.2,1.3\n\
        1398902400001,1.1,1.3\n\
        1398902400002,1.2,1.3\n\
        1398902400002,1.1,1.3\n\
        1398902400002,1.2,1.3\n\
        1398902400003,1.3,1.3\n\
        1398902400004,1.4,1.3\n";
    let (rows, report) = read_text(text, &ImportOptions::default()).unwrap();
    let Rows::Ticks(ticks) = rows else { panic!("ticks") };
    let bids: Vec<_> = ticks.iter().map(|t| (t.at % 1_000, t.bid / 10_000_000)).collect();
    assert_eq!(bids, [(1, 11), (2, 12), (2, 11), (2, 12), (3, 13)], "a price that returns is no duplicate");
    let counts = (report.rows, report.kept, report.out_of_order, report.duplicates, report.crossed, report.locked);
    assert_eq!(counts, (7, 5, 1, 1, 1, 1));
    assert_eq!(
        report.to_string(),
        "5 of 7 rows kept as ticks (ticks), 2014-05-01T00:00:00.001Z to 2014-05-01T00:00:00.003Z; 1 crossed dropped; \
         1 locked kept; 1 out of order, sorted in; 1 duplicates dropped"
    );
    let bars = "ts,open,high,low,close,volume\n1398902460,2,2,2,2,1\n1398902400,1,1,1,1,1\n1398902460,3,3,3,3,1\n";
    let (rows, report) = read_text(bars, &ImportOptions::default()).unwrap();
    let Rows::Minutes(bars) = rows else { panic!("bars") };
    assert_eq!(bars.iter().map(|b| b.open.to_text(0)).collect::<Vec<_>>(), ["1", "3"], "the last stands");
    assert_eq!((report.out_of_order, report.duplicates), (1, 1));
}

#[test]
fn only_the_first_bad_rows_are_named() {
    let text: String =
        (0..30).map(|i| format!("{},1.1,\u{7}\n", 1_398_902_400 + i)).collect::<String>() + "1398902500,1,2\n";
    let (_, report) = read_text(&text, &ImportOptions { bad_rows_named: 3, ..lenient() }).unwrap();
    let shown = report.to_string();
    assert!(
        shown.contains("\n  line 3: ask: not a decimal") && shown.ends_with("1398902402,1.1,·\n  and 27 more"),
        "{shown}"
    );
    assert_eq!(report.bad, 30);
}

#[test]
fn packed_files_are_the_same_as_plain_ones() {
    let folder = tempfile::tempdir().unwrap();
    let text = "ts_ms,bid,ask\n1398902400001,1.1,1.2\n1398902400002,1.1,1.2\n";
    let path = |name: &str| folder.path().join(name);
    fs::write(path("plain"), text).unwrap();
    let mut gz = flate2::write::GzEncoder::new(fs::File::create(path("gz")).unwrap(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap();
    let archive = |name: &str, members: &[(&str, &str)]| {
        let mut zip = zip::ZipWriter::new(fs::File::create(path(name)).unwrap());
        for (member, text) in members {
            zip.start_file(*member, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
    };
    archive("zip", &[("DAT_ASCII_EURUSD_T.txt", "status report"), ("DAT_ASCII_EURUSD_T.CSV", text)]);
    archive("two", &[("a.csv", text), ("b.csv", text)]);
    archive("none", &[("readme.md", text)]);
    let read = |name: &str| read_file(&path(name), &instrument("EURUSD"), &ImportOptions::default());
    let plain = read("plain").unwrap();
    assert_eq!(plain.1.kept, 2);
    assert_eq!(read("gz").unwrap(), plain);
    assert_eq!(read("zip").unwrap(), plain);
    for (name, want) in [("two", "several recordings"), ("none", "no .csv file"), ("absent", "cannot read the file")] {
        let error = read(name).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    // A packed file cut short is no half import.
    let whole = fs::read(path("gz")).unwrap();
    fs::write(path("cut"), &whole[..whole.len() - 9]).unwrap();
    assert!(matches!(read("cut"), Err(ImportError::Io(_))));
    fs::write(path("badzip"), b"PK\x03\x04nonsense").unwrap();
    assert!(matches!(read("badzip"), Err(ImportError::Zip(_))));
}

/// The folder of real recordings, where this machine has it.
pub(crate) fn shared_data() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("MARQUE_SHARED_DATA") {
        return Some(PathBuf::from(folder));
    }
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|folder| folder.join("shared/data")).find(|folder| folder.join("SOURCES.md").is_file())
}

/// A file like the FXCM recording: a tenth of its quotes crossed, more of them locked.
fn made_up_recording(folder: &Path) -> (PathBuf, [u64; 4]) {
    let mut text = String::from("ts_ms,bid,ask\n");
    let mut counts = [0_u64; 4];
    for i in 0..20_000_i64 {
        let spread = [2, 0, 1, 3, -1, 2, 2, 0, 4, 1][usize::try_from(i % 10).unwrap()];
        let bid = 138_700 + (i * 7_919) % 101;
        writeln!(
            text,
            "{},{}.{:05},{}.{:05}",
            1_398_902_400_000 + i * 250,
            1,
            bid - 100_000,
            1,
            bid - 100_000 + spread
        )
        .unwrap();
        let kept = u64::from(spread >= 0);
        counts = [counts[0] + 1, counts[1] + kept, counts[2] + 1 - kept, counts[3] + u64::from(spread == 0)];
    }
    let path = folder.join("ticks.csv");
    fs::write(&path, text).unwrap();
    (path, counts)
}

#[test]
fn recordings_import_whole_and_again_without_change() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path().join("history"));
    let (made_up, counts) = made_up_recording(folder.path());
    let mut cases = vec![(made_up, "EURUSD", Kind::Ticks, counts)];
    if let Some(data) = shared_data() {
        // Rows, kept, crossed and locked: the figures of SOURCES.md, and of a count by another program.
        cases = vec![
            (
                data.join("eurusd-ticks-fxcm-2014-05.csv.gz"),
                "EURUSD",
                Kind::Ticks,
                [1_144_807, 1_027_936, 116_871, 142_462],
            ),
            (data.join("xauusd-ticks-oanda-2014-05-02.csv.gz"), "XAUUSD", Kind::Ticks, [265_015, 265_015, 0, 0]),
            (data.join("eurusd-m1-fxcm-2014-05.csv.gz"), "EURUSD", Kind::Minutes, [21_592, 21_592, 436, 0]),
            (data.join("xauusd-m1-oanda-2014-05.csv.gz"), "XAUUSD", Kind::Minutes, [15_222, 15_222, 0, 0]),
        ];
    }
    for (path, symbol, kind, [rows, kept, crossed, locked]) in cases {
        let import =
            || import_files(&history, &instrument(symbol), from_ref(&path), &ImportOptions::default()).unwrap();
        let Imported { reports, merged } = import();
        let [report] = reports.as_slice() else { panic!("one file has one report") };
        let got = [report.rows, report.kept, report.crossed, report.locked];
        assert_eq!(got, [rows, kept, crossed, locked], "{}", path.display());
        assert_eq!((report.bad, merged.rows_before, merged.rows_after, merged.changed), (0, 0, kept, true));
        let holding = history.holding(symbol, kind).unwrap().unwrap();
        assert_eq!((holding.rows, holding.first, holding.last), (kept, report.first, report.last));
        let again = import().merged;
        assert_eq!((again.rows_before, again.rows_after, again.changed), (kept, kept, false));
    }
}

#[test]
fn a_refused_file_leaves_history_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::at(folder.path().join("history"));
    let path = folder.path().join("bad.csv");
    fs::write(&path, "ts,bid,ask\n1398902400,1.1,1.2\n1398902401,x,1.2\n").unwrap();
    let good = folder.path().join("good.csv");
    fs::write(&good, "ts,bid,ask\n1398902500,1.1,1.2\n").unwrap();
    let all = |history: &History, paths: &[PathBuf]| {
        import_files(history, &instrument("EURUSD"), paths, &ImportOptions::default())
    };
    let import = |history: &History| all(history, from_ref(&path));
    let refused = import(&history).unwrap_err();
    assert!(matches!(*refused.source, ImportError::TooManyBadRows { .. }), "{refused}");
    assert!(history.list().unwrap().is_empty());
    // Nor does a good one beside it come in, whichever is read first.
    for paths in [[good.clone(), path.clone()], [path.clone(), good.clone()]] {
        assert_eq!(all(&history, &paths).unwrap_err().path, path);
        assert!(history.list().unwrap().is_empty());
    }
    let bars = folder.path().join("bars.csv");
    fs::write(&bars, "ts,open,high,low,close,volume\n1398902400,1.1,1.2,1.1,1.2,3\n").unwrap();
    let refused = all(&history, &[good.clone(), bars.clone()]).unwrap_err();
    assert!(refused.path == bars && matches!(*refused.source, ImportError::OtherKind), "{refused}");
    assert!(history.list().unwrap().is_empty());
    // Two of one kind are one history, in order of time whatever theirs.
    let earlier = folder.path().join("earlier.csv");
    fs::write(&earlier, "ts,bid,ask\n1398902400,1.1,1.2\n").unwrap();
    let both = History::at(folder.path().join("both"));
    let merged = all(&both, &[good, earlier]).unwrap().merged;
    assert_eq!((merged.rows_before, merged.rows_after), (0, 2));
    assert!(both.ticks("EURUSD").unwrap().at.is_sorted());
    // A folder that cannot be made: the error names it.
    fs::write(&path, "ts,bid,ask\n1398902400,1.1,1.2\n").unwrap();
    let blocked = History::at(path.join("inside-a-file"));
    let error = import(&blocked).unwrap_err().to_string();
    assert!(error.contains("cannot") && error.contains("inside-a-file"), "{error}");
}

/// Text that resembles a recording, so that the parsers are reached.
fn nearly_csv() -> impl Strategy<Value = String> {
    let header = prop::sample::select(vec![
        "",
        "ts,bid,ask\n",
        "ts,open,high,low,close,volume\n",
        "Gmt time,Ask,Bid,AskVolume,BidVolume\n",
        "Local time,Open,High,Low,Close,Volume\n",
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n",
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n",
        "ts_ms,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close\n",
    ]);
    let field = "(20140501 000000(123)?|01[.]05[.]2014 00:00:00[.]1|2014[.]05[.]01|00:0[0-9]|139890240[0-9]{1,10}|-?[0-9]{0,12}[.]?[0-9]{0,12}|.{0,3})";
    let row = prop::collection::vec(field, 1..10);
    let rows = prop::collection::vec((row, prop::sample::select(vec![',', ';', '\t'])), 0..12);
    (header, rows).prop_map(|(header, rows)| {
        let lines = rows.into_iter().map(|(fields, delimiter)| fields.join(&delimiter.to_string()) + "\n");
        header.to_owned() + &lines.collect::<String>()
    })
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), format in prop::option::of(0..10_usize)) {
        let options = ImportOptions { format: format.map(|f| Format::ALL[f]), ..lenient() };
        let _ = read(bytes.as_slice(), &instrument("EURUSD"), &options);
    }

    /// Whatever is kept satisfies what history demands, whatever the text.
    #[test]
    fn what_is_kept_is_fit_for_history(text in nearly_csv(), format in prop::option::of(0..10_usize)) {
        let options = ImportOptions { format: format.map(|f| Format::ALL[f]), ..lenient() };
        if let Ok((rows, report)) = read_text(&text, &options) {
            prop_assert_eq!(report.kept, rows.len() as u64);
            let dropped = report.bad + report.incomplete + report.flat + report.duplicates;
            match rows {
                Rows::Ticks(ticks) => {
                    prop_assert!(ticks.at.is_sorted());
                    prop_assert!(ticks.iter().all(|tick| tick.bid > 0 && tick.bid <= tick.ask));
                    prop_assert_eq!(report.rows, report.kept + dropped + report.crossed);
                }
                Rows::Minutes(bars) => {
                    prop_assert!(bars.open_at.is_sorted_by(|a, b| a < b));
                    prop_assert!(bars.iter().all(|bar| bar.is_consistent()));
                    prop_assert_eq!(report.rows, report.kept + dropped);
                }
            }
        }
    }
}
