//! A brand's venue terms as its desk uses them, and how a change of them reaches a desk that runs.
//!
//! The terms are the venue's, not the accounts': they hold for every account from the moment on at which the desk takes them
//! up. It does so by beginning anew, as after a restart: nothing that was committed changes, and nothing else can
//! be half on old terms.

use super::Floor;
use crate::tenants::{Definition, SlippagePoints, SpreadPoints, VenueTerms};
use marque_domain::{
    fixed::{Price, SCALE, mul_div},
    id::TenantId,
    instrument::Instrument,
    time::Millis,
};
use marque_engine::venue::{SimulatedVenue, Slippage, Spread, VenueModel};
use marque_store::{Store, StoreError, SystemDb};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How often a server looks for tenants that changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why a desk does not know its terms.
#[derive(Debug, thiserror::Error)]
pub(super) enum TermsError {
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored definition cannot be read.
    #[error("the stored definition of tenant {0} is not readable: apply its file again with `marque tenant apply`")]
    Definition(String, #[source] serde_json::Error),
}

/// The terms of a tenant's venue, as they were applied last.
pub(super) async fn stored(system: &SystemDb, tenant: TenantId) -> Result<VenueTerms, TermsError> {
    Ok(definition(system, tenant).await?.venue)
}

/// A tenant's definition, as it was applied last.
pub(super) async fn definition(system: &SystemDb, tenant: TenantId) -> Result<Definition, TermsError> {
    let spec = system.tenant(tenant).await?.spec;
    serde_json::from_str(&spec.definition).map_err(|error| TermsError::Definition(spec.slug.to_string(), error))
}

/// The venue on these terms. `seed` is of what is random where the terms name none.
pub(super) fn venue(terms: &VenueTerms, instruments: &[Instrument], seed: u64) -> SimulatedVenue {
    let own = instruments.iter().map(|instrument| (instrument.id, model(terms, instrument, seed)));
    SimulatedVenue::with_model(VenueModel::default(), instruments).with_own(own)
}

/// The engine's terms of an instrument: its points are worth so much in its price.
#[must_use]
pub fn model(terms: &VenueTerms, instrument: &Instrument, seed: u64) -> VenueModel {
    let trading = terms.of(&instrument.symbol);
    let price = |points: i64| Price::from_units(instrument.tick_size.units().saturating_mul(points));
    VenueModel {
        commission_per_lot: trading.commission_per_lot,
        spread: match trading.spread {
            SpreadPoints::Quoted => Spread::Quoted,
            SpreadPoints::Markup(points) => Spread::Markup(price(points)),
            SpreadPoints::Minimum(points) => Spread::Minimum(price(points)),
        },
        slippage: match trading.slippage {
            SlippagePoints::None => Slippage::None,
            SlippagePoints::Fixed(points) => Slippage::Fixed(price(points)),
            SlippagePoints::Random(points) => Slippage::Random(price(points)),
        },
        latency_ms: terms.latency_ms,
        liquidity: trading.liquidity,
        seed: terms.seed.unwrap_or(seed),
    }
}

/// An instrument as the brand lists it: with its swap, or with none.
#[must_use]
pub fn listed(terms: &VenueTerms, instrument: &Instrument) -> Instrument {
    let mut listed = instrument.clone();
    if terms.swap_free {
        listed.swap = None;
    }
    let own = terms.instruments.get(&instrument.symbol).and_then(|own| own.swap);
    if let (Some(swap), Some(night)) = (&mut listed.swap, own) {
        // Points that the file's limits let through cannot overflow.
        let price = |points: Price| {
            mul_div(instrument.tick_size.units(), points.units(), SCALE).map_or(Price::ZERO, Price::from_units)
        };
        (swap.long, swap.short) = (price(night.long), price(night.short));
    }
    listed
}

/// Tells desks when their tenant changed, until it is aborted.
pub async fn run(store: Store, floor: Arc<Floor>) {
    let system = store.system("take up a brand's new terms");
    let mut known: BTreeMap<TenantId, Millis> = BTreeMap::new();
    loop {
        match system.tenant_versions().await {
            Ok(versions) => {
                for (tenant, version) in versions {
                    // Also at the first look: the file may have been applied after the desk read it. A desk that finds
                    // its terms as they were goes on.
                    if known.get(&tenant) != Some(&version) && floor.renew(tenant) {
                        known.insert(tenant, version);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "whether a brand's terms changed cannot be looked up; tried again"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{listed, model};
    use crate::tenants::{NightPoints, OwnTerms, SlippagePoints, SpreadPoints, TradingTerms, VenueTerms};
    use marque_engine::venue::{Slippage, Spread};
    use marque_market::catalogue::Catalogue;

    #[test]
    fn points_are_the_smallest_step_of_each_instrument() {
        let trading = TradingTerms {
            commission_per_lot: "3.5".parse().unwrap(),
            spread: SpreadPoints::Markup(2),
            slippage: SlippagePoints::Random(5),
            liquidity: Some("4".parse().unwrap()),
        };
        let gold = TradingTerms { spread: SpreadPoints::Minimum(300), liquidity: None, ..trading };
        let swap = Some(NightPoints { long: "-100".parse().unwrap(), short: "2.5".parse().unwrap() });
        let terms = VenueTerms {
            trading,
            latency_ms: 40,
            seed: Some(9),
            instruments: [("XAUUSD".to_owned(), OwnTerms { trading: gold, swap })].into(),
            ..VenueTerms::default()
        };
        let catalogue = Catalogue::embedded().unwrap();
        let (euro, metal) = (catalogue.by_symbol("EURUSD").unwrap(), catalogue.by_symbol("XAUUSD").unwrap());
        let (of_euro, of_gold) = (model(&terms, euro, 1), model(&terms, metal, 1));
        assert_eq!(of_euro.spread, Spread::Markup("0.00002".parse().unwrap()));
        assert_eq!(of_euro.slippage, Slippage::Random("0.00005".parse().unwrap()));
        assert_eq!((of_euro.latency_ms, of_euro.seed, of_euro.liquidity), (40, 9, Some("4".parse().unwrap())));
        assert_eq!(of_gold.spread, Spread::Minimum("0.3".parse().unwrap()));
        assert_eq!((of_gold.commission_per_lot, of_gold.liquidity), ("3.5".parse().unwrap(), None));
        assert_eq!(listed(&terms, euro), *euro, "the market's own swap");
        let night = listed(&terms, metal).swap.unwrap();
        assert_eq!((night.long, night.short), ("-0.1".parse().unwrap(), "0.0025".parse().unwrap()));
        assert_eq!(listed(&VenueTerms { swap_free: true, ..terms }, metal).swap, None);
        assert_eq!(model(&VenueTerms::default(), euro, 7).seed, 7);
    }
}
