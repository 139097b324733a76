//! The current call's area, such as `licet.billing`. The call's errors report it as their domain, also from
//! the call's other tasks.

tokio::task_local! {
    /// The area of the current call, for `ErrorInfo.domain`.
    pub(crate) static AREA: String;
}

/// The area of the current call; `licet` outside a call.
pub(crate) fn current() -> String {
    AREA.try_with(Clone::clone)
        .unwrap_or_else(|_| "licet".to_owned())
}

/// Runs another task's work of a call to the method `path` in that call's area.
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
