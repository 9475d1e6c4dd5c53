//! What bounds every statement, every wait for a lock and every transaction left open, so that one stuck caller does not
//! hold back the rest or the vacuum.
//!
//! A connection sends these settings at its start. RDS Proxy refuses that, and `PgBouncer` does unless it is told to
//! ignore it: with `session=role` they are not sent, and `migrate` gives them to the role for this database instead. With
//! `pooler=transaction` each transaction sets them for itself.

use sqlx::{AssertSqlSafe, Connection, Error, PgConnection, Row};

/// The settings by name.
pub(crate) const SETTINGS: [(&str, &str); 10] = [
    ("statement_timeout", "30s"),
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "5s"),
    // Compiling a statement takes longer than any of ours runs.
    ("jit", "off"),
    // Every statement goes along an index, record by record, whatever the statistics say: the tables grow from nothing
    // faster than their statistics, and a plan that was made when they were small would read them whole. So a plan is
    // good for ever, and made once.
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    // Or a short index that is read whole and sorted would be taken for the one that has the order.
    ("enable_sort", "off"),
];

/// What begins a transaction that bounds itself.
pub(crate) fn opening() -> String {
    let set = |(name, value)| format!("; set local {name} = '{value}'");
    format!("begin{}", SETTINGS.map(set).concat())
}

/// What those hold who give a role its settings: a number of ours, like no other's.
const LOCK: i64 = 0x7265_6d75_6461;

/// The names of the settings that neither this role nor all roles have in this database, whatever their values are:
/// who set others had a reason. Gives no statement a name.
pub(crate) async fn lacking(connection: &mut PgConnection) -> Result<Vec<&'static str>, Error> {
    let names = SETTINGS.map(|(name, _)| name.to_owned()).to_vec();
    let rows = sqlx::query(
        "select wanted.name from unnest($1::text[]) wanted (name)
         where not exists (
             select from pg_db_role_setting given cross join unnest(given.setconfig) setting
             where given.setdatabase in (0, (select oid from pg_database where datname = current_database()))
               and given.setrole in (0, (select oid from pg_roles where rolname = current_user))
               and split_part(setting, '=', 1) = wanted.name
         )",
    )
    .bind(names)
    .persistent(false)
    .fetch_all(connection)
    .await?;
    let lacked: Vec<String> = rows.iter().map(|row| row.try_get("name")).collect::<Result<_, _>>()?;
    let named = SETTINGS.map(|(name, _)| name);
    Ok(named
        .into_iter()
        .filter(|name| lacked.iter().any(|it| it == name))
        .collect())
}

/// Gives the role the settings that it lacks in this database, for the connections that are made from now on.
pub(crate) async fn give_to_role(connection: &mut PgConnection) -> Result<(), Error> {
    let mut transaction = connection.begin().await?;
    // Two at once would change one catalog row, which Postgres refuses.
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *transaction)
        .await?;
    let names = lacking(&mut transaction).await?;
    for (name, value) in SETTINGS.into_iter().filter(|(name, _)| names.contains(name)) {
        let statement: String = sqlx::query(
            "select format('alter role current_user in database %I set %I = %L', current_database(), $1, $2)",
        )
        .bind(name)
        .bind(value)
        .fetch_one(&mut *transaction)
        .await?
        .try_get(0)?;
        // Postgres itself quoted what is in it.
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await
}

/// Frees this connection of the bounds that its role may have: a migration may take its time.
pub(crate) async fn unbound(connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::raw_sql("set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0")
        .execute(connection)
        .await?;
    Ok(())
}
