//! Any file is read to its end: every item has a record or a reason, and none is too long to be sent.

use std::{io::Write as _, ops::ControlFlow, sync::Arc};

use flate2::{Compression, write::GzEncoder};
use licet_fuzz::{certificates, fuzz};
use prost::Message as _;

use super::{formats::File, lines::Defaults};

const LINES: &str = r#"{"report": "certificate", "issuer_der": "301f", "serial": "0a1b", "sans": ["dns:a.example",
"#;
const CERTIFICATE: &str = r#"{"report":"certificate","issuer_der":"3000","serial":"0a","sans":["dns:a.example","ip:::1"],"not_before":"2026-01-01T00:00:00Z","not_after":"2026-03-31T23:59:59Z","key_type":"ECC"}
"#;
const REVOCATION: &str = r#"{"report":"revocation","issuer_der":"3000","serial":"0a","reason":"keyCompromise"}
"#;
const WORDS: [&str; 8] = [
    "\n",
    "\r\n",
    "{",
    "}",
    "\"",
    "-----BEGIN CERTIFICATE-----\n",
    "-----END CERTIFICATE-----\n",
    "\u{feff}",
];

#[test]
fn every_file_is_read_to_its_end() {
    let mut seeds = certificates();
    seeds.extend([LINES, CERTIFICATE, REVOCATION].map(|text| text.as_bytes().to_vec()));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(REVOCATION.as_bytes()).unwrap();
    seeds.push(packed.finish().unwrap());
    let owner = Defaults {
        account_id: None,
        product_id: None,
    };
    fuzz("ingest", &seeds, &WORDS, |bytes| {
        let mut sink = |item: super::item::Item| {
            let length = match item.content {
                Ok(record) => record.encoded_len(),
                Err(reason) => reason.len(),
            };
            assert!(length > 0 && length <= 2 << 20, "{length} bytes");
            ControlFlow::Continue(())
        };
        let mut file = File {
            name: Arc::from("damaged"),
            owner: &owner,
            sink: &mut sink,
        };
        assert!(file.read(bytes).is_continue());
    });
}
