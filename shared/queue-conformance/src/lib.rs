//! The one conformance suite: a case for each promise of the seam, the same for every store.
//!
//! A case is an async function named as the sentence it shows. It gets a store of its own, empty at first, and never
//! asks which store that is. [`store_suite!`] makes a named test of each case for one store.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a case fails by panicking"
)]

use std::{any::Any, sync::Arc};

use queue::store::Store;

pub mod audit;
pub mod faults;
pub mod kit;
pub mod operation_cases;
pub mod points;
pub mod samples;
pub mod store_cases;
pub mod trouble;
pub mod upgrades;

/// A store for one case, and what has to live as long as it.
pub struct Fixture {
    store: Arc<dyn Store>,
    _guard: Box<dyn Any + Send>,
}

impl Fixture {
    /// A store that needs nothing kept beside it.
    pub fn new(store: impl Store) -> Self {
        Self::guarded(store, ())
    }

    /// A store with what is dropped after the case, like a temporary folder.
    pub fn guarded(store: impl Store, guard: impl Any + Send) -> Self {
        Self {
            store: Arc::new(store),
            _guard: Box::new(guard),
        }
    }

    /// The store.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }
}

/// Makes a test of each case that `$list` names, in a module `$name`, each on a store of its own from `$make().await`.
///
/// `$make` is an async function that returns a [`Fixture`]. The calling crate needs `tokio` with `macros` and
/// `rt-multi-thread`.
#[macro_export]
macro_rules! suite {
    ($name:ident, $make:expr, $list:ident) => {
        mod $name {
            #[allow(unused_imports, reason = "the constructor may be given by its full path")]
            use super::*;
            $crate::$list!(@tests $make);
        }
    };
}

/// Makes a test of each case of [`store_cases`] for one store.
///
/// ```ignore
/// queue_conformance::store_suite!(memory, make_store);
/// ```
#[macro_export]
macro_rules! store_suite {
    ($name:ident, $make:expr) => {
        $crate::suite!($name, $make, store_case_list);
    };
}

/// The two forms of a list of cases: tests that run them (`@tests`), and their names (`@names`).
#[macro_export]
macro_rules! case_list {
    (@tests $make:expr; $list:ident: $($module:ident { $($case:ident)* })*) => {
        $(mod $module {
            #[allow(unused_imports, reason = "the constructor may be given by its full path")]
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let fixture: $crate::Fixture = $make().await;
                    $crate::$list::$module::$case(fixture.store()).await;
                }
            )*
        })*
    };
    (@names; $list:ident: $($module:ident { $($case:ident)* })*) => {
        &[$((stringify!($module), &[$(stringify!($case)),*])),*]
    };
}
