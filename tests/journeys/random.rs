//! Pseudo-random numbers that repeat from their seed (SplitMix64); not for secrets.

/// The value of an environment variable, if it is set.
pub(super) fn from_variable<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().ok().expect("the variable has a valid value"))
}

/// The number of histories that a test plays on each database: `tests/run nightly` plays far more.
const HISTORIES: u64 = 60;

/// The number of histories to play; LICET_TEST_HISTORIES sets it.
pub(super) fn histories_to_play() -> u64 {
    from_variable("LICET_TEST_HISTORIES").unwrap_or(HISTORIES)
}

/// A sequence of numbers determined by its seed.
pub(super) struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    pub(super) fn from_seed(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// The seed in the environment variable, or a random one.
    pub(super) fn from_variable_or_chance(variable: &str) -> Self {
        let chosen = from_variable(variable);
        Self::from_seed(chosen.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0))
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A random index into a list of this length.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap())).unwrap()
    }
}
