//! Who may vouch for a server that speaks https: the authorities of this machine, or those of a
//! file. There is no way to ask without any.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

/// Largest file of certificates: a whole system's are a quarter of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why nobody can vouch for a server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootsError {
    #[error("cannot read the certificates in `{}`", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("`{}` holds no certificate as PEM, or is longer than 1 MiB", .0.display())]
    NoCertificate(PathBuf),
    #[error(
        "this machine has no certificates of authorities; install them (the package is often named \
         ca-certificates), or give the server's with --ca-cert"
    )]
    NoneInstalled,
}

/// The authorities that are believed: those of the file alone where there is one, because who runs
/// an authority of their own wants no other to speak for their servers.
pub(super) fn roots(file: Option<&Path>) -> Result<RootCerts, RootsError> {
    let found = match file {
        Some(path) => of_file(path)?,
        None => installed()?,
    };
    Ok(RootCerts::new_with_certs(&found))
}

fn of_file(path: &Path) -> Result<Vec<Certificate<'static>>, RootsError> {
    let unreadable = |source| RootsError::File { path: path.to_owned(), source };
    let mut pem = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut pem).map_err(unreadable)?;
    let none = || RootsError::NoCertificate(path.to_owned());
    if pem.len() as u64 > FILE_BYTES_MAX {
        return Err(none());
    }
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| none())? {
            found.push(certificate);
        }
    }
    if found.is_empty() { Err(none()) } else { Ok(found) }
}

/// `SSL_CERT_FILE` and `SSL_CERT_DIR` count, as everywhere. A certificate that cannot be read is
/// left out: it can only make fewer servers believed.
fn installed() -> Result<Vec<Certificate<'static>>, RootsError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate of this machine cannot be read");
    }
    if found.certs.is_empty() {
        return Err(RootsError::NoneInstalled);
    }
    Ok(found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect())
}
