//! What can be expected in a scenario, as it is written.
//!
//! Not here: whether it came so (`super::super::expect`).

use plimsoll_model::ChangeKind;

use super::{cause, instance, outcome, service_name, verdict, version};
use crate::scenario::{Expect, Since};

pub(super) fn expect(words: &[&str]) -> Result<Expect, String> {
    let text = |text: &&str| (*text).to_owned();
    match words {
        ["no", "incident", "of", service] => {
            Ok(Expect::NoIncident { service: service_name(service)? })
        }
        ["no", "alert", "about", service] => {
            Ok(Expect::NoAlert { service: service_name(service)? })
        }
        ["alert", "about", service, level, urgency] => Ok(Expect::Alert {
            service: service_name(service)?,
            level: level.parse()?,
            urgency: urgency.parse()?,
        }),
        ["plan", "of", service, playbook] => {
            Ok(Expect::Plan { service: service_name(service)?, playbook: text(playbook) })
        }
        ["plan", "of", service, "void", "because", because] => {
            Ok(Expect::PlanVoid { service: service_name(service)?, because: text(because) })
        }
        ["no", "plan", "of", service, "because", because] => {
            Ok(Expect::NoPlan { service: service_name(service)?, because: text(because) })
        }
        [service, "waiting", "for", "approval"] => {
            Ok(Expect::Waiting { service: service_name(service)? })
        }
        ["outcome", "of", service, kind] => {
            Ok(Expect::Outcome { service: service_name(service)?, kind: outcome(kind)? })
        }
        ["recurrence", "of", service] => Ok(Expect::Recurrence { service: service_name(service)? }),
        [service, "parked", "because", because] => {
            Ok(Expect::Parked { service: service_name(service)?, because: text(because) })
        }
        ["lease", "of", service, "undone"] => {
            Ok(Expect::LeaseUndone { service: service_name(service)? })
        }
        [service, "growing", class] => {
            Ok(Expect::Growing { service: service_name(service)?, class: text(class) })
        }
        [name, "runs", version] => {
            Ok(Expect::Runs { instance: instance(name)?, version: self::version(version)? })
        }
        ["approval", "refused", "because", because] => {
            Ok(Expect::ApprovalRefused { because: text(because) })
        }
        [service, "never", verdict] => {
            Ok(Expect::Never { service: service_name(service)?, verdict: self::verdict(verdict)? })
        }
        [service, verdict, rest @ ..] => expect_verdict(service, verdict, rest),
        _ => Err(format!("`{}` cannot be expected", words.join(" "))),
    }
}

/// `orders leaking heap since deploy 1.1.0 only orders-1 because "rises while its peers do not"`
fn expect_verdict(service: &str, verdict: &str, words: &[&str]) -> Result<Expect, String> {
    let (mut cause, mut since, mut only, mut because) = (None, None, None, None);
    let mut rest = words;
    while let [first, after @ ..] = rest {
        rest = match (*first, after) {
            ("since", ["nothing", after @ ..]) => {
                since = Some(Since::Nothing);
                after
            }
            ("since", [kind, after @ ..]) => {
                let kind: ChangeKind = kind.parse()?;
                let (named, after) = match after {
                    [name, after @ ..] if name.starts_with(|c: char| c.is_ascii_digit()) => {
                        (Some(version(name)?), after)
                    }
                    after => (None, after),
                };
                since = Some(Since::Change(kind, named));
                after
            }
            ("only", [name, after @ ..]) => {
                only = Some(instance(name)?);
                after
            }
            ("because", [text, after @ ..]) => {
                because = Some((*text).to_owned());
                after
            }
            (name, after) => {
                cause = Some(self::cause(name)?);
                after
            }
        };
    }
    let (service, verdict) = (service_name(service)?, self::verdict(verdict)?);
    Ok(Expect::Verdict { service, verdict, cause, since, only, because })
}
