//! `licet dev-certs FOLDER`: a throwaway authority, certificates for the three services, a console and a caller
//! of each role, and the access table for them. For trying out mutual TLS; not for production.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use licet_contracts::types::v1::Role;
use licet_domain::clock::Clock as _;
use licet_runtime::clock::SystemClock;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};

use crate::CommandError;

/// The trust domain of the identities.
const DOMAIN: &str = "spiffe://licet.test";
/// The identities that are services of the suite.
const SERVICES: [&str; 3] = ["orders", "billing", "san-licensing"];
/// How long the certificates are valid.
const DAYS: u32 = 365;

/// Settings of `licet dev-certs`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The folder, which must be empty or not exist.
    folder: PathBuf,
    /// A further host name or address at which clients reach the services, besides localhost and 127.0.0.1.
    #[arg(long = "host")]
    hosts: Vec<String>,
}

/// Writes the files and prints commands that use them.
pub(crate) fn run(options: &Options) -> Result<(), CommandError> {
    let folder = &options.folder;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    if fs::read_dir(folder)?.next().is_some() {
        return Err(CommandError(format!(
            "{} has files in it; name an empty folder",
            folder.display()
        )));
    }
    let authority = authority()?;
    write(folder, "ca.pem", &authority.pem())?;
    let roles: Vec<String> = (1..)
        .map_while(|number| Role::try_from(number).ok())
        // A service's certificate is that of its name.
        .filter(|role| *role != Role::Service)
        .map(word_of)
        .collect();
    let callers = roles.iter().map(String::as_str);
    for name in SERVICES.into_iter().chain(["console"]).chain(callers) {
        let key = KeyPair::generate()?;
        let certificate = certificate(name, &options.hosts)?.signed_by(&key, &authority)?;
        write(folder, &format!("{name}.pem"), &certificate.pem())?;
        write(folder, &format!("{name}.key"), &key.serialize_pem())?;
    }
    write(folder, "access.toml", &table(&roles))?;
    write!(io::stdout(), "{}", help(folder))?;
    Ok(())
}

/// `certificate-authority` for `ROLE_CERTIFICATE_AUTHORITY`.
fn word_of(role: Role) -> String {
    let name = role.as_str_name().trim_start_matches("ROLE_");
    name.to_ascii_lowercase().replace('_', "-")
}

fn params(common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let seconds = SystemClock.now().as_micros().unsigned_abs() / 1_000_000;
    let now = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    let day = Duration::from_secs(24 * 60 * 60);
    // A little earlier, for clocks that differ.
    params.not_before = now - day / 24;
    params.not_after = now + day * DAYS;
    Ok(params)
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = params("licet dev-certs")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn certificate(name: &str, hosts: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = params(name)?;
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params.subject_alt_names = vec![SanType::URI(format!("{DOMAIN}/{name}").try_into()?)];
    if SERVICES.contains(&name) {
        let hosts = hosts.iter().map(String::as_str);
        for host in ["localhost", "127.0.0.1", "::1"].into_iter().chain(hosts) {
            params.subject_alt_names.push(match host.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(host.try_into()?),
            });
        }
    }
    Ok(params)
}

fn table(roles: &[String]) -> String {
    let services = SERVICES
        .map(|name| format!("[[identity]]\nname = \"{DOMAIN}/{name}\"\nservice = \"{name}\"\n\n"));
    let callers = roles.iter().map(|role| {
        let word = role.replace('-', "_");
        let accounts = if role == "customer" {
            "# The accounts that it sees: \"all\", or a list of ids.\naccounts = []\n"
        } else {
            ""
        };
        format!("[[identity]]\nname = \"{DOMAIN}/{role}\"\nroles = [\"{word}\"]\n{accounts}\n")
    });
    let spoken_for = roles.iter().map(|role| format!("\"{DOMAIN}/{role}\""));
    let spoken_for = spoken_for.collect::<Vec<_>>().join(", ");
    format!(
        "# What each identity may do. A change takes effect within seconds, on open connections too.\n\n\
         {}{}\
         # Names the person who uses it in the metadata licet-caller; the call then has that person's rights.\n\
         [[identity]]\nname = \"{DOMAIN}/console\"\nspeaks_for = [{spoken_for}]\n",
        services.concat(),
        callers.collect::<String>()
    )
}

/// Readable by its owner only.
fn write(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(folder.join(name))?.write_all(text.as_bytes())
}

fn help(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "Start Billing, with TLS on every address:
  licet serve billing --listen 0.0.0.0:50052 --create --database sqlite:billing.db \\
    --tls-certificate {folder}/billing.pem --tls-key {folder}/billing.key --tls-ca {folder}/ca.pem \\
    --access {folder}/access.toml

Call it, as a caller with the role OPERATOR:
  grpcurl -cacert {folder}/ca.pem -cert {folder}/operator.pem -key {folder}/operator.key \\
    localhost:50052 licet.billing.v1.CatalogService/ListProducts

  buf curl --protocol grpc --cacert {folder}/ca.pem --cert {folder}/operator.pem --key {folder}/operator.key \\
    https://localhost:50052/licet.billing.v1.CatalogService/ListProducts

Python:
  read = lambda name: open(\"{folder}/\" + name, \"rb\").read()
  credentials = grpc.ssl_channel_credentials(read(\"ca.pem\"), read(\"operator.key\"), read(\"operator.pem\"))
  channel = grpc.secure_channel(\"localhost:50052\", credentials)
"
    )
}
