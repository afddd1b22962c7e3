//! Which version each replica runs, kept over a restart of the agent: without it, an agent that
//! was killed after a rollback would start the bad version again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use plimsoll_model::{InstanceName, Version};
use plimsoll_wire::fleet::ServiceSpec;
use plimsoll_wire::local::ReplicaVersions;

use crate::durable;

#[derive(Debug)]
pub(super) struct RunningVersions {
    file: PathBuf,
    versions: Mutex<BTreeMap<String, String>>,
}

impl RunningVersions {
    /// A file that cannot be read is an error: to guess would be to start a bad version again.
    pub(super) fn open(folder: &Path) -> Result<Self, (PathBuf, io::Error)> {
        let file = folder.join("replicas.json");
        let read = || -> io::Result<BTreeMap<String, String>> {
            match durable::read_if_there(&file)? {
                Some(content) => {
                    let read = ReplicaVersions::from_json(&content).map_err(io::Error::other)?;
                    Ok(read.versions)
                }
                None => Ok(BTreeMap::new()),
            }
        };
        match read() {
            Ok(versions) => Ok(Self { versions: Mutex::new(versions), file }),
            Err(error) => Err((file, error)),
        }
    }

    /// What ran last, if the fleet still has a launch for it; else what the fleet says.
    pub(super) fn of(&self, instance: &str, spec: &ServiceSpec) -> String {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let last = versions.get(instance).filter(|last| spec.launches.contains_key(*last));
        last.unwrap_or(&spec.version).clone()
    }

    /// Blocking for one sync of a small file; a replacement happens a few times an hour.
    pub(super) fn remember(&self, instance: &InstanceName, version: &Version) -> io::Result<()> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.insert(instance.to_string(), version.to_string());
        let content = ReplicaVersions::new(versions.clone()).to_json();
        durable::replace(&self.file, &content)
    }
}
