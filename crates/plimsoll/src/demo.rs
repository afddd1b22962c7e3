//! `plimsoll demo`: the whole loop on a small real fleet of leaking services on this machine.
//!
//! Server and agent are processes of their own, as in production, so that the server can be killed
//! while the agent holds a lease. What a person or a pipeline would do (deploy, configure, approve)
//! is done here by a script, through the same interfaces.

mod asking;
mod children;
pub(crate) mod fleet;
pub(crate) mod load;
mod runtimes;
mod script;
mod stage;
mod tale;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use plimsoll_server::Playbook;
use plimsoll_wire::words::OutcomeWord;
use tempfile::TempDir;

use crate::daemon::{block_on, stop_signal};
use crate::exit::{Exit, Failure};
use crate::output::{Format, print, print_json, say};
use stage::Stage;
use tale::Tale;

/// The whole loop on a small real fleet of leaking services on this machine.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  plimsoll demo --json story.json\n  plimsoll demo --story masked"
)]
pub(crate) struct Args {
    /// How the leak is answered: by putting back the version before, or by a restart that masks it.
    #[arg(long, value_enum, default_value_t = StoryKind::Fixed)]
    story: StoryKind,
    /// Where the story is written, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The loopback address of the server [default: 127.0.0.1:7300, or a free port if it is taken].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where the demo works; kept afterwards. Without it a temporary directory is used and removed.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Goes on after the story, for a look at the page, until Ctrl-C.
    #[arg(long)]
    stay: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoryKind {
    /// The bad deploy is rolled back; the outcome is `fixed`.
    Fixed,
    /// The playbook only restarts; the outcome is `masked`.
    Masked,
}

#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("make the demo's directory {}", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("write the story to {}", path.display())]
    Story { path: PathBuf, source: std::io::Error },
    #[error("the story could not be told to its end: {0}")]
    Unfinished(String),
    #[error("interrupted; nothing of the demo is left running")]
    Interrupted,
}

pub(crate) fn run(args: Args, format: Format) -> Result<Exit, Failure> {
    let folder = Folder::of(args.dir.clone())?;
    let told = block_on(async {
        let stop = stop_signal()?;
        tokio::pin!(stop);
        let mut stage = Stage::set(&args, folder.path())?;
        let mut tale = Tale::new(stage.skipped());
        let ended = tokio::select! {
            ended = script::play(&mut stage, args.story, &mut tale) => ended,
            () = &mut stop => Err(Failure::failed(DemoError::Interrupted)),
        };
        if args.stay && ended.is_ok() {
            say("the story is told; Ctrl-C ends the demo");
            stop.await;
        }
        stage.clear().await;
        tale.audit(stage.data_dir());
        write_story(&args, &tale)?;
        ended?;
        tell(&tale, format)?;
        Ok(tale)
    });
    conclude(&told?, args.story)
}

impl StoryKind {
    pub(crate) const fn playbook(self) -> Playbook {
        match self {
            Self::Fixed => Playbook::RollBack,
            Self::Masked => Playbook::RestartOnly,
        }
    }

    pub(crate) const fn outcome(self) -> OutcomeWord {
        match self {
            Self::Fixed => OutcomeWord::Fixed,
            Self::Masked => OutcomeWord::Masked,
        }
    }
}

fn write_story(args: &Args, tale: &Tale) -> Result<(), Failure> {
    let Some(path) = args.json.clone() else { return Ok(()) };
    let text = serde_json::to_vec_pretty(&tale.story()).map_err(Failure::failed)?;
    plimsoll_act::durable::replace(&path, &text)
        .map_err(|source| Failure::failed(DemoError::Story { path, source }))
}

fn tell(tale: &Tale, format: Format) -> Result<(), Failure> {
    match format {
        Format::Table => print(&tale.table()),
        Format::Json => print_json(&tale.story()),
    }
}

/// The demo promises a story; anything else is its failure, and it says what was missing.
fn conclude(tale: &Tale, kind: StoryKind) -> Result<Exit, Failure> {
    match tale.missing(kind) {
        missing if missing.is_empty() => Ok(Exit::NothingWrong),
        missing => Err(Failure::failed(DemoError::Unfinished(missing.join("; ")))),
    }
}

/// Where the demo works: a directory that was asked for, or one that nobody else can enter and that
/// is removed afterwards.
enum Folder {
    Kept(PathBuf),
    Removed(TempDir),
}

impl Folder {
    fn of(asked: Option<PathBuf>) -> Result<Self, Failure> {
        let made = match &asked {
            Some(path) => std::fs::create_dir_all(path).map(|()| Self::Kept(path.clone())),
            None => tempfile::Builder::new().prefix("plimsoll-demo-").tempdir().map(Self::Removed),
        };
        let path = asked.unwrap_or_else(std::env::temp_dir);
        made.map_err(|source| Failure::failed(DemoError::Folder { path, source }))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Removed(folder) => folder.path(),
        }
    }
}
