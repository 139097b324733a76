//! The deadline of the current call, which its calls to peers share.

use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

tokio::task_local! {
    /// When the current call must have ended.
    static DEADLINE: Instant;
}

/// Runs the work of a call that must end at `deadline`.
pub(crate) async fn until<F: Future>(deadline: Instant, work: F) -> F::Output {
    DEADLINE.scope(deadline, work).await
}

/// The time that the current call has left; `None` outside a call, such as in due work.
pub(crate) fn remaining() -> Option<Duration> {
    let now = Instant::now();
    DEADLINE
        .try_with(|deadline| deadline.saturating_duration_since(now))
        .ok()
}

/// The `grpc-timeout` header: up to eight digits and a unit.
pub(crate) fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            grpc_timeout(&headers)
        };
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
        for bad in ["", "m", "1", "1x", "-1S", "123456789S"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn a_call_knows_the_time_it_has_left() {
        assert_eq!(remaining(), None);
        let deadline = Instant::now() + Duration::from_secs(60);
        let left = until(deadline, async { remaining() }).await;
        assert!(left.is_some_and(|left| left <= Duration::from_secs(60)));
        let passed = Instant::now();
        assert_eq!(
            until(passed, async { remaining() }).await,
            Some(Duration::ZERO)
        );
    }
}
