//! A customer's account, and what is refused when its balance does not suffice (BL-6).

use licet_domain::{
    clock::Instant,
    ids::AccountId,
    money::{Currency, Money, MoneyError},
    refusal::{Reason, Refusal},
};

use super::{currency_mismatch, sum_refused};

/// A prepaid account, in one currency for good (M-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Its id.
    pub(crate) account_id: AccountId,
    /// For people.
    pub(crate) display_name: String,
    /// What the customer may spend, in the account's currency; never negative.
    pub(crate) balance: Money,
    /// When it was opened.
    pub(crate) created: Instant,
}

impl Account {
    /// The currency of everything on the account.
    pub(crate) fn currency(&self) -> Currency {
        self.balance.currency()
    }

    /// The balance once `amount` is added.
    ///
    /// # Errors
    /// CURRENCY_MISMATCH (M-4), AMOUNT_OUT_OF_RANGE.
    pub(crate) fn balance_with(&self, amount: Money) -> Result<Money, Refusal> {
        if amount.currency() != self.currency() {
            return Err(currency_mismatch(self.currency(), amount.currency()));
        }
        self.balance
            .checked_add(amount)
            .map_err(|error| sum_refused(self.currency(), &error))
    }

    /// The balance once `required` is spent.
    ///
    /// # Errors
    /// INSUFFICIENT_FUNDS, saying how much is missing (BL-6); CURRENCY_MISMATCH.
    pub(crate) fn balance_without(&self, required: Money) -> Result<Money, Refusal> {
        let refused = |error: MoneyError| sum_refused(self.currency(), &error);
        let left = self.balance.checked_sub(required).map_err(refused)?;
        if left.minor() >= 0 {
            return Ok(left);
        }
        let missing = left.checked_neg().map_err(refused)?;
        Err(Refusal::new(
            Reason::InsufficientFunds,
            format!(
                "{required} are due and {} are there: {missing} are missing",
                self.balance
            ),
        )
        .with("missing", missing.value())
        .with("available", self.balance.value())
        .with("required", required.value())
        .with("currency", required.currency().code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(minor: i64) -> Money {
        Money::from_minor("USD".parse().unwrap(), minor)
    }

    fn account(minor: i64) -> Account {
        Account {
            account_id: AccountId::generate(),
            display_name: "Example".to_owned(),
            balance: usd(minor),
            created: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    /// BL-6: to the last cent, and the refusal names what is missing.
    #[test]
    fn spending() {
        assert_eq!(account(2_450).balance_without(usd(2_450)).unwrap(), usd(0));
        let refused = account(2_449).balance_without(usd(2_450)).unwrap_err();
        assert_eq!(refused.reason, Reason::InsufficientFunds);
        let numbers: Vec<_> = refused
            .metadata
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        assert_eq!(
            numbers,
            [
                "available=24.49",
                "currency=USD",
                "missing=0.01",
                "required=24.50"
            ]
        );
    }

    /// M-4: a foreign currency and an amount beyond the range never reach the balance.
    #[test]
    fn receiving() {
        let eur = Money::from_minor("EUR".parse().unwrap(), 1);
        let reason = |amount| {
            account(1)
                .balance_with(amount)
                .err()
                .map(|refusal| refusal.reason)
        };
        assert_eq!(reason(usd(5)), None);
        assert_eq!(reason(eur), Some(Reason::CurrencyMismatch));
        assert_eq!(reason(usd(i64::MAX)), Some(Reason::AmountOutOfRange));
    }
}
