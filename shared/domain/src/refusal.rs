//! Definite refusals: the reasons listed in the contract, with the data that a client needs to
//! act on them. After any other error the outcome is unknown, and the request is repeated.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Class of a reason; determines the canonical status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The resource does not exist, or this caller may not see it.
    NotFound,
    /// The resource already exists, or the request id was used for something else.
    AlreadyExists,
    /// The current state does not permit the request.
    Precondition,
    /// A limited resource is used up: money, licensed servers.
    Exhausted,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $class:ident;)+) => {
        /// Why a request was definitely refused: repeating it is refused again until something changes.
        /// The contract lists the same names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum Reason { $($(#[$doc])* $variant,)+ }

        impl Reason {
            /// All reasons, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in the contract, `QUOTE_STALE`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The reason's class.
            pub fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)+ }
            }
        }
    };
}

reasons! {
    /// The resource does not exist for this caller; metadata `resource`, `id`.
    NotFound = "NOT_FOUND", NotFound;
    /// A resource with that id already exists.
    AlreadyExists = "ALREADY_EXISTS", AlreadyExists;
    /// The request id was used with a different body (BL-2).
    RequestIdReused = "REQUEST_ID_REUSED", AlreadyExists;
    /// The balance does not cover the charge (BL-6); metadata `missing`, `available`, `required`,
    /// `currency`.
    InsufficientFunds = "INSUFFICIENT_FUNDS", Exhausted;
    /// All licensed servers are registered (AL-8).
    ServerLimitReached = "SERVER_LIMIT_REACHED", Exhausted;
    /// Amounts in two currencies cannot be combined (M-4).
    CurrencyMismatch = "CURRENCY_MISMATCH", Precondition;
    /// The catalogue has no price for the item in that currency at that time (BL-8).
    PriceNotSet = "PRICE_NOT_SET", Precondition;
    /// The product is not sold for that many months.
    TermNotSold = "TERM_NOT_SOLD", Precondition;
    /// The request needs a product of another kind.
    ProductKindMismatch = "PRODUCT_KIND_MISMATCH", Precondition;
    /// An additional licence must cost less than its certificate (AL-10).
    AdditionalLicensePriceTooHigh = "ADDITIONAL_LICENSE_PRICE_TOO_HIGH", Precondition;
    /// A wildcard domain must not cost less than a domain (MD-4).
    WildcardPriceTooLow = "WILDCARD_PRICE_TOO_LOW", Precondition;
    /// The catalogue's past cannot be changed (BL-8).
    EffectiveTimeInPast = "EFFECTIVE_TIME_IN_PAST", Precondition;
    /// The term is over and can no longer be changed (P-1).
    TermEnded = "TERM_ENDED", Precondition;
    /// The amount exceeds the supported range (M-2).
    AmountOutOfRange = "AMOUNT_OUT_OF_RANGE", Precondition;
    /// The quote had expired when the change was accepted (MD-6).
    QuoteExpired = "QUOTE_EXPIRED", Precondition;
    /// What the quote was computed for has changed since (MD-6).
    QuoteStale = "QUOTE_STALE", Precondition;
    /// The quote was already charged; metadata names its invoice.
    QuoteSpent = "QUOTE_SPENT", Precondition;
    /// This request's charge was given up; metadata `request_id`.
    ChargeForbidden = "CHARGE_FORBIDDEN", Precondition;
    /// Credit notes would exceed their invoice, or one of its lines (BL-3); metadata `asked`,
    /// `creditable`, `currency`, and a violation per line.
    CreditExceedsInvoice = "CREDIT_EXCEEDS_INVOICE", Precondition;
    /// A refund of this term was already requested (AL-4).
    RefundAlreadyRequested = "REFUND_ALREADY_REQUESTED", Precondition;
    /// Another change of the order or licence is in progress (MD-7, X-7).
    ChangeInProgress = "CHANGE_IN_PROGRESS", Precondition;
    /// The order's first charge is not complete.
    OrderNotPaid = "ORDER_NOT_PAID", Precondition;
    /// The order has no certificate yet.
    OrderNotIssued = "ORDER_NOT_ISSUED", Precondition;
    /// The order's last term is over.
    OrderEnded = "ORDER_ENDED", Precondition;
    /// The order is deleted.
    OrderDeleted = "ORDER_DELETED", Precondition;
    /// More domains than the product allows (MD-4).
    TooManyDomains = "TOO_MANY_DOMAINS", Precondition;
    /// More additional licences than the product allows (AL-1).
    TooManyAdditionalLicenses = "TOO_MANY_ADDITIONAL_LICENSES", Precondition;
    /// A domain to add is already on the order (MD-5).
    DomainAlreadyPresent = "DOMAIN_ALREADY_PRESENT", Precondition;
    /// A domain to remove is not on the order (MD-5).
    DomainNotPresent = "DOMAIN_NOT_PRESENT", Precondition;
    /// The common name cannot be removed (MD-5).
    CommonNameFixed = "COMMON_NAME_FIXED", Precondition;
    /// The product does not offer wildcards.
    WildcardNotOffered = "WILDCARD_NOT_OFFERED", Precondition;
    /// The request would change nothing.
    NoChange = "NO_CHANGE", Precondition;
    /// The server runs different software than the order states (AL-6).
    ServerSoftwareMismatch = "SERVER_SOFTWARE_MISMATCH", Precondition;
    /// The server's common name is not the order's (AL-6).
    CommonNameMismatch = "COMMON_NAME_MISMATCH", Precondition;
    /// The certificate is not the one that the order is waiting for: names, key or dates differ.
    CertificateMismatch = "CERTIFICATE_MISMATCH", Precondition;
    /// The order is not waiting for a certificate.
    IssuanceNotPending = "ISSUANCE_NOT_PENDING", Precondition;
    /// The certificate signing request is for names other than the order's.
    CsrMismatch = "CSR_MISMATCH", Precondition;
    /// A volume tier would cost more per SAN than a smaller one (SL-7).
    VolumePriceRises = "VOLUME_PRICE_RISES", Precondition;
    /// The licence is no longer a draft (SL-7); metadata `license_id`, `state`.
    LicenseNotQuoted = "LICENSE_NOT_QUOTED", Precondition;
    /// The licence has not started, has ended, was cancelled, or is not charged (SL-11); metadata
    /// `license_id`, `state`.
    LicenseNotActive = "LICENSE_NOT_ACTIVE", Precondition;
    /// The licence draft was accepted after it had expired (SL-7); metadata `license_id`,
    /// `valid_until_time`, `accept_time`.
    LicenseQuoteExpired = "LICENSE_QUOTE_EXPIRED", Precondition;
    /// The account already has a running or accepted licence for a product (SL-20); a violation per
    /// product, metadata `product_id`, `license_id` of the first.
    ProductAlreadyLicensed = "PRODUCT_ALREADY_LICENSED", Precondition;
    /// The new quota is not higher than the present one (SL-8); metadata `license_id`, `quota`,
    /// `asked`.
    QuotaNotHigher = "QUOTA_NOT_HIGHER", Precondition;
    /// The reservation was already used by a certificate, or released (SL-12); metadata
    /// `reservation_id`, `state`.
    ReservationSpent = "RESERVATION_SPENT", Precondition;
    /// A different certificate with this issuer and serial is recorded (SL-14); metadata
    /// `certificate_id`, `serial`.
    CertificateConflict = "CERTIFICATE_CONFLICT", AlreadyExists;
    /// A certificate is already revoked or expired (SL-19); a violation for each.
    CertificateNotRevocable = "CERTIFICATE_NOT_REVOCABLE", Precondition;
    /// The account cannot become prepaid while something is due (BL-6); metadata `account_id`, `due`,
    /// `currency`.
    AccountHasDue = "ACCOUNT_HAS_DUE", Precondition;
    /// The charge would exceed the credit limit (BL-6); metadata `limit`, `due`, `required`, `missing`,
    /// `currency`.
    CreditLimitExceeded = "CREDIT_LIMIT_EXCEEDED", Exhausted;
    /// An invoice is overdue beyond the grace period (BL-6); metadata `invoice_id`, `number`,
    /// `due_time`, `overdue_days`, `grace_days`.
    AccountOverdue = "ACCOUNT_OVERDUE", Precondition;
    /// Nothing is due on the invoice; metadata `invoice_id`, `state`.
    InvoiceNotOpen = "INVOICE_NOT_OPEN", Precondition;
    /// The payment exceeds what is due; metadata `invoice_id`, `due`, `asked`, `currency`.
    PaymentExceedsDue = "PAYMENT_EXCEEDS_DUE", Precondition;
    /// The entry was already reversed; metadata `entry_id`, `reversal_entry_id`.
    EntryAlreadyReversed = "ENTRY_ALREADY_REVERSED", Precondition;
    /// The entry is neither a deposit nor a withdrawal; metadata `entry_id`, `kind`.
    EntryNotReversible = "ENTRY_NOT_REVERSIBLE", Precondition;
    /// The refund is not waiting for a review (AL-4); metadata `refund_id`, `state`.
    RefundNotPending = "REFUND_NOT_PENDING", Precondition;
    /// The refund's decision time is before the purchase that it decides about (AL-4, T-5); metadata
    /// `decision_time`, `accept_time`.
    DecisionBeforePurchase = "DECISION_BEFORE_PURCHASE", Precondition;
    /// The stated first issuance is outside the term (AL-4); metadata `first_issuance_time`,
    /// `start_time`, `end_time`.
    IssuanceOutsideTerm = "ISSUANCE_OUTSIDE_TERM", Precondition;
    /// The period has more entries than fit on one page; metadata `entries`, `maximum`.
    StatementTooLong = "STATEMENT_TOO_LONG", Precondition;
    /// Too early to renew (MD-10, SL-9); metadata `order_id` or `license_id`, `from_time`, `end_time`.
    RenewalTooEarly = "RENEWAL_TOO_EARLY", Precondition;
    /// Too late to renew (MD-10, SL-9); metadata `order_id` or `license_id`, `until_time`, `end_time`.
    RenewalTooLate = "RENEWAL_TOO_LATE", Precondition;
    /// The next term is already bought (MD-10, SL-9); metadata `order_id` or `license_id`,
    /// `start_time`, `end_time`.
    RenewalAlreadyBought = "RENEWAL_ALREADY_BOUGHT", Precondition;
    /// The request must name the servers that stay in the new term (AL-9); metadata `order_id`,
    /// `registered`, `licensed`, `named`.
    ServersToKeepRequired = "SERVERS_TO_KEEP_REQUIRED", Precondition;
    /// No domain change is waiting for its certificate (MD-7); metadata `order_id`, `state`.
    NoChangePending = "NO_CHANGE_PENDING", Precondition;
    /// The operation has ended, or has done something irreversible; metadata `operation_id`,
    /// `state`, `step`.
    OperationNotCancellable = "OPERATION_NOT_CANCELLABLE", Precondition;
    /// The operation was cancelled and left nothing behind; metadata `operation_id`, `step`.
    OperationCancelled = "OPERATION_CANCELLED", Precondition;
    /// The order's software and common name cannot change while further servers are registered (AL-6);
    /// metadata `order_id`, `registered`.
    FurtherServersRegistered = "FURTHER_SERVERS_REGISTERED", Precondition;
    /// The key of a CSR is too short, or of an unsupported kind or curve; metadata `key_type`, and for
    /// RSA `bits`, `minimum_bits`.
    CsrKeyWeak = "CSR_KEY_WEAK", Precondition;
    /// A licence that has ended can be renewed only with a stated exception (SL-9); metadata
    /// `license_id`, `until_time`, `end_time`.
    RenewalExceptionRequired = "RENEWAL_EXCEPTION_REQUIRED", Precondition;
    /// The existing certificates will use more than the new quota (SL-9); metadata `license_id`,
    /// `foreseen`, `quota`, `over_by`, `as_of_time`.
    ForeseenUsageExceedsQuota = "FORESEEN_USAGE_EXCEEDS_QUOTA", Precondition;
    /// The licence does not permit a term this long (SL-6); metadata `license_id`, `term_months`,
    /// `maximum`.
    TermTooLong = "TERM_TOO_LONG", Precondition;
    /// The product's tier and price both exceed those that the term was sold with (SL-10); metadata
    /// `license_id`, `product_id`, `tier`, `highest_tier`, `price`, `highest_price`, `currency`.
    ProductTooHigh = "PRODUCT_TOO_HIGH", Precondition;
    /// The licence has the maximum number of products; metadata `license_id`, `maximum`.
    TooManyProducts = "TOO_MANY_PRODUCTS", Precondition;
    /// The batch is not the feed's next one (SL-14); metadata `feed_id`, `sequence`, `cursor`, `asked`.
    FeedOutOfSequence = "FEED_OUT_OF_SEQUENCE", Precondition;
    /// The feed's last batch was repeated with different content (SL-14); metadata `feed_id`,
    /// `sequence`, `cursor`.
    FeedBatchChanged = "FEED_BATCH_CHANGED", Precondition;
    /// The certificate already counts in a licence (SL-16); metadata `certificate_id`, `license_id`.
    CertificateAlreadyAllocated = "CERTIFICATE_ALREADY_ALLOCATED", Precondition;
    /// The revocation would not free what was previewed, or the preview is too old (SL-19); metadata
    /// `license_id`, `preview_time`, `as_of_time`, `returning_weight`.
    PreviewStale = "PREVIEW_STALE", Precondition;
    /// The event log lost its last events and gave out their positions again; metadata
    /// `position`, `last_position`.
    LogDiverged = "LOG_DIVERGED", Precondition;
}

