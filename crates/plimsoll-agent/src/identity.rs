//! Who a process is: service, version and instance, from the best source that names it.
//!
//! Asked in this order: the OpenTelemetry variables of its environment, its control group (a unit
//! of systemd, a container), its executable. Nothing else of the environment or the command line
//! is kept, and the buffer it was read into is overwritten, because people keep secrets there.
//! Used by `collect`, which caches the answer for each run of a program.

use plimsoll_model::{InstanceName, ServiceName, Version};

use crate::cgroup::naming_group;
use crate::files::ReadFailure;
use crate::proc::{Pid, ProcFs, Stat};

/// Most of an environment that is searched. Linux allows more, but then somebody stores files in
/// it, and the variables that are set first still lie within.
const ENVIRON_BYTES_MAX: usize = 256 * 1024;

/// Most of a command line that is read; only the program's own name, which is first, is wanted.
const COMMAND_BYTES_MAX: usize = 4096;

/// Leading digits of a container's id that name it, as the tools of the field print it.
const CONTAINER_ID_DIGITS: usize = 12;

/// Shortest run of hexadecimal digits that is taken for a container's id; they are 64 long.
const CONTAINER_ID_DIGITS_MIN: usize = 32;

/// What said who the process is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The OpenTelemetry variables: somebody wants this process to be known.
    Label,
    /// A unit of systemd.
    Unit,
    /// A container without labels.
    Container,
    /// Nothing better than the executable's name.
    Executable,
}

/// Who a process is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) service: ServiceName,
    pub(crate) version: Option<Version>,
    /// `None` where nothing names the replica: then it is called by its first process.
    pub(crate) instance: Option<InstanceName>,
    pub(crate) origin: Origin,
    /// The environment may not be read, so labels may be missed.
    pub(crate) labels_hidden: bool,
}

/// Finds out who a process is.
pub(crate) fn identify(proc: &mut ProcFs, pid: Pid, stat: &Stat) -> Result<Identity, ReadFailure> {
    match proc.with_secret_file(pid, "environ", ENVIRON_BYTES_MAX, Labels::of_environ) {
        Ok(labels) => match labels.identity() {
            Some(identity) => Ok(identity),
            None => identify_unlabelled(proc, pid, stat),
        },
        Err(ReadFailure::Denied) => {
            let identity = identify_unlabelled(proc, pid, stat)?;
            Ok(Identity { labels_hidden: true, ..identity })
        }
        Err(failure) => Err(failure),
    }
}

fn identify_unlabelled(proc: &mut ProcFs, pid: Pid, stat: &Stat) -> Result<Identity, ReadFailure> {
    if let Ok(membership) = proc.text(format_args!("{pid}/cgroup"))
        && let Some(identity) = naming_group(membership).and_then(of_group)
    {
        return Ok(identity);
    }
    let command = proc.with_secret_file(pid, "cmdline", COMMAND_BYTES_MAX, executable)?;
    of_executable(command, stat).ok_or(ReadFailure::Malformed)
}

/// The named variables of an environment, and nothing else of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Labels {
    service: Option<String>,
    version: Option<String>,
    instance: Option<String>,
}

impl Labels {
    fn of_environ(environ: &[u8]) -> Self {
        let variable = |name: &[u8]| {
            let mut entries = environ.split(|byte| *byte == 0);
            entries.find_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
        };
        let mut labels = Self::default();
        if let Some(attributes) = variable(b"OTEL_RESOURCE_ATTRIBUTES") {
            attributes.split(|byte| *byte == b',').for_each(|pair| labels.take(pair));
        }
        // The specification gives this variable the last word over `service.name` above.
        if let Some(name) = variable(b"OTEL_SERVICE_NAME").filter(|name| !name.is_empty()) {
            labels.service = Some(String::from_utf8_lossy(name).into_owned());
        }
        labels
    }

    fn take(&mut self, pair: &[u8]) {
        let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { return };
        let (key, value) = (pair.get(..equals), pair.get(equals + 1..));
        let (Some(key), Some(value)) = (key, value) else { return };
        let slot = match key.trim_ascii() {
            b"service.name" => &mut self.service,
            b"service.version" => &mut self.version,
            b"service.instance.id" => &mut self.instance,
            _ => return,
        };
        *slot = Some(percent_decoded(value.trim_ascii()));
    }

    fn identity(self) -> Option<Identity> {
        Some(Identity {
            service: ServiceName::new(&self.service?).ok()?,
            version: self.version.and_then(|version| Version::new(&version).ok()),
            instance: self.instance.and_then(|instance| InstanceName::new(&instance).ok()),
            origin: Origin::Label,
            labels_hidden: false,
        })
    }
}

