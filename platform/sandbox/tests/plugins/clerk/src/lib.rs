//! A strategy of the sandbox's tests: at its nth bar it does what the nth line of its script says, and it logs what it is
//! told.
//!
//! A line holds wishes with a comma between them, each a verb and its fields: `place side=buy lots=1 kind=limit price=1.1`.
//! An order or position is named by its place in the strategy's own list (`#0`) or by any id.

use marque_plugin::{
    About, Amendment, Bar, Context, Levels, Lots, OrderKind, OrderUpdate, Price, Side, Start, Strategy, Ticket,
    TimeInForce, Trail,
};
use serde::{Deserialize, Serialize};

const SCHEMA: &str = r#"{
    "type": "object", "required": ["script"], "additionalProperties": false,
    "properties": {"script": {"type": "string", "maxLength": 20000}}
}"#;

/// What the test sets.
#[derive(Debug, Deserialize)]
pub struct Settings {
    script: String,
}

/// The strategy.
#[derive(Debug, Serialize, Deserialize)]
pub struct Clerk {
    lines: Vec<String>,
    bar: u32,
}

/// The fields of a wish.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    }

    fn units(&self, name: &str) -> Option<i64> {
        let text = self.get(name)?;
        // An exact number of units, for what no decimal says.
        text.strip_suffix('u').and_then(|units| units.parse().ok()).or_else(|| text.parse().map(Price::units).ok())
    }

    fn price(&self, name: &str) -> Option<Price> {
        self.units(name).map(Price::from_units)
    }

    fn lots(&self) -> Lots {
        self.units("lots").map_or(Lots::ZERO, Lots::from_units)
    }

    fn side(&self) -> Side {
        if self.get("side") == Some("sell") { Side::Sell } else { Side::Buy }
    }

    fn trail(&self) -> Option<Trail> {
        self.price("trail").map(Trail::by)
    }

    fn levels(&self) -> Levels {
        Levels { stop_loss: self.price("sl"), take_profit: self.price("tp"), trail: self.trail() }
    }

    fn time(&self) -> TimeInForce {
        match self.get("tif") {
            Some("ioc") => TimeInForce::Ioc,
            Some("fok") => TimeInForce::Fok,
            Some("day") => TimeInForce::Day,
            Some(other) => other.parse().map(TimeInForce::Gtd).unwrap_or_default(),
            None => TimeInForce::Gtc,
        }
    }

    fn kind(&self) -> OrderKind {
        let price = self.price("price").unwrap_or_default();
        let stop = self.price("stop").unwrap_or_default();
        match self.get("kind") {
            Some("limit") => OrderKind::Limit { price },
            Some("stop") => OrderKind::Stop { price },
            Some("stop-limit") => OrderKind::StopLimit { stop, limit: price },
            Some("trailing") => {
                OrderKind::TrailingStop { stop, trail: Trail::by(self.price("by").unwrap_or_default()) }
            }
            _ => OrderKind::Market,
        }
    }

    fn id(&self, name: &str, own: impl Fn(usize) -> Option<i64>) -> i64 {
        let text = self.get(name).unwrap_or_default();
        let place = text.strip_prefix('#').and_then(|place| place.parse().ok());
        place.map_or_else(|| text.parse().ok(), own).unwrap_or_default()
    }
}

fn carry_out(ctx: &mut Context, wish: &str) {
    let (verb, rest) = wish.split_once(' ').unwrap_or((wish, ""));
    let fields = Fields(rest);
    let order = |ctx: &Context, name: &str| fields.id(name, |at| ctx.orders().get(at).map(|o| o.id));
    let position = |ctx: &Context, name: &str| fields.id(name, |at| ctx.positions().get(at).map(|p| p.id));
    match verb {
        "open" => {
            let bracket = marque_plugin::Bracket { stop: fields.price("sl"), target: fields.price("tp") };
            ctx.open(fields.side(), fields.lots(), bracket);
        }
        "place" => {
            let oco = fields.get("oco").map(|_| order(ctx, "oco"));
            let ticket = Ticket::new(fields.side(), fields.lots(), fields.kind()).good(fields.time());
            ctx.place(Ticket { oco, ..ticket.guarded(fields.levels()) });
        }
        "amend" => {
            let to = Amendment { kind: fields.kind(), time_in_force: fields.time(), levels: fields.levels() };
            ctx.amend(order(ctx, "order"), to);
        }
        "move" => ctx.move_order(order(ctx, "order"), fields.price("price").unwrap_or_default()),
        "cancel" => ctx.cancel(order(ctx, "order")),
        "cancel-all" => ctx.cancel_all(),
        "close" => ctx.close(position(ctx, "position")),
        "reduce" => ctx.reduce(position(ctx, "position"), fields.lots()),
        "close-by" => ctx.close_by(position(ctx, "position"), position(ctx, "by")),
        "protect" => ctx.protect(position(ctx, "position"), fields.levels()),
        other => ctx.log(&format!("no such wish: {other}")),
    }
}

fn told(update: &OrderUpdate) -> String {
    match *update {
        OrderUpdate::Opened { side, lots, price, .. } => format!("opened {side:?} {lots} at {price}"),
        OrderUpdate::Closed { price, profit, origin, .. } => format!("closed at {price} for {profit} by {origin:?}"),
        OrderUpdate::Changed { lots, price, .. } => format!("changed to {lots} at {price}"),
        OrderUpdate::Working(order) => {
            format!(
                "working {:?} {} {:?} {:?} {:?}",
                order.side, order.lots, order.kind, order.time_in_force, order.levels
            )
        }
        OrderUpdate::Traded { lots, price, left, .. } => format!("traded {lots} at {price}, {left} left"),
        OrderUpdate::Ended { .. } => "ended".to_owned(),
        OrderUpdate::Refused => "refused".to_owned(),
        _ => "something new".to_owned(),
    }
}

impl Strategy for Clerk {
    type Settings = Settings;

    fn about() -> About {
        About::strategy("clerk", env!("CARGO_PKG_VERSION"), "Does what its settings say.", SCHEMA)
    }

    fn new(settings: Settings, _start: &Start) -> Result<Self, String> {
        Ok(Self { lines: settings.script.lines().map(|line| line.trim().to_owned()).collect(), bar: 0 })
    }

    fn on_bar(&mut self, ctx: &mut Context, _bar: &Bar) {
        let line = self.lines.get(self.bar as usize).cloned().unwrap_or_default();
        self.bar = self.bar.saturating_add(1);
        for wish in line.split(',').map(str::trim).filter(|wish| !wish.is_empty()) {
            carry_out(ctx, wish);
        }
    }

    fn on_order_update(&mut self, ctx: &mut Context, update: &OrderUpdate) {
        let (orders, positions) = (ctx.orders().len(), ctx.positions().len());
        ctx.log(&format!("{}; {orders} working, {positions} open", told(update)));
    }
}

marque_plugin::export_strategy!(Clerk);
