//! Money, exact to the minor unit (M-1 to M-4): no floats, and no sums across currencies.

mod amount;
mod currency;
mod error;
mod fraction;
mod price;
mod split;

pub use amount::Money;
pub use currency::{Currency, UnknownCurrency};
pub use error::MoneyError;
pub use fraction::Fraction;
pub use price::Price;
pub use split::split;
