//! Transactions that cannot leave their scope. This is the only module that may use raw finders.
//!
//! A [`TenantTx`] adds its tenant to every query and sets it in every row it writes; on PostgreSQL it also names
//! the tenant to row-level security for just this transaction. A [`SystemTx`] reaches only the system tables.
//! Dropped without `commit`, either rolls back. A [`Preparation`] makes rows of a tenant ready before there is a
//! transaction; they can be written only in one of the same tenant.

#![expect(clippy::disallowed_methods, reason = "the one place where the tenant is added to raw finders")]

mod insert;

use crate::{
    entity::{AccountEntity, SystemEntity, TenantEntity, accounts, licensing_revisions, plugin_artifacts},
    error::{StoreError, is_passing},
    keys::KeyWrite,
    page::Whose,
    record::SeatReport,
    together::Queue,
};
use insert::{insert_in_chunks, run, statements};
use marque_domain::{id::TenantId, plugin::PluginDigest};
use sea_orm::{
    AccessMode, ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseConnection, DatabaseExecutor,
    DatabaseTransaction, DbBackend, DbErr, DeleteMany, EntityTrait, IntoActiveModel, IsolationLevel, QueryFilter,
    QuerySelect, QueryTrait, Select, SelectTwo, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    UpdateMany,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};
/// Dead connections that are passed over before a caller hears of it: as many as the pool can hold.
const STALE_CONNECTIONS_MAX: u32 = crate::connect::POSTGRES_POOL;

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Look, each query at its own instant.
    Read,
    /// Look, all queries at one instant.
    Snapshot,
    /// Look and change.
    Write,
}

/// The open database. SQLite has one connection that writes and several that only read; on PostgreSQL both are the
/// same pool.
#[derive(Debug)]
pub(crate) struct Pools {
    /// Takes `BEGIN IMMEDIATE`, so that writers queue in order and none finds the file locked.
    pub(crate) writer: DatabaseConnection,
    /// For the rest.
    pub(crate) reader: DatabaseConnection,
    /// Idempotency keys that are written together.
    pub(crate) keys: Queue<KeyWrite>,
    /// Reports of EAs that are written together.
    pub(crate) reports: Queue<SeatReport>,
}

/// Where the queries of a scope go.
#[derive(Debug)]
enum Handle {
    /// Into a transaction.
    Held(DatabaseTransaction),
    /// To SQLite's readers one by one: where each query may see its own instant, beginning and ending a transaction
    /// around it would cost more than the query.
    Free(DatabaseConnection),
}

impl Handle {
    const fn on(&self) -> DatabaseExecutor<'_> {
        match self {
            Self::Held(tx) => DatabaseExecutor::Transaction(tx),
            Self::Free(pool) => DatabaseExecutor::Connection(pool),
        }
    }

    async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Held(tx) => tx.commit().await.map_err(StoreError::of_commit),
            // Nothing was written: these connections cannot.
            Self::Free(_) => Ok(()),
        }
    }

    /// Ends what only looked. Left to itself a transaction would stay open until its connection is used again.
    async fn end(self) {
        if let Self::Held(tx) = self
            && let Err(fault) = tx.rollback().await
        {
            tracing::debug!(%fault, "a transaction that only looked did not end in order");
        }
    }
}

impl Pools {
    pub(crate) fn new(writer: DatabaseConnection, reader: DatabaseConnection) -> Self {
        Self { writer, reader, keys: Queue::default(), reports: Queue::default() }
    }

    async fn handle(&self, access: Access) -> Result<Handle, StoreError> {
        if access == Access::Read && self.reader.get_database_backend() == DbBackend::Sqlite {
            return Ok(Handle::Free(self.reader.clone()));
        }
        Ok(Handle::Held(self.begin(access).await?))
    }

