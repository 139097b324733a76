//! A certificate authority made with the OpenSSL command line: root, intermediate, requests and leaves that
//! no library of ours wrote. It must assert nothing about results.

use std::{fs, path::PathBuf, process::Command};

use chrono::DateTime;
use licet_domain::clock::Instant;
use tempfile::TempDir;

/// A kind of key for `openssl genpkey`.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    Rsa(u32),
    Ec(&'static str),
}

/// The first and the last second of a validity; both are included.
pub(crate) type Validity = (Instant, Instant);

/// A certificate with its chain, leaf first and root last.
pub(crate) struct Chain {
    /// Each certificate as PEM.
    pub(crate) blocks: Vec<String>,
    /// Each as DER.
    pub(crate) ders: Vec<Vec<u8>>,
}

impl Chain {
    pub(crate) fn pem(&self) -> String {
        self.blocks.concat()
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.ders.concat()
    }
}

/// The authority's files, deleted with it.
pub(crate) struct Authority {
    folder: TempDir,
}

const CONFIG: &str = "\
[ca]
default_ca = authority
[authority]
dir = .
database = $dir/index.txt
new_certs_dir = $dir
default_md = sha256
rand_serial = yes
unique_subject = no
copy_extensions = none
policy = any
[any]
countryName = optional
organizationName = optional
commonName = supplied
[req]
distinguished_name = asked
string_mask = utf8only
[asked]
";

const OF_AUTHORITY: &str = "\
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
";

const OF_LEAF: &str = "\
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

impl Authority {
    /// An RSA root and, signed by it, an EC intermediate, both valid from 2020 to 2045.
    pub(crate) fn new() -> Self {
        let authority = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        authority.write("openssl.cnf", CONFIG);
        authority.write("index.txt", "");
        authority.write("authority.ext", OF_AUTHORITY);
        let at = |text: &str| text.parse::<Instant>().unwrap();
        let validity = (at("2020-01-01T00:00:00Z"), at("2044-12-31T23:59:59Z"));

        authority.make_key("root", Key::Rsa(3072));
        authority.make_request("root", "/C=DE/O=Licet & Söhne/CN=OpenSSL Root", None);
        let by_itself = ["-selfsign", "-keyfile", "root.key"];
        authority.certify("root", "authority.ext", validity, &by_itself);

        authority.make_key("intermediate", Key::Ec("P-384"));
        let subject = "/C=DE/O=Licet & Söhne/CN=OpenSSL Intermediate";
        authority.make_request("intermediate", subject, None);
        let by_root = ["-keyfile", "root.key", "-cert", "root.pem"];
        authority.certify("intermediate", "authority.ext", validity, &by_root);
        authority
    }

    /// A new key's request for these names, as PEM. The common name comes first and may be Unicode.
    pub(crate) fn request(&self, key: Key, common_name: &str, sans: &[String]) -> String {
        self.make_key("customer", key);
        let subject = format!("/CN={common_name}");
        self.make_request("customer", &subject, Some(&dns(sans)));
        self.read("customer.csr")
    }

    /// Signs a request's subject and key, with `sans` in OpenSSL's notation (`DNS:a.example`).
    pub(crate) fn sign(&self, csr: &str, sans: &str, validity: Validity) -> Chain {
        self.write("leaf.csr", csr);
        self.write("leaf.ext", &format!("{OF_LEAF}subjectAltName = {sans}\n"));
        let by = ["-keyfile", "intermediate.key", "-cert", "intermediate.pem"];
        self.certify("leaf", "leaf.ext", validity, &by);
        let files = ["leaf.pem", "intermediate.pem", "root.pem"];
        Chain {
            blocks: files.map(|file| self.read(file)).to_vec(),
            ders: files.map(|file| self.der(file)).to_vec(),
        }
    }

