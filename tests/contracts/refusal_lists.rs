//! Compares each method's "Refusals:" list in the contract with the refusals that tests saw. The harness's
//! channel fails on a reason that is not listed; this file fails on a listed reason that never occurs.

use std::collections::BTreeSet;

use crate::harness::channel::LISTED;

/// Names the file with the refusals of a whole run, which `tests/run` makes.
const SEEN: &str = "LICET_TEST_SEEN_REFUSALS";

#[test]
fn x_2_methods_list_the_refusals_that_a_run_sees() {
    let deposit = &LISTED["/licet.billing.v1.AccountService/Deposit"];
    let read = ["AMOUNT_OUT_OF_RANGE", "CURRENCY_MISMATCH", "NOT_FOUND"];
    assert!(deposit.iter().eq(read), "{deposit:?}");

    let Some(file) = std::env::var_os(SEEN) else {
        return;
    };
    let notes = std::fs::read_to_string(file).unwrap();
    let seen: BTreeSet<_> = notes
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let unseen: Vec<_> = LISTED
        .iter()
        .flat_map(|(path, list)| {
            list.iter()
                .map(move |reason| (path.as_str(), reason.as_str()))
        })
        .filter(|pair| !seen.contains(pair))
        .map(|(path, reason)| format!("{path} lists {reason}, which no test saw"))
        .collect();
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
    let listed: usize = LISTED.values().map(BTreeSet::len).sum();
    println!(
        "{listed} refusals on the lists of {} methods, all seen",
        LISTED.len()
    );
}