    async fn begin(&self, access: Access) -> Result<DatabaseTransaction, StoreError> {
        let pool = if access == Access::Write { &self.writer } else { &self.reader };
        let postgres = pool.get_database_backend() == DbBackend::Postgres;
        let mut options = TransactionOptions::default();
        match access {
            Access::Write => options.sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate),
            // SQLite's readers see one instant anyway.
            Access::Snapshot if postgres => {
                options.isolation_level = Some(IsolationLevel::RepeatableRead);
                options.access_mode = Some(AccessMode::ReadOnly);
            }
            Access::Read | Access::Snapshot => {}
        }
        // A pooled connection may have died since its last use. Nothing has been asked of it yet, so another is taken.
        for _ in 0..STALE_CONNECTIONS_MAX {
            match pool.begin_with_options(options).await {
                Err(fault @ (DbErr::Query(_) | DbErr::Exec(_))) if postgres && is_passing(&fault) => {
                    tracing::warn!(%fault, "took another database connection");
                }
                begun => return Ok(begun?),
            }
        }
        Ok(pool.begin_with_options(options).await?)
    }

    /// A transaction for one tenant.
    pub(crate) async fn tenant(&self, tenant: TenantId, access: Access) -> Result<TenantTx, StoreError> {
        let tx = self.handle(access).await?;
        name_tenant(&tx, tenant, access).await?;
        Ok(TenantTx { tenant, tx })
    }

    /// What makes rows of a tenant ready.
    pub(crate) fn preparation(&self, tenant: TenantId) -> Preparation {
        Preparation { tenant, backend: self.writer.get_database_backend(), beside_another: true }
    }

    /// A transaction on the system tables.
    pub(crate) async fn system(&self, access: Access) -> Result<SystemTx, StoreError> {
        Ok(SystemTx { tx: self.handle(access).await? })
    }
}

/// Names the tenant to row-level security, for the rest of the transaction or until it names another.
async fn name_tenant(tx: &Handle, tenant: TenantId, access: Access) -> Result<(), StoreError> {
    if tx.on().get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    // `true` ends it with the transaction: the pooled connection forgets the tenant.
    let sql = if access == Access::Write {
        "SELECT set_config('marque.tenant', $1, true)"
    } else {
        "SELECT set_config('marque.tenant', $1, true), set_config('transaction_read_only', 'on', true)"
    };
    let name = Statement::from_sql_and_values(DbBackend::Postgres, sql, [tenant.0.to_string().into()]);
    tx.on().query_one_raw(name).await?;
    Ok(())
}

/// The rows as this tenant's, whatever they say.
fn rows_of<E>(tenant: TenantId, rows: Vec<E::Model>) -> Result<Vec<E::ActiveModel>, DbErr>
where
    E: TenantEntity,
    E::Model: IntoActiveModel<E::ActiveModel>,
    E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
{
    let mine = rows.into_iter().map(|row| {
        let mut row = row.into_active_model();
        row.try_set(E::TENANT, tenant.0.into()).map(|()| row)
    });
    mine.collect()
}

/// Makes rows of one tenant ready to be written, without the database.
#[derive(Debug)]
pub(crate) struct Preparation {
    tenant: TenantId,
    backend: DbBackend,
    /// Whether all statements are made now, since something else is being written.
    beside_another: bool,
}

impl Preparation {
    /// Of what is written at once: each statement is made while the database works on the one before.
    pub(crate) const fn at_once(self) -> Self {
        Self { beside_another: false, ..self }
    }

    /// The tenant's id as its rows carry it.
    pub(crate) const fn tenant_id(&self) -> i64 {
        self.tenant.0
    }

    /// The statements of [`TenantTx::insert`], for [`TenantTx::insert_prepared`]. The rows' tenant is this one
    /// whatever they say.
    pub(crate) fn insert<E>(
        &self,
        rows: Vec<E::Model>,
        conflict: Option<OnConflict>,
    ) -> Result<PreparedRows, StoreError>
    where
        E: TenantEntity,
        E::Model: IntoActiveModel<E::ActiveModel>,
        E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
    {
        let (tenant, rows) = (self.tenant, rows_of::<E>(self.tenant, rows)?);
        if rows.is_empty() {
            return Ok(PreparedRows { tenant, statements: Box::new(core::iter::empty()) });
        }
        let statements = statements::<E>(self.backend, rows, conflict);
        if self.beside_another {
            let made: Vec<Statement> = statements.collect();
            return Ok(PreparedRows { tenant, statements: Box::new(made.into_iter()) });
        }
        Ok(PreparedRows { tenant, statements: Box::new(statements) })
    }
}

/// Rows that are ready to be written: statements with their tenant in them.
pub(crate) struct PreparedRows {
    tenant: TenantId,
    statements: Box<dyn Iterator<Item = Statement> + Send>,
}

impl core::fmt::Debug for PreparedRows {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PreparedRows").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// A transaction that sees and writes one tenant's rows.
#[derive(Debug)]
pub(crate) struct TenantTx {
    tenant: TenantId,
    tx: Handle,
}

impl TenantTx {
    /// The same transaction, from now on another tenant's. What was done for the first lasts with it or not at all.
    pub(crate) async fn turned_to(self, tenant: TenantId) -> Result<Self, StoreError> {
        if tenant != self.tenant {
            name_tenant(&self.tx, tenant, Access::Write).await?;
        }
        Ok(Self { tenant, tx: self.tx })
    }

