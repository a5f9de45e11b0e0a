//! The kill switch over a thousand accounts: how long from the request until everything that it asks for is committed, withdrawn
//! at the venue and closed there.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use marque_domain::{
    decision::Intent,
    fixed::{Lots, Price},
    id::{AccountId, InstrumentId},
    kill::{Authority, Kill, KillMode, KillScope},
    order::Side,
    ticket::{Levels, OrderKind, Ticket, TimeInForce},
    time::Millis,
};
use marque_engine::Command;
use tokio::runtime::Runtime;

use super::journal::{House, asker, bare_rows_per_second};
use crate::{
    row::{Bound, Figure, Limit, Row, Unit},
    sample::{Samples, median},
};

/// Accounts, each with a position and an order that works.
const ACCOUNTS: i64 = 1_000;
/// Commands at once while accounts are filled: a desk's queue takes about a thousand.
const AT_ONCE: usize = 500;
/// More of them tell nothing new.
const SAMPLES_MAX: usize = 5;
const EURUSD: InstrumentId = InstrumentId(0);
/// From the request to the end, for all accounts together.
const KILL_NS: f64 = 50e6;
/// Rows that withdrawing one order leaves (the order, its parts of the journal, the act), and closing one position (those of
/// an order that is filled); and what a row may cost of a bare insert.
const ROWS_WITHDRAWN: f64 = 3.0;
const ROWS_CLOSED: f64 = 12.0;
const ROW_FACTOR: f64 = 4.0;

/// Measures the group.
///
/// # Errors
/// When the desk cannot be used or does not do what it should.
pub fn measure(samples: Samples) -> Result<Vec<Row>> {
    let runtime = Runtime::new()?;
    let house = House::new(&runtime, None)?;
    let bare = runtime.block_on(bare_rows_per_second(house.config.database().expose()))?;
    let (mut stops, mut closes) = (Vec::new(), Vec::new());
    runtime.block_on(async {
        house.open_accounts(ACCOUNTS).await?;
        for _ in 0..samples.count().min(SAMPLES_MAX) {
            fill(&house).await?;
            stops.push(press(&house, KillMode::Stop).await?);
            ensure!(standing(&house).await? == (ACCOUNTS as usize, 0), "stopping withdraws orders and closes nothing");
            release(&house).await?;
            fill(&house).await?;
            closes.push(press(&house, KillMode::Close).await?);
            ensure!(standing(&house).await? == (0, 0), "closing leaves nothing");
            release(&house).await?;
        }
        house.floor.close().await;
        Ok::<_, anyhow::Error>(())
    })?;
    let row = |what: &str, taken: Vec<f64>, rows: f64| {
        let nanos = |value| Figure { value, unit: Unit::Nanos };
        let at = |value, source: String| Limit { figure: nanos(value), bound: Bound::AtMost, source };
        let rows = rows * ACCOUNTS as f64;
        let source = format!("{rows} rows, each {ROW_FACTOR} × a bare insert ({bare:.0} rows/s)");
        Row {
            name: format!("{what}: {ACCOUNTS} accounts, asked → committed → done at the venue"),
            median: nanos(median(taken)),
            limit: at(rows / bare * ROW_FACTOR * 1e9, source),
            promise: Some(at(KILL_NS, "promise".to_owned())),
        }
    };
    Ok(vec![
        row("stop, orders withdrawn", stops, ROWS_WITHDRAWN),
        row("close, orders withdrawn, positions closed", closes, ROWS_WITHDRAWN + ROWS_CLOSED),
    ])
}

/// Gives every account a position and an order that works, where it has none.
async fn fill(house: &House) -> Result<()> {
    let quote = *house.desk.view().quotes.get(&EURUSD).context("a price")?;
    let far = Price::from_units(quote.bid.units() / 2).round_down_to(Price::from_units(1_000));
    let lots = Lots::from_units(1_000_000);
    let open = |side| Intent::Open { instrument: EURUSD, side, lots, stop_loss: None, take_profit: None };
    let wait = Intent::Place(Ticket {
        instrument: EURUSD,
        side: Side::Buy,
        lots,
        kind: OrderKind::Limit { price: far },
        time_in_force: TimeInForce::Gtc,
        levels: Levels::default(),
        oco: None,
    });
    let (positions, orders) = standing(house).await?;
    let mut wanted = Vec::new();
    if positions == 0 {
        wanted.push(open(Side::Buy));
    }
    if orders == 0 {
        wanted.push(wait);
    }
    for intent in wanted {
        let accounts: Vec<i64> = (1..=ACCOUNTS).collect();
        for some in accounts.chunks(AT_ONCE) {
            let commands = some.iter().map(|id| Command::Want { account: AccountId(*id), intent });
            try_join_all(commands.map(|command| house.desk.command(command, asker()))).await?;
        }
    }
    let all = ACCOUNTS as usize;
    ensure!(standing(house).await? == (all, all), "each account has a position and an order that works");
    Ok(())
}

/// Open positions, and orders that work.
async fn standing(house: &House) -> Result<(usize, usize)> {
    let counted = house.desk.look(|shard| {
        let accounts = shard.state().accounts.values();
        accounts.fold((0, 0), |(positions, orders), account| {
            let working = account.orders.iter().filter(|order| order.is_working()).count();
            (positions + account.positions.len(), orders + working)
        })
    });
    Ok(counted.await?)
}

/// Presses the broker's switch over everything; answers the nanoseconds until all of it is done.
async fn press(house: &House, mode: KillMode) -> Result<f64> {
    let kill = Kill {
        scope: KillScope::Tenant,
        mode,
        authority: Authority::Broker,
        by: "bench".to_owned(),
        reason: "measured".to_owned(),
        at: Millis(0),
    };
    let asked = Instant::now();
    house.desk.command(Command::Kill(kill), asker()).await?;
    Ok(asked.elapsed().as_secs_f64() * 1e9)
}

async fn release(house: &House) -> Result<()> {
    let command = Command::Release { scope: KillScope::Tenant, authority: Authority::Broker, by: "bench".to_owned() };
    house.desk.command(command, asker()).await?;
    Ok(())
}
