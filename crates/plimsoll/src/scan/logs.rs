//! `--logs`: which files of logs a scan reads, and whose they are. Lines become changes in
//! `plimsoll-ingest`; here stand the argument and the files.

use std::io;
use std::path::{Path, PathBuf};

use plimsoll_ingest::Rejections;
use plimsoll_ingest::logs::{self, LogError, Whose};
use plimsoll_ingest::signatures::Signatures;
use plimsoll_model::{
    Change, ChangeKind, InstanceName, SIGNATURE_ATTRIBUTE, ServiceName, Signature,
};

use super::source::{is_stdin, open};

/// One `--logs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogFile {
    /// What stands before `=`: a service, or a service and an instance.
    name: Option<String>,
    path: PathBuf,
}

/// Why a log was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogsError {
    #[error("cannot open the log `{}`; check that it exists and may be read", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("the log `{}` cannot be read", path.display())]
    Read { path: PathBuf, source: LogError },
    #[error(
        "the telemetry has no service `{name}`, whose log `{}` is said to be; write \
         SERVICE=FILE or SERVICE/INSTANCE=FILE, or the name of the file alone",
        path.display()
    )]
    Unknown { name: String, path: PathBuf },
}

impl LogFile {
    /// `FILE`, `SERVICE=FILE` or `SERVICE/INSTANCE=FILE`. What begins as a path does is one, so that
    /// a file with `=` in its name can be told.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let is_path = text.starts_with(['.', '/']);
        match text.split_once('=').filter(|_| !is_path) {
            Some(("", _)) => Err("before `=` stands the service; leave both out if unknown".into()),
            Some((_, "")) => Err("behind `=` stands the file".into()),
            Some((name, path)) => Ok(Self { name: Some(name.to_owned()), path: path.into() }),
            None => Ok(Self { name: None, path: text.into() }),
        }
    }

    pub(super) fn is_stdin(&self) -> bool {
        is_stdin(&self.path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What the log tells of these services, and what of it could not be used.
    pub(super) fn read(
        &self,
        services: &[ServiceName],
    ) -> Result<(Vec<Change>, Rejections), LogsError> {
        let path = || self.path.clone();
        let whose = self.whose(services)?;
        let input = open(&self.path).map_err(|source| LogsError::Open { path: path(), source })?;
        let mut changes = Vec::new();
        let signatures = Signatures::built_in();
        let mut sink = |change| changes.push(change);
        let summary = logs::read(input, &signatures, &whose, services, &mut sink)
            .map_err(|source| LogsError::Read { path: path(), source })?;
        Ok((changes, summary.rejections))
    }

    /// The whole name is a service, or all before its last `/`: both may hold one.
    fn whose(&self, services: &[ServiceName]) -> Result<Whose, LogsError> {
        let Some(name) = &self.name else { return Ok(Whose::default()) };
        let known = |text: &str| services.iter().find(|service| service.as_str() == text).cloned();
        let apart = || {
            let (service, instance) = name.rsplit_once('/')?;
            let instance = InstanceName::new(instance).ok()?;
            Some(Whose { service: Some(known(service)?), instance: Some(instance) })
        };
        let whole = known(name).map(|service| Whose { service: Some(service), instance: None });
        let unknown = || LogsError::Unknown { name: name.clone(), path: self.path.clone() };
        whole.or_else(apart).ok_or_else(unknown)
    }
}

/// Takes kills out of what a log told: others tell of them as well, so they are compared first.
pub(super) fn split(changes: Vec<Change>) -> (Vec<Change>, Vec<Change>) {
    changes.into_iter().partition(|change| change.kind == ChangeKind::OomKill)
}

/// A kill of nobody knows which instance. As an event it would mean all of them, and end the runs of
/// those that live on, so it is what was said of the service, unless there is but one to end.
pub(super) fn of_some_instance(kill: &mut Change) {
    kill.kind = ChangeKind::Log;
    let signature = (SIGNATURE_ATTRIBUTE.to_owned(), Signature::OomKill.name().to_owned());
    kill.attributes.extend([signature]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_a_file_or_the_file_of_somebody() {
        let check = |text: &str, name: Option<&str>, path: &str| {
            let want = LogFile { name: name.map(str::to_owned), path: path.into() };
            assert_eq!(LogFile::parse(text), Ok(want));
        };
        check("kern.log", None, "kern.log");
        check("orders=a.log", Some("orders"), "a.log");
        check("shop/orders/orders-0=/var/a=b.log", Some("shop/orders/orders-0"), "/var/a=b.log");
        check("./a=b.log", None, "./a=b.log");
        check("/a=b", None, "/a=b");
        assert!(LogFile::parse("=a").is_err());
        assert!(LogFile::parse("a=").is_err());
    }

    #[test]
    fn the_name_before_a_file_is_a_known_service_with_or_without_an_instance() {
        let services = ["orders", "shop/orders"].map(|name| ServiceName::new(name).unwrap());
        let whose = |text: &str| {
            let whose = LogFile::parse(text).unwrap().whose(&services).ok()?;
            Some((whose.service?.to_string(), whose.instance.map(|name| name.to_string())))
        };
        let of = |service: &str, instance: Option<&str>| {
            Some((service.to_owned(), instance.map(str::to_owned)))
        };
        assert_eq!(whose("orders=a"), of("orders", None));
        assert_eq!(whose("shop/orders=a"), of("shop/orders", None));
        assert_eq!(whose("shop/orders/o-0=a"), of("shop/orders", Some("o-0")));
        assert_eq!(whose("stock=a"), None);
    }
}