    /// The tenant's id as its rows carry it.
    pub(crate) const fn tenant_id(&self) -> i64 {
        self.tenant.0
    }

    /// The tenant's rows of a table.
    pub(crate) fn find<E: TenantEntity>(&self) -> Select<E> {
        E::find().filter(E::TENANT.eq(self.tenant.0))
    }

    /// Those of the tenant's rows that belong to accounts of `whose`.
    pub(crate) fn find_of<E: AccountEntity>(&self, whose: Whose) -> Select<E> {
        let rows = self.find::<E>();
        let (user, account) = match whose {
            Whose::Everyone => return rows,
            Whose::Account(account) => return rows.filter(E::ACCOUNT.eq(account.0)),
            Whose::User(user) => (user, None),
            Whose::UsersAccount(user, account) => (user, Some(account)),
        };
        let mut mine = self.find::<accounts::Entity>().filter(accounts::Column::UserId.eq(user.0));
        if let Some(account) = account {
            mine = mine.filter(accounts::Column::Id.eq(account.0));
        }
        rows.filter(E::ACCOUNT.in_subquery(mine.select_only().column(accounts::Column::Id).into_query()))
    }

    /// An update of the tenant's rows of a table.
    pub(crate) fn update<E: TenantEntity>(&self) -> UpdateMany<E> {
        E::update_many().filter(E::TENANT.eq(self.tenant.0))
    }

    /// A deletion of the tenant's rows of a table.
    pub(crate) fn delete<E: TenantEntity>(&self) -> DeleteMany<E> {
        E::delete_many().filter(E::TENANT.eq(self.tenant.0))
    }

    /// Writes rows, some dozens a statement; answers how many were written. Their
    /// tenant is this one whatever they say.
    pub(crate) async fn insert<E>(&self, rows: Vec<E::Model>, conflict: Option<OnConflict>) -> Result<u64, StoreError>
    where
        E: TenantEntity,
        E::Model: IntoActiveModel<E::ActiveModel>,
        E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
    {
        insert_in_chunks::<E>(&self.tx.on(), rows_of::<E>(self.tenant, rows)?, conflict).await
    }

    /// Writes rows that were made ready; answers how many were written.
    pub(crate) async fn insert_prepared(&self, rows: PreparedRows) -> Result<u64, StoreError> {
        if rows.tenant != self.tenant {
            return Err(StoreError::BrokenReference("rows that were made ready for another tenant".to_owned()));
        }
        run(&self.tx.on(), rows.statements).await
    }

    /// The first row.
    pub(crate) async fn one<E: EntityTrait>(&self, rows: Select<E>) -> Result<Option<E::Model>, StoreError> {
        Ok(rows.one(&self.tx.on()).await?)
    }

    /// The first row, with the row of another table that it is joined to by the tenant too.
    pub(crate) async fn one_with<E: EntityTrait, F: EntityTrait>(
        &self,
        rows: SelectTwo<E, F>,
    ) -> Result<Option<(E::Model, Option<F::Model>)>, StoreError> {
        Ok(rows.one(&self.tx.on()).await?)
    }

    /// Every row.
    pub(crate) async fn all<E: EntityTrait>(&self, rows: Select<E>) -> Result<Vec<E::Model>, StoreError> {
        Ok(rows.all(&self.tx.on()).await?)
    }

    /// Every row of chosen columns.
    pub(crate) async fn tuples<E, T>(&self, rows: Select<E>) -> Result<Vec<T>, StoreError>
    where
        E: EntityTrait,
        T: sea_orm::TryGetableMany + Send,
    {
        Ok(rows.into_tuple::<T>().all(&self.tx.on()).await?)
    }

    /// Runs an update; answers how many rows it changed.
    pub(crate) async fn run_update<E: EntityTrait>(&self, update: UpdateMany<E>) -> Result<u64, StoreError> {
        Ok(update.exec(&self.tx.on()).await?.rows_affected)
    }

    /// Runs a deletion; answers how many rows it removed.
    pub(crate) async fn run_delete<E: EntityTrait>(&self, delete: DeleteMany<E>) -> Result<u64, StoreError> {
        Ok(delete.exec(&self.tx.on()).await?.rows_affected)
    }

