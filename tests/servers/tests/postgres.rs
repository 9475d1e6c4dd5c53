//! What a test can rely on: a server that answers, databases apart, and data that outlive a stop.

use std::net::TcpStream;

use servers::{Postgres, shared};
use url::Url;

fn port(server: &Postgres) -> u16 {
    let url = Url::parse(&server.url("postgres")).expect("a URL");
    url.port().expect("it names the port")
}

#[test]
fn a_started_server_answers_and_keeps_what_it_acknowledges() {
    let server = Postgres::start().expect("starts");
    assert_eq!(server.sql("postgres", "select 1, 'two'").expect("answers"), "1|two");
    assert_eq!(server.sql("postgres", "show fsync").expect("answers"), "on");
    assert_eq!(server.sql("postgres", "show max_connections").expect("answers"), "200");
}

#[test]
fn a_builder_sets_settings_and_the_last_one_wins() {
    let builder = Postgres::builder().quick().setting("max_connections", "7");
    let server = builder.setting("max_connections", "11").start().expect("starts");
    assert_eq!(server.sql("postgres", "show fsync").expect("answers"), "off");
    assert_eq!(server.sql("postgres", "show max_connections").expect("answers"), "11");
}

#[test]
fn a_setting_that_does_not_exist_is_refused_with_the_servers_words() {
    let Err(error) = Postgres::builder().setting("colour", "red").start() else {
        panic!("started with an unknown setting");
    };
    assert!(format!("{error:#}").contains("colour"), "{error:#}");
}

#[test]
fn fresh_databases_are_apart() {
    let cluster = shared().expect("starts");
    let (one, two) = (cluster.fresh_database(), cluster.fresh_database());
    let name = |url: &str| Url::parse(url).expect("a URL").path()[1..].to_owned();
    let (one, two) = (name(&one.expect("is made")), name(&two.expect("is made")));
    cluster.sql(&one, "create table job (id int)").expect("makes a table");
    assert_eq!(cluster.sql(&one, "select count(*) from job").expect("answers"), "0");
    let missing = cluster.sql(&two, "select count(*) from job").expect_err("is not there");
    assert!(missing.to_string().contains("does not exist"), "{missing}");
}

#[test]
fn a_name_that_would_need_quoting_is_refused() {
    let cluster = shared().expect("starts");
    for name in ["", "Job", "a b", "x\"; drop database postgres; --", &"x".repeat(64)] {
        assert!(cluster.create_database(name).is_err(), "{name:?} was taken");
    }
}

#[test]
fn a_database_that_is_there_is_not_made_again() {
    let server = Postgres::builder().quick().start().expect("starts");
    let url = server.create_database("remuda").expect("is made");
    assert_eq!(url, server.url("remuda"));
    assert!(server.create_database("remuda").is_err());
}

#[test]
fn stop_and_start_again_keep_port_and_data() {
    let server = Postgres::builder().quick().start().expect("starts");
    let (url, port) = (server.url("postgres"), port(&server));
    let table = "create table job (id int); insert into job values (7)";
    server.sql("postgres", table).expect("writes");

    server.stop().expect("stops");
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "still listens");

    server.start_again().expect("starts again");
    assert_eq!(server.url("postgres"), url);
    assert_eq!(server.sql("postgres", "select id from job").expect("answers"), "7");
}

#[test]
fn a_running_server_can_be_started_again_and_stopped_twice() {
    let server = Postgres::builder().quick().start().expect("starts");
    server.start_again().expect("starts again");
    assert_eq!(server.sql("postgres", "select 1").expect("answers"), "1");
    server.stop().expect("stops");
    server.stop().expect("is stopped already");
}
