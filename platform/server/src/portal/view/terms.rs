//! An account's terms and a venue's, in a trader's words.

use super::component::Setting;
use super::figure::Figure;
use marque_domain::{
    account::{MarginLevels, PositionMode},
    fixed::{Lots, Price, move_value, round_div},
    instrument::{Currency, Instrument},
};
use marque_engine::venue::{Slippage, Spread, VenueModel};
use serde::Serialize;

/// What an account is opened with, besides its money and its rules.
#[must_use]
pub fn account_terms(mode: PositionMode, leverage: i64, margin: MarginLevels) -> Vec<Setting> {
    let setting = |label: &str, value: String| Setting { label: label.to_owned(), value };
    let mode = match mode {
        PositionMode::Hedging => "Hedging: each order opens a position of its own",
        PositionMode::Netting => "Netting: one position in each instrument",
    };
    let percent = |bp: i64| bp / 100;
    vec![
        setting("Positions", mode.to_owned()),
        setting("Leverage", format!("1 : {leverage}")),
        setting("Margin call", format!("equity below {} % of the margin", percent(margin.call_bp))),
        setting("Stop-out", format!("equity at {} % of the margin: positions are closed", percent(margin.stop_out_bp))),
    ]
}

/// What trading an instrument costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CostRow {
    /// Which.
    pub symbol: String,
    /// For each lot of each fill.
    pub commission: Figure,
    /// How wide it is quoted.
    pub spread: String,
    /// How much worse orders at the market may trade.
    pub slippage: String,
    /// What a lot earns for a night held long, and held short; none where nothing is charged.
    pub nights: Option<[Figure; 2]>,
}

impl CostRow {
    /// The costs of an instrument as the brand lists it, for an account in a currency.
    #[must_use]
    pub fn of(instrument: &Instrument, model: &VenueModel, currency: Currency) -> Self {
        let pips = |price: Price| pips_text(price, instrument.pip);
        let night = |points: Price| {
            // What a lot can be worth fits.
            let worth = move_value(Price::ZERO, points, Lots::whole(1), instrument.contract_size).unwrap_or_default();
            Figure::change(worth, instrument.quote)
        };
        Self {
            symbol: instrument.symbol.clone(),
            commission: Figure::money(model.commission_per_lot, currency),
            spread: match model.spread {
                Spread::Quoted => "the market's".to_owned(),
                Spread::Markup(more) => format!("the market's and {}", pips(more)),
                Spread::Minimum(width) => format!("the market's, at least {}", pips(width)),
            },
            slippage: match model.slippage {
                Slippage::None => "none".to_owned(),
                Slippage::Fixed(by) => pips(by),
                Slippage::Random(most) => format!("up to {}", pips(most)),
            },
            nights: instrument.swap.as_ref().map(|swap| [night(swap.long), night(swap.short)]),
        }
    }
}

/// A move of the price in pips, with one digit.
fn pips_text(price: Price, pip: Price) -> String {
    let tenths = round_div(i128::from(price.units()) * 10, i128::from(pip.units())).unwrap_or(0);
    let word = if tenths == 10 { "pip" } else { "pips" };
    if tenths % 10 == 0 { format!("{} {word}", tenths / 10) } else { format!("{}.{} {word}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use marque_domain::fixed::Money;
    use marque_market::catalogue::Catalogue;

    #[test]
    fn costs_are_told_as_traders_count_them() {
        let catalogue = Catalogue::embedded().unwrap();
        let price = |text: &str| text.parse::<Price>().unwrap();
        let model = VenueModel {
            commission_per_lot: "3.5".parse().unwrap(),
            spread: Spread::Markup(price("0.00006")),
            slippage: Slippage::Random(price("0.0001")),
            ..VenueModel::default()
        };
        let row = CostRow::of(catalogue.by_symbol("EURUSD").unwrap(), &model, Currency::EUR);
        let nights = row.nights.unwrap().map(|figure| figure.text());
        assert_eq!((row.spread.as_str(), row.slippage.as_str()), ("the market's and 0.6 pips", "up to 1 pip"));
        assert_eq!(
            (row.commission.text(), nights),
            ("3.50 EUR".to_owned(), ["−6.50 USD", "+1.20 USD"].map(str::to_owned))
        );
        let gold = Instrument { swap: None, ..catalogue.by_symbol("XAUUSD").unwrap().clone() };
        let perfect = VenueModel { spread: Spread::Minimum(price("0.26")), ..VenueModel::default() };
        let row = CostRow::of(&gold, &perfect, Currency::USD);
        assert_eq!((row.spread.as_str(), row.slippage.as_str()), ("the market's, at least 26 pips", "none"));
        assert_eq!((row.nights, row.commission), (None, Figure::money(Money::ZERO, Currency::USD)));
    }
}
