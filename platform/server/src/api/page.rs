//! Pages of lists: opaque cursors, and the answer with its `Link`.

use super::{
    PREFIX,
    page_query::{Cursor, Limit},
};
use crate::problem::{Problem, ProblemCode};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use marque_domain::id::TenantId;
use marque_store::{Page, Paged};
use poem::{IntoResponse, Response, http::header};
use poem_openapi::{
    ApiResponse, Object,
    payload::{Json, Payload as _},
    registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::{ToJSON, Type},
};
use sha2::{Digest as _, Sha256};

/// Entries of a page that nobody asked for a size of.
pub(super) const LIMIT: u32 = 50;
const KEY_BYTES: usize = 8;
const MARK_BYTES: usize = 8;

/// The list that a cursor belongs to: of one tenant, under one path and filter.
#[derive(Debug, Clone)]
pub(super) struct List {
    tenant: TenantId,
    /// Path and filters without cursor and limit, as the next page's address begins.
    here: String,
}

impl List {
    /// A list at a path below the API's prefix, which may have a query of filters.
    pub fn new(tenant: TenantId, path: impl Into<String>) -> Self {
        Self { tenant, here: path.into() }
    }

    /// Ties a key to this list. It keeps clients from mixing cursors up; what a cursor can reach is checked anew.
    fn mark(&self, key: i64) -> [u8; MARK_BYTES] {
        let mut hash = Sha256::new();
        hash.update(b"marque cursor 1\0");
        hash.update(self.tenant.0.to_be_bytes());
        hash.update(key.to_be_bytes());
        hash.update(self.here.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let mut mark = [0; MARK_BYTES];
        mark.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        mark
    }

    fn cursor(&self, key: i64) -> String {
        URL_SAFE_NO_PAD.encode([key.to_be_bytes(), self.mark(key)].concat())
    }

    fn key(&self, cursor: &str) -> Option<i64> {
        // Longer texts are not decoded at all.
        let bytes = (cursor.len() == 22).then(|| URL_SAFE_NO_PAD.decode(cursor).ok())??;
        let (key, mark) = bytes.split_first_chunk::<KEY_BYTES>()?;
        let key = i64::from_be_bytes(*key);
        (mark == self.mark(key)).then_some(key)
    }

    /// The page that a request asks for.
    ///
    /// # Errors
    /// [`ProblemCode::BadRequest`] for a cursor that this list did not give out.
    pub fn page<const MAX: u32>(&self, cursor: Option<&Cursor>, limit: Option<Limit<MAX>>) -> Result<Page, Problem> {
        let limit = limit.map_or(LIMIT, |limit| limit.0);
        let foreign = || {
            Problem::new(ProblemCode::BadRequest, "This cursor is of another list. Begin without one.")
                .field("cursor", "must be the `next` of a page of this list, with the same filters")
        };
        let after = cursor.map(|cursor| self.key(&cursor.0).ok_or_else(foreign)).transpose()?;
        Ok(Page { after, limit })
    }

    /// The answer.
    pub fn answer<R, T: Type + ToJSON>(&self, page: Page, found: Paged<R>, show: impl Fn(R) -> T) -> Listed<T> {
        let next = found.next.map(|key| self.cursor(key));
        let link = next.as_ref().map(|cursor| {
            let glue = if self.here.contains('?') { '&' } else { '?' };
            format!("<{PREFIX}{}{glue}limit={}&cursor={cursor}>; rel=\"next\"", self.here, page.limit)
        });
        Listed { link, page: PageOf { items: found.items.into_iter().map(show).collect(), next } }
    }
}

/// A page of a list, newest first.
#[derive(Object)]
#[oai(rename = "Page", read_only_all)]
pub(super) struct PageOf<T: Type + ToJSON> {
    /// The entries.
    items: Vec<T>,
    /// The `cursor` of the next page; absent on the last.
    #[oai(skip_serializing_if_is_none)]
    next: Option<String>,
}

/// A page with its `Link`.
pub(super) struct Listed<T: Type + ToJSON> {
    link: Option<String>,
    page: PageOf<T>,
}

impl<T: Type + ToJSON> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let response = Json(self.page).into_response();
        match self.link {
            Some(link) => response.with_header(header::LINK, link).into_response(),
            None => response,
        }
    }
}

impl<T: Type + ToJSON> ApiResponse for Listed<T> {
    fn meta() -> MetaResponses {
        let link = MetaHeader {
            name: "Link".to_owned(),
            description: Some("The next page, with `rel=\"next\"`; absent on the last.".to_owned()),
            required: false,
            deprecated: false,
            schema: String::schema_ref(),
        };
        let response = MetaResponse {
            description: "A page of the list",
            status: Some(200),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: Json::<PageOf<T>>::CONTENT_TYPE,
                schema: PageOf::<T>::schema_ref(),
            }],
            headers: vec![link],
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(registry: &mut Registry) {
        PageOf::<T>::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(tenant: i64, path: &str) -> List {
        List::new(TenantId(tenant), path)
    }

    #[test]
    fn foreign_cursors_are_refused() {
        let orders = list(1, "/accounts/acc_1/orders");
        let cursor = orders.cursor(77);
        assert_eq!(
            orders.page(Some(&Cursor(cursor.clone())), Some(Limit::<200>(9))).unwrap(),
            Page { after: Some(77), limit: 9 }
        );
        for other in [list(2, "/accounts/acc_1/orders"), list(1, "/accounts/acc_2/orders"), list(1, "/x?state=open")] {
            assert_eq!(
                other.page(Some(&Cursor(cursor.clone())), None::<Limit>).unwrap_err().code,
                ProblemCode::BadRequest
            );
        }
        for bad in [
            "",
            "77",
            "\0",
            &cursor[1..],
            &format!("{cursor}A"),
            &cursor.to_uppercase(),
            &"A".repeat(22),
            &"é".repeat(11),
        ] {
            assert_eq!(
                orders.page(Some(&Cursor(bad.to_owned())), None::<Limit>).unwrap_err().code,
                ProblemCode::BadRequest,
                "{bad}"
            );
        }
    }

    #[test]
    fn the_link_keeps_filters_and_limit() {
        let list = list(1, "/accounts/acc_1/positions?state=open");
        let page = Page { after: None, limit: 2 };
        let answer = list.answer(page, Paged { items: vec![3, 2], next: Some(2) }, |n: i64| n);
        let expect =
            format!("<{PREFIX}/accounts/acc_1/positions?state=open&limit=2&cursor={}>; rel=\"next\"", list.cursor(2));
        assert_eq!(answer.link, Some(expect));
        assert_eq!(list.answer(page, Paged { items: vec![3, 2], next: None }, |n: i64| n).link, None);
    }

    proptest! {
        #[test]
        fn any_key_comes_back(key: i64, tenant: i64, path in "[a-z/_0-9]{0,40}") {
            let list = list(tenant, &path);
            prop_assert_eq!(list.key(&list.cursor(key)), Some(key));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in ".{0,64}") {
            prop_assert_eq!(list(1, "/accounts").key(&text), None);
        }

        #[test]
        fn a_changed_cursor_is_refused(key: i64, at in 0_usize..22, letter in "[A-Za-z0-9_-]") {
            let list = list(1, "/accounts");
            let cursor = list.cursor(key);
            let mut changed = cursor.clone();
            changed.replace_range(at..=at, &letter);
            prop_assume!(changed != cursor);
            prop_assert_eq!(list.key(&changed), None);
        }
    }
}
