//! Definite refusals: the reasons that the contract lists, with what a client needs to act
//! on them. Whatever is not one of these reasons has an unknown outcome and is asked again.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What kind of refusal a reason is; it decides the canonical status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The thing named does not exist, or not for this caller.
    NotFound,
    /// What was to be made exists already, or the request id was used for something else.
    AlreadyExists,
    /// The state of things does not permit it.
    Precondition,
    /// Something limited has run out: money, places.
    Exhausted,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $class:ident;)+) => {
        /// Why a request was refused, for good: asked again, it is refused again until something
        /// changes. The contract lists the same names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum Reason { $($(#[$doc])* $variant,)+ }

        impl Reason {
            /// Every reason there is, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in the contract, `QUOTE_STALE`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The kind of refusal this is.
            pub fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)+ }
            }
        }
    };
}

reasons! {
    /// No such resource for this caller; metadata `resource` and `id`.
    NotFound = "NOT_FOUND", NotFound;
    /// A resource of that id exists.
    AlreadyExists = "ALREADY_EXISTS", AlreadyExists;
    /// The request id was used with another body (BL-2).
    RequestIdReused = "REQUEST_ID_REUSED", AlreadyExists;
    /// The balance does not cover it (BL-6); metadata `missing`, `available`, `required`,
    /// `currency`.
    InsufficientFunds = "INSUFFICIENT_FUNDS", Exhausted;
    /// Every server that was paid for is registered (AL-8).
    ServerLimitReached = "SERVER_LIMIT_REACHED", Exhausted;
    /// Amounts of two currencies met (M-4).
    CurrencyMismatch = "CURRENCY_MISMATCH", Precondition;
    /// The catalogue has no price for it in that currency at that time (BL-8).
    PriceNotSet = "PRICE_NOT_SET", Precondition;
    /// The product is not sold for that many months.
    TermNotSold = "TERM_NOT_SOLD", Precondition;
    /// The product is of another kind than the request needs.
    ProductKindMismatch = "PRODUCT_KIND_MISMATCH", Precondition;
    /// An additional licence would cost as much as its certificate, or more (AL-10).
    AdditionalLicensePriceTooHigh = "ADDITIONAL_LICENSE_PRICE_TOO_HIGH", Precondition;
    /// A wildcard domain would cost less than a domain (MD-4).
    WildcardPriceTooLow = "WILDCARD_PRICE_TOO_LOW", Precondition;
    /// The catalogue's past never changes (BL-8).
    EffectiveTimeInPast = "EFFECTIVE_TIME_IN_PAST", Precondition;
    /// The term is over, and cannot be changed any more (P-1).
    TermEnded = "TERM_ENDED", Precondition;
    /// The amount does not fit its representation (M-2).
    AmountOutOfRange = "AMOUNT_OUT_OF_RANGE", Precondition;
    /// The quote was accepted after its expiry (MD-6).
    QuoteExpired = "QUOTE_EXPIRED", Precondition;
    /// What the quote was made for has changed since (MD-6).
    QuoteStale = "QUOTE_STALE", Precondition;
    /// The quote was charged before; metadata names its invoice.
    QuoteSpent = "QUOTE_SPENT", Precondition;
    /// The charge of this request was given up; metadata `request_id`.
    ChargeForbidden = "CHARGE_FORBIDDEN", Precondition;
    /// Credit notes would exceed their invoice, or one of its lines (BL-3); metadata `asked`,
    /// `creditable`, `currency`, a violation for each line.
    CreditExceedsInvoice = "CREDIT_EXCEEDS_INVOICE", Precondition;
    /// The refund of this term was requested before (AL-4).
    RefundAlreadyRequested = "REFUND_ALREADY_REQUESTED", Precondition;
    /// A change of the order or the licence is under way (MD-7, X-7).
    ChangeInProgress = "CHANGE_IN_PROGRESS", Precondition;
    /// The order's charge is not through.
    OrderNotPaid = "ORDER_NOT_PAID", Precondition;
    /// The order has no certificate yet.
    OrderNotIssued = "ORDER_NOT_ISSUED", Precondition;
    /// The order's last term is over.
    OrderEnded = "ORDER_ENDED", Precondition;
    /// The order was deleted.
    OrderDeleted = "ORDER_DELETED", Precondition;
    /// More names than the product allows (MD-4).
    TooManyDomains = "TOO_MANY_DOMAINS", Precondition;
    /// More additional licences than the product allows (AL-1).
    TooManyAdditionalLicenses = "TOO_MANY_ADDITIONAL_LICENSES", Precondition;
    /// A name to be added is one of the order's names (MD-5).
    DomainAlreadyPresent = "DOMAIN_ALREADY_PRESENT", Precondition;
    /// A name to be removed is none of the order's names (MD-5).
    DomainNotPresent = "DOMAIN_NOT_PRESENT", Precondition;
    /// The common name cannot be removed (MD-5).
    CommonNameFixed = "COMMON_NAME_FIXED", Precondition;
    /// The product has no wildcard names.
    WildcardNotOffered = "WILDCARD_NOT_OFFERED", Precondition;
    /// The request would change nothing.
    NoChange = "NO_CHANGE", Precondition;
    /// The server runs another software than the order's (AL-6).
    ServerSoftwareMismatch = "SERVER_SOFTWARE_MISMATCH", Precondition;
    /// The server has another common name than the order's (AL-6).
    CommonNameMismatch = "COMMON_NAME_MISMATCH", Precondition;
    /// The certificate is not the one that the order waits for: names or dates differ.
    CertificateMismatch = "CERTIFICATE_MISMATCH", Precondition;
    /// The order waits for no certificate.
    IssuanceNotPending = "ISSUANCE_NOT_PENDING", Precondition;
    /// The certificate's key is not that of the order's signing request.
    CsrMismatch = "CSR_MISMATCH", Precondition;
    /// A volume tier would cost more for a SAN than a smaller one (SL-7).
    VolumePriceRises = "VOLUME_PRICE_RISES", Precondition;
    /// The licence is no draft any more (SL-7); metadata `license_id`, `state`.
    LicenseNotQuoted = "LICENSE_NOT_QUOTED", Precondition;
    /// The licence has not started, is over, cancelled or not charged (SL-11); metadata
    /// `license_id`, `state`.
    LicenseNotActive = "LICENSE_NOT_ACTIVE", Precondition;
    /// The draft of a licence was accepted too late (SL-7); metadata `license_id`,
    /// `valid_until_time`, `accept_time`.
    LicenseQuoteExpired = "LICENSE_QUOTE_EXPIRED", Precondition;
    /// The account has a running or accepted licence for a product (SL-20); a violation for each,
    /// metadata `product_id`, `license_id` of the first.
    ProductAlreadyLicensed = "PRODUCT_ALREADY_LICENSED", Precondition;
    /// The new quota is not above the present one (SL-8); metadata `license_id`, `quota`, `asked`.
    QuotaNotHigher = "QUOTA_NOT_HIGHER", Precondition;
    /// The reservation was used by a certificate, or given back before (SL-12); metadata
    /// `reservation_id`, `state`.
    ReservationSpent = "RESERVATION_SPENT", Precondition;
    /// A certificate of that issuer and serial is recorded as another one (SL-14); metadata
    /// `certificate_id`, `serial`.
    CertificateConflict = "CERTIFICATE_CONFLICT", AlreadyExists;
    /// A certificate is revoked or expired already (SL-19); a violation for each.
    CertificateNotRevocable = "CERTIFICATE_NOT_REVOCABLE", Precondition;
    /// Something is due on the account, so it cannot pay in advance again (BL-6); metadata
    /// `account_id`, `due`, `currency`.
    AccountHasDue = "ACCOUNT_HAS_DUE", Precondition;
    /// With the charge more would be due than the credit limit (BL-6); metadata `limit`, `due`,
    /// `required`, `missing`, `currency`.
    CreditLimitExceeded = "CREDIT_LIMIT_EXCEEDED", Exhausted;
    /// An invoice is unpaid beyond the grace after it was due (BL-6); metadata `invoice_id`,
    /// `number`, `due_time`, `overdue_days`, `grace_days`.
    AccountOverdue = "ACCOUNT_OVERDUE", Precondition;
    /// Nothing is due on the invoice; metadata `invoice_id`, `state`.
    InvoiceNotOpen = "INVOICE_NOT_OPEN", Precondition;
    /// More would be paid than is due; metadata `invoice_id`, `due`, `asked`, `currency`.
    PaymentExceedsDue = "PAYMENT_EXCEEDS_DUE", Precondition;
    /// The entry was taken back before; metadata `entry_id`, `reversal_entry_id`.
    EntryAlreadyReversed = "ENTRY_ALREADY_REVERSED", Precondition;
    /// The entry is neither a deposit nor a withdrawal; metadata `entry_id`, `kind`.
    EntryNotReversible = "ENTRY_NOT_REVERSIBLE", Precondition;
    /// The refund does not wait for a review (AL-4); metadata `refund_id`, `state`.
    RefundNotPending = "REFUND_NOT_PENDING", Precondition;
    /// A refund was to be decided as of before what it decides about was bought (AL-4, T-5); metadata
    /// `decision_time`, `accept_time`.
    DecisionBeforePurchase = "DECISION_BEFORE_PURCHASE", Precondition;
    /// The first issuance that was named lies outside of the term (AL-4); metadata
    /// `first_issuance_time`, `start_time`, `end_time`.
    IssuanceOutsideTerm = "ISSUANCE_OUTSIDE_TERM", Precondition;
    /// The period has too many entries for one page to print; metadata `entries`, `maximum`.
    StatementTooLong = "STATEMENT_TOO_LONG", Precondition;
    /// It cannot be renewed yet (MD-10, SL-9); metadata `order_id` or `license_id`, `from_time`,
    /// `end_time`.
    RenewalTooEarly = "RENEWAL_TOO_EARLY", Precondition;
    /// It can no longer be renewed (MD-10, SL-9); metadata `order_id` or `license_id`,
    /// `until_time`, `end_time`.
    RenewalTooLate = "RENEWAL_TOO_LATE", Precondition;
    /// The next term is bought already (MD-10, SL-9); metadata `order_id` or `license_id`,
    /// `start_time`, `end_time`.
    RenewalAlreadyBought = "RENEWAL_ALREADY_BOUGHT", Precondition;
    /// It must be said which servers stay in the new term (AL-9); metadata `order_id`,
    /// `registered`, `licensed`, `named`.
    ServersToKeepRequired = "SERVERS_TO_KEEP_REQUIRED", Precondition;
    /// No change of names waits for its certificate (MD-7); metadata `order_id`, `state`.
    NoChangePending = "NO_CHANGE_PENDING", Precondition;
    /// The operation has ended, or has done what cannot be undone; metadata `operation_id`,
    /// `state`, `step`.
    OperationNotCancellable = "OPERATION_NOT_CANCELLABLE", Precondition;
    /// The operation was given up, and nothing of it stands; metadata `operation_id`, `step`.
    OperationCancelled = "OPERATION_CANCELLED", Precondition;
    /// The order's software is fixed while further servers are registered (AL-6); metadata
    /// `order_id`, `registered`.
    FurtherServersRegistered = "FURTHER_SERVERS_REGISTERED", Precondition;
    /// The key of a CSR is too short, or of a kind or curve that is not signed; metadata `key_type`,
    /// and for RSA `bits`, `minimum_bits`.
    CsrKeyWeak = "CSR_KEY_WEAK", Precondition;
    /// A licence that has ended is renewed only with a stated exception (SL-9); metadata
    /// `license_id`, `until_time`, `end_time`.
    RenewalExceptionRequired = "RENEWAL_EXCEPTION_REQUIRED", Precondition;
    /// Certificates that stand will use more than the new quota (SL-9); metadata `license_id`,
    /// `foreseen`, `quota`, `over_by`, `as_of_time`.
    ForeseenUsageExceedsQuota = "FORESEEN_USAGE_EXCEEDS_QUOTA", Precondition;
    /// The licence's terms may not last that long (SL-6); metadata `license_id`, `term_months`,
    /// `maximum`.
    TermTooLong = "TERM_TOO_LONG", Precondition;
    /// The product's tier and price are both above those that the term was sold with (SL-10);
    /// metadata `license_id`, `product_id`, `tier`, `highest_tier`, `price`, `highest_price`,
    /// `currency`.
    ProductTooHigh = "PRODUCT_TOO_HIGH", Precondition;
    /// The licence has as many products as a licence may have; metadata `license_id`, `maximum`.
    TooManyProducts = "TOO_MANY_PRODUCTS", Precondition;
    /// The batch is not the feed's next one (SL-14); metadata `feed_id`, `sequence`, `cursor`,
    /// `asked`.
    FeedOutOfSequence = "FEED_OUT_OF_SEQUENCE", Precondition;
    /// The feed's last batch is repeated with other content (SL-14); metadata `feed_id`,
    /// `sequence`, `cursor`.
    FeedBatchChanged = "FEED_BATCH_CHANGED", Precondition;
    /// The certificate counts in a licence already (SL-16); metadata `certificate_id`,
    /// `license_id`.
    CertificateAlreadyAllocated = "CERTIFICATE_ALREADY_ALLOCATED", Precondition;
    /// The revocation would give back something else than what was previewed, or that is too long
    /// ago (SL-19); metadata `license_id`, `preview_time`, `as_of_time`, `returning_weight`.
    PreviewStale = "PREVIEW_STALE", Precondition;
}

