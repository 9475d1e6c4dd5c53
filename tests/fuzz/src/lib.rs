//! Everything that reads bytes from outside, as targets of a fuzzer: a function for each that takes any bytes, holds what
//! must be true of them, and panics where it is not.
//!
//! `fuzz/` hands each target to libFuzzer; the tests here run each over the kept inputs in `fuzz/corpus` and over thousands of
//! seeded mutations of them, on any toolchain. No target depends on anything but its input: the clock stands still, chance
//! counts, and the store is in memory.

mod call;
pub mod corpus;
mod holding;
pub mod mutation;
mod targets;
mod world;

pub use self::targets::{
    events::{dispatch, gateway, migrate},
    keys::{api_key, create_key},
    lists::{cursor, query},
    notes::{checkpoint, log},
    operators::{bulk_change, set_queue},
    records::record,
    reports::{finish, release, session, sync},
    requests::request,
    robots::register,
    settings::settings,
    submissions::{bulk, submit},
    texts::{json, moment},
};

/// A parser of bytes from outside, and what holds of it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also its folder's in `fuzz/corpus`.
    pub name: &'static str,
    /// Takes any bytes; panics when something that must hold of them does not.
    pub run: fn(&[u8]),
}

/// Hands the name of every target to the macro `$each`.
#[macro_export]
macro_rules! each_target {
    ($each:ident) => {
        $each! {
            api_key bulk bulk_change checkpoint create_key cursor dispatch finish gateway json log migrate moment query
            record register release request session set_queue settings submit sync
        }
    };
}

macro_rules! table {
    ($($name:ident)*) => {
        /// Every target, by name.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $name }),*];
    };
}

each_target!(table);
