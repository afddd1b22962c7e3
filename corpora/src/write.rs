//! Writing one corpus: manifest, truth, events, and telemetry case by case.
//!
//! Not here: where cases come from.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use plimsoll_model::{Change, Reading};
use plimsoll_wire::corpus::{CorpusManifest, FORMAT, TruthShape};
use plimsoll_wire::event::ChangeShape;

/// A corpus that is being written.
#[derive(Debug)]
pub(crate) struct Corpus {
    folder: PathBuf,
    truth: BufWriter<File>,
    events: BufWriter<File>,
}

impl Corpus {
    /// Creates the folder, which must not exist: a corpus is never mixed with what was there.
    pub(crate) fn create(folder: &Path, name: &str, origin: &str) -> io::Result<Self> {
        fs::create_dir(folder)?;
        fs::create_dir(folder.join("telemetry"))?;
        let manifest =
            CorpusManifest { format: FORMAT.into(), name: name.into(), origin: origin.into() };
        let text = serde_json::to_string_pretty(&manifest)?;
        fs::write(folder.join("corpus.json"), text + "\n")?;
        let file = |name| File::create(folder.join(name)).map(BufWriter::new);
        Ok(Self {
            folder: folder.to_owned(),
            truth: file("truth.jsonl")?,
            events: file("events.jsonl")?,
        })
    }

    /// Writes one case; its readings and changes carry the truth's service name.
    pub(crate) fn case(
        &mut self,
        truth: &TruthShape,
        readings: impl IntoIterator<Item = Reading>,
        changes: &[Change],
    ) -> io::Result<()> {
        serde_json::to_writer(&mut self.truth, truth)?;
        self.truth.write_all(b"\n")?;
        for change in changes {
            serde_json::to_writer(&mut self.events, &ChangeShape::from(change))?;
            self.events.write_all(b"\n")?;
        }
        let path = self.folder.join("telemetry").join(format!("{}.csv", truth.service));
        let mut file = BufWriter::with_capacity(1 << 18, File::create(path)?);
        file.write_all(b"ts,service,version,instance,metric,value\n")?;
        for reading in readings {
            let version = reading.version.as_ref().map_or("", |version| version.as_str());
            let Reading { at, service, instance, metric, value, .. } = &reading;
            writeln!(file, "{},{service},{version},{instance},{metric},{value}", at.as_secs_f64())?;
        }
        file.flush()
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.truth.flush()?;
        self.events.flush()
    }
}