impl fmt::Display for Reason {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}

/// A name that is none of the contract's refusal reasons.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a refusal reason")]
pub struct UnknownReason(pub String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(word: &str) -> Result<Self, UnknownReason> {
        let found = Self::ALL.iter().find(|reason| reason.as_str() == word);
        found.copied().ok_or_else(|| UnknownReason(word.to_owned()))
    }
}

/// One of several things that stand against a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// What kind of thing is violated, `NAME` for one.
    pub kind: String,
    /// What it is about: a name, an id.
    pub subject: String,
    /// A sentence for a person.
    pub description: String,
}

/// A definite refusal: nothing was changed, and the same request gets the same answer (BL-2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Why, for a program.
    pub reason: Reason,
    /// Why, for a person.
    pub message: String,
    /// The numbers and ids behind it, by name.
    pub metadata: BTreeMap<String, String>,
    /// Each thing that stands against the request, where there can be several.
    pub violations: Vec<Violation>,
}

impl Refusal {
    /// A refusal without metadata or violations.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            metadata: BTreeMap::new(),
            violations: Vec::new(),
        }
    }

    /// Adds a number or an id for a program to read; the last value of a key stands.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl fmt::Display) -> Self {
        self.metadata.insert(key.into(), value.to_string());
        self
    }

    /// Adds one of the things that stand against the request.
    #[must_use]
    pub fn violation(
        mut self,
        kind: impl Into<String>,
        subject: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.violations.push(Violation {
            kind: kind.into(),
            subject: subject.into(),
            description: description.into(),
        });
        self
    }
}

