//! What a test can rely on: a pooler in transaction mode that shares few connections among its clients, and that can be away.

use std::net::TcpStream;

use servers::{PgBouncer, shared, shared_pgbouncer};
use url::Url;

fn address(url: &str) -> (String, u16) {
    let url = Url::parse(url).expect("a URL");
    (
        url.host_str().expect("it names the host").to_owned(),
        url.port().expect("it names the port"),
    )
}

#[test]
fn what_is_asked_through_it_is_answered_by_its_postgres() {
    let cluster = shared().expect("Postgres runs");
    let direct = cluster.fresh_database().expect("a database");
    let name = direct.rsplit_once('/').expect("a path").1;
    cluster
        .sql(name, "create table job (id int); insert into job values (7)")
        .expect("writes");

    let pooler = shared_pgbouncer().expect("starts");
    let through = pooler.instead_of(&direct).expect("a URL");
    assert_eq!(through, pooler.url(name));
    assert_ne!(address(&through), address(&direct));
    assert_eq!(cluster.sql_at(&through, "select id from job").expect("answers"), "7");
    assert!(pooler.version() >= (1, 0), "{:?}", pooler.version());
}

#[test]
fn clients_share_the_sessions_of_its_pool() {
    let cluster = shared().expect("Postgres runs");
    let direct = cluster.fresh_database().expect("a database");
    let pooler = PgBouncer::before(cluster).pool_size(1).start().expect("starts");
    let through = pooler.instead_of(&direct).expect("a URL");
    let session = || cluster.sql_at(&through, "select pg_backend_pid()").expect("answers");
    // Two clients, one after the other, of one session.
    assert_eq!(session(), session());
}

#[test]
fn stop_and_start_again_keep_the_port() {
    let cluster = shared().expect("Postgres runs");
    let pooler = PgBouncer::before(cluster).start().expect("starts");
    let url = pooler.url("postgres");
    pooler.stop().expect("stops");
    assert!(TcpStream::connect(address(&url)).is_err(), "still listens");
    pooler.start_again().expect("starts again");
    assert_eq!(cluster.sql_at(&url, "select 1").expect("answers"), "1");
}

#[test]
fn a_setting_that_does_not_exist_is_refused_with_the_poolers_words() {
    let cluster = shared().expect("Postgres runs");
    let Err(error) = PgBouncer::before(cluster).setting("pool_mode", "sometimes").start() else {
        panic!("started with an unknown mode");
    };
    assert!(format!("{error:#}").contains("pool_mode"), "{error:#}");
}
