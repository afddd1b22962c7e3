//! Peers that are not what they seem: sockets where a JVM's or a Node.js's would be, served by
//! this test. The `/proc` that points at them is a folder of ours.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use plimsoll_runtime::attach::{self, AttachError, Jvm};
use plimsoll_runtime::v8::{self, Inspector, InspectorError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

/// A process folder under the id of `pid`, with what the checks before a request read.
fn process_folder(root: &Path, pid: u32) {
    let folder = root.join(pid.to_string());
    std::fs::create_dir_all(folder.join("root/tmp")).expect("the folder is ours");
    let uid = rustix::process::geteuid().as_raw();
    let status = format!(
        "State:\tS (sleeping)\nTgid:\t{pid}\nUid:\t{uid}\t{uid}\t0\t0\n\
         Gid:\t0\t0\t0\t0\nNSpid:\t{pid}\nSigCgt:\t0000000000000000\n"
    );
    std::fs::write(folder.join("status"), status).expect("the folder is ours");
}

/// Asks a "JVM" that says this, and then closes, or keeps the connection open.
async fn ask(says: Vec<u8>, closes: bool, answer: Duration) -> AttachError {
    let root = tempfile::tempdir().expect("there is a folder for temporary files");
    let pid = std::process::id();
    process_folder(root.path(), pid);
    let socket = root.path().join(format!("{pid}/root/tmp/.java_pid{pid}"));
    let listener = UnixListener::bind(socket).expect("the folder is ours");
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut nuls = 0;
        while nuls < 5 {
            nuls += usize::from(stream.read_u8().await? == 0);
        }
        stream.write_all(&says).await?;
        if !closes {
            std::future::pending::<()>().await;
        }
        std::io::Result::Ok(())
    });
    let jvm = Jvm::new(root.path(), pid, attach::Patience { attach: LONG, answer });
    let error = jvm.flags().await.expect_err("no JVM answered");
    serving.abort();
    error
}

#[tokio::test]
async fn an_answer_without_end_is_dropped() {
    let endless = vec![b'0'; 20 << 20];
    let error = ask([b"0\n", endless.as_slice()].concat(), true, LONG).await;
    assert!(matches!(error, AttachError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_none_is_shown_by_its_beginning() {
    let error = ask(b"HTTP/1.1 400\r\n\x1b[31m".to_vec(), true, LONG).await;
    assert!(matches!(error, AttachError::NoAnswer { .. }), "{error}");
    assert!(error.to_string().contains("HTTP/1.1 400") && !error.to_string().contains('\x1b'));
    let silent = ask(Vec::new(), true, LONG).await;
    assert!(matches!(silent, AttachError::NoAnswer { .. }), "{silent}");
}

#[tokio::test]
async fn an_answer_that_does_not_end_in_time_is_given_up() {
    let error = ask(b"0\npart of it".to_vec(), false, SHORT).await;
    assert!(matches!(error, AttachError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_socket_of_another_process_is_not_talked_to() {
    let root = tempfile::tempdir().unwrap();
    process_folder(root.path(), 77);
    let socket = root.path().join("77/root/tmp/.java_pid77");
    let listener = UnixListener::bind(socket).unwrap();
    let patience = attach::Patience::default();
    let error = Jvm::new(root.path(), 77, patience).flags().await.unwrap_err();
    assert!(matches!(error, AttachError::Impostor { .. }), "{error}");
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    assert!(said.is_empty(), "nothing is said to it");
}

/// Opens an "inspector" that answers any request with this.
async fn open(says: Vec<u8>, patience: Duration) -> InspectorError {
    const INODE: u64 = 4242;
    let root = tempfile::tempdir().expect("there is a folder for temporary files");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has free ports");
    let port = listener.local_addr().expect("it is bound").port();
    let folder = root.path().join("77");
    process_folder(root.path(), 77);
    for name in ["77/ns", "self/ns", "77/net", "77/fd"] {
        std::fs::create_dir_all(root.path().join(name)).expect("the folder is ours");
    }
    symlink("net:[1]", folder.join("ns/net")).expect("the folder is ours");
    symlink("net:[1]", root.path().join("self/ns/net")).expect("the folder is ours");
    symlink(format!("socket:[{INODE}]"), folder.join("fd/3")).expect("the folder is ours");
    let table = format!("0: 0100007F:{port:04X} 00000000:0000 0A 0:0 0:0 0 0 0 {INODE} 1\n");
    std::fs::write(folder.join("net/tcp"), table).expect("the folder is ours");
    let line = format!("node\0--inspect={port}\0a.js\0");
    std::fs::write(folder.join("cmdline"), line).expect("the folder is ours");
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await?;
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await?;
            assert!(read > 0);
            stream.write_all(&says).await?;
            if says.is_empty() {
                std::future::pending::<()>().await;
            }
        }
        #[expect(unreachable_code, reason = "it names the error type of the block")]
        std::io::Result::Ok(())
    });
    let patience = v8::Patience { open: patience, answer: patience };
    let opened = Inspector::open(root.path(), 77, patience).await;
    serving.abort();
    opened.expect_err("no inspector answered")
}

#[tokio::test]
async fn a_port_that_serves_something_else_is_not_an_inspector() {
    let page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>";
    let error = open(page.to_vec(), LONG).await;
    assert!(matches!(error, InspectorError::NotAnInspector { .. }), "{error}");
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'['; 1 << 20]].concat();
    let error = open(endless, LONG).await;
    assert!(matches!(error, InspectorError::NotAnInspector { why: "too long", .. }), "{error}");
    let error = open(b"\0\x01\x02 nonsense\r\n\r\n".to_vec(), LONG).await;
    assert!(matches!(error, InspectorError::Http { .. }), "{error}");
}

#[tokio::test]
async fn a_port_that_says_nothing_is_given_up() {
    let error = open(Vec::new(), SHORT).await;
    assert!(matches!(error, InspectorError::TimedOut { .. }), "{error}");
}
