//! Lines of logs to the signatures in them: of services, as text or as JSON, and of the kernel.
//!
//! What is kept of a line is which signature it had, when, and of whom; the same signature of the
//! same instance within an hour is one change with a count. Not here: opening files. A line that
//! cannot be used is counted and never stops the rest; a line without a signature is no loss.

mod time;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead};

use plimsoll_model::{
    COUNT_ATTRIBUTE, Change, ChangeKind, InstanceName, SIGNATURE_ATTRIBUTE, ServiceName, Signature,
    Timestamp,
};
use serde_json::{Map, Value};

use crate::kernel::{Kill, Report};
use crate::lines::{Line, Lines};
use crate::moment;
use crate::rejection::{Reason, Rejection, Rejections};
use crate::signatures::Signatures;

/// Longest line that is looked at, in bytes.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Changes that one file can make. A signature of one instance makes one an hour, so a fortnight of
/// fifty instances that never stop complaining fits.
pub const CHANGES_MAX: usize = 20_000;

/// Signatures closer than this are one change.
const TOGETHER_MILLIS: i64 = 3_600_000;

const TIME_KEYS: [&str; 4] = ["ts", "time", "timestamp", "@timestamp"];
const TEXT_KEYS: [&str; 3] = ["message", "msg", "log"];

/// Why a log could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("the log could not be read further after line {line}")]
pub struct LogError {
    pub line: u64,
    #[source]
    pub source: io::Error,
}

/// Whose log it is, where that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    pub service: Option<ServiceName>,
    pub instance: Option<InstanceName>,
}

/// What was in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogSummary {
    /// Lines that are not empty.
    pub lines: u64,
    /// Lines with a signature, kills by the kernel among them.
    pub seen: u64,
    /// Those of them that became a part of a change.
    pub taken: u64,
    /// Lines that are too long, and signatures without a time or a service.
    pub rejections: Rejections,
}

/// Reads a log to its end. `services` are those that a kill may be of.
pub fn read(
    input: impl BufRead,
    signatures: &Signatures,
    whose: &Whose,
    services: &[ServiceName],
    sink: &mut dyn FnMut(Change),
) -> Result<LogSummary, LogError> {
    let mut lines = Lines::new(input, LINE_BYTES_MAX);
    let mut reader = Reader {
        signatures,
        whose,
        services,
        report: Report::default(),
        last: None,
        together: BTreeMap::new(),
        summary: LogSummary::default(),
    };
    let mut number = 0;
    loop {
        let next = lines.next().map_err(|source| LogError { line: number, source })?;
        let Some((at, line)) = next else { break };
        number = at;
        let taken = match line {
            Line::Whole(bytes) if bytes.trim_ascii().is_empty() => continue,
            Line::Whole(bytes) => reader.line(&String::from_utf8_lossy(bytes)),
            Line::TooLong => {
                let detail = format!("more than {LINE_BYTES_MAX} bytes");
                Err(Rejection::new(Reason::LineTooLong, &detail))
            }
        };
        reader.summary.lines += 1;
        if let Err(rejection) = taken {
            reader.summary.rejections.add(Some(number), rejection);
        }
    }
    Ok(reader.finish(sink))
}

/// Who, what, and in which hour.
type Key = (ServiceName, Option<InstanceName>, Signature, i64);

