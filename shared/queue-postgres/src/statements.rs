//! How statements reach Postgres: on sessions of our own, or through a pooler in transaction mode.
//!
//! A statement is prepared in one exchange and executed in the next, and such a pooler may give each of them another
//! session. There the name that the statement was given is nobody's, or that of another client's statement, which is then
//! executed with our arguments. So behind one everything stands in a transaction, which has one session, and no statement
//! is given a name; and what bounds a session is set in each transaction, where no other client meets it.

use sqlx::{
    AssertSqlSafe, Error, PgConnection, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use crate::{connect::Connections, pool::Taken};

/// A statement with its arguments.
pub(crate) type Statement<'q> = Query<'q, Postgres, PgArguments>;

impl Connections {
    /// Every row that `statement` gives.
    pub(crate) async fn fetch_all(&self, statement: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        if self.opening().is_none() {
            let mut taken = self.sessions.take().await?;
            let rows = statement.fetch_all(taken.connection()).await?;
            taken.give_back();
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
            let mut taken = self.sessions.take().await?;
            let done = statement.execute(taken.connection()).await?;
            taken.give_back();
            return Ok(done.rows_affected());
        }
        let mut transaction = self.begin().await?;
        let affected = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(affected)
    }

    /// A transaction. If it is dropped before it was made, its connection is closed, and so it is rolled back.
    pub(crate) async fn begin(&self) -> Result<Transaction, Error> {
        let mut taken = self.sessions.take().await?;
        let opening = self.opening().cloned();
        let is_named = opening.is_none();
        let opening = opening.unwrap_or_else(|| "begin".into());
        sqlx::raw_sql(AssertSqlSafe(opening))
            .execute(taken.connection())
            .await?;
        Ok(Transaction { taken, is_named })
    }
}

/// Statements that are done together, on one session.
pub(crate) struct Transaction {
    taken: Taken,
    /// Whether a statement is kept under a name for the next time.
    is_named: bool,
}

impl Transaction {
    /// Every row that `statement` gives.
    pub(crate) async fn fetch_all(&mut self, statement: Statement<'_>) -> Result<Vec<PgRow>, Error> {
        let statement = statement.persistent(self.is_named);
        statement.fetch_all(self.taken.connection()).await
    }

    /// How many rows `statement` wrote.
    pub(crate) async fn execute(&mut self, statement: Statement<'_>) -> Result<u64, Error> {
        let statement = statement.persistent(self.is_named);
        Ok(statement.execute(self.taken.connection()).await?.rows_affected())
    }

    /// Its session, on which no statement may be given a name.
    pub(crate) fn session(&mut self) -> &mut PgConnection {
        self.taken.connection()
    }

    /// Makes what was done last.
    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        sqlx::raw_sql("commit").execute(self.taken.connection()).await?;
        self.taken.give_back();
        Ok(())
    }
}
