//! The kill switch over a thousand accounts: how long from the request until it is durable, until all that it closes is at the
//! venue, and until everything that it asks for is committed, withdrawn at the venue and closed there.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::{try_join, try_join_all};
use marque_domain::{
    decision::Intent,
    fixed::{Lots, Price},
    id::{AccountId, InstrumentId},
    kill::{Authority, Kill, KillMode, KillScope},
    order::{OrderState, Side},
    ticket::{Levels, OrderKind, Ticket, TimeInForce},
    time::Millis,
};
use marque_engine::{Command, Record};
use marque_server::trading::Live;
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
/// Rows that withdrawing one order leaves (the order, its parts of the journal, the act), that one close leaves until it is at the
/// venue (the decision, the order, its part of the journal), and closing one position (those of an order that is filled, less
/// its two acts: many share one); and what a row may cost of a bare insert.
const ROWS_WITHDRAWN: f64 = 3.0;
const ROWS_SENT: f64 = 3.0;
const ROWS_CLOSED: f64 = 10.0;
const ROW_FACTOR: f64 = 4.0;

/// How many nanoseconds after the request something was so.
struct Pressed {
    /// The switch is durable. Nothing that opens has left since its step, which is before that.
    in_force: f64,
    /// All that it withdraws or closes is durable, upon which the desk tells the venue.
    told: f64,
    /// All that came of it is durable, and the request is answered.
    done: f64,
}

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
    let (stop, close) = ("stop, orders withdrawn", "close, orders withdrawn, positions closed");
    let (durable, done) = ("asked → in force and durable", "asked → committed → done at the venue");
    let until = |pressed: &[Pressed], moment: fn(&Pressed) -> f64| pressed.iter().map(moment).collect::<Vec<_>>();
    let closed = ROWS_WITHDRAWN + ROWS_CLOSED;
    Ok(vec![
        promised(&format!("{stop}: {ACCOUNTS} accounts, {durable}"), until(&stops, |p| p.in_force)),
        of_rows(&format!("{stop}: {ACCOUNTS} accounts, {done}"), until(&stops, |p| p.done), ROWS_WITHDRAWN, bare),
        promised(&format!("{close}: {ACCOUNTS} accounts, {durable}"), until(&closes, |p| p.in_force)),
        of_rows(
            &format!("{close}: {ACCOUNTS} accounts, asked → committed → all closes at the venue"),
            until(&closes, |p| p.told),
            ROWS_WITHDRAWN + ROWS_SENT,
            bare,
        ),
        of_rows(&format!("{close}: {ACCOUNTS} accounts, {done}"), until(&closes, |p| p.done), closed, bare),
    ])
}

fn nanos(value: f64) -> Figure {
    Figure { value, unit: Unit::Nanos }
}

fn at_most(value: f64, source: String) -> Limit {
    Limit { figure: nanos(value), bound: Bound::AtMost, source }
}

/// What has its promise only: it is one small entry.
fn promised(name: &str, taken: Vec<f64>) -> Row {
    let limit = at_most(KILL_NS, "promise".to_owned());
    Row { name: name.to_owned(), median: nanos(median(taken)), limit, promise: None }
}

/// What leaves so many rows for each account.
fn of_rows(name: &str, taken: Vec<f64>, rows: f64, bare: f64) -> Row {
    let rows = rows * ACCOUNTS as f64;
    let source = format!("{rows} rows, each {ROW_FACTOR} × a bare insert ({bare:.0} rows/s)");
    Row {
        name: name.to_owned(),
        median: nanos(median(taken)),
        limit: at_most(rows / bare * ROW_FACTOR * 1e9, source),
        promise: Some(at_most(KILL_NS, "promise".to_owned())),
    }
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

/// Presses the broker's switch over everything, and watches what is committed until all of it is done.
async fn press(house: &House, mode: KillMode) -> Result<Pressed> {
    let kill = Kill {
        scope: KillScope::Tenant,
        mode,
        authority: Authority::Broker,
        by: "bench".to_owned(),
        reason: "measured".to_owned(),
        at: Millis(0),
    };
    let mut live = house.desk.watch();
    let asked = Instant::now();
    let taken = || asked.elapsed().as_secs_f64() * 1e9;
    let answered = async {
        house.desk.command(Command::Kill(kill), asker()).await?;
        Ok::<_, anyhow::Error>(taken())
    };
    let watched = async {
        let (mut in_force, mut left) = (None, 0);
        loop {
            let Live::Committed(records) = live.recv().await? else { continue };
            let now = taken();
            let pressed = records.iter().any(|record| matches!(record, Record::KillPressed(_)));
            in_force = in_force.or(pressed.then_some(now));
            left += records.iter().filter(|record| is_wanted(record, mode)).count();
            if let Some(in_force) = in_force
                && left >= ACCOUNTS as usize
            {
                return Ok::<_, anyhow::Error>((in_force, now));
            }
        }
    };
    let (done, (in_force, told)) = try_join(answered, watched).await?;
    Ok(Pressed { in_force, told, done })
}

/// Whether this is what a switch asks of each account: the end of its order, or the close of its position.
fn is_wanted(record: &Record, mode: KillMode) -> bool {
    match (mode, record) {
        (KillMode::Stop, Record::OrderMoved(order)) => order.state == OrderState::Cancelled,
        (KillMode::Close, Record::OrderPlaced(_)) => true,
        _ => false,
    }
}

async fn release(house: &House) -> Result<()> {
    let command = Command::Release { scope: KillScope::Tenant, authority: Authority::Broker, by: "bench".to_owned() };
    house.desk.command(command, asker()).await?;
    Ok(())
}
