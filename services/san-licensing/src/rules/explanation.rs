//! Explains a decision in words and figures, with the rule that it rests on. Decides nothing.

use super::decision::{Decision, DenialReason};

/// The rule that decided, such as `SL-13`.
pub(crate) fn rule_id(decision: &Decision) -> &'static str {
    let is_over = decision.used + decision.reserved > decision.quota;
    match decision.reasons.first() {
        None if decision.needed == 0 => "SL-4",
        Some(DenialReason::LicenseNotActive) => "SL-11",
        Some(DenialReason::QuotaExceeded) if is_over => "SL-11",
        None | Some(DenialReason::QuotaExceeded) => "SL-13",
        Some(
            DenialReason::ProductNotLicensed
            | DenialReason::WildcardNotAllowed
            | DenialReason::KeyTypeNotAllowed
            | DenialReason::ValidityTooLong
            | DenialReason::OutlivesLicense
            | DenialReason::NextTermQuotaExceeded,
        ) => "SL-6",
    }
}

/// The decision as a sentence for a person.
pub(crate) fn explain(decision: &Decision) -> String {
    let Decision {
        quota,
        used,
        reserved,
        needed,
        ..
    } = decision;
    if decision.is_granted() {
        if *needed == 0 {
            return format!(
                "Granted: the licence already holds all of the SANs, so they need no quota; {used} \
                 used and {reserved} reserved of {quota}."
            );
        }
        let sum = used + reserved + needed;
        return format!(
            "Granted: {used} used, {reserved} reserved and {needed} needed make {sum} of {quota}."
        );
    }
    let reasons: Vec<_> = decision
        .reasons
        .iter()
        .map(|reason| why(*reason, decision))
        .collect();
    let mut text = format!("Denied: {}.", reasons.join("; "));
    if let Some(latest) = decision.latest_not_after {
        text.push_str(&format!(" The latest permitted notAfter is {latest}."));
    }
    text
}

fn why(reason: DenialReason, decision: &Decision) -> String {
    let text = match reason {
        DenialReason::LicenseNotActive => {
            "the licence is not charged, not started, ended or cancelled"
        }
        DenialReason::ProductNotLicensed => "the licence does not include the product",
        DenialReason::WildcardNotAllowed => "the licence does not permit wildcards",
        DenialReason::KeyTypeNotAllowed => "the licence does not permit this key type",
        DenialReason::ValidityTooLong => {
            "the certificate would be valid for longer than the licence permits"
        }
        DenialReason::OutlivesLicense => {
            "the certificate would outlive the licence, which does not permit that"
        }
        DenialReason::QuotaExceeded => return over_quota(decision),
        DenialReason::NextTermQuotaExceeded => return over_next_quota(decision),
    };
    text.to_owned()
}

fn over_quota(decision: &Decision) -> String {
    let Decision {
        quota,
        used,
        reserved,
        needed,
        short_by,
        ..
    } = decision;
    let fits = fits(decision);
    format!(
        "{used} used, {reserved} reserved and {needed} needed exceed the quota of {quota} by \
         {short_by}; {fits}"
    )
}

fn over_next_quota(decision: &Decision) -> String {
    let Some(next) = &decision.next else {
        return "the SANs exceed the quota of the next term".to_owned();
    };
    let fits = fits(decision);
    format!(
        "the certificate would last into the term that starts at {}, where {} held and {} needed \
         exceed the quota of {} by {}; {fits}",
        next.start,
        next.held,
        next.needed,
        next.quota,
        next.short_by()
    )
}

fn fits(decision: &Decision) -> String {
    match decision.fits {
        Some(fits) => format!("they would fit from {fits} on"),
        None => {
            "no time is known at which they would fit; increase the quota or revoke certificates"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use licet_domain::clock::Instant;
    use uuid::Uuid;

    use super::{super::decision::NextShortage, *};

    fn decision(reasons: Vec<DenialReason>, needed: u64) -> Decision {
        Decision {
            id: Uuid::nil(),
            reasons,
            time: Instant::from_micros(0).unwrap(),
            expire: None,
            quota: 10,
            used: 6,
            reserved: 3,
            needed,
            short_by: (9 + needed).saturating_sub(10),
            fits: None,
            latest_not_after: None,
            next: None,
        }
    }

    #[test]
    fn sl_12_every_reason_and_figure_is_said() {
        let granted = decision(vec![], 1);
        assert_eq!(
            explain(&granted),
            "Granted: 6 used, 3 reserved and 1 needed make 10 of 10."
        );
        assert_eq!(rule_id(&granted), "SL-13");
        assert_eq!(rule_id(&decision(vec![], 0)), "SL-4");
        let mut denied = decision(
            vec![DenialReason::OutlivesLicense, DenialReason::QuotaExceeded],
            5,
        );
        denied.fits = Instant::from_micros(1);
        denied.latest_not_after = Instant::from_micros(2);
        assert_eq!(
            explain(&denied),
            "Denied: the certificate would outlive the licence, which does not permit that; 6 used, \
             3 reserved and 5 needed exceed the quota of 10 by 4; they would fit from \
             1970-01-01T00:00:00.000001Z on. The latest permitted notAfter is \
             1970-01-01T00:00:00.000002Z."
        );
        assert_eq!(rule_id(&denied), "SL-6");
    }

    #[test]
    fn sl_11_a_license_over_its_quota_is_told_from_a_full_one() {
        let mut denied = decision(vec![DenialReason::QuotaExceeded], 2);
        assert_eq!(rule_id(&denied), "SL-13");
        denied.used = 8;
        assert_eq!(rule_id(&denied), "SL-11");
    }

    #[test]
    fn sl_6_the_next_terms_figures_are_said() {
        let mut denied = decision(vec![DenialReason::NextTermQuotaExceeded], 2);
        denied.next = Some(NextShortage {
            start: Instant::from_micros(0).unwrap(),
            quota: 5,
            held: 4,
            needed: 2,
        });
        assert_eq!(rule_id(&denied), "SL-6");
        assert_eq!(
            explain(&denied),
            "Denied: the certificate would last into the term that starts at \
             1970-01-01T00:00:00.000000Z, where 4 held and 2 needed exceed the quota of 5 by 1; no \
             time is known at which they would fit; increase the quota or revoke certificates."
        );
    }
}
