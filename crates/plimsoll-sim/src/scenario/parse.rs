//! The notation, line by line. Indentation is for the reader; a line's first word decides.

mod expected;

use std::collections::BTreeMap;
use std::fmt;

use plimsoll_model::{
    Ability, Cause, InstanceName, Metric, OutcomeKind, ServiceName, Span, Verdict, Version,
};

use super::{Curve, Deed, Moment, PolicyLine, Scenario, ServiceModel};

/// Replicas of one service that are played. A scenario is read by people.
const REPLICAS_MAX: usize = 1000;

/// A line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub line: usize,
    pub what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ParseError {}

pub(super) fn scenario(text: &str) -> Result<Scenario, ParseError> {
    let mut scenario = Scenario {
        title: title(text),
        step: Span::from_secs(1),
        length: Span::ZERO,
        policy: Vec::new(),
        services: Vec::new(),
        moments: Vec::new(),
    };
    for (index, line) in text.lines().enumerate() {
        let words = words(line);
        if words.is_empty() {
            continue;
        }
        let taken = take(&mut scenario, &words, index + 1);
        taken.map_err(|what| ParseError { line: index + 1, what })?;
    }
    if scenario.length <= Span::ZERO {
        let what = "the first line says how long: `every 1s for 10m`".into();
        return Err(ParseError { line: 1, what });
    }
    scenario.moments.sort_by_key(|moment| moment.at);
    Ok(scenario)
}

fn title(text: &str) -> String {
    let comments = text.lines().map_while(|line| line.strip_prefix('#'));
    comments.map(str::trim).collect::<Vec<_>>().join(" ")
}

/// Words of a line without its comment; a quoted text is one word.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word);
        rest = after.trim_start();
    }
    words
}

fn take(scenario: &mut Scenario, words: &[&str], line: usize) -> Result<(), String> {
    match words {
        ["every", step, "for", length] => {
            scenario.step = span(step)?;
            scenario.length = span(length)?;
        }
        ["policy", rest @ ..] => scenario.policy.push(policy(rest)?),
        ["service", name, "of", count, "on", metric, "limit", limit] => {
            scenario.services.push(service(name, count, metric, amount(limit)?)?);
        }
        ["at", at, deed @ ..] => {
            scenario.moments.push(Moment { at: span(at)?, line, deed: self::deed(deed)? });
        }
        _ => match scenario.services.last_mut() {
            Some(service) => describe(service, words)?,
            None => return Err(format!("`{}` is not understood here", words.join(" "))),
        },
    }
    Ok(())
}

fn policy(words: &[&str]) -> Result<PolicyLine, String> {
    match words {
        ["lease", length] => Ok(PolicyLine::Lease(span(length)?)),
        ["approval", "within", length] => Ok(PolicyLine::ApprovalWithin(span(length)?)),
        ["playbook", name] => Ok(PolicyLine::Playbook((*name).to_owned())),
        _ => Err("expected `lease`, `approval within` or `playbook`".into()),
    }
}

fn service(name: &str, count: &str, metric: &str, limit: f64) -> Result<ServiceModel, String> {
    let count: usize = count.parse().map_err(|_| format!("`{count}` is no number of replicas"))?;
    if count > REPLICAS_MAX {
        return Err(format!("{count} replicas are more than the {REPLICAS_MAX} that are played"));
    }
    let replica = |index| instance(&format!("{name}-{index}"));
    Ok(ServiceModel {
        service: service_name(name)?,
        replicas: (0..count).map(replica).collect::<Result<_, _>>()?,
        metric: metric.parse::<Metric>().map_err(|error| error.to_string())?,
        limit,
        first_version: version("unset")?,
        curves: BTreeMap::new(),
        exceptions: BTreeMap::new(),
        configured: BTreeMap::new(),
        abilities: Vec::new(),
        tells_start: true,
    })
}

fn describe(service: &mut ServiceModel, words: &[&str]) -> Result<(), String> {
    match words {
        ["version", name, curve @ ..] => {
            let version = version(name)?;
            if service.curves.is_empty() {
                service.first_version = version.clone();
            }
            service.curves.insert(version, self::curve(curve)?);
        }
        ["replica", name, curve @ ..] => {
            service.exceptions.insert(instance(name)?, self::curve(curve)?);
        }
        ["config", key, "adds", curve @ ..] => {
            service.configured.insert((*key).to_owned(), self::curve(curve)?);
        }
        ["can", abilities @ ..] => {
            service.abilities =
                abilities.iter().map(|name| ability(name)).collect::<Result<_, _>>()?;
        }
        ["starts", "unseen"] => service.tells_start = false,
        _ => return Err(format!("`{}` says nothing of a service", words.join(" "))),
    }
    Ok(())
}

