//! Inserts of many rows, as statements of few sizes.

use crate::error::StoreError;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, Iterable, QueryTrait, Statement, Value,
    Values, sea_query::OnConflict,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Rows of one statement. Few sizes, so that its text is made once and the database keeps it prepared: making and reading
/// a text for each number of rows costs as much as writing them. Each is four of the next, so that what is left of a hundred
/// rows takes few statements, too; the widest row has less than forty columns, far from what a statement may bind.
const CHUNKS: [usize; 4] = [64, 16, 4, 1];

/// Texts of statements that were made, by table, rows and what becomes of conflicts.
static TEXTS: Mutex<BTreeMap<String, Arc<str>>> = Mutex::new(BTreeMap::new());

/// The statements that write rows, some dozens each. Each is made when it is asked for.
pub(super) fn statements<E>(
    backend: DbBackend,
    rows: Vec<E::ActiveModel>,
    conflict: Option<OnConflict>,
) -> impl Iterator<Item = Statement>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let kind = format!("{backend:?} {} {conflict:?}", E::default().table_name());
    let mut rows = rows.into_iter();
    core::iter::from_fn(move || {
        let size = CHUNKS.into_iter().find(|size| *size <= rows.len())?;
        let mut chunk: Vec<E::ActiveModel> = rows.by_ref().take(size).collect();
        let sql = text_of::<E>(&format!("{size} {kind}"), &chunk, conflict.as_ref(), backend);
        let values = Values(chunk.iter_mut().flat_map(values_of::<E>).collect());
        Some(Statement { sql: sql.to_string(), values: Some(values), db_backend: backend })
    })
}

/// Runs them; answers how many rows were written. Those that are not made yet are made while the database works on the
/// one before.
pub(super) async fn run(
    tx: &impl ConnectionTrait,
    mut statements: impl Iterator<Item = Statement>,
) -> Result<u64, StoreError> {
    let (mut written, mut made) = (0, statements.next());
    while let Some(statement) = made {
        let (done, following) = tokio::join!(tx.execute_raw(statement), async { statements.next() });
        written += done?.rows_affected();
        made = following;
    }
    Ok(written)
}

/// Writes rows; answers how many were written.
pub(super) async fn insert_in_chunks<E>(
    tx: &impl ConnectionTrait,
    rows: Vec<E::ActiveModel>,
    conflict: Option<OnConflict>,
) -> Result<u64, StoreError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    run(tx, statements::<E>(tx.get_database_backend(), rows, conflict)).await
}

/// The values of a row in the order of its columns. Rows come from whole models, so all of them are there.
fn values_of<E: EntityTrait>(row: &mut E::ActiveModel) -> impl Iterator<Item = Value>
where
    E::ActiveModel: ActiveModelTrait<Entity = E>,
{
    E::Column::iter().filter_map(|column| row.take(column).into_value())
}

fn text_of<E>(kind: &str, rows: &[E::ActiveModel], conflict: Option<&OnConflict>, backend: DbBackend) -> Arc<str>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = texts.get(kind) {
        return Arc::clone(text);
    }
    let mut insert = E::insert_many(rows.iter().cloned());
    if let Some(conflict) = conflict {
        insert = insert.on_conflict(conflict.clone());
    }
    let text: Arc<str> = insert.build(backend).sql.into();
    texts.insert(kind.to_owned(), Arc::clone(&text));
    text
}