    /// Moves the tenant's licensing on, and answers its new revision. The row stays locked until the transaction ends, so
    /// that changes are committed in the order of their revisions. With `epoch`, everything of the tenant is meant.
    pub(crate) async fn advance_licensing(&self, epoch: bool) -> Result<i64, StoreError> {
        use licensing_revisions::{Column as C, Entity, Model};
        let first = Model { of_tenant: self.tenant.0, revision: 1, epoch: i64::from(epoch) }.into_active_model();
        let next = |column: C, by: i64| Expr::col((Entity, column)).add(by);
        let onward = OnConflict::column(C::OfTenant)
            .value(C::Revision, next(C::Revision, 1))
            .value(C::Epoch, next(C::Epoch, i64::from(epoch)))
            .to_owned();
        Entity::insert_many([first]).on_conflict(onward).exec_without_returning(&self.tx.on()).await?;
        Ok(self.licensing().await?.0)
    }

    /// Keeps a component with what refers to it, unless it is kept already: components are no tenant's.
    pub(crate) async fn keep_artifact(&self, digest: PluginDigest, bytes: &[u8]) -> Result<(), StoreError> {
        use plugin_artifacts::{Column as C, Entity, Model};
        let row = Model { digest: digest.0.to_vec(), bytes: bytes.to_vec() }.into_active_model();
        let keep = OnConflict::column(C::Digest).do_nothing().to_owned();
        insert_in_chunks::<Entity>(&self.tx.on(), vec![row], Some(keep)).await?;
        Ok(())
    }

    /// The tenant's revision and epoch of licensing.
    pub(crate) async fn licensing(&self) -> Result<(i64, i64), StoreError> {
        use licensing_revisions::{Column as C, Entity};
        let row = Entity::find().filter(C::OfTenant.eq(self.tenant.0)).one(&self.tx.on()).await?;
        Ok(row.map_or((0, 0), |row| (row.revision, row.epoch)))
    }

    /// Makes everything done so far last.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }

    /// Ends a transaction that only looked. Left to itself it would stay open until its connection is used again.
    pub(crate) async fn end(self) {
        self.tx.end().await;
    }
}

/// A transaction on the system tables.
#[derive(Debug)]
pub(crate) struct SystemTx {
    tx: Handle,
}

impl SystemTx {
    /// The rows of a system table.
    pub(crate) fn find<E: SystemEntity>(&self) -> Select<E> {
        E::find()
    }

    /// An update of a system table.
    pub(crate) fn update<E: SystemEntity>(&self) -> UpdateMany<E> {
        E::update_many()
    }

    /// Runs an update; answers how many rows it changed.
    pub(crate) async fn run_update<E: EntityTrait>(&self, update: UpdateMany<E>) -> Result<u64, StoreError> {
        Ok(update.exec(&self.tx.on()).await?.rows_affected)
    }

    /// A deletion from a system table.
    pub(crate) fn delete<E: SystemEntity>(&self) -> DeleteMany<E> {
        E::delete_many()
    }

    /// Writes rows; answers how many were written.
    pub(crate) async fn insert<E>(&self, rows: Vec<E::Model>, conflict: Option<OnConflict>) -> Result<u64, StoreError>
    where
        E: SystemEntity,
        E::Model: IntoActiveModel<E::ActiveModel>,
        E::ActiveModel: ActiveModelTrait<Entity = E> + Send,
    {
        let rows = rows.into_iter().map(IntoActiveModel::into_active_model).collect();
        insert_in_chunks::<E>(&self.tx.on(), rows, conflict).await
    }

    /// The first row.
    pub(crate) async fn one<E: EntityTrait>(&self, rows: Select<E>) -> Result<Option<E::Model>, StoreError> {
        Ok(rows.one(&self.tx.on()).await?)
    }

    /// Every row of chosen columns.
    pub(crate) async fn tuples<E, T>(&self, rows: Select<E>) -> Result<Vec<T>, StoreError>
    where
        E: EntityTrait,
        T: sea_orm::TryGetableMany + Send,
    {
        Ok(rows.into_tuple::<T>().all(&self.tx.on()).await?)
    }

    /// Every row.
    pub(crate) async fn all<E: EntityTrait>(&self, rows: Select<E>) -> Result<Vec<E::Model>, StoreError> {
        Ok(rows.all(&self.tx.on()).await?)
    }

    /// Runs a deletion.
    pub(crate) async fn run_delete<E: EntityTrait>(&self, delete: DeleteMany<E>) -> Result<u64, StoreError> {
        Ok(delete.exec(&self.tx.on()).await?.rows_affected)
    }

    /// Makes everything done so far last.
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }

    /// Ends a transaction that only looked. Left to itself it would stay open until its connection is used again.
    pub(crate) async fn end(self) {
        self.tx.end().await;
    }
}
