//! The grammar of `tenant.toml`: strict, and every mistake is reported at once with its place.

use super::{
    definition::{AccountTemplate, Definition, RuleBinding, Sender, Words},
    mistake::{Mistakes, Notes, Place},
    plans, venue,
};
use crate::{edge::host::HostName, identity::mail_address, theme::Tokens};
use marque_domain::{
    account::{MarginLevels, PositionMode},
    fixed::Money,
    instrument::Currency,
    tenant::{Slug, TenantStatus},
    time::Zone,
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use toml::Spanned;

/// A limit on everything.
const HOSTS_MAX: usize = 50;
const PLUGINS_MAX: usize = 100;
const RULES_MAX: usize = 16;
const LEVERAGE_MAX: i64 = 1_000;
const MARGIN_PERCENT_MAX: i64 = 1_000;

pub(super) type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Text,
    #[serde(default = "active")]
    status: TenantStatus,
    hosts: Spanned<Vec<Text>>,
    theme: Text,
    locale: Text,
    time_zone: Text,
    plugins: Spanned<Vec<Text>>,
    words: FileWords,
    mail: Option<FileMail>,
    tokens: Tokens,
    accounts: FileAccounts,
    venue: Option<venue::FileVenue>,
    plans: Spanned<Vec<plans::FilePlan>>,
}

