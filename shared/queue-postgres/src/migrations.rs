//! The schema and how it comes into a database.

use std::collections::HashMap;

use queue::store::StoreError;
use sqlx::{
    Connection, PgConnection, Row,
    migrate::{MigrateError, Migrator},
};

use crate::{PostgresStore, errors::unavailable};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// One step of the schema, and whether the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    /// Its number.
    pub number: i64,
    /// What it does.
    pub name: String,
    /// When it was applied, in RFC 3339; `None` while it has not been.
    pub applied_at: Option<String>,
    /// Whether what was applied is what this version holds.
    pub intact: bool,
}

/// The SQL of every step, oldest first, by number and name.
pub fn migration_sql() -> Vec<(i64, String, String)> {
    MIGRATIONS
        .iter()
        .map(|step| (step.version, step.description.to_string(), step.sql.as_str().to_owned()))
        .collect()
}

impl PostgresStore {
    /// Applies every step that the database lacks and says which. Needs a direct connection: it takes a session's lock.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        let before = self.migrations().await?;
        let mut connection = PgConnection::connect_with(&self.direct).await.map_err(unavailable)?;
        MIGRATIONS.run(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(unavailable)?;
        let lacked = before.into_iter().filter(|step| step.applied_at.is_none());
        Ok(lacked.map(|step| format!("{:04} {}", step.number, step.name)).collect())
    }

    /// Every step this version knows, oldest first, with its state in the database.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(unavailable)?;
        let there: bool = sqlx::query("select to_regclass('_sqlx_migrations') is not null as there")
            .fetch_one(&mut *connection)
            .await
            .and_then(|row| row.try_get("there"))
            .map_err(unavailable)?;
        let mut applied: HashMap<i64, (String, Vec<u8>)> = HashMap::new();
        if there {
            let rows = sqlx::query(
                "select version, checksum, to_char(installed_on at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as at
                 from _sqlx_migrations where success",
            )
            .fetch_all(&mut *connection)
            .await
            .map_err(unavailable)?;
            for row in rows {
                let read = || Ok((row.try_get("version")?, (row.try_get("at")?, row.try_get("checksum")?)));
                let (version, state) = read().map_err(unavailable)?;
                applied.insert(version, state);
            }
        }
        let state = |step: &sqlx::migrate::Migration| {
            let found = applied.get(&step.version);
            MigrationState {
                number: step.version,
                name: step.description.to_string(),
                applied_at: found.map(|(at, _)| at.clone()),
                intact: found.is_none_or(|(_, checksum)| *checksum == step.checksum.as_ref()),
            }
        };
        Ok(MIGRATIONS.iter().map(state).collect())
    }
}

fn failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => unavailable(source),
        other => StoreError::Unavailable(other.into()),
    }
}
