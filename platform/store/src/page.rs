//! Keyset pages: newest first, each begins after the last id of the one before.

use marque_domain::id::{AccountId, UserId};

/// The largest page.
pub const PAGE_MAX: u32 = 200;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The [`Paged::next`] of the page before; none for the newest.
    pub after: Option<i64>,
    /// How many at most. Held between 1 and [`PAGE_MAX`].
    pub limit: u32,
}

impl Page {
    /// The newest `limit` entries.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }

    /// The limit, held in bounds.
    pub(crate) fn bounded(self, max: u32) -> usize {
        usize::try_from(self.limit.clamp(1, max)).unwrap_or(1)
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(50)
    }
}

/// One page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to ask after for older entries; none when there is nothing older.
    pub next: Option<i64>,
}

impl<T> Paged<T> {
    /// From one row more than the page holds: the surplus only tells that there is a next page.
    pub(crate) fn cut<R, E>(
        mut rows: Vec<R>,
        limit: usize,
        key: impl Fn(&R) -> i64,
        decode: impl Fn(R) -> Result<T, E>,
    ) -> Result<Self, E> {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(key) } else { None };
        Ok(Self { items: rows.into_iter().map(decode).collect::<Result<_, _>>()?, next })
    }
}

/// Whose accounts a question is about. A row outside them is not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// All of the tenant's: for its owner and for jobs.
    Everyone,
    /// One person's.
    User(UserId),
    /// One account.
    Account(AccountId),
    /// One account, if it is this person's.
    UsersAccount(UserId, AccountId),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surplus_row_tells_of_a_next_page() {
        let cut = |rows: &[i64]| Paged::cut(rows.to_vec(), 2, |r| *r, Ok::<_, ()>).unwrap();
        assert_eq!(cut(&[9, 8, 7]), Paged { items: vec![9, 8], next: Some(8) });
        assert_eq!(cut(&[9, 8]), Paged { items: vec![9, 8], next: None });
        assert_eq!(cut(&[]), Paged { items: vec![], next: None });
    }

    #[test]
    fn limits_are_held_in_bounds() {
        assert_eq!(Page::first(0).bounded(PAGE_MAX), 1);
        assert_eq!(Page::first(u32::MAX).bounded(PAGE_MAX), 200);
    }
}
