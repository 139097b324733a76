//! The catalogue of Orders' events: a type per fact, with its data. Consumers read the JSON,
//! so no key and no shape ever changes; a new fact gets a new key or a new type. Instants are RFC
//! 3339 text, amounts decimal text in the currency beside them. The runtime adds
//! `licet.orders.operation.cancel_accepted.v1`.

use std::collections::BTreeSet;

use licet_domain::{
    clock::Instant,
    ids::{CertificateId, InvoiceId, LicenseId, OperationId, ProductId, ReservationId, ServerId},
    money::Money,
    revocation::RevocationReason,
    san::San,
};
use licet_runtime::outbox::EventData;
use serde::Serialize;

use crate::rules::slots::SlotCharge;

/// Declares event types: each a struct of its JSON keys, with the type's name.
macro_rules! events {
    ($(
        $(#[$meta:meta])*
        $name:ident $(<$life:lifetime>)? = $kind:literal {
            $($(#[$field_meta:meta])* $field:ident: $type:ty,)+
        }
    )+) => {$(
        $(#[$meta])*
        #[derive(Serialize)]
        pub(crate) struct $name $(<$life>)? {
            $($(#[$field_meta])* pub(crate) $field: $type,)+
        }

        impl $(<$life>)? EventData for $name $(<$life>)? {
            const TYPE: &'static str = concat!("licet.orders.", $kind, ".v1");
        }
    )+};
}

/// An amount that was charged, with its invoice.
#[derive(Serialize)]
pub(crate) struct ChargedAmount {
    /// Null if there is no invoice.
    invoice_id: Option<InvoiceId>,
    total: String,
    currency: &'static str,
}

impl ChargedAmount {
    pub(crate) fn new(invoice_id: Option<InvoiceId>, total: Money) -> Self {
        Self {
            invoice_id,
            total: total.value(),
            currency: total.currency().code(),
        }
    }
}

/// Domains as events list them, in their canonical form.
pub(crate) fn texts(domains: &BTreeSet<San>) -> Vec<&str> {
    domains.iter().map(San::value).collect()
}

events! {
    /// An order was accepted and is being charged (T-4).
    OrderAccepted<'a> = "order.accepted" {
        operation_id: OperationId,
        product_id: &'a ProductId,
        term_months: u32,
        /// All domains, including the common name.
        names: Vec<&'a str>,
        /// The SAN licence that the order draws on, or null.
        san_license_id: Option<LicenseId>,
    }

    /// An accepted order was refused, and does not exist.
    OrderRefused<'a> = "order.refused" {
        message: &'a str,
    }

    /// An order was charged (T-4).
    OrderPaid = "order.paid" {
        #[serde(flatten)]
        charged: ChargedAmount,
    }

    /// The next term of an order began (MD-10).
    TermStarted<'a> = "order.term_started" {
        #[serde(flatten)]
        term: RunningTerm<'a>,
    }

    /// The last term of an order ended (MD-10).
    OrderEnded<'a> = "order.ended" {
        #[serde(flatten)]
        term: RunningTerm<'a>,
    }

    /// An order was deleted (AL-7); its refunds and what it held of its SAN licence follow.
    OrderDeleted<'a> = "order.deleted" {
        operation_id: OperationId,
        revoked_certificate_ids: &'a [CertificateId],
        invalidated_server_ids: &'a [ServerId],
        /// Additional licences of the running term that are void.
        void_additional_licenses: u32,
        /// Those of the next term.
        void_next_additional_licenses: u32,
        /// Whether a domain change was dropped with the order.
        dropped_domain_change: bool,
    }

    /// The refund of one term of a deleted order was decided (AL-4), or its request refused.
    RefundDecided<'a> = "order.refund_decided" {
        /// Empty if Billing refused the request.
        refund_id: &'a str,
        term_index: Option<i32>,
        /// The amount refunded, or null.
        refunded: Option<&'a str>,
        currency: Option<&'a str>,
        /// Why Billing refused the request, or null.
        refused_reason: Option<&'static str>,
        refused_message: Option<&'a str>,
    }

    /// The refund of one term of a deleted order was reviewed (AL-4).
    RefundReviewed<'a> = "order.refund_reviewed" {
        refund_id: &'a str,
        term_index: Option<i32>,
        /// The amount refunded, or null.
        refunded: Option<&'a str>,
        currency: Option<&'a str>,
        reviewer: &'a str,
        /// Why the reviewer decided so.
        review_reason: &'a str,
    }

    /// What a deleted order held of its SAN licence is free.
    OrderSansReturned<'a> = "order.sans_returned" {
        san_license_id: LicenseId,
        /// The reservation that was released, or null.
        reservation_id: Option<ReservationId>,
        /// The certificates that were revoked in the licence, by their ids in Orders.
        certificate_ids: &'a [CertificateId],
        /// What SanLicensing refused, because it was free already.
        refused_messages: Vec<&'a str>,
    }

    /// The software of an order's servers was corrected (AL-6).
    SoftwareSet<'a> = "order.software_set" {
        old_server_software: &'a str,
        server_software: &'a str,
        /// The registered servers that it was corrected on.
        server_ids: &'a [ServerId],
    }

    /// A renewal was accepted and is being charged (MD-10).
    RenewalAccepted<'a> = "renewal.accepted" {
        operation_id: OperationId,
        /// Index of the new term.
        term_index: u32,
        term_months: u32,
        common_name: &'a str,
        /// The domains of the new term.
        names: Vec<&'a str>,
        additional_licenses: u32,
        /// The servers that stay in the new term (AL-9).
        kept_server_ids: Option<&'a BTreeSet<ServerId>>,
    }

    /// An accepted renewal was refused; the order is as before.
    RenewalRefused<'a> = "renewal.refused" {
        message: &'a str,
    }

    /// An order was renewed (MD-10).
    OrderRenewed<'a> = "order.renewed" {
        /// Index of the new term.
        term_index: u32,
        start_time: Instant,
        end_time: Instant,
        /// If the order had ended, since when it was without a term; else null.
        lapsed_since: Option<Instant>,
        additional_licenses: u32,
        /// The servers that lapse when the new term starts (AL-9).
        lapsing_server_ids: &'a [ServerId],
        #[serde(flatten)]
        charged: ChargedAmount,
    }

    /// A domain change was accepted (MD-7): it is being charged, or is free and awaits its
    /// certificate.
    DomainChangeAccepted<'a> = "domain_change.accepted" {
        added: Vec<&'a str>,
        removed: Vec<&'a str>,
        /// The common name once the change is made (MD-5).
        common_name: &'a str,
        #[serde(flatten)]
        slots: ChargedSlots,
    }

    /// The charge of a domain change was refused; the order is as before.
    DomainChangeRefused<'a> = "domain_change.refused" {
        message: &'a str,
    }

    /// A domain change was charged (MD-1) and awaits its certificate.
    DomainChangeCharged = "domain_change.charged" {
        /// For the running term; its keys are absent if nothing was charged there.
        #[serde(flatten)]
        charged: Option<ChargedAmount>,
        /// For the next term (MD-8), or null.
        next_term: Option<ChargedAmount>,
    }

    /// The cancellation of a domain change was accepted (MD-7); its charge is being credited.
    DomainChangeCancelAccepted = "domain_change.cancel_accepted" {
        operation_id: OperationId,
    }

    /// A domain change was cancelled (MD-7) and its charge credited.
    DomainChangeCancelled<'a> = "domain_change.cancelled" {
        /// The domains that were to be added.
        added: Option<Vec<&'a str>>,
        removed: Option<Vec<&'a str>>,
        /// The common name that stays.
        common_name: &'a str,
        credit_note_ids: Vec<&'a str>,
        /// Why a later invoice was not credited.
        refused_messages: Vec<&'a str>,
    }

    /// The cancellation of a domain change was refused: the change still awaits its
    /// certificate.
    DomainChangeCancelRefused<'a> = "domain_change.cancel_refused" {
        message: &'a str,
    }

    /// A reissue was requested (MD-7).
    ReissueRequested = "reissue.requested" {
        /// Since when a certificate is awaited.
        pending_since: Option<Instant>,
        /// Whether the request brought a signing request.
        has_new_key: bool,
    }

    /// A certificate was recorded for an order (MD-7).
    CertificateRecorded<'a> = "certificate.recorded" {
        certificate_id: CertificateId,
        /// In hexadecimal digits.
        serial: &'a str,
        common_name: &'a str,
        /// Since when the certificates that it replaces count as revoked; null if never.
        superseded_revoke_time: Option<Instant>,
        /// The SAN licence that it counts in, or null.
        san_license_id: Option<LicenseId>,
        /// Whether that licence is over its quota with it (SL-21).
        over_quota: bool,
    }

    /// A certificate that counts in the order's SAN licence was refused.
    CertificateRefused<'a> = "certificate.refused" {
        message: &'a str,
        /// Its id in SanLicensing, if it was revoked there again; else null.
        withdrawn_san_certificate_id: Option<CertificateId>,
    }

    /// A certificate was revoked (SL-19).
    CertificateRevoked<'a> = "certificate.revoked" {
        certificate_id: CertificateId,
        /// In hexadecimal digits.
        serial: &'a str,
        reason: Option<RevocationReason>,
        /// Since when it counts as revoked (T-6).
        revoke_time: Option<Instant>,
        /// When SanLicensing recorded the revocation, if it was made there; else null.
        san_revoke_time: Option<Instant>,
        reissue_requested: bool,
    }

    /// The SANs of a revoked certificate are free in its SAN licence (MD-7).
    CertificateSansReturned<'a> = "certificate.sans_returned" {
        certificate_id: CertificateId,
        san_license_id: LicenseId,
        /// Why SanLicensing had nothing to revoke, or null.
        refused_message: Option<&'a str>,
    }

    /// A server was registered (AL-8).
    ServerRegistered = "server.registered" {
        server_id: ServerId,
        /// Whether the certificate itself covers it (AL-1).
        primary: bool,
    }

    /// A server was unregistered (AL-8).
    ServerUnregistered = "server.unregistered" {
        server_id: ServerId,
    }
}

