//! Reads `/proc`: what a process is, what it holds, and where it belongs, in few system calls.
//!
//! Not here: who a process is (`identity`), and which processes matter (`collect`). `statm` is
//! preferred over `status`, because its resident minus shared pages are what `status` prints as
//! `RssAnon`, at a tenth of the text; proportional set size is left out, because `smaps_rollup`
//! walks the page tables under the lock of the watched process.

use std::path::Path;

use nix::unistd::{SysconfVar, sysconf};
use plimsoll_model::Timestamp;

use crate::files::{FileReader, ReadFailure, leading_number};

/// A process, as this machine numbers it.
pub(crate) type Pid = u32;

/// Most of `/proc/stat` that is read to find the boot time; its interrupt line grows with cores.
const STAT_BYTES_MAX: usize = 4 << 20;

/// Above this many open descriptors sockets are not counted: each costs a `readlink`, and the
/// count of descriptors already tells the story.
const SOCKETS_SCAN_MAX: u64 = 20_000;

/// The kernel's mark of its own threads, from `include/linux/sched.h`.
const PF_KTHREAD: u64 = 0x0020_0000;

/// Why the agent cannot use a `/proc`.
#[derive(Debug, thiserror::Error)]
#[error("cannot find the boot time in {path}: is a Linux /proc mounted there?")]
pub struct ProcError {
    path: String,
    source: ReadFailure,
}

/// The name of the program in a process, at most 16 bytes of it; changes when it executes another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgramName([u8; 16]);

impl ProgramName {
    fn new(text: &[u8]) -> Self {
        let mut name = [0; 16];
        name.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        Self(name)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        self.0.get(..end).unwrap_or_default()
    }
}

/// What `/proc/<pid>/stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) program: ProgramName,
    pub(crate) parent: Pid,
    pub(crate) kernel_thread: bool,
    /// Ended, and waiting for its parent to notice.
    pub(crate) ended: bool,
    pub(crate) threads: u64,
    /// Ticks from boot to the start: with the pid, this names a process for ever.
    pub(crate) start_ticks: u64,
    pub(crate) resident_pages: u64,
}

/// What `/proc/<pid>/statm` tells, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footprint {
    pub(crate) resident: u64,
    pub(crate) anon: u64,
}

/// An opened `/proc`, here or copied elsewhere.
#[derive(Debug)]
pub(crate) struct ProcFs {
    files: FileReader,
    page_bytes: u64,
    ticks_per_sec: u64,
    boot: Timestamp,
    /// Since Linux 6.2 the size of an `fd` folder is the count of descriptors.
    size_counts_fds: bool,
}

impl ProcFs {
    /// Opens the `/proc` at `root`. The boot time is read once, so that a clock which is set later
    /// does not move the start of every process.
    pub(crate) fn open(root: &Path) -> Result<Self, ProcError> {
        let mut files = FileReader::new(root);
        let boot = files
            .read_up_to(STAT_BYTES_MAX, format_args!("stat"))
            .and_then(|text| parse_boot(text).ok_or(ReadFailure::Malformed))
            .map_err(|source| ProcError { path: root.display().to_string(), source })?;
        files.forget();
        let own_fds = std::fs::metadata(files.path(format_args!("thread-self/fd")));
        Ok(Self {
            size_counts_fds: own_fds.is_ok_and(|folder| folder.len() > 0),
            files,
            page_bytes: configured(SysconfVar::PAGE_SIZE, 4096),
            ticks_per_sec: configured(SysconfVar::CLK_TCK, 100),
            boot,
        })
    }

    /// The processes of this moment, at most `count_max`; the rest is the second value.
    pub(crate) fn pids(&mut self, count_max: usize) -> Result<(Vec<Pid>, usize), ReadFailure> {
        let entries = std::fs::read_dir(self.files.path(format_args!("")))?;
        let mut pids: Vec<Pid> =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        let over = pids.len().saturating_sub(count_max);
        pids.truncate(count_max);
        Ok((pids, over))
    }

