//! Alerts as usage reaches parts of a quota (SL-17). Nothing is kept between decisions: usage grows
//! by decisions alone, and whatever makes it fall below a part again, the next one that reaches it
//! says so again.

/// The parts of a quota that are told of, in percent.
const THRESHOLDS: [u32; 3] = [80, 90, 100];

/// The parts that usage reaches when it grows from `before` to `after`, in percent, ascending. What
/// is reserved is no usage yet.
pub(crate) fn reached(quota: u64, before: u64, after: u64) -> impl Iterator<Item = u32> {
    let is_at = move |used: u64, percent: u32| {
        u128::from(used) * 100 >= u128::from(quota) * u128::from(percent)
    };
    let each = THRESHOLDS.into_iter();
    each.filter(move |percent| quota > 0 && !is_at(before, *percent) && is_at(after, *percent))
}

#[cfg(test)]
mod tests {
    use super::reached;

    #[test]
    fn sl_17_each_part_is_told_as_it_is_reached_and_no_part_twice() {
        for (quota, before, after, expected) in [
            (10, 0, 7, vec![]),
            (10, 7, 8, vec![80]),
            (10, 8, 8, vec![]),
            (10, 8, 9, vec![90]),
            (10, 7, 10, vec![80, 90, 100]),
            (10, 10, 12, vec![]),
            (10, 9, 5, vec![]),
            // Exactly, where the part is no whole weight.
            (7, 5, 6, vec![80]),
            (7, 0, 5, vec![]),
            (1, 0, 1, vec![80, 90, 100]),
            // No term is in force.
            (0, 0, 9, vec![]),
            (u64::MAX, 0, u64::MAX, vec![80, 90, 100]),
        ] {
            assert_eq!(
                reached(quota, before, after).collect::<Vec<_>>(),
                expected,
                "{before} to {after} of {quota}"
            );
        }
    }
}