/// The term that runs, or ran last.
#[derive(Serialize)]
pub(crate) struct RunningTerm<'a> {
    pub(crate) term_index: u32,
    pub(crate) start_time: Instant,
    pub(crate) end_time: Instant,
    pub(crate) additional_licenses: u32,
    /// The servers that stay in the term (AL-9); null for a first term.
    pub(crate) kept_server_ids: Option<&'a BTreeSet<ServerId>>,
    /// Whether its domains want another certificate.
    pub(crate) awaits_certificate: bool,
}

/// The slots that a domain change pays for (MD-4), in the running term and in the next.
#[derive(Serialize)]
pub(crate) struct ChargedSlots {
    charged_standard: u32,
    charged_wildcard: u32,
    charged_converted: u32,
    next_term_standard: u32,
    next_term_wildcard: u32,
    next_term_converted: u32,
}

impl ChargedSlots {
    pub(crate) fn new(charge: SlotCharge, next_charge: SlotCharge) -> Self {
        Self {
            charged_standard: charge.standard,
            charged_wildcard: charge.wildcard,
            charged_converted: charge.converted,
            next_term_standard: next_charge.standard,
            next_term_wildcard: next_charge.wildcard,
            next_term_converted: next_charge.converted,
        }
    }
}

/// Whether SanLicensing authorised the certificate that is about to be signed, or refused the
/// request.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum IssuanceDecided<'a> {
    /// Granted or denied.
    Decision {
        san_license_id: Option<LicenseId>,
        /// The reservation that was granted, or null.
        reservation_id: Option<ReservationId>,
        /// The one that it replaces and that is released, or null.
        replaced_reservation_id: Option<ReservationId>,
        /// Why it was denied.
        reasons: Vec<&'static str>,
        /// How many of its SANs the licence did not hold.
        needed: i64,
        /// How many of these exceed the quota.
        short_by: i64,
    },
    /// SanLicensing refused the request.
    Refused {
        /// Why.
        message: &'a str,
    },
}

