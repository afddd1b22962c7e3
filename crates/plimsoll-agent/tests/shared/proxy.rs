//! Runs a test once more where the environment names a proxy for everything, and sees to it that
//! nobody comes there. In a process of its own: an environment belongs to all threads.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

/// Everything that HTTP clients look for; upper case too.
const NAMES: [&str; 3] = ["http_proxy", "https_proxy", "all_proxy"];

/// `test` is the whole name of a test in the calling program.
pub(crate) fn passes_and_ignores_the_proxy(test: &str) {
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", test]).env_remove("no_proxy").env_remove("NO_PROXY");
    for name in NAMES {
        again.env(name, &address).env(name.to_uppercase(), &address);
    }
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let came = proxy.accept().map_err(|error| error.kind());
    assert!(matches!(came, Err(ErrorKind::WouldBlock)), "somebody came to the proxy: {came:?}");
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
