//! A decision in words and figures, and the rule that it rests on. Nothing is decided here.

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
                "Granted: the licence holds every one of the SANs, so none needs room; {used} \
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
        text.push_str(&format!(" The latest notAfter that passes is {latest}."));
    }
    text
}

fn why(reason: DenialReason, decision: &Decision) -> String {
    let text = match reason {
        DenialReason::LicenseNotActive => {
            "the licence has not started, is over, is cancelled or is not charged"
        }
        DenialReason::ProductNotLicensed => "the product is none of the licence's",
        DenialReason::WildcardNotAllowed => "the licence permits no wildcards",
        DenialReason::KeyTypeNotAllowed => "the licence does not permit that type of key",
        DenialReason::ValidityTooLong => "it would be valid for longer than the licence permits",
        DenialReason::OutlivesLicense => "it would outlive the licence, which does not permit it",
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
        "{used} used, {reserved} reserved and {needed} needed pass the quota of {quota} by \
         {short_by}, and {fits}"
    )
}

fn over_next_quota(decision: &Decision) -> String {
    let Some(next) = &decision.next else {
        return "it does not fit the next term".to_owned();
    };
    let fits = fits(decision);
    format!(
        "it would last into the term that starts at {}, for which {} held and {} needed pass the \
         quota of {} by {}, and {fits}",
        next.start,
        next.held,
        next.needed,
        next.quota,
        next.short_by()
    )
}

fn fits(decision: &Decision) -> String {
    match decision.fits {
        Some(fits) => format!("it would fit from {fits} on"),
        None => "no instant is foreseen at which it would fit".to_owned(),
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
            "Denied: it would outlive the licence, which does not permit it; 6 used, 3 reserved \
             and 5 needed pass the quota of 10 by 4, and it would fit from \
             1970-01-01T00:00:00.000001Z on. The latest notAfter that passes is \
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
            "Denied: it would last into the term that starts at 1970-01-01T00:00:00.000000Z, for \
             which 4 held and 2 needed pass the quota of 5 by 1, and no instant is foreseen at which \
             it would fit."
        );
    }
}
