//! What a tenant's file may say, and how a mistake is told.

use super::read;
use crate::{
    tenants::{SpreadPoints, VenueTerms},
    testing::{THEMES, demo_dir},
};
use proptest::prelude::*;
use std::path::Path;

const AURORA: &str = include_str!("../../../../tenants/aurora/tenant.toml");

fn told(text: &str) -> Result<super::Definition, String> {
    read(&"aurora".parse().unwrap(), Path::new("aurora/tenant.toml"), text, THEMES).map_err(|e| e.to_string())
}

#[test]
fn the_demo_brands_are_two() {
    let all = crate::tenants::read_dir(&demo_dir(), THEMES).unwrap();
    let [aurora, borealis] = all.as_slice() else { panic!("two brands") };
    assert_eq!((aurora.slug.as_str(), borealis.slug.as_str()), ("aurora", "borealis"));
    assert_ne!((&aurora.theme, &aurora.tokens), (&borealis.theme, &borealis.tokens));
    assert_ne!((&aurora.locale, aurora.time_zone.name()), (&borealis.locale, borealis.time_zone.name()));
    let modes = [aurora, borealis].map(|brand| brand.accounts.position_mode.name());
    assert_eq!(modes, ["hedging", "netting"]);
    assert_ne!((&aurora.venue, &aurora.accounts.margin), (&borealis.venue, &borealis.accounts.margin));
    for tenant in &all {
        let quotas: Vec<_> = tenant.plans.iter().map(|p| (p.quotas.trades_per_day, p.quotas.instruments)).collect();
        assert_eq!(quotas, [(Some(10), Some(1)), (Some(50), Some(3)), (None, None)]);
    }
}

#[test]
fn a_definition_survives_the_database() {
    let mut definition = told(AURORA).unwrap();
    let json = serde_json::to_string(&definition).unwrap();
    // Where the file says something is of use while the file is applied, and not kept.
    definition.host_places.clear();
    definition.accounts.rules.iter_mut().for_each(|rule| rule.place = None);
    assert_eq!(serde_json::from_str::<super::Definition>(&json).unwrap(), definition);
}

#[test]
fn mistakes_are_named_with_file_line_and_remedy() {
    let changes = [
        ("theme = \"daybreak\"", "theme = \"midnight\""),
        ("theme = \"daybreak\"", "theme = daybreak"),
        ("theme = \"daybreak\"", "teme = \"daybreak\""),
        ("theme = \"daybreak\"", ""),
        ("[\"aurora.localhost\"]", "[]"),
        ("[\"aurora.localhost\"]", "[\"https://aurora.localhost\"]"),
        ("[\"aurora.localhost\"]", "[\"aurora.localhost:8080\"]"),
        ("[\"aurora.localhost\"]", "[\"aurora.localhost\", \"Aurora.LOCALHOST.\"]"),
        ("[\"aurora.localhost\"]", "[\"127.0.0.1\"]"),
        ("[\"aurora.localhost\"]", "[\"*.aurora.example\"]"),
        ("en-GB", "english"),
        ("time_zone = \"Europe/Prague\"\n#", "time_zone = \"Europe/Praha\"\n#"),
        ("plugins = [\"ema-cross\", \"daily-loss\", ", "plugins = [\"ema-cross\", "),
        ("plugins = [\"ema-cross\", \"daily-loss\"", "plugins = [\"EMA\", \"daily-loss\", \"daily-loss\""),
        ("\"#3757d6\"", "\"blue\""),
        ("radius = 14", "radius = 99"),
        ("mode = \"light\"", "mood = \"light\""),
        ("name = \"Aurora Markets\"", "name = \"  \""),
        ("name = \"Aurora Markets\"", "name = \"Aurora\\nMarkets\""),
        ("initial_balance = \"100000.00\"", "initial_balance = \"-5\""),
        ("initial_balance = \"100000.00\"", "initial_balance = 100000.0"),
        ("leverage = 30", "leverage = 0"),
        ("position_mode = \"hedging\"", "position_mode = \"fifo\""),
        ("stop_out_percent = 50", "stop_out_percent = 100"),
        ("call_percent = 100", "call_percent = 120"),
        ("calm_percent = 110, ", ""),
        ("commission_per_lot = \"3.50\"", "commission_per_lot = \"-3.50\""),
        ("commission_per_lot = \"3.50\"", "commission_per_lot = 3.5"),
        ("spread = \"quoted\"", "spread = \"tight\""),
        ("spread = \"quoted\"", "spread = { markup = -1 }"),
        ("slippage = \"none\"", "slippage = { random = 1_000_000 }"),
        ("latency_ms = 0", "latency_ms = 90_000"),
        ("latency_ms = 0", "latency_ms = 0\nliquidity_lots = \"0\""),
        ("latency_ms = 0", "latency_ms = 0\nslipage = \"none\""),
        ("latency_ms = 0", "latency_ms = 0\n[venue.instruments.EURUSDX]\nspread = \"quoted\""),
        ("latency_ms = 0", "latency_ms = 0\n[venue.instruments.XAUUSD]\nswap = { long = \"-1\", short = \"much\" }"),
        ("latency_ms = 0", "swap_free = true\n[venue.instruments.XAUUSD]\nswap = { long = \"-1\", short = \"1\" }"),
        ("warn_percent = 80", "warn_percent = inf"),
        ("warn_percent = 80", "since = 2026-01-01"),
        ("code = \"plus\"", "code = \"start\""),
        ("code = \"plus\"", "code = \"Plus!\""),
        ("price_minor = 2900", "price_minor = -1"),
        ("price_minor = 2900", "price_minor = 29.0"),
        (
            "currency = \"EUR\"\ninterval = \"month\"\nquotas = { trades_per_day = 50",
            "currency = \"euro\"\ninterval = \"month\"\nquotas = { trades_per_day = 50",
        ),
        ("interval = \"month\"\nquotas = { trades_per_day = 50", "interval = \"week\"\nquotas = { trades_per_day = 50"),
        ("trades_per_day = 50", "trades_per_day = 0"),
        ("trades_per_day = 50", "trades_a_day = 50"),
        ("[\"decision-history\"]", "[\"decision-histroy\"]"),
        ("perks = [\"Priority support\"]", "perks = [\"\"]"),
        ("[words]", "[words"),
    ];
    let report: String = changes
        .iter()
        .map(|(from, to)| {
            let text = AURORA.replacen(from, to, 1);
            assert_ne!(text, AURORA, "the file has {from:?}");
            format!("{from:?} → {to:?}\n{}\n\n", told(&text).expect_err(to))
        })
        .collect();
    insta::assert_snapshot!(report);
}