/// NOT_FOUND: there is no such thing, or none that the caller sees.
#[must_use]
pub fn not_found(resource: &str, id: impl fmt::Display) -> Refusal {
    Refusal::new(Reason::NotFound, format!("there is no {resource} {id}"))
        .with("resource", resource)
        .with("id", id)
}

/// The room that an error's text has for the things that are wrong, in bytes.
pub const ERROR_TEXT_ROOM: usize = 1900;

/// The first of `total` things that are wrong, as many as `room` bytes hold but one at least, and
/// how many more there are. An error's text names all of them: many tools show nothing else of it.
pub fn listed(things: impl IntoIterator<Item = String>, total: usize, room: usize) -> String {
    let mut text = String::new();
    let mut named = 0;
    for thing in things {
        if named > 0 && text.len() + thing.len() + 2 > room {
            break;
        }
        if named > 0 {
            text.push_str("; ");
        }
        text.push_str(&thing);
        named += 1;
    }
    match total.saturating_sub(named) {
        0 => text,
        more => format!("{text}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_all_that_fits_and_counts_the_rest() {
        let things = |count: usize| (0..count).map(|number| format!("no. {number}"));
        assert_eq!(listed(things(0), 0, 100), "");
        assert_eq!(listed(things(3), 3, 100), "no. 0; no. 1; no. 2");
        assert_eq!(listed(things(4), 9, 12), "no. 0; no. 1; and 7 more");
        assert_eq!(listed(things(2), 2, 0), "no. 0; and 1 more");
    }

    #[test]
    fn every_reason_survives_its_name() {
        for &reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        assert_eq!(Reason::ALL.len(), 75);
        assert_eq!(
            "BUSY".parse::<Reason>(),
            Err(UnknownReason("BUSY".to_owned()))
        );
    }

    #[test]
    fn classes() {
        let of = |class| {
            Reason::ALL
                .iter()
                .filter(move |reason| reason.class() == class)
                .count()
        };
        assert_eq!(of(Class::NotFound), 1);
        assert_eq!(of(Class::AlreadyExists), 3);
        assert_eq!(of(Class::Exhausted), 3);
        assert_eq!(of(Class::Precondition), 68);
    }

    #[test]
    fn refusal_carries_its_numbers_and_survives_json() {
        let refusal = Refusal::new(Reason::InsufficientFunds, "5.00 USD is missing")
            .with("missing", "4.00")
            .with("missing", "5.00")
            .with("servers", 3)
            .violation("NAME", "example.com", "is on the order already");
        assert_eq!(refusal.to_string(), "5.00 USD is missing");
        assert_eq!(refusal.metadata["missing"], "5.00");
        assert_eq!(refusal.metadata["servers"], "3");
        assert_eq!(refusal.violations[0].subject, "example.com");
        let json = serde_json::to_string(&refusal).unwrap();
        assert_eq!(serde_json::from_str::<Refusal>(&json).unwrap(), refusal);
    }
}