/// Values of `OTEL_RESOURCE_ATTRIBUTES` escape as in a W3C baggage: `%` and two digits.
fn percent_decoded(value: &[u8]) -> String {
    let digit = |at: usize| (*value.get(at)? as char).to_digit(16);
    let mut bytes = Vec::with_capacity(value.len());
    let mut at = 0;
    while let Some(byte) = value.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A unit of systemd is one instance; so is a container. The deepest part of the path that names
/// either is meant, because containers and user sessions nest in units.
fn of_group(group: &str) -> Option<Identity> {
    let (name, origin) = group.rsplit('/').find_map(|part| {
        let container = container_id(part).map(|id| (id, Origin::Container));
        container.or_else(|| Some((unit(part)?, Origin::Unit)))
    })?;
    Some(Identity {
        service: ServiceName::new(name).ok()?,
        version: None,
        instance: InstanceName::new(name).ok(),
        origin,
        labels_hidden: false,
    })
}

/// `docker-<id>.scope`, `cri-containerd-<id>.scope`, `<id>`, `libpod-<id>.scope`.
fn container_id(part: &str) -> Option<&str> {
    let bare = part.strip_suffix(".scope").unwrap_or(part);
    let id = bare.rsplit('-').next()?;
    let is_id = id.len() >= CONTAINER_ID_DIGITS_MIN && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then(|| id.get(..CONTAINER_ID_DIGITS))?
}

/// `user@1000.service` holds whatever a person runs, so it names nothing.
fn unit(part: &str) -> Option<&str> {
    let name = part.strip_suffix(".service")?;
    (!name.is_empty() && !name.starts_with("user@")).then_some(name)
}

/// The file name of the program in a command line. A title that a program gave itself, such as
/// `postgres: writer`, ends at its first blank.
fn executable(command: &[u8]) -> Option<String> {
    let first = command.split(|byte| *byte == 0 || *byte == b' ').next()?;
    let name = first.rsplit(|byte| *byte == b'/').next()?;
    let name = String::from_utf8_lossy(name);
    let name = name.trim_end_matches(':').trim_start_matches('-');
    (!name.is_empty()).then(|| name.to_owned())
}

fn of_executable(command: Option<String>, stat: &Stat) -> Option<Identity> {
    let from_stat = || Some(String::from_utf8_lossy(stat.program.bytes()).into_owned());
    let service = ServiceName::new(&command.or_else(from_stat)?).ok()?;
    let origin = Origin::Executable;
    Some(Identity { service, version: None, instance: None, origin, labels_hidden: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(environ: &str) -> [Option<String>; 3] {
        let labels = Labels::of_environ(environ.as_bytes());
        [labels.service, labels.version, labels.instance]
    }

    #[test]
    fn the_opentelemetry_variables_name_a_process() {
        let check = |environ: &str, want: [Option<&str>; 3]| {
            assert_eq!(labels(environ), want.map(|text| text.map(str::to_owned)));
        };
        let attributes =
            "OTEL_RESOURCE_ATTRIBUTES=service.version=1.1.0,service.instance.id=orders-0";
        let both = format!("A=1\0{attributes}\0OTEL_SERVICE_NAME=orders\0");
        check(&both, [Some("orders"), Some("1.1.0"), Some("orders-0")]);
        check(attributes, [None, Some("1.1.0"), Some("orders-0")]);
        let overruled = "OTEL_RESOURCE_ATTRIBUTES=service.name=a%20b, x=y\0OTEL_SERVICE_NAME=";
        check(overruled, [Some("a b"), None, None]);
        check("MY_OTEL_SERVICE_NAME=no\0OTEL_SERVICE_NAMES=no", [None, None, None]);
    }

    #[test]
    fn a_name_that_is_none_is_no_label() {
        assert_eq!(Labels::of_environ(b"OTEL_SERVICE_NAME=a\nb").identity(), None);
        let long = format!("OTEL_SERVICE_NAME={}", "x".repeat(300));
        assert_eq!(Labels::of_environ(long.as_bytes()).identity(), None);
    }

    #[test]
    fn a_group_names_units_and_containers() {
        let check = |group: &str, want: Option<(&str, Origin)>| {
            let got = of_group(group);
            let got = got.as_ref().map(|found| (found.service.as_str(), found.origin));
            assert_eq!(got, want, "{group}");
        };
        let id = "0123456789abcdef".repeat(4);
        let container = Some(("0123456789ab", Origin::Container));
        check("/system.slice/nginx.service", Some(("nginx", Origin::Unit)));
        check(&format!("/system.slice/docker-{id}.scope"), container);
        check(&format!("/docker/{id}"), container);
        check(&format!("/kubepods/pod1/cri-containerd-{id}.scope/init.scope"), container);
        check("/user.slice/user@1000.service/app.slice/app.scope", None);
        check("/process/e8f45882e59ea9aa", None);
    }

    #[test]
    fn an_executable_is_named_without_its_path_and_arguments() {
        let check = |command: &[u8], want: Option<&str>| {
            assert_eq!(executable(command).as_deref(), want);
        };
        check(b"/usr/bin/node\0--token=secret\0", Some("node"));
        check(b"postgres: writer process", Some("postgres"));
        check(b"-bash\0", Some("bash"));
        check(b"", None);
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parsers(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            Labels::of_environ(&text).identity();
            executable(&text);
            of_group(&String::from_utf8_lossy(&text));
            let mut attributes = b"OTEL_RESOURCE_ATTRIBUTES=service.name=".to_vec();
            attributes.extend(&text);
            Labels::of_environ(&attributes);
        }
    }
}
