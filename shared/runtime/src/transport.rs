//! Rejects requests that are not gRPC or have an unsupported encoding, before anything else reads them, so
//! that each error has its own status.

use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use tonic::{Status, body::Body, codec::CompressionEncoding};

use crate::fault::{Fault, TransientReason};

/// The largest message in bytes, both ways; for every generated server.
pub const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// The supported compression, both ways; for every generated server.
pub const COMPRESSION: CompressionEncoding = CompressionEncoding::Gzip;
/// A generated server with the compression and the largest messages of every server.
#[macro_export]
macro_rules! served {
    ($server:expr) => {
        $server
            .accept_compressed($crate::transport::COMPRESSION)
            .send_compressed($crate::transport::COMPRESSION)
            .max_decoding_message_size($crate::transport::MAX_MESSAGE_BYTES)
            .max_encoding_message_size($crate::transport::MAX_MESSAGE_BYTES)
    };
}

pub(crate) use served;

/// The supported encodings, for clients.
const ACCEPTED_ENCODINGS: &str = "gzip,identity";

/// The response to a request that is not gRPC or has an unsupported encoding; `None` for others.
pub(crate) fn refuse_foreign(request: &Request<Body>) -> Option<Response<Body>> {
    if *request.method() != Method::POST {
        let mut response = plain_text(
            StatusCode::METHOD_NOT_ALLOWED,
            "This is a gRPC service and accepts only POST. Try grpcurl.\n",
        );
        let allowed = HeaderValue::from_static("POST");
        response.headers_mut().insert(header::ALLOW, allowed);
        return Some(response);
    }
    if !is_grpc(request.headers().get(header::CONTENT_TYPE)) {
        return Some(plain_text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "This is a gRPC service and accepts only the content type application/grpc.\n",
        ));
    }
    if request.version() < Version::HTTP_2 {
        return Some(plain_text(
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "gRPC requires HTTP/2.\n",
        ));
    }
    let encoding = request.headers().get("grpc-encoding")?;
    match encoding.as_bytes() {
        b"identity" | b"gzip" => None,
        other => Some(unknown_encoding(&String::from_utf8_lossy(other)).into_http()),
    }
}

/// Whether a content type is `application/grpc`, optionally with `+proto` or parameters.
fn is_grpc(content_type: Option<&HeaderValue>) -> bool {
    let text = content_type.and_then(|value| value.to_str().ok());
    let bare = text.and_then(|text| text.split(';').next());
    bare.is_some_and(|bare| {
        let bare = bare.trim().to_ascii_lowercase();
        matches!(bare.as_str(), "application/grpc" | "application/grpc+proto")
    })
}

fn unknown_encoding(encoding: &str) -> Status {
    let message = format!("the encoding {encoding:?} is not supported; use gzip or identity");
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

fn plain_text(code: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::from(text)));
    *response.status_mut() = code;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_grpc_content_types_are_accepted() {
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
