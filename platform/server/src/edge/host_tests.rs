//! The table of host headers.

use super::{HostFault as F, HostName, requested_authority};
use poem::http::{HeaderMap, HeaderValue, Uri, header};
use proptest::prelude::*;

#[test]
fn authorities() {
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = format!("{}example", "abcdefgh.".repeat(29));
    let longest = format!("{}.{}.{}.{}", "a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61));
    let huge = "a".repeat(100_000);
    let table: &[(&str, Result<&str, F>)] = &[
        ("aurora.example", Ok("aurora.example")),
        ("localhost", Ok("localhost")),
        // Case, port, trailing dot, and all at once.
        ("AURORA.Example", Ok("aurora.example")),
        ("aurora.example:8080", Ok("aurora.example")),
        ("aurora.example:", Ok("aurora.example")),
        ("aurora.example.", Ok("aurora.example")),
        ("Aurora.EXAMPLE.:443", Ok("aurora.example")),
        ("r3---sn-abc.example", Ok("r3---sn-abc.example")),
        // International names travel as punycode.
        ("xn--bcher-kva.example", Ok("xn--bcher-kva.example")),
        ("XN--BCHER-KVA.example", Ok("xn--bcher-kva.example")),
        ("xn--a-.example", Err(F::Name)),
        ("xn--.example", Err(F::Name)),
        ("xn--aurora-.example", Err(F::Name)),
        ("bücher.example", Err(F::Name)),
        // Addresses are hosts that nobody has.
        ("127.0.0.1", Ok("127.0.0.1")),
        ("127.0.0.1:8080", Ok("127.0.0.1")),
        ("[::1]", Ok("[::1]")),
        ("[0:0::0:1]:8080", Ok("[::1]")),
        ("[::FFFF:127.0.0.1]", Ok("[::ffff:127.0.0.1]")),
        ("[::1", Err(F::Address)),
        ("[::1]x", Err(F::Address)),
        ("[]", Err(F::Address)),
        ("[fe80::1%25eth0]", Err(F::Address)),
        ("[v1.a]", Err(F::Address)),
        ("::1", Err(F::Address)),
        ("127.1", Err(F::Address)),
        ("0x7f.1", Err(F::Address)),
        ("2130706433", Err(F::Address)),
        ("256.0.0.1", Err(F::Address)),
        ("127.0.0.01", Err(F::Address)),
        ("aurora.0x7f", Err(F::Address)),
        // Ports.
        ("aurora.example:0", Err(F::Port)),
        ("aurora.example:65536", Err(F::Port)),
        ("aurora.example:+80", Err(F::Port)),
        ("aurora.example:http", Err(F::Port)),
        ("aurora.example:80:80", Err(F::Address)),
        // Not hosts.
        ("", Err(F::Empty)),
        (":8080", Err(F::Empty)),
        (".", Err(F::Name)),
        ("..", Err(F::Name)),
        (".aurora.example", Err(F::Name)),
        ("aurora..example", Err(F::Name)),
        ("aurora.example..", Err(F::Name)),
        ("-aurora.example", Err(F::Name)),
        ("aurora-.example", Err(F::Name)),
        ("aurora_x.example", Err(F::Name)),
        ("aurora example", Err(F::Name)),
        ("aurora.example/", Err(F::Name)),
        ("aurora.example\\", Err(F::Name)),
        ("aurora%2eexample", Err(F::Name)),
        ("aurora.example,borealis.example", Err(F::Name)),
        ("*.example", Err(F::Name)),
        ("*", Err(F::Name)),
        ("aurora\0.example", Err(F::Name)),
        ("user@aurora.example", Err(F::UserInfo)),
        ("user:secret@aurora.example:80", Err(F::UserInfo)),
        // Lengths.
        (&longest, Ok(&longest)),
        (&long_label, Err(F::TooLong)),
        (&long_name, Err(F::TooLong)),
        (&huge, Err(F::TooLong)),
    ];
    for (authority, expect) in table {
        let got = HostName::parse(authority);
        assert_eq!(got.as_ref().map(HostName::as_str), expect.as_ref().copied(), "{authority}");
    }
}

#[test]
fn settings_may_hold_international_names() {
    let read = |text| HostName::from_setting(text).map(|h| h.to_string());
    assert_eq!(read("Bücher.example").as_deref(), Ok("xn--bcher-kva.example"));
    assert_eq!(read("bu\u{308}cher.example").as_deref(), Ok("xn--bcher-kva.example"));
    assert_eq!(read("ａｕｒｏｒａ。example").as_deref(), Ok("aurora.example"));
    assert_eq!(read("aurora.example:80"), Err(F::Name));
    assert!(HostName::from_setting("127.0.0.1").unwrap().is_address());
    assert!(HostName::from_setting("[::1]").unwrap().is_address());
    assert!(!HostName::from_setting("aurora.example").unwrap().is_address());
}

#[test]
fn requests() {
    // Target, Host headers, expected.
    let table: &[(&str, &[&str], Result<&str, F>)] = &[
        ("/", &["aurora.example"], Ok("aurora.example")),
        ("/", &[], Err(F::Absent)),
        ("/", &[""], Err(F::Empty)),
        ("/", &["aurora.example", "aurora.example"], Err(F::Doubled)),
        ("/", &["aurora.example", "borealis.example"], Err(F::Doubled)),
        ("http://aurora.example/", &["aurora.example"], Ok("aurora.example")),
        ("http://aurora.example:8080/", &["AURORA.example."], Ok("aurora.example")),
        ("http://aurora.example/", &["borealis.example"], Err(F::Contradicted)),
        ("http://aurora.example/", &[], Ok("aurora.example")),
        ("http://user@aurora.example/", &["aurora.example"], Err(F::UserInfo)),
        ("https://aurora.example/", &["aurora.example", "aurora.example"], Err(F::Doubled)),
        ("*", &["aurora.example"], Ok("aurora.example")),
    ];
    for (target, hosts, expect) in table {
        let mut headers = HeaderMap::new();
        for host in *hosts {
            headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        let got = requested_authority(&target.parse::<Uri>().unwrap(), &headers);
        assert_eq!(got.as_ref().map(|a| a.host.as_str()), expect.as_ref().copied(), "{target} {hosts:?}");
    }
    let mut raw = HeaderMap::new();
    raw.append(header::HOST, HeaderValue::from_bytes("bücher.example".as_bytes()).unwrap());
    assert_eq!(requested_authority(&"/".parse().unwrap(), &raw), Err(F::Name));
}

proptest! {
    /// What is accepted is canonical: reading it again changes nothing, and it has only host characters.
    #[test]
    fn canonical_is_a_fixed_point(text in r"[ -~]{0,40}|[a-zA-Z0-9.\-:\[\]]{0,40}|\PC{0,20}") {
        for parse in [HostName::parse, HostName::from_setting] {
            if let Ok(host) = parse(&text) {
                prop_assert_eq!(HostName::parse(host.as_str()), Ok(host.clone()));
                let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.:[]".contains(&b);
                prop_assert!(host.as_str().bytes().all(good));
                prop_assert!(host.is_address() || !host.as_str().contains(':'));
            }
        }
    }

    #[test]
    fn decorations_never_change_the_host(name in "[a-z][a-z0-9]{0,10}(\\.[a-z][a-z0-9]{0,10}){0,3}", port in 1..=65_535_u16) {
        let plain = HostName::parse(&name);
        let upper = name.to_uppercase();
        for text in [format!("{name}:{port}"), format!("{name}."), format!("{upper}.:{port}"), upper] {
            prop_assert_eq!(&HostName::parse(&text), &plain, "{}", text);
        }
    }
}
