//! Splitting an amount over several lines so that the parts sum to it exactly (M-3).

use std::cmp::Reverse;

use super::{amount::Money, error::MoneyError};

/// Splits `total` in proportion to `weights` by largest remainder; ties go to the earlier part (M-3).
/// The parts sum to the total; each has its sign and is within one minor unit of its exact share.
/// Returns `NoWeights` if the total is not zero but all weights are.
pub fn split(total: Money, weights: &[u64]) -> Result<Vec<Money>, MoneyError> {
    let sum: u128 = weights.iter().copied().map(u128::from).sum();
    if sum == 0 {
        return if total.is_zero() {
            Ok(vec![total; weights.len()])
        } else {
            Err(MoneyError::NoWeights)
        };
    }
    // At most 2^63 × 2^64, which fits.
    let whole = u128::from(total.minor().unsigned_abs());
    let shares = weights.iter().map(|&weight| whole * u128::from(weight));
    let (mut parts, remainders): (Vec<u128>, Vec<u128>) =
        shares.map(|share| (share / sum, share % sum)).unzip();

    // The remainders sum to `missing × sum` and each is less than `sum`, so at least as many parts have a
    // remainder as units are missing.
    let mut missing = whole - parts.iter().sum::<u128>();
    let mut by_remainder: Vec<usize> = (0..parts.len()).collect();
    by_remainder.sort_by_key(|&part| Reverse(remainders[part]));
    for part in by_remainder {
        if missing == 0 {
            break;
        }
        parts[part] += 1;
        missing -= 1;
    }

    let sign = i128::from(total.minor().signum());
    let signed = |part: u128| {
        let minor = i128::try_from(part)
            .ok()
            .and_then(|part| i64::try_from(sign * part).ok());
        minor.map(|minor| Money::from_minor(total.currency(), minor))
    };
    parts
        .into_iter()
        .map(|part| signed(part).ok_or(MoneyError::Overflow))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    /// M-3: largest remainder, ties to the earlier part.
    #[test]
    fn m3_by_largest_remainder() {
        for (total, weights, expected) in [
            (100, &[1, 1, 1][..], &[34, 33, 33][..]),
            (101, &[1, 1, 1], &[34, 34, 33]),
            (100, &[1, 2, 3], &[17, 33, 50]),
            (-100, &[1, 1, 1], &[-34, -33, -33]),
            (1, &[0, 1], &[0, 1]),
            (1, &[3, 7], &[0, 1]),
            (5, &[2], &[5]),
            (0, &[0, 0], &[0, 0]),
            (0, &[], &[]),
            (
                i64::MAX,
                &[u64::MAX, u64::MAX],
                &[4_611_686_018_427_387_904, 4_611_686_018_427_387_903],
            ),
            (i64::MIN, &[u64::MAX], &[i64::MIN]),
        ] {
            let parts: Vec<_> = split(usd(total), weights)
                .unwrap()
                .into_iter()
                .map(Money::minor)
                .collect();
            assert_eq!(parts, expected, "{total} over {weights:?}");
        }
        assert_eq!(split(usd(1), &[0, 0]), Err(MoneyError::NoWeights));
        assert_eq!(split(usd(1), &[]), Err(MoneyError::NoWeights));
    }

    proptest! {
        /// M-3: the parts sum to the whole, each is within one minor unit of its exact share, and of
        /// two equal weights the earlier gets no less.
        #[test]
        fn m3_sums_to_the_whole_and_is_fair(
            total in any::<i64>(),
            weights in prop::collection::vec(prop_oneof![0_u64..5, any::<u64>()], 1..12),
        ) {
            let sum: u128 = weights.iter().copied().map(u128::from).sum();
            prop_assume!(sum > 0);
            let parts = split(usd(total), &weights).unwrap();
            let parts: Vec<i128> = parts.into_iter().map(|part| part.minor().into()).collect();
            prop_assert_eq!(parts.iter().sum::<i128>(), i128::from(total));
            let whole = u128::from(total.unsigned_abs());
            for (&weight, &part) in weights.iter().zip(&parts) {
                let floor = whole * u128::from(weight) / sum;
                let exact = whole * u128::from(weight) % sum == 0;
                let given = part.unsigned_abs();
                prop_assert!(given == floor || (given == floor + 1 && !exact));
                prop_assert!(part == 0 || (part < 0) == (total < 0));
            }
            for (i, j) in (0..weights.len()).flat_map(|i| (i..weights.len()).map(move |j| (i, j))) {
                if weights[i] == weights[j] {
                    prop_assert!(parts[i].abs() >= parts[j].abs());
                }
            }
        }
    }
}
