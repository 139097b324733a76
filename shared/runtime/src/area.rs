//! The area of the call under way, `licet.billing` of a call to Billing: its errors name it as their
//! domain, whichever task they come from.

tokio::task_local! {
    /// The area of the call under way, for `ErrorInfo.domain`.
    pub(crate) static AREA: String;
}

/// `licet.billing` while a Billing call is under way.
pub(crate) fn current() -> String {
    AREA.try_with(Clone::clone)
        .unwrap_or_else(|_| "licet".to_owned())
}

/// Runs work of the call of method `path` in another task, under the area that its errors name.
pub(crate) async fn within<F: Future>(path: &str, work: F) -> F::Output {
    AREA.scope(area_of(path), work).await
}

pub(crate) fn area_of(path: &str) -> String {
    let service = path.trim_start_matches('/');
    service
        .split_once(".v1.")
        .map_or(service, |(area, _)| area)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_the_package_without_its_version() {
        assert_eq!(
            area_of("/licet.billing.v1.AccountService/Deposit"),
            "licet.billing"
        );
        assert_eq!(area_of("/nonsense"), "nonsense");
    }
}
