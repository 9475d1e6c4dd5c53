//! Inputs made of other inputs: the same ones from the same seed.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// How many changes one input gets at most.
const CHANGES_MAX: usize = 5;

/// How long an input may become.
const BYTES_MAX: usize = 8 << 10;

/// The longest run of bytes that one change takes away, doubles or adds.
const RUN_MAX: usize = 64;

/// Numbers at which something begins or ends.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "21",
    "100",
    "101",
    "201",
    "86401",
    "604801",
    "2147483648",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e400",
    "-0.0",
    "1.5",
    "1e-400",
];

/// An input made of `kept` and `words`, another one for each `seed`.
pub fn mutated(kept: &[Vec<u8>], words: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut input = one_of(kept, &mut chance).to_vec();
    for _ in 0..chance.random_range(1..=CHANGES_MAX) {
        change(&mut input, kept, words, &mut chance);
        input.truncate(BYTES_MAX);
    }
    input
}

fn change(input: &mut Vec<u8>, kept: &[Vec<u8>], words: &[Vec<u8>], chance: &mut StdRng) {
    let at = chance.random_range(0..=input.len());
    match chance.random_range(0..9) {
        0 => flip_bit(input, chance),
        1 => input.truncate(at),
        2 => drop(input.drain(run(input.len(), chance))),
        3 => {
            let again = input[run(input.len(), chance)].to_vec();
            insert(input, at, &again);
        }
        4 => {
            let any: Vec<u8> = (0..chance.random_range(1..8)).map(|_| chance.random()).collect();
            insert(input, at, &any);
        }
        5 => insert(input, at, one_of(words, chance)),
        6 => {
            let taken = run(input.len(), chance);
            drop(input.splice(taken, one_of(words, chance).iter().copied()));
        }
        7 => replace_number(input, chance),
        _ => {
            let other = one_of(kept, chance);
            let tail = &other[chance.random_range(0..=other.len())..];
            input.truncate(at);
            input.extend_from_slice(tail);
        }
    }
}

fn one_of<'a>(some: &'a [Vec<u8>], chance: &mut StdRng) -> &'a [u8] {
    &some[chance.random_range(0..some.len())]
}

fn insert(input: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    drop(input.splice(at..at, bytes.iter().copied()));
}

fn flip_bit(input: &mut [u8], chance: &mut StdRng) {
    if !input.is_empty() {
        let at = chance.random_range(0..input.len());
        input[at] ^= 1 << chance.random_range(0..8);
    }
}

/// A part of an input of that length.
fn run(length: usize, chance: &mut StdRng) -> std::ops::Range<usize> {
    let from = chance.random_range(0..=length);
    let to = from + chance.random_range(0..=RUN_MAX.min(length - from));
    from..to
}

/// Puts another number in the place of one of those that are there.
fn replace_number(input: &mut Vec<u8>, chance: &mut StdRng) {
    let starts: Vec<usize> = (0..input.len())
        .filter(|at| input[*at].is_ascii_digit() && (*at == 0 || !input[*at - 1].is_ascii_digit()))
        .collect();
    if starts.is_empty() {
        return;
    }
    let from = starts[chance.random_range(0..starts.len())];
    let length = input[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = NUMBERS[chance.random_range(0..NUMBERS.len())];
    drop(input.splice(from..from + length, number.bytes()));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_input_and_others_make_others() {
        let (kept, words) = (vec![br#"{"priority":5}"#.to_vec(), Vec::new()], vec![b"null".to_vec()]);
        let make = |seed| mutated(&kept, &words, seed);
        let made: BTreeSet<Vec<u8>> = (0..200).map(make).collect();
        assert!(made.len() > 100, "only {} are different", made.len());
        assert!((0..200).all(|seed| make(seed) == make(seed)));
    }
}
