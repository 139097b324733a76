//! What holds of every text and document that a client sends, however damaged: nothing panics, and what is
//! accepted keeps its value when it is written and read again.

use std::hint::black_box;

use licet_fuzz::{certificates, fuzz};

use crate::{
    certificate::{
        Document, classify_document, document_length, parse_chain, parse_leaf, parse_request,
        serial,
    },
    clock::Instant,
    ids::{AccountId, OrderId},
    money::{Money, Price},
    private_key::is_private_key_document,
    san::San,
};

const LABELS: [&str; 6] = [
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "-----BEGIN CERTIFICATE REQUEST-----\n",
    "-----BEGIN PKCS7-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
    "\u{30}\u{80}",
];

fn seeds(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn documents() -> Vec<Vec<u8>> {
    let mut documents = certificates();
    let (key, params) = (
        rcgen::KeyPair::generate().unwrap(),
        rcgen::CertificateParams::new,
    );
    let params = params(["example.com".to_owned(), "192.0.2.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let request = params.serialize_request(&key).unwrap();
    documents.push(certificate.der().to_vec());
    documents.push(certificate.pem().into_bytes());
    documents.push(request.der().to_vec());
    documents.push(request.pem().unwrap().into_bytes());
    documents
}

#[test]
fn documents_are_parsed_or_refused() {
    fuzz("documents", &documents(), &LABELS, |bytes| {
        let leaf = parse_leaf(bytes);
        if let Ok(chain) = parse_chain(bytes) {
            assert!(!chain.is_empty());
            assert!(leaf.is_ok(), "a chain begins with a certificate");
        }
        if let Ok(request) = parse_request(bytes) {
            black_box(request.verify_signature().is_ok());
        }
        black_box((classify_document(bytes), document_length(bytes)));
    });
}

#[test]
fn no_certificate_is_taken_for_a_private_key() {
    for document in certificates() {
        let has_key = document.windows(11).any(|text| text == b"PRIVATE KEY");
        let is_certificate = matches!(classify_document(&document), Document::Signed)
            || document.starts_with(b"-----BEGIN CERTIFICATE-----");
        let taken_for_key = is_private_key_document(&document);
        assert!(
            has_key || !is_certificate || !taken_for_key,
            "{}",
            document.escape_ascii()
        );
    }
}

#[test]
fn names_are_canonical_or_refused() {
    let names = seeds(&[
        "www.example.com",
        "*.example.com",
        "xn--bcher-kva.example",
        "bücher.example",
        "192.0.2.1",
        "2001:db8::1",
        "::ffff:192.0.2.1",
        "someone@example.com",
        "\"some one\"@example.com",
        "EXAMPLE.com.",
    ]);
    let words = [
        "*.", "xn--", "..", "@", "\u{200d}", "ß", "\u{3002}", "::", "%", "\u{202e}",
    ];
    fuzz("SANs", &names, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        for parse in [San::dns, San::ip, San::email, San::upn] {
            if let Ok(san) = parse(&text) {
                assert_eq!(
                    parse(san.value()).as_ref(),
                    Ok(&san),
                    "SL-2: a canonical name stays as it is"
                );
            }
        }
    });
}

#[test]
fn amounts_and_prices_keep_their_value() {
    let values = seeds(&[
        "0",
        "12.50",
        "-3.07",
        "0.0025",
        "92233720368547758.07",
        "000.10",
        "1e3",
    ]);
    fuzz(
        "money",
        &values,
        &["-", "+", ".", "0", "e", "_", "٣", " "],
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            for code in ["USD", "JPY", "KWD"] {
                if let Ok(money) = Money::parse(code, &text) {
                    assert_eq!(Money::parse(code, &money.value()), Ok(money));
                }
                if let Ok(price) = Price::parse(code, &text) {
                    assert_eq!(Price::parse(code, &price.value()), Ok(price));
                }
            }
        },
    );
}

#[test]
fn ids_serials_and_times_keep_their_value() {
    let texts = seeds(&[
        "acc_01h455vb4pex5vsknk084sn02q",
        "ord_01h455vb4pex5vsknk084sn02q",
        "0a1b",
        "00:ff:10",
        "-80",
        "2026-02-28T23:59:59.999999Z",
        "2026-02-28T23:59:60+14:00",
        "1",
        "7fffffffffffffffffffffffffffffffffffffff",
    ]);
    fuzz(
        "ids",
        &texts,
        &["acc_", "ord_", "_", ":", "Z", "T", "+", "9999"],
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            if let Ok(id) = text.parse::<AccountId>() {
                assert_eq!(id.to_string().parse::<AccountId>().ok(), Some(id));
            }
            if let Ok(id) = text.parse::<OrderId>() {
                assert_eq!(id.to_string().parse::<OrderId>().ok(), Some(id));
            }
            if let Ok(number) = serial(&text) {
                assert_eq!(serial(&number).as_ref().ok(), Some(&number));
            }
            if let Ok(time) = text.parse::<Instant>() {
                assert_eq!(time.to_string().parse::<Instant>().ok(), Some(time));
            }
        },
    );
}
