//! Names from outside, checked and shared: a file repeats a handful of names in every line, and
//! one allocation each is enough. Used by the readers here.

use std::collections::HashMap;

use plimsoll_model::{IdError, InstanceName, ServiceName, Version};

use crate::rejection::{Reason, Rejection};

/// Distinct names of one type that are shared; beyond it names still work, unshared. A large fleet
/// has tens of thousands of instances.
const SHARED_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(crate) struct Names {
    services: HashMap<String, ServiceName>,
    instances: HashMap<String, InstanceName>,
    versions: HashMap<String, Version>,
}

impl Names {
    pub(crate) fn service(&mut self, text: &str) -> Result<ServiceName, Rejection> {
        shared(&mut self.services, text, ServiceName::new)
            .map_err(|error| refusal(&error, Reason::MissingService, "service"))
    }

    pub(crate) fn instance(&mut self, text: &str) -> Result<InstanceName, Rejection> {
        shared(&mut self.instances, text, InstanceName::new)
            .map_err(|error| refusal(&error, Reason::MissingInstance, "instance"))
    }

    /// An empty version is an unknown one.
    pub(crate) fn version(&mut self, text: &str) -> Result<Option<Version>, Rejection> {
        match shared(&mut self.versions, text, Version::new) {
            Ok(version) => Ok(Some(version)),
            Err(IdError::Empty) => Ok(None),
            Err(error) => Err(refusal(&error, Reason::BadName, "version")),
        }
    }
}

fn shared<Name: Clone>(
    known: &mut HashMap<String, Name>,
    text: &str,
    make: fn(&str) -> Result<Name, IdError>,
) -> Result<Name, IdError> {
    let text = text.trim();
    if let Some(name) = known.get(text) {
        return Ok(name.clone());
    }
    let name = make(text)?;
    if known.len() < SHARED_MAX {
        known.insert(text.into(), name.clone());
    }
    Ok(name)
}

fn refusal(error: &IdError, empty: Reason, what: &str) -> Rejection {
    let reason = match error {
        IdError::Empty => empty,
        IdError::TooLong { .. } | IdError::ControlCharacter | IdError::NotHex => Reason::BadName,
    };
    Rejection::new(reason, &format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_name_is_missing_and_an_empty_version_is_unknown() {
        let mut names = Names::default();
        assert_eq!(names.service(" ").unwrap_err().reason, Reason::MissingService);
        assert_eq!(names.instance("").unwrap_err().reason, Reason::MissingInstance);
        assert_eq!(names.version(""), Ok(None));
        assert_eq!(names.version("1.0").unwrap().unwrap().as_str(), "1.0");
    }

    #[test]
    fn overlong_names_and_control_characters_are_refused() {
        let mut names = Names::default();
        let long = "x".repeat(300);
        assert_eq!(names.service(&long).unwrap_err().reason, Reason::BadName);
        assert_eq!(names.instance("a\0b").unwrap_err().reason, Reason::BadName);
        assert_eq!(names.version(&long).unwrap_err().reason, Reason::BadName);
    }
}