impl EventData for IssuanceDecided<'_> {
    const TYPE: &'static str = "licet.orders.issuance.decided.v1";
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json, to_value};

    use super::*;

    fn charged() -> ChargedAmount {
        ChargedAmount::new(None, Money::from_minor("USD".parse().unwrap(), 2450))
    }

    #[test]
    fn x_5_the_shapes_of_data_stay() {
        assert_eq!(
            DomainChangeCharged::TYPE,
            "licet.orders.domain_change.charged.v1"
        );
        let amount = json!({ "invoice_id": null, "total": "24.50", "currency": "USD" });
        let both = DomainChangeCharged {
            charged: Some(charged()),
            next_term: Some(charged()),
        };
        let mut expected = amount.clone();
        expected["next_term"] = amount.clone();
        assert_eq!(to_value(&both).unwrap(), expected);
        let next = DomainChangeCharged {
            charged: None,
            next_term: Some(charged()),
        };
        assert_eq!(to_value(&next).unwrap(), json!({ "next_term": amount }));
        let paid = OrderPaid { charged: charged() };
        assert_eq!(to_value(&paid).unwrap(), amount);
        let refused = IssuanceDecided::Refused { message: "no" };
        assert_eq!(to_value(&refused).unwrap(), json!({ "message": "no" }));
        let decision = IssuanceDecided::Decision {
            san_license_id: None,
            reservation_id: None,
            replaced_reservation_id: None,
            reasons: vec!["LICENSE_ENDED"],
            needed: 2,
            short_by: 1,
        };
        let decision = to_value(&decision).unwrap();
        assert_eq!(decision["reservation_id"], Value::Null);
        assert_eq!(decision["needed"], json!(2));
        assert_eq!(decision.as_object().unwrap().len(), 6);
    }
}
