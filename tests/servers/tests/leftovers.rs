//! Nothing is left behind, however the owner of a server ends.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use servers::{DynamoDb, PgBouncer, Postgres, Sqs};
use url::Url;

/// How long the keeper of a killed owner may take to clean up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The kind of the message by which Postgres says that it waits for a query.
const READY: u8 = b'Z';

#[test]
fn a_dropped_server_leaves_no_process_and_no_folder() {
    let postgres = Postgres::builder().quick().start().expect("starts");
    let pooler = PgBouncer::before(&postgres).start().expect("starts");
    assert_goes(pooler, |it| it.folder());
    assert_goes(postgres, |it| it.folder());
    assert_goes(DynamoDb::start().expect("starts"), |it| it.folder());
    assert_goes(Sqs::start().expect("starts"), |it| it.folder());
}

fn assert_goes<Server>(server: Server, folder: fn(&Server) -> &Path) {
    let folder = folder(&server).to_owned();
    assert!(!processes_of(&folder).is_empty(), "the test sees no server at all");
    drop(server);
    assert_eq!(processes_of(&folder), [] as [String; 0]);
    assert!(!folder.exists());
}

#[test]
fn a_dropped_server_that_was_paused_leaves_nothing() {
    let server = Sqs::start().expect("starts");
    server.pause().expect("pauses");
    assert_goes(server, |it| it.folder());
}

#[test]
fn a_stopped_server_leaves_only_its_keeper_and_its_data() {
    let server = Postgres::builder().quick().start().expect("starts");
    server.stop().expect("stops");
    let left = processes_of(server.folder());
    assert!(left.iter().all(|it| it.contains("keeper")), "{left:?}");
    assert!(server.folder().exists());
}

#[test]
fn a_panic_leaves_nothing() {
    let server = Postgres::builder().quick().start().expect("starts");
    let folder = server.folder().to_owned();
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _owned = server;
        panic!("as a failed test does");
    }));
    assert!(panicked.is_err());
    assert_eq!(processes_of(&folder), [] as [String; 0]);
}

#[test]
fn an_owner_that_is_killed_leaves_nothing() {
    for kind in ["postgres", "pgbouncer", "dynamodb", "sqs", "lambda"] {
        let mut owner = Owner::start(kind);
        assert!(
            !processes_of(&owner.folder).is_empty(),
            "the test sees no {kind} at all"
        );
        owner.child.kill().expect("kills the owner");
        owner.assert_nothing_left();
    }
}

#[test]
fn an_interrupted_group_leaves_nothing() {
    // As Ctrl-C on a terminal does, which signals all that it started.
    let mut owner = Owner::start("postgres");
    killpg(owner.id(), Signal::SIGINT).expect("interrupts the group");
    owner.assert_nothing_left();
}

#[test]
fn an_owner_killed_while_a_client_is_busy_leaves_nothing() {
    let mut owner = Owner::start("postgres");
    let mut client = Client::connect(&owner.url);
    client.send(b'Q', b"select pg_sleep(600)\0");
    kill(owner.id(), Signal::SIGKILL).expect("kills the owner");
    owner.assert_nothing_left();
    client.read_to_end();
}

/// A client that speaks just enough of Postgres's protocol to keep a server busy.
struct Client(TcpStream);

impl Client {
    fn connect(url: &str) -> Client {
        let url = Url::parse(url).expect("a URL");
        let address = ("127.0.0.1", url.port().expect("it names the port"));
        let mut client = Client(TcpStream::connect(address).expect("connects"));
        client.write(b"\0\x03\0\0user\0postgres\0\0");
        while client.read_message() != READY {}
        client
    }

    fn send(&mut self, kind: u8, body: &[u8]) {
        self.0.write_all(&[kind]).expect("the server reads");
        self.write(body);
    }

    fn write(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len() + 4).expect("messages are short");
        self.0.write_all(&length.to_be_bytes()).expect("the server reads");
        self.0.write_all(body).expect("the server reads");
    }

    fn read_message(&mut self) -> u8 {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).expect("the server answers");
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; length as usize - 4];
        self.0.read_exact(&mut body).expect("the server answers");
        head[0]
    }

    fn read_to_end(&mut self) {
        // A reset is an end too: the server was stopped at once.
        let _ = self.0.read_to_end(&mut Vec::new());
    }
}

/// Another process that owns a server: the program `servers`.
struct Owner {
    child: Child,
    url: String,
    folder: PathBuf,
}

impl Owner {
    fn start(kind: &str) -> Owner {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(env!("CARGO_BIN_EXE_servers"));
        command.arg(kind).process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn().expect("runs the owner");
        let mut lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let url = lines.next().expect("prints a line").expect("is UTF-8");
        let folder = lines.next().expect("prints another").expect("is UTF-8").into();
        Owner { child, url, folder }
    }

    fn id(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("process ids are small"))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the keeper is nobody's child now, so its end cannot be awaited"
    )]
    fn assert_nothing_left(&mut self) {
        assert!(self.folder.is_absolute());
        self.child.wait().expect("the owner ends");
        let until = Instant::now() + PATIENCE;
        while self.folder.exists() || !processes_of(&self.folder).is_empty() {
            let left = processes_of(&self.folder);
            assert!(
                Instant::now() < until,
                "left behind: {left:?}, {}",
                self.folder.display()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The command lines of the processes that work in this folder or were told of it.
fn processes_of(folder: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("lists processes").flatten();
    processes
        .filter_map(|it| command_line_if_of(folder, &it.path()))
        .collect()
}

fn command_line_if_of(folder: &Path, process: &Path) -> Option<String> {
    let command = fs::read(process.join("cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let works_in = fs::read_link(process.join("cwd")).is_ok_and(|it| it.starts_with(folder));
    let told_of = command.contains(folder.to_str().expect("is UTF-8"));
    (works_in || told_of).then_some(command)
}