    /// Fails unless OpenSSL accepts a server's chain at an instant, trusting its last certificate.
    #[track_caller]
    pub(crate) fn verify(&self, chain_pem: &str, host: &str, at: Instant) {
        let end = "-----END CERTIFICATE-----\n";
        let blocks: Vec<_> = chain_pem.split_inclusive(end).collect();
        let (root, rest) = blocks.split_last().unwrap();
        self.write("trusted.pem", root);
        self.write("untrusted.pem", &rest[1..].concat());
        self.write("shown.pem", rest[0]);
        let seconds = (at.as_micros() / 1_000_000).to_string();
        self.openssl(&[
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-verify_hostname",
            host,
            "-attime",
            &seconds,
            "-CAfile",
            "trusted.pem",
            "-untrusted",
            "untrusted.pem",
            "shown.pem",
        ]);
    }

    /// One field of a certificate as `openssl x509` prints it, without its label.
    pub(crate) fn fact(&self, pem: &str, option: &str) -> String {
        self.write("asked.pem", pem);
        let names = "RFC2253,-esc_msb,utf8";
        let printed = self.openssl(&[
            "x509",
            "-in",
            "asked.pem",
            "-noout",
            "-nameopt",
            names,
            "-sha256",
            option,
        ]);
        let printed = String::from_utf8(printed).unwrap();
        let (_, value) = printed.trim().split_once('=').unwrap();
        value.to_owned()
    }

    fn make_key(&self, name: &str, key: Key) {
        let (algorithm, option) = match key {
            Key::Rsa(bits) => ("RSA", format!("rsa_keygen_bits:{bits}")),
            Key::Ec(curve) => ("EC", format!("ec_paramgen_curve:{curve}")),
        };
        let file = format!("{name}.key");
        self.openssl(&[
            "genpkey",
            "-quiet",
            "-algorithm",
            algorithm,
            "-pkeyopt",
            &option,
            "-out",
            &file,
        ]);
    }

    fn make_request(&self, name: &str, subject: &str, sans: Option<&str>) {
        let (key, file) = (format!("{name}.key"), format!("{name}.csr"));
        let mut words = vec!["req", "-new", "-utf8", "-config", "openssl.cnf"];
        words.extend(["-key", &key, "-subj", subject, "-out", &file]);
        let extension = sans.map(|sans| format!("subjectAltName={sans}"));
        if let Some(extension) = &extension {
            words.extend(["-addext", extension]);
        }
        self.openssl(&words);
    }

    fn certify(&self, name: &str, extensions: &str, validity: Validity, by: &[&str]) {
        let (request, file) = (format!("{name}.csr"), format!("{name}.pem"));
        let (first, last) = (asn1_time(validity.0), asn1_time(validity.1));
        let mut words = vec!["ca", "-batch", "-notext", "-utf8", "-preserveDN"];
        words.extend(["-config", "openssl.cnf", "-in", &request, "-out", &file]);
        words.extend(["-extfile", extensions, "-startdate", &first]);
        words.extend(["-enddate", &last]);
        words.extend(by);
        self.openssl(&words);
    }

    fn der(&self, file: &str) -> Vec<u8> {
        self.openssl(&["x509", "-in", file, "-outform", "DER"])
    }

    /// Runs OpenSSL in the authority's folder and returns its output.
    #[track_caller]
    fn openssl(&self, words: &[&str]) -> Vec<u8> {
        let ran = Command::new("openssl")
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .unwrap_or_else(|error| panic!("openssl does not run: {error}"));
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "openssl {words:?}: {said}");
        ran.stdout
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }
}

/// Names as DNS SANs in OpenSSL's notation.
pub(crate) fn dns(names: &[String]) -> String {
    let each: Vec<_> = names.iter().map(|name| format!("DNS:{name}")).collect();
    each.join(",")
}

/// A second in the notation of `openssl ca`.
fn asn1_time(instant: Instant) -> String {
    let time = DateTime::from_timestamp_micros(instant.as_micros()).unwrap();
    time.format("%Y%m%d%H%M%SZ").to_string()
}
