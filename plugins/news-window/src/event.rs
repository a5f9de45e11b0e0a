//! A scheduled event as it is written in the settings.

/// A scheduled event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// A currency, a symbol, or `*`.
    target: String,
    /// What people call it.
    pub name: String,
}

impl Event {
    /// Reads `2026-11-06T13:30Z USD Non-farm payrolls`.
    ///
    /// # Errors
    /// A sentence with the line.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let mistake = || format!("Write an event as 2026-11-06T13:30Z USD Non-farm payrolls; this is not one: {line}.");
        let mut words = line.splitn(3, ' ');
        let at = words.next().and_then(instant).ok_or_else(mistake)?;
        let target = words.next().unwrap_or_default();
        let name = words.next().unwrap_or_default().trim();
        let is_target =
            target == "*" || target.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'.');
        if target.is_empty() || !is_target || name.is_empty() {
            return Err(mistake());
        }
        Ok(Self { at, target: target.to_owned(), name: name.to_owned() })
    }

    /// Whether it is on an instrument of this symbol. One that is not known is taken to be moved: rules fail closed.
    pub(crate) fn moves(&self, symbol: Option<&str>) -> bool {
        self.target == "*" || symbol.is_none_or(|symbol| symbol.contains(&self.target))
    }
}

/// Reads `2026-11-06T13:30Z`.
fn instant(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-').map(|part| number(part, if part.len() == 4 { 4 } else { 2 }));
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute) = (number(hour, 2)?, number(minute, 2)?);
    let is_date = date.next().is_none() && (1970..=9_999).contains(&year) && (1..=12).contains(&month);
    let in_month = (1..=days_of(year, month)).contains(&day);
    let is_time = (0..24).contains(&hour) && (0..60).contains(&minute);
    (is_date && in_month && is_time).then(|| ((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60_000)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, with years that begin in March (Hinnant: chrono-compatible
/// low-level date algorithms, 2013, `days_from_civil`).
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_exactly() {
        for (text, seconds) in [
            ("1970-01-01T00:00Z", 0),
            ("2014-05-02T12:30Z", 1_399_033_800),
            ("2000-02-29T23:59Z", 951_868_740),
            ("2026-11-06T13:30Z", 1_793_971_800),
        ] {
            assert_eq!(instant(text), Some(seconds * 1_000), "{text}");
        }
        for text in
            ["2014-02-29T00:00Z", "2014-13-01T00:00Z", "2014-5-02T12:30Z", "2014-05-02T24:00Z", "2014-05-02", ""]
        {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn lines_that_are_no_events_are_shown_with_one_that_is() {
        for line in
            ["NFP", "2014-05-02T12:30Z", "2014-05-02T12:30Z usd NFP", "2014-05-02T12:30Z USD", "02.05.2014 USD NFP"]
        {
            assert!(Event::parse(line).unwrap_err().contains(line), "{line}");
        }
    }
}
