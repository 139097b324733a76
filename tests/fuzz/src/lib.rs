//! Feeds a parser with damaged inputs: copies of good ones with bytes flipped, removed, repeated and mixed.
//!
//! A parser must neither panic nor hang, whatever a client sends. The unit tests of each crate name its parsers and
//! what must hold of their answers; here are the inputs. `LICET_FUZZ_EXECUTIONS` sets how many each parser gets, and
//! `LICET_FUZZ_SEED`, which a failure prints, makes the same ones again.

use std::{collections::hash_map::RandomState, env, hash::BuildHasher};

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

mod vectors;

pub use vectors::certificates;

/// How many inputs a parser gets unless `LICET_FUZZ_EXECUTIONS` says otherwise: all parsers together get more than
/// 100 000 in every run of the tests.
const EXECUTIONS: u32 = 15_000;
/// The most damages of one input.
const MAX_DAMAGES: usize = 8;
/// The longest run of bytes that one damage removes, repeats or copies.
const MAX_RUN: usize = 64;

/// One damage. An [`Index`] is a place in whatever the input has become by then.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Truncate(Index),
    /// Puts a word of the format in.
    Word(Index, Index),
    /// Goes on with the rest of another good input.
    Splice(Index, Index, Index),
}

/// Parses damaged copies of `seeds`; `words` are what the format is made of, such as `-----BEGIN `.
///
/// # Panics
/// With the smallest input that makes `parse` panic, and with the seed that made it.
#[expect(clippy::panic, reason = "the failure of a test")]
pub fn fuzz(name: &str, seeds: &[Vec<u8>], words: &[&str], parse: impl Fn(&[u8])) {
    let seed = number("LICET_FUZZ_SEED").unwrap_or_else(|| RandomState::new().hash_one(name));
    let cases = number("LICET_FUZZ_EXECUTIONS")
        .and_then(|cases| u32::try_from(cases).ok())
        .unwrap_or(EXECUTIONS);
    println!(
        "{name}: {cases} inputs from {} seeds, LICET_FUZZ_SEED={seed}",
        seeds.len()
    );
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let inputs = (any::<Index>(), vec(damage(), 0..MAX_DAMAGES));
    let ran = TestRunner::new_with_rng(config, rng).run(&inputs, |(origin, damages)| {
        parse(&damaged(seeds, words, origin, &damages));
        Ok(())
    });
    match ran {
        Ok(()) => {}
        Err(TestError::Abort(why)) => panic!("{name}: {why}"),
        Err(TestError::Fail(why, (origin, damages))) => {
            let input = damaged(seeds, words, origin, &damages);
            let text = input.escape_ascii();
            panic!("{name}: {why}\ninput: {text}\nLICET_FUZZ_SEED={seed}");
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

fn damage() -> impl Strategy<Value = Damage> {
    let place = any::<Index>;
    prop_oneof![
        (place(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (place(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (place(), vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (place(), 1..MAX_RUN).prop_map(|(at, length)| Damage::Remove(at, length)),
        (place(), 1..MAX_RUN).prop_map(|(at, length)| Damage::Repeat(at, length)),
        place().prop_map(Damage::Truncate),
        (place(), place()).prop_map(|(at, word)| Damage::Word(at, word)),
        (place(), place(), place()).prop_map(|(at, other, from)| Damage::Splice(at, other, from)),
    ]
}

fn damaged(seeds: &[Vec<u8>], words: &[&str], origin: Index, damages: &[Damage]) -> Vec<u8> {
    let mut input = origin.get(seeds).clone();
    for damage in damages {
        apply(damage, &mut input, seeds, words);
    }
    input
}

fn apply(damage: &Damage, input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str]) {
    let place = |at: &Index, input: &[u8]| at.index(input.len() + 1);
    let run = |at: &Index, length: usize, input: &[u8]| {
        let start = place(at, input);
        start..(start + length).min(input.len())
    };
    match damage {
        Damage::Flip(at, bit) => {
            let start = place(at, input);
            input
                .iter_mut()
                .skip(start)
                .take(1)
                .for_each(|byte| *byte ^= 1 << bit);
        }
        Damage::Set(at, value) => {
            let start = place(at, input);
            input
                .iter_mut()
                .skip(start)
                .take(1)
                .for_each(|byte| *byte = *value);
        }
        Damage::Insert(at, bytes) => {
            let start = place(at, input);
            input.splice(start..start, bytes.iter().copied());
        }
        Damage::Remove(at, length) => {
            let removed = run(at, *length, input);
            input.drain(removed);
        }
        Damage::Repeat(at, length) => {
            let repeated = run(at, *length, input);
            let copy = input[repeated.clone()].to_vec();
            input.splice(repeated.end..repeated.end, copy);
        }
        Damage::Truncate(at) => {
            let length = place(at, input);
            input.truncate(length);
        }
        Damage::Word(at, word) => {
            if !words.is_empty() {
                let start = place(at, input);
                input.splice(start..start, word.get(words).bytes());
            }
        }
        Damage::Splice(at, other, from) => {
            let start = place(at, input);
            let other = other.get(seeds);
            input.truncate(start);
            input.extend_from_slice(&other[place(from, other)..]);
        }
    }
}