impl fmt::Display for Reason {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.as_str())
    }
}

/// A name that is not a refusal reason of the contract.
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

/// One of several problems with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Kind of problem, such as `NAME`.
    pub kind: String,
    /// What it concerns: a name or an id.
    pub subject: String,
    /// The problem, as a sentence for people.
    pub description: String,
}

/// A definite refusal: nothing was changed, and a repeat of the request gets the same refusal (BL-2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The reason, for programs.
    pub reason: Reason,
    /// The reason, for people.
    pub message: String,
    /// The numbers and ids behind the refusal, by key.
    pub metadata: BTreeMap<String, String>,
    /// All problems with the request, where there can be several.
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

    /// Adds a number or an id for programs; a repeated key replaces the value.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl fmt::Display) -> Self {
        self.metadata.insert(key.into(), value.to_string());
        self
    }

    /// Adds one of several problems.
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

/// NOT_FOUND: the resource does not exist, or the caller may not see it.
#[must_use]
pub fn not_found(resource: &str, id: impl fmt::Display) -> Refusal {
    Refusal::new(Reason::NotFound, format!("there is no {resource} {id}"))
        .with("resource", resource)
        .with("id", id)
}

/// Space for the list of problems in an error's text, in bytes.
pub const ERROR_TEXT_ROOM: usize = 1900;

/// Joins the first of `total` problems, as many as fit into `room` bytes but at least one, and appends
/// how many are left out. Errors list problems in their text because many tools show nothing else.
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
        assert_eq!(Reason::ALL.len(), 76);
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
        assert_eq!(of(Class::Precondition), 69);
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
