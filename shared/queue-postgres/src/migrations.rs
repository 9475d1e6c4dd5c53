//! The schema and how it comes into a database.

use std::{collections::HashMap, sync::LazyLock};

use queue::store::StoreError;
use sqlx::{
    Error, PgConnection, PgPool, Row,
    migrate::{MigrateError, Migrator},
};

use crate::{PostgresStore, errors::unavailable, session};

/// Steps that a later version added are left as they are: during an upgrade, and after one that was taken back, this version
/// works on what the later one has made.
static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("../../migrations/postgres");
    migrations.set_ignore_missing(true);
    migrations
});

/// What is told when there is something to migrate and no session to do it on.
const NEEDS_A_SESSION: &str = "`pooler=transaction` leads to a pooler, and a migration needs a session of its own: run `remuda store \
                               migrate` with the database's own address";

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
    /// Applies every step that the database lacks and says which. Needs a direct connection, or one that a pooler keeps to
    /// one session: it takes a session's lock. With `pooler=transaction` it is an error unless there is nothing to do.
    pub async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        if self.connections.opening().is_some() {
            return self.nothing_to_migrate().await;
        }
        let unbounded = self.connections.unbounded();
        let done = self.migrate_on(&unbounded).await;
        unbounded.close().await;
        done
    }

    async fn migrate_on(&self, unbounded: &PgPool) -> Result<Vec<String>, StoreError> {
        let mut connection = unbounded.acquire().await.map_err(unavailable)?;
        session::unbound(&mut connection).await.map_err(unavailable)?;
        let before = self.states(&mut connection).await.map_err(unavailable)?;
        MIGRATIONS.run(&mut *connection).await.map_err(failed)?;
        if self.connections.session_by_role() {
            session::give_to_role(&mut connection).await.map_err(unavailable)?;
        }
        let lacked = before.into_iter().filter(|step| step.applied_at.is_none());
        Ok(lacked.map(|step| format!("{:04} {}", step.number, step.name)).collect())
    }

    /// Every step this version knows, oldest first, with its state in the database. Where the role is to bear the session's
    /// settings, a step of number 0 says whether it does.
    pub async fn migrations(&self) -> Result<Vec<MigrationState>, StoreError> {
        let mut transaction = self.connections.begin().await.map_err(unavailable)?;
        let states = self.states(transaction.session()).await.map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)?;
        Ok(states)
    }

    async fn nothing_to_migrate(&self) -> Result<Vec<String>, StoreError> {
        let steps = self.migrations().await?;
        if steps.iter().all(|step| step.applied_at.is_some() && step.intact) {
            Ok(Vec::new())
        } else {
            Err(StoreError::Unavailable(NEEDS_A_SESSION.into()))
        }
    }

    async fn states(&self, connection: &mut PgConnection) -> Result<Vec<MigrationState>, Error> {
        let mut states = of_schema(connection).await?;
        if self.connections.session_by_role() {
            states.insert(0, of_role(connection).await?);
        }
        Ok(states)
    }
}

/// Gives no statement a name: the session may be another one's a moment later.
async fn of_schema(connection: &mut PgConnection) -> Result<Vec<MigrationState>, Error> {
    let there: bool = sqlx::query("select to_regclass('_sqlx_migrations') is not null as there")
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?
        .try_get("there")?;
    let mut applied: HashMap<i64, (String, Vec<u8>)> = HashMap::new();
    if there {
        let rows = sqlx::query(
            "select version, checksum, to_char(installed_on at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as at
             from _sqlx_migrations where success",
        )
        .persistent(false)
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            applied.insert(row.try_get("version")?, (row.try_get("at")?, row.try_get("checksum")?));
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

/// Postgres does not say when a role was given a setting.
async fn of_role(connection: &mut PgConnection) -> Result<MigrationState, Error> {
    let is_bound = session::lacking(connection).await?.is_empty();
    Ok(MigrationState {
        number: 0,
        name: "set the role's session limits".to_owned(),
        applied_at: is_bound.then(|| "an unknown time".to_owned()),
        intact: true,
    })
}

fn failed(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => unavailable(source),
        other => StoreError::Unavailable(other.into()),
    }
}
