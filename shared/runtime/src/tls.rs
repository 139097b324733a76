//! Mutual TLS from three files: a certificate chain, its key, and the authorities that sign the others'
//! certificates. A service shows the same certificate to its clients and to its peers.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll},
};

use clap::Args;
use futures::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
        SignatureScheme,
        client::danger::HandshakeSignatureValid,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
        server::{
            NoServerSessionStorage, WebPkiClientVerifier,
            danger::{ClientCertVerified, ClientCertVerifier},
        },
        version::TLS13,
    },
};
use tower::Service;

use crate::{
    identity::ClientCertificate,
    rarely::Rarely,
    reloaded::{Contents, Reloaded},
};

/// Client certificates that were refused, by name.
static REFUSED: Rarely = Rarely::new();

/// The files for TLS: all three, or none for plaintext on loopback.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsOptions {
    /// A PEM file with this process's certificate and its intermediates, for its clients and for its peers. It is
    /// read again when it changes, like the key and the authorities.
    #[arg(long, env = "LICET_TLS_CERTIFICATE", requires_all = ["tls_key", "tls_ca"])]
    tls_certificate: Option<PathBuf>,
    /// A PEM file with the private key of the certificate.
    #[arg(long, env = "LICET_TLS_KEY", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// A PEM file with the authorities that sign the certificates of clients and of peers.
    #[arg(long, env = "LICET_TLS_CA", requires = "tls_certificate")]
    tls_ca: Option<PathBuf>,
}

impl TlsOptions {
    /// Reads the files; `None` without options.
    ///
    /// # Errors
    /// What is wrong with which file, or that the files do not fit each other.
    pub async fn open(&self) -> Result<Option<Tls>, TlsFault> {
        match (&self.tls_certificate, &self.tls_key, &self.tls_ca) {
            (Some(certificate), Some(key), Some(ca)) => {
                let files = [certificate, key, ca].map(PathBuf::clone);
                Tls::open(files).await.map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// The files for TLS cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("TLS (--tls-certificate, --tls-key, --tls-ca): {0}")]
pub struct TlsFault(String);

/// The certificate, key and authorities of this process, as its files say now.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Reloaded<Material>>);

/// What one version of the files gives. Both sides change together.
#[derive(Debug)]
struct Material {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Reads a certificate chain, its key and the authorities, and reads them again when they change.
    ///
    /// # Errors
    /// What is wrong with which file, or that the files do not fit each other.
    pub async fn open(files: [PathBuf; 3]) -> Result<Self, TlsFault> {
        let reloaded = Reloaded::open(files.into(), material).await;
        reloaded.map(Self).map_err(TlsFault)
    }

    /// The configuration for connections that are accepted now.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.current().server)
    }

    /// The configuration for connections to peers that are opened now.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0.current().client)
    }
}

fn material(files: &[Contents]) -> Result<Material, String> {
    let [certificate, key, ca] = files else {
        return Err("three files are needed".to_owned());
    };
    let name = |file: &Contents| file.path.display().to_string();
    let chain = certificates(certificate)?;
    let key_der = PrivateKeyDer::from_pem_slice(&key.bytes)
        .map_err(|error| format!("{}: no private key in PEM: {error}", name(key)))?;
    let mut roots = RootCertStore::empty();
    for authority in certificates(ca)? {
        let added = roots.add(authority);
        added.map_err(|error| format!("{}: {error}", name(ca)))?;
    }
    let roots = Arc::new(roots);
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider.clone());
    let verifier = verifier
        .build()
        .map_err(|error| format!("{}: {error}", name(ca)))?;
    // Peers would refuse a certificate that these authorities did not sign.
    if let Some((own, intermediates)) = chain.split_first() {
        let verified = verifier.verify_client_cert(own, intermediates, UnixTime::now());
        verified.map_err(|error| {
            let (certificate, ca) = (name(certificate), name(ca));
            format!("{certificate}: not acceptable to the authorities in {ca}: {error}")
        })?;
    }
    let mismatch = |error: Error| {
        let (certificate, key) = (name(certificate), name(key));
        format!("{key}: not the key of the certificate in {certificate}: {error}")
    };
    Ok(Material {
        server: Arc::new(
            server(
                provider.clone(),
                verifier,
                chain.clone(),
                key_der.clone_key(),
            )
            .map_err(mismatch)?,
        ),
        client: Arc::new(client(provider, roots, chain, key_der).map_err(mismatch)?),
    })
}

fn certificates(file: &Contents) -> Result<Vec<CertificateDer<'static>>, String> {
    let name = file.path.display();
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file.bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("{name}: no certificate in PEM")),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("{name}: {error}")),
    }
}

fn server(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(LoggedVerifier(verifier)))
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would skip the check of a certificate that has expired since.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client(
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

/// Opens the connections of a channel to a peer, each with the certificate of its time.
#[derive(Clone)]
pub(crate) struct Connector(pub(crate) Tls);

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let config = self.0.client();
        Box::pin(async move {
            let host = uri.host().unwrap_or_default();
            let host = host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned();
            let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            let stream = TlsConnector::from(config).connect(name, stream).await?;
            Ok(TokioIo::new(stream))
        })
    }
}

/// Logs which certificate was refused and why: the client gets only an alert.
#[derive(Debug)]
struct LoggedVerifier(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for LoggedVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now);
        verified.inspect_err(|error| {
            let client = ClientCertificate::of(end_entity);
            if REFUSED.permits(client.label()) {
                tracing::warn!(
                    names = ?client.names,
                    fingerprint = client.fingerprint,
                    "a client certificate was refused: {error}"
                );
            }
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
