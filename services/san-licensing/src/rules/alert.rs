//! Alerts as usage reaches shares of a quota (SL-17), by a record, a term with a lower quota, or the end of
//! the last term. Stateless: each change is compared with the moment right before it.

/// The shares of a quota that are reported, in percent.
const THRESHOLDS: [u32; 3] = [80, 90, 100];

/// Usage and quota at an instant. Without a term in force the quota is zero, and any usage reaches every
/// share of it *(ours)*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) quota: u64,
    pub(crate) used: u64,
}

impl Ratio {
    fn is_at(self, percent: u32) -> bool {
        let (used, quota) = (u128::from(self.used), u128::from(self.quota));
        used > 0 && used * 100 >= quota * u128::from(percent)
    }
}

/// The shares that usage reaches by a change, in percent, ascending. Reservations are not usage.
pub(crate) fn reached(before: Ratio, after: Ratio) -> impl Iterator<Item = u32> {
    let each = THRESHOLDS.into_iter();
    each.filter(move |percent| !before.is_at(*percent) && after.is_at(*percent))
}

#[cfg(test)]
mod tests {
    use super::{Ratio, reached};

    #[test]
    fn sl_17_each_part_is_told_as_it_is_reached_and_no_part_twice() {
        for (before, after, expected) in [
            ((0, 10), (7, 10), vec![]),
            ((7, 10), (8, 10), vec![80]),
            ((8, 10), (8, 10), vec![]),
            ((8, 10), (9, 10), vec![90]),
            ((7, 10), (10, 10), vec![80, 90, 100]),
            ((10, 10), (12, 10), vec![]),
            ((9, 10), (5, 10), vec![]),
            // Exact where the share is not a whole weight.
            ((5, 7), (6, 7), vec![80]),
            ((0, 7), (5, 7), vec![]),
            ((0, 1), (1, 1), vec![80, 90, 100]),
            ((0, u64::MAX), (u64::MAX, u64::MAX), vec![80, 90, 100]),
            // A lower quota, a higher one, and other weights with it.
            ((6, 14), (6, 7), vec![80]),
            ((6, 7), (6, 14), vec![]),
            ((6, 10), (9, 10), vec![80, 90]),
            // A term ends, or starts.
            ((0, 0), (9, 0), vec![80, 90, 100]),
            ((9, 10), (9, 0), vec![100]),
            ((0, 10), (0, 0), vec![]),
            ((9, 0), (9, 8), vec![]),
        ] {
            let ratio = |(used, quota): (u64, u64)| Ratio { quota, used };
            let found: Vec<_> = reached(ratio(before), ratio(after)).collect();
            assert_eq!(found, expected, "{before:?} to {after:?}");
        }
    }
}
