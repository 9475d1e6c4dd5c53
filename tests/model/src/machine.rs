//! Random steps beside a store and the model, with shrinking.

use std::marker::PhantomData;

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use queue_conformance::audit;

use crate::{
    book::Book,
    call::{Answer, Call},
    model::Model,
    step::{Step, step},
    stores::{Place, block_on},
    world::World,
};

/// What the model holds, what clients and robots know of it, and the last call with its answer.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    model: Model,
    book: Book,
    last: Option<(Call, Answer)>,
}

/// The model as the reference of a state machine test.
#[derive(Debug)]
pub struct Contract;

impl ReferenceStateMachine for Contract {
    type State = Expected;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Expected> {
        Just(Expected::default()).boxed()
    }

    fn transitions(_: &Expected) -> BoxedStrategy<Step> {
        step().boxed()
    }

    fn apply(mut state: Expected, step: &Step) -> Expected {
        state.last = state.book.call(step).map(|call| {
            let answer = state.model.call(&call);
            state.book.hear(&call, &answer);
            (call, answer)
        });
        state
    }
}

/// The operations on a store at a place of kind `P`, to be held against the model.
pub struct Beside<P>(PhantomData<P>);

impl<P: Place> StateMachineTest for Beside<P> {
    type SystemUnderTest = World;
    type Reference = Contract;

    fn init_test(_: &Expected) -> World {
        World::new(block_on(P::store()), 1)
    }

    fn apply(mut world: World, expected: &Expected, _: Step) -> World {
        if let Some((call, answer)) = &expected.last {
            assert_eq!(block_on(world.call(call)), *answer, "to {call:?}");
            assert_eq!(block_on(world.view()), expected.model.view(), "after {call:?}");
        }
        world
    }

    fn check_invariants(world: &World, _: &Expected) {
        let faults = block_on(audit::faults(&world.kit().engine, &world.kit().tenant));
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}
