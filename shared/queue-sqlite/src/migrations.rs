//! The schema and how it comes into a database.

use std::{collections::HashMap, sync::LazyLock};

use queue::store::StoreError;
use sqlx::{
    Error, Row, SqliteConnection,
    migrate::{MigrateError, Migration, Migrator},
    sqlite::SqliteRow,
};

use crate::{SqliteStore, errors::unavailable};

/// Steps that a later version added are left as they are: during an upgrade, and after one that was taken back, this version
/// works on what the later one has made.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("../../migrations/sqlite");
    migrations.set_ignore_missing(true);
    migrations
});

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

impl SqliteStore {
    /// Applies every step that the database lacks, all or none, and says which. Makes the file if there is none.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.database.create().await?;
        // Whoever else migrates waits for this transaction, and then finds nothing left to do.
        let begun = self.database.writer()?.begin_with("begin immediate").await;
        let mut transaction = begun.map_err(unavailable)?;
        let before = states(&mut transaction).await?;
        MIGRATIONS.run(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(unavailable)?;
        let lacked = before.into_iter().filter(|step| step.applied_at.is_none());
        Ok(lacked.map(|step| format!("{:04} {}", step.number, step.name)).collect())
    }

    /// Every step this version knows, oldest first, with its state in the database. Makes nothing.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>, StoreError> {
        if !self.database.exists() {
            return Ok(stated(&HashMap::new()));
        }
        let mut connection = self.database.readers()?.acquire().await.map_err(unavailable)?;
        states(&mut connection).await
    }
}

/// When a step was applied, and the checksum of what was.
type Applied = HashMap<i64, (String, Vec<u8>)>;

async fn states(connection: &mut SqliteConnection) -> Result<Vec<MigrationState>, StoreError> {
    applied(connection)
        .await
        .map(|applied| stated(&applied))
        .map_err(unavailable)
}

async fn applied(connection: &mut SqliteConnection) -> Result<Applied, Error> {
    const KEPT: &str = "select 1 from sqlite_schema where name = '_sqlx_migrations'";
    const APPLIED: &str = "
        select version, checksum, strftime('%Y-%m-%dT%H:%M:%SZ', installed_on) as at from _sqlx_migrations where success";
    if sqlx::query(KEPT).fetch_optional(&mut *connection).await?.is_none() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(APPLIED).fetch_all(connection).await?;
    let read = |row: &SqliteRow| Ok((row.try_get("version")?, (row.try_get("at")?, row.try_get("checksum")?)));
    rows.iter().map(read).collect()
}

fn stated(applied: &Applied) -> Vec<MigrationState> {
    let state = |step: &Migration| {
        let found = applied.get(&step.version);
        MigrationState {
            number: step.version,
            name: step.description.to_string(),
            applied_at: found.map(|(at, _)| at.clone()),
            intact: found.is_none_or(|(_, checksum)| *checksum == step.checksum.as_ref()),
        }
    };
    MIGRATIONS.iter().map(state).collect()
}

fn failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => unavailable(source),
        other => StoreError::Unavailable(other.into()),
    }
}
