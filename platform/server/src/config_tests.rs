//! Defaults, file, environment, and how mistakes are told.

use super::*;
use proptest::prelude::*;

fn read(text: &str, vars: &[(&str, &str)]) -> Result<Config, String> {
    let vars = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::read("marque.toml", text, vars).map_err(|e| e.to_string())
}

#[test]
fn defaults_then_file_then_environment() {
    let config = read("", &[]).unwrap();
    assert_eq!(config.listen.port(), 8080);
    assert_eq!(config.database().expose(), "sqlite://var/marque.db");
    assert!(config.proxies.trusted.is_empty());

    let file = "listen = '127.0.0.1:1'\ndata_dir = 'a'\n[limits]\nbody_bytes = 2000\nidle_s = 9";
    let vars = [
        ("MARQUE_LISTEN", "127.0.0.1:2"),
        ("MARQUE_LIMITS_BODY_BYTES", "3000"),
        ("MARQUE_PROXIES_TRUSTED", "[\"10.0.0.0/8\", \"::1/128\"]"),
        ("MARQUE_FEED_SYMBOLS", "[EURUSD]"),
        ("MARQUE_DATABASE_URL", "postgres://u:p@h/n"),
        ("MARQUE_CONFIG", "elsewhere.toml"),
        ("OTHER", "x"),
    ];
    let config = read(file, &vars).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.data_dir, Path::new("a"));
    assert_eq!((config.limits.body_bytes, config.limits.idle_s), (3000, 9));
    assert_eq!(config.proxies.trusted.len(), 2);
    assert_eq!(config.feed.symbols, ["EURUSD"]);
    assert_eq!(config.database().expose(), "postgres://u:p@h/n");
}

#[test]
fn mistakes_are_named() {
    let table: &[(&str, &[(&str, &str)])] = &[
        ("lisen = '127.0.0.1:1'", &[]),
        ("[limits]\nbdy_bytes = 1", &[]),
        ("[limit]\nbody_bytes = 1", &[]),
        ("", &[("MARQUE_LIMITS_BDY_BYTES", "1")]),
        ("", &[("MARQUE_NOTHING", "1")]),
        ("listen = 'here'", &[]),
        ("", &[("MARQUE_LISTEN", "8080")]),
        ("[feed]\nkind = 'live'", &[]),
        ("[limits]\nbody_bytes = -1", &[]),
        ("[limits]\nbody_bytes = 1", &[]),
        ("[feed]\nspeed = nan", &[]),
        ("[feed]\nsymbols = []", &[]),
        ("", &[("MARQUE_LOG_FILTER", "a=b=c")]),
        ("[proxies]\ntrusted = ['10.0.0.0/33']", &[]),
        ("\n\nlisten = = 1", &[]),
        ("limits = 1", &[]),
        ("object_store = 'gs://bucket'", &[]),
        ("object_store = 's3://bucket/../other'", &[]),
        ("object_store = 's3://bucket'", &[]),
        ("object_store = 's3://bucket'\n[s3]\nendpoint = 'http://minio.example'", &[]),
        ("object_store = 's3://bucket'\n[s3]\naccess_key_id = 'k'\nsecret_access_key = ''", &[]),
    ];
    let all: String = table
        .iter()
        .map(|(text, vars)| format!("{text:?} {vars:?}\n  {}\n", read(text, vars).err().unwrap()))
        .collect();
    insta::assert_snapshot!(all);
}

#[test]
fn where_large_things_lie() {
    let ObjectPlace::Folder(folder) = read("data_dir = 'a'", &[]).unwrap().objects() else { panic!("no folder") };
    assert_eq!(folder, Path::new("a/objects"));
    let vars = [
        ("MARQUE_OBJECT_STORE", "s3://our-bucket/marque/eu"),
        ("MARQUE_S3_ENDPOINT", "http://127.0.0.1:5555"),
        ("MARQUE_S3_ACCESS_KEY_ID", "key"),
        ("MARQUE_S3_SECRET_ACCESS_KEY", "secret"),
    ];
    let ObjectPlace::S3(place) = read("", &vars).unwrap().objects() else { panic!("no S3") };
    let told = (place.bucket.as_str(), place.prefix.as_str(), place.endpoint.as_deref(), place.region.as_str());
    assert_eq!(told, ("our-bucket", "marque/eu", Some("http://127.0.0.1:5555"), "us-east-1"));
    assert_eq!((place.access_key_id.expose(), place.secret_access_key.expose()), ("key", "secret"));
}

#[test]
fn every_default_has_a_comment() {
    let mut commented = false;
    for line in DEFAULTS.lines() {
        match line {
            line if line.starts_with('#') => commented = true,
            line if line.is_empty() || line.starts_with('[') => commented = false,
            line => assert!(commented, "no comment above {line}"),
        }
    }
}

/// Every setting of the file of defaults with its default, both as the file writes them.
fn settings() -> Vec<(String, &'static str)> {
    let (mut section, mut settings) = (String::new(), Vec::new());
    for line in DEFAULTS.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, value)) = line.split_once(" = ") {
            settings.push((format!("{section}{key}"), value));
        }
    }
    settings
}

fn variable(setting: &str) -> String {
    format!("MARQUE_{}", setting.replace('.', "_").to_uppercase())
}

#[test]
fn every_setting_is_taken_from_the_file_and_from_its_variable() {
    let settings = settings();
    assert!(settings.len() > 50, "only {} settings", settings.len());
    for (name, value) in settings {
        read(&format!("{name} = {value}"), &[]).unwrap_or_else(|error| panic!("{name} = {value}: {error}"));
        let text = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let plain = text.unwrap_or(value);
        read("", &[(&variable(&name), plain)]).unwrap_or_else(|error| panic!("{}={plain}: {error}", variable(&name)));
        let key = name.rsplit('.').next().unwrap();
        let refused = read(&format!("{name} = {{ a = 1 }}"), &[]).err().unwrap();
        assert!(refused.contains(key), "{name} is not named in {refused}");
        // A text takes what a variable says; everything else has a form.
        if text.is_none() {
            let refused = read("", &[(&variable(&name), "not this")]).err().unwrap();
            assert!(refused.contains(&variable(&name)), "{} is not named in {refused}", variable(&name));
        }
    }
}

proptest! {
    #[test]
    fn a_setting_of_any_value_is_taken_or_refused(
        at in any::<prop::sample::Index>(),
        value in r#"\PC{0,20}|-?[0-9]{1,20}|"\PC{0,8}"|\[[0-9a-z", ]{0,12}\]|(s3|postgres|redis|https?)://\PC{0,12}"#,
    ) {
        let settings = settings();
        let (name, _) = at.get(&settings);
        let _ = read("", &[(&variable(name), &value)]);
        let _ = read(&format!("{name} = {value}"), &[]);
        let _ = read(&format!("{name} = {value:?}"), &[]);
    }

    #[test]
    fn reading_any_text_never_panics(text in r#"([a-z_.]{0,8} ?= ?[0-9a-z"\[\]]{0,8}\n|\[[a-z]{0,6}\]\n|\PC{0,10}){0,6}"#, value in "\\PC{0,20}") {
        let _ = read(&text, &[("MARQUE_FEED", &value)]);
    }
}
