//! A tenant's terms as who runs the platform reads them: stored numbers are units of 1e-8, these are what the file says.

use super::{
    definition::Definition,
    venue::{OwnTerms, SlippagePoints, SpreadPoints, TradingTerms, VenueTerms},
};
use serde_json::{Map, Value, json};

/// The terms of accounts that are opened now, and of the venue.
#[must_use]
pub fn terms_in_words(definition: &Definition) -> Value {
    let accounts = &definition.accounts;
    let margin = accounts.margin;
    json!({
        "initial_balance": format!("{} {}", accounts.initial_balance.to_text(2), accounts.currency),
        "leverage": format!("1 : {}", accounts.leverage),
        "position_mode": accounts.position_mode.name(),
        "margin": format!(
            "call below {} %, calm from {} %, stop-out at {} %",
            margin.call_bp / 100,
            margin.calm_bp / 100,
            margin.stop_out_bp / 100
        ),
        "venue": venue(&definition.venue),
    })
}

fn venue(terms: &VenueTerms) -> Value {
    let mut told = trading(&terms.trading);
    told.insert("latency".to_owned(), format!("{} ms", terms.latency_ms).into());
    let swap = if terms.swap_free { "nothing overnight" } else { "the market's" };
    told.insert("swap".to_owned(), swap.into());
    let seed = terms.seed.map_or_else(|| "the feed's".to_owned(), |seed| seed.to_string());
    told.insert("seed".to_owned(), seed.into());
    for (symbol, own) in &terms.instruments {
        told.insert(symbol.clone(), Value::Object(instrument(own)));
    }
    Value::Object(told)
}

fn instrument(own: &OwnTerms) -> Map<String, Value> {
    let mut told = trading(&own.trading);
    if let Some(night) = own.swap {
        let swap = format!("long {} points, short {} points a night", night.long, night.short);
        told.insert("swap".to_owned(), swap.into());
    }
    told
}

fn trading(terms: &TradingTerms) -> Map<String, Value> {
    let spread = match terms.spread {
        SpreadPoints::Quoted => "the market's".to_owned(),
        SpreadPoints::Markup(points) => format!("the market's and {points} points"),
        SpreadPoints::Minimum(points) => format!("the market's, at least {points} points"),
    };
    let slippage = match terms.slippage {
        SlippagePoints::None => "none".to_owned(),
        SlippagePoints::Fixed(points) => format!("{points} points"),
        SlippagePoints::Random(points) => format!("up to {points} points"),
    };
    let liquidity = terms.liquidity.map_or_else(|| "all of an order".to_owned(), |lots| format!("{lots} lots"));
    [
        ("commission_per_lot", terms.commission_per_lot.to_text(2)),
        ("spread", spread),
        ("slippage", slippage),
        ("traded_on_a_quote", liquidity),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), Value::String(text)))
    .collect()
}