struct Reader<'a> {
    signatures: &'a Signatures,
    whose: &'a Whose,
    services: &'a [ServiceName],
    report: Report,
    /// The time of the newest line that had one: a stack trace belongs to the line before it.
    last: Option<Timestamp>,
    together: BTreeMap<Key, (Timestamp, u64)>,
    summary: LogSummary,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) -> Result<(), Rejection> {
        let object = line.trim_start().starts_with('{').then(|| serde_json::from_str(line).ok());
        match object.flatten() {
            Some(Value::Object(fields)) => self.object(&fields),
            Some(_) | None => {
                self.last = time::leading(line).or(self.last);
                self.text(line, self.whose.clone())
            }
        }
    }

    fn object(&mut self, fields: &Map<String, Value>) -> Result<(), Rejection> {
        let find = |keys: &[&str]| keys.iter().find_map(|key| fields.get(*key));
        let at = match find(&TIME_KEYS) {
            Some(Value::Number(secs)) => moment::from_unix_secs(secs.as_f64().unwrap_or(-1.0)).ok(),
            Some(Value::String(text)) => moment::parse(text).ok().or_else(|| time::leading(text)),
            Some(_) | None => None,
        };
        self.last = at.or(self.last);
        let name = |key: &str| fields.get(key).and_then(Value::as_str);
        let own = |service: Option<ServiceName>, instance: Option<InstanceName>| Whose {
            service: service.or_else(|| self.whose.service.clone()),
            instance: instance.or_else(|| self.whose.instance.clone()),
        };
        let service = name("service").and_then(|text| ServiceName::new(text.trim()).ok());
        let instance = name("instance").and_then(|text| InstanceName::new(text.trim()).ok());
        let whose = own(service, instance);
        match find(&TEXT_KEYS).and_then(Value::as_str) {
            Some(text) => self.text(text, whose),
            None => Ok(()),
        }
    }

    fn text(&mut self, text: &str, whose: Whose) -> Result<(), Rejection> {
        if let Some(kill) = self.report.line(text) {
            self.summary.seen += 1;
            let whose = if whose.service.is_some() { whose } else { owner(&kill, self.services) };
            let detail = || {
                let group = kill.cgroup.as_deref().unwrap_or("an unknown group");
                format!("the kernel killed {} in {group}", kill.process)
            };
            let main = kill.main.unwrap_or(true);
            let signature = if main { Signature::OomKill } else { Signature::OomKillChild };
            return self.observe(signature, whose, detail());
        }
        match self.signatures.of(text) {
            Some(signature) => {
                self.summary.seen += 1;
                self.observe(signature, whose, signature.name().into())
            }
            None => Ok(()),
        }
    }

    fn observe(
        &mut self,
        signature: Signature,
        whose: Whose,
        detail: String,
    ) -> Result<(), Rejection> {
        let at = self.last.ok_or_else(|| Rejection::new(Reason::TimeMissing, &detail))?;
        let service =
            whose.service.ok_or_else(|| Rejection::new(Reason::MissingService, &detail))?;
        // Each kill ends a run, so no two of them are one.
        let millis = at.as_millis();
        let ends_a_run = signature == Signature::OomKill;
        let hour = if ends_a_run { millis } else { millis.div_euclid(TOGETHER_MILLIS) };
        let key = (service, whose.instance, signature, hour);
        if self.together.len() >= CHANGES_MAX && !self.together.contains_key(&key) {
            return Err(Rejection::new(Reason::TooManyPoints, &detail));
        }
        let (first, count) = self.together.entry(key).or_insert((at, 0));
        *first = at.min(*first);
        *count += 1;
        self.summary.taken += 1;
        Ok(())
    }

    fn finish(self, sink: &mut dyn FnMut(Change)) -> LogSummary {
        for ((service, instance, signature, _), (at, count)) in self.together {
            let killed = signature == Signature::OomKill;
            let kind = if killed { ChangeKind::OomKill } else { ChangeKind::Log };
            let mut attributes = BTreeMap::new();
            if kind == ChangeKind::Log {
                attributes.insert(SIGNATURE_ATTRIBUTE.to_owned(), signature.name().to_owned());
            }
            if count > 1 {
                attributes.insert(COUNT_ATTRIBUTE.to_owned(), count.to_string());
            }
            sink(Change { at, kind, service, instance, version: None, attributes });
        }
        self.summary
    }
}

/// Whose process the kernel killed: the service whose name a part of the group's path has, alone or
/// before a dash; else the one that is called as the process was.
fn owner(kill: &Kill, services: &[ServiceName]) -> Whose {
    let path = kill.cgroup.as_deref().unwrap_or_default();
    let mut best: HashMap<usize, Whose> = HashMap::new();
    for part in path.split('/') {
        let unit = part.strip_suffix(".service").or_else(|| part.strip_suffix(".scope"));
        let part = unit.unwrap_or(part);
        for service in services {
            let name = service.as_str();
            let Some(rest) = part.strip_prefix(name) else { continue };
            if rest.is_empty() || rest.starts_with('-') {
                let instance = InstanceName::new(part).ok().filter(|_| !rest.is_empty());
                best.insert(name.len(), Whose { service: Some(service.clone()), instance });
            }
        }
    }
    if let Some(longest) = best.keys().max().copied() {
        return best.remove(&longest).unwrap_or_default();
    }
    let named = services.iter().find(|service| service.as_str() == kill.process);
    Whose { service: named.cloned(), instance: None }
}

#[cfg(test)]
mod tests;
