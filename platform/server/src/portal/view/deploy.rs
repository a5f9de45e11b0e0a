//! The form that puts a strategy on an account.

use super::{
    Page,
    component::{Field, FieldKind, Link},
};
use marque_domain::{bar::Timeframe, instrument::Instrument};
use serde::Serialize;

/// A strategy that could run on the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StrategyCard {
    /// Its name in the catalogue.
    pub name: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// The form that sets it up.
    pub href: String,
    /// Whether this is the one being set up.
    pub selected: bool,
}

impl StrategyCard {
    /// A strategy for an account.
    #[must_use]
    pub fn new(account: &str, name: &str, summary: &str, selected: bool) -> Self {
        Self {
            name: name.to_owned(),
            summary: summary.to_owned(),
            href: format!("/accounts/{account}/deploy?strategy={name}"),
            selected,
        }
    }
}

/// The form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deploy {
    /// The account.
    pub account: Link,
    /// Where the form goes.
    pub action: String,
    /// The strategies to choose from.
    pub strategies: Vec<StrategyCard>,
    /// The one being set up.
    pub strategy: String,
    /// What it would trade.
    pub instrument: Field,
    /// The bars it would see.
    pub timeframe: Field,
    /// Its settings, from its schema.
    pub settings: Vec<Field>,
    /// Why the last try was refused and what to do.
    pub error: Option<String>,
    /// The token of the form.
    pub csrf: String,
}

impl Deploy {
    /// The field that chooses an instrument.
    pub fn instrument_field<'a>(instruments: impl IntoIterator<Item = &'a Instrument>, chosen: &str) -> Field {
        let choices = instruments.into_iter().map(|i| (i.symbol.clone(), format!("{} · {}", i.symbol, i.name)));
        Field::new(FieldKind::Select, "instrument", "Instrument").value(chosen).choices(choices)
    }

    /// The field that chooses a timeframe.
    #[must_use]
    pub fn timeframe_field(chosen: &str) -> Field {
        let choices = Timeframe::ALL.map(|timeframe| (timeframe.name(), timeframe_words(timeframe)));
        Field::new(FieldKind::Select, "timeframe", "Bars of").value(chosen).choices(choices)
    }
}

impl Page for Deploy {
    const TEMPLATE: &'static str = "deploy";
}

const fn timeframe_words(timeframe: Timeframe) -> &'static str {
    match timeframe {
        Timeframe::M1 => "1 minute",
        Timeframe::M5 => "5 minutes",
        Timeframe::M15 => "15 minutes",
        Timeframe::M30 => "30 minutes",
        Timeframe::H1 => "1 hour",
        Timeframe::H4 => "4 hours",
        Timeframe::D1 => "1 day",
    }
}