const fn active() -> TenantStatus {
    TenantStatus::Active
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileWords {
    logo: Option<Text>,
    headline: Text,
    intro: Text,
    legal_name: Text,
    risk_notice: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMail {
    from: Option<Text>,
    name: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAccounts {
    currency: Currency,
    initial_balance: Text,
    leverage: Spanned<i64>,
    #[serde(default)]
    position_mode: FileMode,
    margin: Option<Spanned<FileMargin>>,
    #[serde(default)]
    rules: Vec<Spanned<FileRule>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum FileMode {
    #[default]
    Hedging,
    Netting,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMargin {
    call_percent: i64,
    calm_percent: i64,
    stop_out_percent: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    plugin: Text,
    #[serde(default)]
    settings: toml::Table,
}

/// Reads one tenant's file.
///
/// # Errors
/// Every mistake in it.
pub fn read(slug: &Slug, file: &Path, text: &str, themes: &[&str]) -> Result<Definition, Mistakes> {
    let mut notes = Notes::new(file, text);
    let parsed = match toml::from_str::<File>(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            // An error without a place concerns a missing key of the top table.
            let remedy = "see tenants/aurora/tenant.toml for a file that works";
            notes.at(error.span().unwrap_or(0..0), error.message().replace('\n', " "), remedy);
            return notes.finish(None);
        }
    };
    let definition = understand(slug, parsed, themes, &mut notes);
    notes.finish(definition)
}

fn understand(slug: &Slug, file: File, themes: &[&str], notes: &mut Notes<'_>) -> Option<Definition> {
    let name = line(&file.name, 60, notes);
    let host_places = hosts(&file.hosts, notes);
    if !themes.contains(&file.theme.get_ref().as_str()) {
        let remedy = format!("choose one of: {}", themes.join(", "));
        notes.at(file.theme.span(), format!("there is no theme {:?}", file.theme.get_ref()), remedy);
    }
    if !is_locale(file.locale.get_ref()) {
        let what = format!("{:?} is not a locale", file.locale.get_ref());
        notes.at(file.locale.span(), what, "write a language and a region, such as en-GB or cs-CZ");
    }
    let time_zone = match file.time_zone.get_ref().parse::<Zone>() {
        Ok(zone) => Some(zone),
        Err(error) => {
            notes.at(file.time_zone.span(), error.to_string(), "the names are those of the IANA time zone database");
            None
        }
    };
    let plugins = plugins(&file.plugins, notes);
    let accounts = accounts(file.accounts, &plugins, notes);
    let venue = venue::understand(file.venue, notes);
    let words = words(file.words, &name, notes);
    let mail = file.mail.map(|mail| sender(&mail, notes));
    let plans = plans::understand(file.plans, notes);
    Some(Definition {
        slug: slug.clone(),
        name,
        status: file.status,
        hosts: host_places.keys().cloned().collect(),
        host_places,
        theme: file.theme.into_inner(),
        tokens: file.tokens,
        locale: file.locale.into_inner(),
        time_zone: time_zone?,
        words,
        mail,
        plugins,
        accounts: accounts?,
        venue,
        plans,
    })
}

/// One line of plain text.
pub(super) fn line(text: &Text, chars_max: usize, notes: &mut Notes<'_>) -> String {
    let trimmed = text.get_ref().trim();
    if trimmed.is_empty() {
        notes.at(text.span(), "this text is empty", "write something that people can read");
    } else if trimmed.chars().count() > chars_max {
        notes.at(text.span(), "this text is too long", format!("write at most {chars_max} characters"));
    } else if trimmed.chars().any(char::is_control) {
        notes.at(text.span(), "this text has a line break or control character", "write it on one line");
    }
    trimmed.to_owned()
}

fn words(words: FileWords, name: &str, notes: &mut Notes<'_>) -> Words {
    Words {
        logo: words.logo.map_or_else(|| name.to_owned(), |logo| line(&logo, 30, notes)),
        headline: line(&words.headline, 80, notes),
        intro: line(&words.intro, 400, notes),
        legal_name: line(&words.legal_name, 120, notes),
        risk_notice: line(&words.risk_notice, 1_000, notes),
    }
}

fn sender(mail: &FileMail, notes: &mut Notes<'_>) -> Sender {
    let from = mail.from.as_ref().and_then(|text| {
        let address = mail_address(text.get_ref());
        if address.is_none() {
            let what = format!("{:?} is not an address that mail can come from", text.get_ref());
            notes.at(text.span(), what, "write the address alone, such as no-reply@aurora.example");
        }
        address
    });
    Sender { from, name: mail.name.as_ref().map(|name| line(name, 60, notes)) }
}

/// Each host with its place.
fn hosts(hosts: &Spanned<Vec<Text>>, notes: &mut Notes<'_>) -> BTreeMap<String, Place> {
    let mut found = BTreeMap::new();
    if hosts.get_ref().is_empty() {
        notes.at(hosts.span(), "no host is listed", "list at least one, such as aurora.example");
    }
    if hosts.get_ref().len() > HOSTS_MAX {
        notes.at(hosts.span(), "too many hosts are listed", format!("list at most {HOSTS_MAX}"));
        return found;
    }
    for text in hosts.get_ref() {
        match HostName::from_setting(text.get_ref()) {
            Ok(host) if host.is_address() => {
                notes.at(text.span(), format!("{host} is an address"), "give it a name in DNS and list the name");
            }
            Ok(host) if found.insert(host.to_string(), notes.place(text.span())).is_some() => {
                notes.at(text.span(), format!("the host {host} is listed twice"), "remove one of the two");
            }
            Ok(_) => {}
            Err(fault) => {
                let what = format!("{:?} is not a host: {fault}", text.get_ref());
                notes.at(text.span(), what, "write the name alone, without scheme, port and path");
            }
        }
    }
    found
}

fn plugins(plugins: &Spanned<Vec<Text>>, notes: &mut Notes<'_>) -> Vec<String> {
    let mut found = BTreeSet::new();
    if plugins.get_ref().len() > PLUGINS_MAX {
        notes.at(plugins.span(), "too many plugins are listed", format!("list at most {PLUGINS_MAX}"));
        return Vec::new();
    }
    for name in plugins.get_ref() {
        if !is_code(name.get_ref()) {
            let what = format!("{:?} is not a plugin's name", name.get_ref());
            notes.at(name.span(), what, "write it as the catalogue does, such as ema-cross");
        } else if !found.insert(name.get_ref().clone()) {
            notes.at(name.span(), format!("{} is listed twice", name.get_ref()), "remove one of the two");
        }
    }
    found.into_iter().collect()
}

fn accounts(file: FileAccounts, plugins: &[String], notes: &mut Notes<'_>) -> Option<AccountTemplate> {
    let balance = file.initial_balance.get_ref().parse::<Money>().ok().filter(|money| *money > Money::default());
    if balance.is_none() {
        let what = format!("{:?} is not an amount to fund an account with", file.initial_balance.get_ref());
        notes.at(file.initial_balance.span(), what, "write it in quotes and above zero, such as \"100000.00\"");
    }
    let leverage = *file.leverage.get_ref();
    if !(1..=LEVERAGE_MAX).contains(&leverage) {
        notes.at(file.leverage.span(), format!("a leverage of {leverage}"), format!("write 1 to {LEVERAGE_MAX}"));
    }
    if let Some(surplus) = file.rules.get(RULES_MAX) {
        notes.at(surplus.span(), "too many rules", format!("bind at most {RULES_MAX} to an account"));
    }
    let rules = file.rules.into_iter().take(RULES_MAX).map(|rule| rule_binding(rule, plugins, notes)).collect();
    Some(AccountTemplate {
        currency: file.currency,
        initial_balance: balance?,
        leverage,
        position_mode: match file.position_mode {
            FileMode::Hedging => PositionMode::Hedging,
            FileMode::Netting => PositionMode::Netting,
        },
        margin: file.margin.map_or_else(MarginLevels::default, |margin| margin_levels(&margin, notes)),
        rules,
    })
}

fn margin_levels(margin: &Spanned<FileMargin>, notes: &mut Notes<'_>) -> MarginLevels {
    let FileMargin { call_percent, calm_percent, stop_out_percent } = *margin.get_ref();
    let in_order = stop_out_percent < call_percent && call_percent <= calm_percent;
    if !in_order || stop_out_percent < 1 || calm_percent > MARGIN_PERCENT_MAX {
        let what =
            format!("a margin call at {call_percent} %, calm at {calm_percent} %, a stop-out at {stop_out_percent} %");
        let remedy = format!(
            "write whole percents from 1 to {MARGIN_PERCENT_MAX}: the stop-out below the call, and calm at the call or above it"
        );
        notes.at(margin.span(), what, remedy);
    }
    let bp = |percent: i64| percent.saturating_mul(100);
    MarginLevels { call_bp: bp(call_percent), calm_bp: bp(calm_percent), stop_out_bp: bp(stop_out_percent) }
}

fn rule_binding(rule: Spanned<FileRule>, plugins: &[String], notes: &mut Notes<'_>) -> RuleBinding {
    let span = rule.span();
    let rule = rule.into_inner();
    if !plugins.contains(rule.plugin.get_ref()) {
        let what = format!("the rule {:?} is not among the tenant's plugins", rule.plugin.get_ref());
        notes.at(rule.plugin.span(), what, "add it to `plugins`, or remove the rule");
    }
    let settings = rule.settings.into_iter().filter_map(|(key, value)| match json(value) {
        Some(value) => Some((key, value)),
        None => {
            let what = format!("the setting {key:?} holds a date or a number that is not finite");
            notes.at(span.clone(), what, "write dates as text and numbers as finite numbers");
            None
        }
    });
    let settings = settings.collect::<serde_json::Map<_, _>>();
    RuleBinding { plugin: rule.plugin.into_inner(), settings, place: Some(notes.place(span)) }
}

/// TOML's dates and infinities have no counterpart in JSON.
fn json(value: toml::Value) -> Option<serde_json::Value> {
    Some(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)?.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(_) => return None,
        toml::Value::Array(items) => items.into_iter().map(json).collect::<Option<Vec<_>>>()?.into(),
        toml::Value::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| Some((key, json(value)?)));
            entries.collect::<Option<serde_json::Map<_, _>>>()?.into()
        }
    })
}

/// Lower-case letters, digits and inner hyphens, as plugin names, plan codes and feature codes are.
pub(super) fn is_code(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(allowed)
}

/// Language, script and region of BCP 47: `en`, `en-GB`, `zh-Hant-TW`, `es-419`.
fn is_locale(text: &str) -> bool {
    let mut parts = text.split('-').peekable();
    let language =
        parts.next().is_some_and(|p| (2..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_lowercase()));
    parts.next_if(|p| {
        p.len() == 4
            && p.starts_with(|c: char| c.is_ascii_uppercase())
            && p.bytes().skip(1).all(|b| b.is_ascii_lowercase())
    });
    parts.next_if(|p| {
        (p.len() == 2 && p.bytes().all(|b| b.is_ascii_uppercase()))
            || (p.len() == 3 && p.bytes().all(|b| b.is_ascii_digit()))
    });
    language && parts.next().is_none()
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