#[test]
fn an_instrument_has_the_terms_that_it_does_not_name_from_all() {
    let own = "[venue.instruments.XAUUSD]\nspread = { minimum = 250 }\nswap = { long = \"-320.5\", short = \"90\" }";
    let definition = told(&AURORA.replace("latency_ms = 0", &format!("latency_ms = 15\n{own}"))).unwrap();
    let venue = definition.venue;
    let [gold, euro] = ["XAUUSD", "EURUSD"].map(|symbol| *venue.of(symbol));
    assert_eq!((gold.spread, euro.spread), (SpreadPoints::Minimum(250), SpreadPoints::Quoted));
    assert_eq!((gold.commission_per_lot, venue.latency_ms), (euro.commission_per_lot, 15));
    assert_eq!(venue.instruments["XAUUSD"].swap.unwrap().long, "-320.5".parse().unwrap());
}

#[test]
fn a_file_of_before_has_the_terms_that_were_then() {
    let old = AURORA.replace("position_mode = \"hedging\"", "");
    let (from, to) = (old.find("[venue]\n").unwrap(), old.find("[[plans]]").unwrap());
    let definition = told(&format!("{}{}", &old[..from], &old[to..])).unwrap();
    assert_eq!(definition.accounts.position_mode.name(), "hedging");
    assert_eq!(definition.venue, VenueTerms::default());
    let mut stored = serde_json::to_value(&definition).unwrap();
    stored.as_object_mut().unwrap().remove("venue");
    let accounts = stored["accounts"].as_object_mut().unwrap();
    accounts.retain(|key, _| key != "position_mode" && key != "margin");
    let read: super::Definition = serde_json::from_value(stored).unwrap();
    assert_eq!((read.venue, read.accounts.margin), (definition.venue, definition.accounts.margin));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = AURORA.replace("en-GB", "english").replace("leverage = 30", "leverage = 0").replace("daybreak", "dusk");
    let told = told(&text).unwrap_err();
    assert_eq!(told.lines().count(), 3, "{told}");
}

proptest! {
    #[test]
    fn reading_any_text_never_panics(text in "\\PC{0,200}|([a-z_.]{0,8} ?= ?[0-9a-z\"\\[\\]{}]{0,12}\n|\\[\\[?[a-z]{0,8}\\]\\]?\n){0,10}") {
        let _ = told(&text);
    }

    /// A good file with one part cut out or replaced is either still good or refused; it never panics.
    #[test]
    fn a_damaged_file_never_panics(from in 0..AURORA.len(), length in 0..200_usize, with in "\\PC{0,5}") {
        let (from, to) = (from, (from + length).min(AURORA.len()));
        if AURORA.is_char_boundary(from) && AURORA.is_char_boundary(to) {
            let _ = told(&format!("{}{with}{}", &AURORA[..from], &AURORA[to..]));
        }
    }
}
