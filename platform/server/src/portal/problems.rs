//! The pages that explain refusals: the `type` of every problem leads to one. They are made from the one table of codes.

use super::{
    Scene,
    view::{Link, ProblemPage, ProblemRow, Problems},
};
use crate::problem::{Problem, ProblemCode};
use poem::{Response, handler, web::Path};

#[handler]
pub(super) fn all(scene: Scene) -> poem::Result<Response> {
    let rows = ProblemCode::ALL.iter().map(|code| row(*code)).collect();
    scene.page("What refusals mean", &Problems { rows })
}

#[handler]
pub(super) fn one(scene: Scene, Path(code): Path<String>) -> poem::Result<Response> {
    let code = ProblemCode::named(&code).ok_or_else(Problem::not_found)?;
    let page = ProblemPage { row: row(code), all: Link::new("All refusals", "/problems") };
    scene.page(code.title(), &page)
}

fn row(code: ProblemCode) -> ProblemRow {
    let status = code.status();
    ProblemRow {
        href: code.type_uri(),
        code: code.code().to_owned(),
        title: code.title().to_owned(),
        meaning: code.meaning().to_owned(),
        status: status.as_u16(),
        retry: status.is_server_error() || status.as_u16() == 429 || status.as_u16() == 408,
    }
}
