//! What captures took, kept in one small file from one run to the next.
//!
//! Losing it costs only worse predictions, so no trouble with it stops a capture: it is said, and
//! that is all. Two captures that end in the same moment may cost one of the two records.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_model::Bytes;
use plimsoll_runtime::experience::{Experience, MEASURED_MAX, Measured};
use plimsoll_runtime::pause::CaptureKind;
use plimsoll_wire::heap_capture::{CAPTURE_MEMORY_FORMAT, CaptureMemory, RememberedCapture};

use crate::exit::with_sources;
use crate::output::say;

const FILE: &str = "captures.json";

/// Largest file that is read: 512 records of some 200 bytes, and room for long names.
const BYTES_MAX: u64 = 1 << 20;

/// The file, and what was in it.
#[derive(Debug)]
pub(in crate::heap) struct Memory {
    folder: PathBuf,
    experience: Experience,
    /// A file of a newer version is not written over.
    is_ours: bool,
}

impl Memory {
    pub(in crate::heap) fn load(folder: &Path) -> Self {
        let (experience, is_ours) = match read(&folder.join(FILE)) {
            Ok(Some(bytes)) => match CaptureMemory::parse(&bytes) {
                Ok(memory) => (experience(memory), true),
                Err(error) => {
                    say(&with_sources(&error));
                    (Experience::new(), false)
                }
            },
            Ok(None) => (Experience::new(), true),
            Err(error) => {
                say(&format!("plimsoll: {FILE} in {} cannot be read: {error}", folder.display()));
                (Experience::new(), false)
            }
        };
        Self { folder: folder.to_owned(), experience, is_ours }
    }

    pub(in crate::heap) fn experience(&self) -> &Experience {
        &self.experience
    }

    pub(in crate::heap) fn remember(&mut self, measured: Measured) {
        self.experience.remember(measured);
        if !self.is_ours {
            return;
        }
        if let Err(error) = self.save() {
            let folder = self.folder.display();
            say(&format!("plimsoll: {FILE} cannot be written in {folder}: {error}"));
        }
    }

    fn save(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let captures = self.experience.iter().map(remembered).collect();
        let memory = CaptureMemory { format: CAPTURE_MEMORY_FORMAT, captures };
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&serde_json::to_vec(&memory)?)?;
        file.as_file().sync_all()?;
        file.persist(self.folder.join(FILE))?;
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn experience(memory: CaptureMemory) -> Experience {
    let mut experience = Experience::new();
    let newest = memory.captures.len().saturating_sub(MEASURED_MAX);
    for old in memory.captures.into_iter().skip(newest) {
        // A kind of a newer version is passed over.
        let Some(kind) = CaptureKind::from_word(&old.kind) else { continue };
        experience.remember(Measured {
            kind,
            program: old.program,
            heap: Bytes(old.heap_bytes),
            pause: Duration::from_millis(old.pause_ms),
            file: Bytes(old.file_bytes),
        });
    }
    experience
}

fn remembered(measured: &Measured) -> RememberedCapture {
    RememberedCapture {
        kind: measured.kind.word().to_owned(),
        program: measured.program.clone(),
        heap_bytes: measured.heap.0,
        pause_ms: u64::try_from(measured.pause.as_millis()).unwrap_or(u64::MAX),
        file_bytes: measured.file.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(program: &str) -> Measured {
        Measured {
            kind: CaptureKind::JvmDumpAll,
            program: program.to_owned(),
            heap: Bytes::from_mib(100),
            pause: Duration::from_millis(700),
            file: Bytes::from_mib(150),
        }
    }

    #[test]
    fn what_was_remembered_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("new");
        Memory::load(&below).remember(measured("Shop"));
        Memory::load(&below).remember(measured("Till"));
        let again = Memory::load(&below);
        let all: Vec<&Measured> = again.experience().iter().collect();
        assert_eq!(all, [&measured("Shop"), &measured("Till")]);
        assert_eq!(fs::read_dir(&below).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        for text in ["{\"format\":9,\"captures\":[]}", "not JSON"] {
            fs::write(&path, text).unwrap();
            let mut memory = Memory::load(folder.path());
            memory.remember(measured("Shop"));
            assert_eq!(memory.experience().iter().count(), 1);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let unknown = r#"{"format":1,"captures":[{"kind":"x","program":"","heap_bytes":1,
            "pause_ms":1,"file_bytes":1}]}"#;
        fs::write(&path, unknown).unwrap();
        assert_eq!(Memory::load(folder.path()).experience().iter().count(), 0);
    }
}