    pub(crate) fn stat(&mut self, pid: Pid) -> Result<Stat, ReadFailure> {
        parse_stat(self.files.read(format_args!("{pid}/stat"))?).ok_or(ReadFailure::Malformed)
    }

    pub(crate) fn footprint(&mut self, pid: Pid) -> Result<Footprint, ReadFailure> {
        let page_bytes = self.page_bytes;
        let text = self.files.read(format_args!("{pid}/statm"))?;
        parse_statm(text, page_bytes).ok_or(ReadFailure::Malformed)
    }

    /// How many descriptors are open.
    pub(crate) fn fds(&mut self, pid: Pid) -> Result<u64, ReadFailure> {
        let path = self.files.path(format_args!("{pid}/fd"));
        if self.size_counts_fds {
            return Ok(std::fs::metadata(path)?.len());
        }
        Ok(std::fs::read_dir(path)?.count() as u64)
    }

    /// How many of the open descriptors are sockets; `None` where counting would cost too much.
    pub(crate) fn sockets(&mut self, pid: Pid) -> Result<Option<u64>, ReadFailure> {
        if self.fds(pid)? > SOCKETS_SCAN_MAX {
            return Ok(None);
        }
        let entries = std::fs::read_dir(self.files.path(format_args!("{pid}/fd")))?;
        let is_socket = |link: &Path| link.as_os_str().as_encoded_bytes().starts_with(b"socket:");
        let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        Ok(Some(links.filter(|link| is_socket(link)).count() as u64))
    }

    /// The soft limit of open descriptors; `None` is unlimited.
    pub(crate) fn fds_limit(&mut self, pid: Pid) -> Result<Option<u64>, ReadFailure> {
        parse_fds_limit(self.files.read(format_args!("{pid}/limits"))?)
            .ok_or(ReadFailure::Malformed)
    }

    /// Hands a file of a process to `take`, then overwrites what was read: for files in which
    /// people keep secrets.
    pub(crate) fn with_secret_file<T>(
        &mut self,
        pid: Pid,
        name: &str,
        bytes_max: usize,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, ReadFailure> {
        let text = self.files.read_up_to(bytes_max, format_args!("{pid}/{name}"));
        let taken = text.map(take);
        self.files.forget();
        taken
    }

    /// A file that is about the machine or the process and holds no secret.
    pub(crate) fn text(&mut self, relative: std::fmt::Arguments<'_>) -> Result<&[u8], ReadFailure> {
        self.files.read(relative)
    }

    pub(crate) fn started_at(&self, start_ticks: u64) -> Timestamp {
        let millis = u128::from(start_ticks) * 1000 / u128::from(self.ticks_per_sec);
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        self.boot + plimsoll_model::Span::from_millis(millis)
    }

    pub(crate) fn resident_bytes(&self, stat: &Stat) -> u64 {
        stat.resident_pages.saturating_mul(self.page_bytes)
    }
}

fn configured(name: SysconfVar, usual: u64) -> u64 {
    let value = sysconf(name).ok().flatten();
    value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(usual)
}

fn parse_boot(text: &[u8]) -> Option<Timestamp> {
    let secs = crate::files::keyed_number(text, "btime")?;
    Some(Timestamp::from_secs(i64::try_from(secs).ok()?))
}

/// The program's name stands in parentheses and may hold any byte, parentheses too, so the fields
/// begin behind the last one.
fn parse_stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|byte| *byte == b'(')?;
    let close = text.iter().rposition(|byte| *byte == b')')?;
    let program = ProgramName::new(text.get(open + 1..close)?);
    let mut fields = text.get(close + 1..)?.split(|byte| *byte == b' ').filter(|f| !f.is_empty());
    // Numbered as in proc(5); the first field behind the name is number 3.
    let state = fields.next()?;
    let parent = fields.next().and_then(leading_number)?;
    let flags = fields.nth(4).and_then(leading_number)?;
    let threads = fields.nth(10).and_then(leading_number)?;
    let start_ticks = fields.nth(1).and_then(leading_number)?;
    let resident_pages = fields.nth(1).and_then(leading_number)?;
    Some(Stat {
        program,
        parent: Pid::try_from(parent).ok()?,
        kernel_thread: flags & PF_KTHREAD != 0,
        ended: matches!(state, b"Z" | b"X" | b"x"),
        threads,
        start_ticks,
        resident_pages,
    })
}

