//! A decision's own page: what was wanted, what each rule answered, what came of it.

use super::{
    Scene,
    account::RowSource,
    view::{DecisionPage, Link, OrderRow},
};
use crate::{
    identity::{Operation, SignedIn},
    problem::Problem,
};
use marque_domain::{decision::Outcome, id::DecisionId};
use marque_store::Whose;
use poem::{Response, handler, web::Path};

#[handler]
pub(super) async fn page(scene: Scene, who: SignedIn, Path(id): Path<String>) -> poem::Result<Response> {
    let whose = who.may(Operation::ReadDecisions)?;
    let id: DecisionId = id.parse().map_err(|_| Problem::not_found())?;
    let db = who.db();
    let decision = db.decision(whose, id).await.map_err(Problem::from)?;
    let account = db.account(whose, decision.account).await.map_err(Problem::from)?;
    let source = RowSource::of(&scene, db, &account).await?;
    let order = match decision.outcome {
        Outcome::Approved { order, .. } => db.order(Whose::Account(account.terms.id), order).await.ok(),
        Outcome::Denied(_) => None,
    };
    let page = DecisionPage {
        account: Link::new(account.terms.name.clone(), format!("/accounts/{}", account.terms.id)),
        decision: source.decision(db, &decision).await?,
        order: order.map(|o| OrderRow::of(&o, &source.desk)),
    };
    scene.page("Decision", &page)
}
