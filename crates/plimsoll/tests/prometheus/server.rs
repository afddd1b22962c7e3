//! A real Prometheus over back-filled samples, on a free loopback port, killed with its test.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take until it answers: it opens a hundred blocks on a loaded machine.
const READY: Duration = Duration::from_secs(120);

/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(50);

pub(crate) struct Prometheus {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Prometheus {
    /// None, after having said so, where Prometheus is not installed.
    pub(crate) fn start(open_metrics: &str, more: &[&str]) -> Option<Self> {
        Self::start_until(open_metrics, more, "HTTP/1.0 200")
    }

    /// One that speaks only TLS, and tells so whoever does not. It may be busy for a moment more.
    pub(crate) fn start_secured(open_metrics: &str, more: &[&str]) -> Option<Self> {
        Self::start_until(open_metrics, more, "HTTP/1.0 400")
    }

    fn start_until(open_metrics: &str, more: &[&str], answer: &str) -> Option<Self> {
        let (Some(server), Some(tool)) = (find("prometheus"), find("promtool")) else {
            eprintln!("skipped: prometheus is not installed");
            return None;
        };
        let dir = TempDir::new().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("samples.txt"), open_metrics).unwrap();
        fs::write(path("prometheus.yml"), "scrape_configs: []\n").unwrap();
        let filled = Command::new(tool)
            // Few blocks: the whole file is read once for each.
            .args(["tsdb", "create-blocks-from", "--max-block-duration=256h"])
            .args(["openmetrics", "--quiet"])
            .args([path("samples.txt"), path("data")])
            .output()
            .unwrap();
        assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = fs::File::create(path("log")).unwrap();
        let child = Command::new(server)
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(["--storage.tsdb.retention.time=30y", "--log.level=error"])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut started = Self { child, port, dir };
        started.wait(answer);
        Some(started)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn wait(&mut self, answer: &str) {
        let deadline = now() + READY;
        while !self.answers(answer) {
            let ended = self.child.try_wait().unwrap();
            let log = || fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(ended.is_none(), "prometheus ended: {}", log());
            assert!(now() < deadline, "prometheus is not ready: {}", log());
            std::thread::sleep(POLL);
        }
    }

    fn answers(&self, want: &str) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = String::new();
        stream.write_all(b"GET /-/ready HTTP/1.0\r\n\r\n").is_ok()
            && stream.read_to_string(&mut answer).is_ok()
            && answer.starts_with(want)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself; what counts is that it is gone.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Deadlines are in real time: what is waited for is another process.
#[expect(clippy::disallowed_methods, reason = "deadlines for real processes are in real time")]
fn now() -> Instant {
    Instant::now()
}