fn parse_statm(text: &[u8], page_bytes: u64) -> Option<Footprint> {
    let mut fields = text.split(|byte| *byte == b' ');
    let resident = fields.nth(1).and_then(leading_number)?;
    let shared = fields.next().and_then(leading_number)?;
    // The counters are updated lazily, so shared may be ahead of resident for a moment.
    Some(Footprint {
        resident: resident.saturating_mul(page_bytes),
        anon: resident.saturating_sub(shared).saturating_mul(page_bytes),
    })
}

/// The outer `Option` says whether the line was there, the inner one whether there is a limit.
fn parse_fds_limit(text: &[u8]) -> Option<Option<u64>> {
    let line = text
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Max open files"))?
        .trim_ascii_start();
    if line.starts_with(b"unlimited") {
        return Some(None);
    }
    leading_number(line).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VIM: &[u8] = include_bytes!("../tests/fixtures/proc/26231/stat");
    const LIMITS: &[u8] = include_bytes!("../tests/fixtures/proc/26231/limits");

    #[test]
    fn a_recorded_stat_line_is_read() {
        let stat = parse_stat(VIM).unwrap();
        assert_eq!(stat.program.bytes(), b"vim");
        assert_eq!((stat.parent, stat.threads), (5392, 1));
        assert_eq!((stat.start_ticks, stat.resident_pages), (82_375, 1981));
        assert!(!stat.kernel_thread && !stat.ended);
    }

    #[test]
    fn a_program_may_call_itself_anything() {
        let line = b"7 (a) R 1 (b) Z 3 4 5 6 7 2097216 0 0 0 0 0 0 0 0 0 0 9 0 1234 0 55 0";
        let stat = parse_stat(line).unwrap();
        assert_eq!(stat.program.bytes(), b"a) R 1 (b");
        assert_eq!((stat.parent, stat.threads, stat.start_ticks), (3, 9, 1234));
        assert!(stat.kernel_thread && stat.ended);
    }

    #[test]
    fn anon_is_resident_without_shared_and_never_negative() {
        let check = |text: &[u8], want| assert_eq!(parse_statm(text, 4096), want);
        check(b"100 10 4 1 0 5 0\n", Some(Footprint { resident: 40_960, anon: 24_576 }));
        check(b"100 4 10 1 0 5 0\n", Some(Footprint { resident: 16_384, anon: 0 }));
        check(b"100", None);
        check(b"", None);
    }

    #[test]
    fn the_soft_limit_of_descriptors_is_read() {
        assert_eq!(parse_fds_limit(LIMITS), Some(Some(2048)));
        let none = b"Max open files            unlimited            unlimited            files\n";
        assert_eq!(parse_fds_limit(none), Some(None));
        assert_eq!(parse_fds_limit(b"Max cpu time 1 1 seconds"), None);
    }

    #[test]
    fn a_copied_proc_is_read_like_the_real_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proc");
        let mut proc = ProcFs::open(&root).unwrap();
        let (pids, over) = proc.pids(100).unwrap();
        assert_eq!((pids.as_slice(), over), ([26231].as_slice(), 0));
        assert_eq!(proc.fds_limit(26231), Ok(Some(2048)));
        assert_eq!(proc.stat(1), Err(ReadFailure::Gone));
        let start = proc.started_at(82_375);
        assert_eq!(start, Timestamp::from_millis(1_418_183_276_000 + 823_750));
    }

    proptest! {
        #[test]
        fn no_text_stops_the_parsers(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            parse_stat(&text);
            parse_statm(&text, 4096);
            parse_fds_limit(&text);
            parse_boot(&text);
        }
    }
}