/// `60MiB + 30MiB/min warms 80MiB in 40s sawtooth 9MiB every 10s wave 5MiB every 2m noise 1%`
fn curve(words: &[&str]) -> Result<Curve, String> {
    let mut curve = Curve::default();
    let mut rest = words;
    while let [first, after @ ..] = rest {
        rest = match (*first, after) {
            ("+", [rate, after @ ..]) => {
                curve.per_second = self::rate(rate)?;
                after
            }
            ("warms", [by, "in", tau, after @ ..]) => {
                curve.warms = Some((amount(by)?, span(tau)?.as_secs_f64()));
                after
            }
            ("sawtooth", [height, "every", period, after @ ..]) => {
                curve.sawtooth = Some((amount(height)?, span(period)?.as_secs_f64()));
                after
            }
            ("wave", [height, "every", period, after @ ..]) => {
                curve.wave = Some((amount(height)?, span(period)?.as_secs_f64()));
                after
            }
            ("noise", [share, after @ ..]) => {
                let percent = share.strip_suffix('%').ok_or("noise is a share in %")?;
                curve.noise = number(percent)? / 100.0;
                after
            }
            (base, after) => {
                curve.base = amount(base)?;
                after
            }
        };
    }
    Ok(curve)
}

fn deed(words: &[&str]) -> Result<Deed, String> {
    match words {
        ["deploy", service, version] => {
            Ok(Deed::Deploy { service: service_name(service)?, version: self::version(version)? })
        }
        ["configure", service, key] => {
            Ok(Deed::Configure { service: service_name(service)?, key: (*key).to_owned() })
        }
        ["restart", name] => Ok(Deed::Restart { instance: instance(name)? }),
        ["gap", "in", service, "for", length] => {
            Ok(Deed::Gap { service: service_name(service)?, length: span(length)? })
        }
        ["approve", service, "by", approver] => {
            Ok(Deed::Approve { service: service_name(service)?, approver: (*approver).to_owned() })
        }
        ["kill", "server", "for", length] => Ok(Deed::KillServer { length: span(length)? }),
        ["break", service] => Ok(Deed::BreakReplacement { service: service_name(service)? }),
        ["expect", expected @ ..] => expected::expect(expected).map(Deed::Expect),
        _ => Err(format!("`{}` is nothing that can happen", words.join(" "))),
    }
}

fn span(text: &str) -> Result<Span, String> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (count, unit) = text.split_at(unit);
    let secs = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(format!("`{text}` is no length of time: `90s`, `5m`, `2h`, `10d`")),
    };
    Ok(Span::from_secs_f64(number(count)? * secs))
}

fn amount(text: &str) -> Result<f64, String> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (count, unit) = text.split_at(unit);
    let factor = match unit {
        "" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        _ => return Err(format!("`{text}` is no amount: `60MiB`, `12`")),
    };
    Ok(number(count)? * factor)
}

fn rate(text: &str) -> Result<f64, String> {
    let (amount, per) = text.split_once('/').ok_or("a rate is an amount per time: `2MiB/min`")?;
    Ok(self::amount(amount)? / span(&format!("1{per}"))?.as_secs_f64())
}

fn number(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if number.is_finite() { Ok(number) } else { Err(format!("`{text}` is not finite")) }
}

fn ability(name: &str) -> Result<Ability, String> {
    let found = Ability::ALL.into_iter().find(|ability| ability.name() == name);
    found.ok_or_else(|| format!("`{name}` is no ability"))
}

fn verdict(name: &str) -> Result<Verdict, String> {
    [Verdict::Leaking, Verdict::Suspect, Verdict::Steady, Verdict::Undecided]
        .into_iter()
        .find(|verdict| verdict.name() == name)
        .ok_or_else(|| format!("`{name}` is no verdict"))
}

fn cause(name: &str) -> Result<Cause, String> {
    Cause::ALL
        .into_iter()
        .find(|cause| cause.name() == name)
        .ok_or_else(|| format!("`{name}` is no cause"))
}

fn outcome(name: &str) -> Result<OutcomeKind, String> {
    OutcomeKind::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| format!("`{name}` is no outcome"))
}

fn service_name(name: &str) -> Result<ServiceName, String> {
    ServiceName::new(name).map_err(|error| error.to_string())
}

fn instance(name: &str) -> Result<InstanceName, String> {
    InstanceName::new(name).map_err(|error| error.to_string())
}

fn version(name: &str) -> Result<Version, String> {
    Version::new(name).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_understood_is_named() {
        let check = |text: &str, line, what: &str| {
            let error = scenario(text).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.what.contains(what), "{error}");
        };
        check("", 1, "how long");
        check("every 1s for 5m\n\nat noon deploy orders 1", 3, "no length of time");
        check("every 1s for 5m\nfrobnicate", 2, "not understood");
        check("every 1s for 5m\nat 2m expect orders angry", 2, "no verdict");
        let many = "every 1s for 5m\nservice a of 99999999999 on process.memory.rss limit 1GiB";
        check(many, 2, "more than the 1000");
    }

    #[test]
    fn a_curve_is_read_in_any_order() {
        let read = curve(&["noise", "1%", "60MiB", "+", "30MiB/min", "warms", "8MiB", "in", "40s"]);
        let curve = read.unwrap();
        assert!((curve.per_second - 524_288.0).abs() < 1e-6, "{curve:?}");
        assert_eq!(curve.warms, Some((8.0 * 1_048_576.0, 40.0)));
    }
}
