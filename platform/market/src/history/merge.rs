//! Two sets of history to one. Pure: the same sets always give the same result, and a set merged a second
//! time changes nothing.

use crate::columns::{BarColumns, Tick, TickColumns};
use marque_domain::bar::Bar;

/// Rows of `ticks` from `from` on that share the time of the first.
fn moment(ticks: &[Tick]) -> (&[Tick], &[Tick]) {
    let at = ticks.first().map(|tick| tick.at);
    let count = ticks.iter().take_while(|tick| Some(tick.at) == at).count();
    ticks.split_at_checked(count).unwrap_or((ticks, &[]))
}

/// Whether `part` is `whole` with some rows left out.
fn is_within(part: &[Tick], whole: &[Tick]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|tick| rest.any(|other| other == tick))
}

/// Old and new quotes together, in order of time.
///
/// Two recordings may cut one millisecond differently. Where both have quotes of it, the one that contains
/// the other stands; where neither does, the new ones follow the old.
pub(crate) fn merge_ticks(old: &TickColumns, new: &TickColumns) -> TickColumns {
    let (old, new): (Vec<Tick>, Vec<Tick>) = (old.iter().collect(), new.iter().collect());
    let (mut old, mut new) = (old.as_slice(), new.as_slice());
    let mut merged = TickColumns::default();
    loop {
        let (old_now, old_later) = moment(old);
        let (new_now, new_later) = moment(new);
        match (old_now.first(), new_now.first()) {
            (None, None) => return merged,
            (Some(a), Some(b)) if a.at == b.at => {
                if is_within(old_now, new_now) {
                    merged.extend(new_now.iter().copied());
                } else {
                    merged.extend(old_now.iter().copied());
                    if !is_within(new_now, old_now) {
                        merged.extend(new_now.iter().copied());
                    }
                }
                (old, new) = (old_later, new_later);
            }
            (Some(a), b) if b.is_none_or(|b| a.at < b.at) => {
                merged.extend(old_now.iter().copied());
                old = old_later;
            }
            _ => {
                merged.extend(new_now.iter().copied());
                new = new_later;
            }
        }
    }
}

/// Old and new bars together; where both have a minute, the new bar stands.
pub(crate) fn merge_minutes(old: &BarColumns, new: &BarColumns) -> BarColumns {
    merge_bars(old.iter(), new.iter())
}

/// Two runs of bars in order; where both have a start, the bar of `preferred` stands.
pub(super) fn merge_bars(other: impl Iterator<Item = Bar>, preferred: impl Iterator<Item = Bar>) -> BarColumns {
    let (mut other, mut preferred) = (other.peekable(), preferred.peekable());
    let mut merged = BarColumns::default();
    loop {
        match (other.peek(), preferred.peek()) {
            (None, None) => return merged,
            (Some(a), Some(b)) if a.open_at == b.open_at => {
                other.next();
                merged.extend(preferred.next());
            }
            (Some(a), b) if b.is_none_or(|b| a.open_at < b.open_at) => merged.extend(other.next()),
            _ => merged.extend(preferred.next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ticks(rows: &[(i64, i64)]) -> TickColumns {
        rows.iter().map(|(at, bid)| Tick { at: *at, bid: *bid, ask: bid + 1 }).collect()
    }

    #[test]
    fn quotes_of_one_moment_are_neither_lost_nor_doubled() {
        for (old, new, want) in [
            (&[(1, 5)][..], &[][..], &[(1, 5)][..]),
            (&[], &[(1, 5)], &[(1, 5)]),
            (&[(1, 5), (3, 7)], &[(2, 6)], &[(1, 5), (2, 6), (3, 7)]),
            (&[(1, 5), (1, 6)], &[(1, 5)], &[(1, 5), (1, 6)]),
            (&[(1, 6)], &[(1, 5), (1, 6), (1, 5)], &[(1, 5), (1, 6), (1, 5)]),
            (&[(1, 5)], &[(1, 6)], &[(1, 5), (1, 6)]),
        ] {
            assert_eq!(merge_ticks(&ticks(old), &ticks(new)), ticks(want), "{old:?} {new:?}");
        }
    }

    fn any_ticks() -> impl Strategy<Value = TickColumns> {
        prop::collection::vec((0..20_i64, 1..4_i64), 0..40).prop_map(|mut rows| {
            rows.sort_by_key(|row| row.0);
            ticks(&rows)
        })
    }

    proptest! {
        #[test]
        fn merging_again_changes_nothing(old in any_ticks(), new in any_ticks()) {
            let merged = merge_ticks(&old, &new);
            prop_assert!(merged.at.is_sorted());
            prop_assert_eq!(&merge_ticks(&merged, &new), &merged);
            prop_assert_eq!(&merge_ticks(&merged, &old), &merged);
            prop_assert_eq!(&merge_ticks(&merged, &merged), &merged);
        }
    }
}
