//! How statements reach Postgres: on sessions of our own, or through a pooler in transaction mode.
//!
//! A statement is prepared in one exchange and executed in the next, and such a pooler may give each of them another
//! session. There the name that the statement was given is nobody's, or that of another client's statement, which is then
//! executed with our arguments. So behind one everything stands in a transaction, which has one session, and no statement
//! is given a name; and what bounds a session is set in each transaction, where no other client meets it.

use sqlx::{
    AssertSqlSafe, Error, PgConnection, Postgres, SqlSafeStr,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use tokio::sync::OwnedSemaphorePermit;

use crate::connect::Connections;

/// A statement with its arguments.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

impl Connections {
    /// Every row that `statement` gives.
    pub(crate) async fn fetch_all(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        if self.opening().is_none() {
            let mut taken = self.kept.take(self.pool()).await?;
            let rows = statement.fetch_all(&mut *taken.connection).await?;
            self.kept.keep(taken, self.pool());
            return Ok(rows);
        }
        let mut transaction = self.begin().await?;
        let rows = transaction.fetch_all(statement).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    /// The one row that `statement` gives.
    pub(crate) async fn fetch_one(&self, statement: Statement<'_>) -> Result<PgRow, Error> {
        let rows = self.fetch_all(statement).await?;
        rows.into_iter().next().ok_or(Error::RowNotFound)
    }

    /// How many rows `statement` wrote.
    pub(crate) async fn execute(&self, statement: Statement<'_>) -> Result<u64, Error> {
        if self.opening().is_none() {
            let mut taken = self.kept.take(self.pool()).await?;
            let done = statement.execute(&mut *taken.connection).await?;
            self.kept.keep(taken, self.pool());
            return Ok(done.rows_affected());
        }
        let mut transaction = self.begin().await?;
        let affected = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(affected)
    }

    /// A transaction, which is rolled back when it is dropped.
    pub(crate) async fn begin(&self) -> Result<Transaction, Error> {
        let (taken, opening) = (self.kept.take(self.pool()).await?, self.opening().cloned());
        let is_named = opening.is_none();
        // A caller may be cut off while its transaction begins, as one whose client hangs up is. sqlx rolls back only what
        // has begun, so the session would stay in a transaction that is nobody's: what another caller wrote on it would be
        // acknowledged, and gone with the session. Therefore it always begins, and is rolled back if nobody is left.
        let beginning = tokio::spawn(async move {
            let opening = opening.map(|opening| AssertSqlSafe(opening).into_sql_str());
            let begun = sqlx::Transaction::begin(taken.connection, opening).await;
            begun.map(|inner| (inner, taken.turn))
        });
        let (inner, turn) = beginning.await.map_err(|_| Error::WorkerCrashed)??;
        Ok(Transaction {
            inner,
            is_named,
            _turn: turn,
        })
    }
}

/// Statements that are done together, on one session.
pub(crate) struct Transaction {
    inner: sqlx::Transaction<'static, Postgres>,
    /// Whether a statement is kept under a name for the next time.
    is_named: bool,
    _turn: OwnedSemaphorePermit,
}

impl Transaction {
    /// Every row that `statement` gives.
    pub(crate) async fn fetch_all(&mut self, statement: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        let statement = statement.persistent(self.is_named);
        statement.fetch_all(&mut *self.inner).await
    }

    /// How many rows `statement` wrote.
    pub(crate) async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, Error> {
        let statement = statement.persistent(self.is_named);
        Ok(statement.execute(&mut *self.inner).await?.rows_affected())
    }

    /// Its session, on which no statement may be given a name.
    pub(crate) fn session(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Makes what was done last.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await
    }
}
