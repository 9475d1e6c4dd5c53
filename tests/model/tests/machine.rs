//! Random steps beside each store and the model: the same answers, the same to be seen, and nothing broken, after each.

use model_tests::{
    machine::Beside,
    stores::{DynamoDb, Memory, Postgres, Sqlite},
};
use proptest::test_runner::Config;
use proptest_state_machine::prop_state_machine;

prop_state_machine! {
    #![proptest_config(Config { cases: 32, ..Config::default() })]

    #[test]
    fn memory_agrees_with_the_model(sequential 1..120 => Beside<Memory>);
}

prop_state_machine! {
    #![proptest_config(Config { cases: 4, ..Config::default() })]

    #[test]
    fn sqlite_agrees_with_the_model(sequential 1..120 => Beside<Sqlite>);
}

mod heavy {
    use super::*;

    prop_state_machine! {
        #![proptest_config(Config { cases: 2, ..Config::default() })]

        #[test]
        fn postgres_agrees_with_the_model(sequential 1..120 => Beside<Postgres>);
    }

    prop_state_machine! {
        // The emulator is slow, and each failure is tried many times while it is made smaller.
        #![proptest_config(Config { cases: 1, max_shrink_iters: 40, ..Config::default() })]

        #[test]
        fn dynamodb_agrees_with_the_model(sequential 1..60 => Beside<DynamoDb>);
    }
}
