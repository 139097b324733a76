//! What is asked in another tongue than gRPC's, or packed as it is not taken here: told apart before
//! anything else looks at it, so that no status has two causes.

use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use tonic::{Status, body::Body, codec::CompressionEncoding};

use crate::fault::{Fault, TransientReason};

/// The largest message taken or given, in bytes; every generated server is built with it.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// How messages may be packed, both ways; every server is built with it.
pub const COMPRESSION: CompressionEncoding = CompressionEncoding::Gzip;
/// The same, as clients are told.
const ACCEPTED_ENCODINGS: &str = "gzip,identity";

/// The answer to what is no gRPC call, or is packed as nobody here unpacks it.
pub(crate) fn refuse_foreign(request: &Request<Body>) -> Option<Response<Body>> {
    if *request.method() != Method::POST {
        let mut answer = plainly(
            StatusCode::METHOD_NOT_ALLOWED,
            "This is a gRPC service: it takes POST alone. Try grpcurl.\n",
        );
        let allowed = HeaderValue::from_static("POST");
        answer.headers_mut().insert(header::ALLOW, allowed);
        return Some(answer);
    }
    if !is_grpc(request.headers().get(header::CONTENT_TYPE)) {
        return Some(plainly(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "This is a gRPC service: it takes the content type application/grpc alone.\n",
        ));
    }
    if request.version() < Version::HTTP_2 {
        return Some(plainly(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "gRPC needs HTTP/2.\n",
        ));
    }
    let encoding = request.headers().get("grpc-encoding")?;
    match encoding.as_bytes() {
        b"identity" | b"gzip" => None,
        other => Some(unknown_encoding(&String::from_utf8_lossy(other)).into_http()),
    }
}

/// `application/grpc`, with `+proto` or parameters where they are given.
fn is_grpc(content_type: Option<&HeaderValue>) -> bool {
    let text = content_type.and_then(|value| value.to_str().ok());
    let bare = text.and_then(|text| text.split(';').next());
    bare.is_some_and(|bare| {
        let bare = bare.trim().to_ascii_lowercase();
        matches!(bare.as_str(), "application/grpc" | "application/grpc+proto")
    })
}

fn unknown_encoding(encoding: &str) -> Status {
    let message = format!("messages packed as {encoding:?} are not taken; gzip is, or none");
    let mut status = Status::from(Fault::transient(
        TransientReason::EncodingNotSupported,
        message,
    ));
    let accepted = tonic::metadata::MetadataValue::from_static(ACCEPTED_ENCODINGS);
    status
        .metadata_mut()
        .insert("grpc-accept-encoding", accepted);
    status
}

fn plainly(code: StatusCode, text: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::new(http_body_util::Full::from(text)));
    *answer.status_mut() = code;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, plain);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_told_apart() {
        let read = |text: &'static str| is_grpc(Some(&HeaderValue::from_static(text)));
        for good in [
            "application/grpc",
            "application/grpc+proto",
            "Application/gRPC; x=1",
        ] {
            assert!(read(good), "{good}");
        }
        for bad in [
            "",
            "text/html",
            "application/json",
            "application/grpc-web",
            "application/grpc+json",
            "application/grpcx",
        ] {
            assert!(!read(bad), "{bad}");
        }
        assert!(!is_grpc(None));
    }
}
