//! Where a process listens, by what its own descriptors say, and connections to there.
//!
//! A port is taken for a process's only when one of its descriptors is the listening socket: two
//! Node.js processes want the same port 9229, and the one that comes second must not be mistaken
//! for the first. Not here: what is said over the connection (`v8`, `go`).

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::process::ProcessFiles;

/// The state `LISTEN` in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// Connects to an address as the process sees it: a container has a loopback of its own.
///
/// # Errors
/// When nobody listens there, when it takes longer than `patience`, and for a process in another
/// network namespace also when this program may not enter it, which takes `CAP_SYS_ADMIN`.
pub(crate) async fn connect(
    process: &ProcessFiles,
    address: SocketAddr,
    patience: Duration,
) -> io::Result<TcpStream> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    if process.shares_our_network()? {
        return timeout(patience, TcpStream::connect(address)).await.map_err(late)?;
    }
    let namespace = File::open(process.path("ns/net"))?;
    let (sender, connected) = oneshot::channel();
    // A thread of its own, which ends with the connection made: a namespace belongs to a thread,
    // and one of the runtime's must not be left in that of a stranger.
    std::thread::Builder::new().name("connect".to_owned()).spawn(move || {
        drop(sender.send(connect_inside(&namespace, address, patience)));
    })?;
    let ended = |_| io::Error::other("the connecting thread ended by itself");
    TcpStream::from_std(timeout(patience, connected).await.map_err(late)?.map_err(ended)??)
}

fn connect_inside(
    namespace: &File,
    address: SocketAddr,
    patience: Duration,
) -> io::Result<std::net::TcpStream> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    let stream = std::net::TcpStream::connect_timeout(&address, patience)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// The sockets on which the process listens, by where we would connect to reach them.
pub(crate) fn listening(process: &ProcessFiles) -> io::Result<Vec<SocketAddr>> {
    let inodes = process.socket_inodes()?;
    let mut found = listeners(&process.text("net/tcp")?, &inodes);
    // Absent where the kernel has no IPv6.
    found.extend(listeners(&process.text("net/tcp6").unwrap_or_default(), &inodes));
    Ok(found)
}

fn listeners(table: &str, inodes: &HashSet<u64>) -> Vec<SocketAddr> {
    table.lines().filter_map(|line| listener(line, inodes)).collect()
}

/// `0: 0100007F:240D 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 58121 ..`
fn listener(line: &str, inodes: &HashSet<u64>) -> Option<SocketAddr> {
    let mut words = line.split_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    let state = words.nth(1)?;
    let inode: u64 = words.nth(5)?.parse().ok()?;
    if state != LISTEN || !inodes.contains(&inode) {
        return None;
    }
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(SocketAddr::new(reachable(parse_address(address)?), port))
}

/// Each word of an address is in the byte order of the machine.
fn parse_address(digits: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = digits.get(index * 8..index * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match digits.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut octets = [0; 16];
            for (index, part) in octets.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(index)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_of_the_process_are_found() {
        let line = |address: &str, state: &str, inode: u64| {
            format!(
                "   0: {address} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  \
                 0        0 {inode} 1 0000000000000000 100 0 0 10 0\n"
            )
        };
        let table = "  sl  local_address rem_address   st\n".to_owned()
            + &line("0100007F:240D", "0A", 11)
            + &line("00000000:1F90", "0A", 12)
            + &line("0100007F:0050", "01", 12)
            + &line("0100007F:0051", "0A", 99)
            + &line("00000000000000000000000001000000:0052", "0A", 12)
            + "garbage\n 1: x:y z\n";
        let found = listeners(&table, &HashSet::from([11, 12]));
        let want: Vec<SocketAddr> = ["127.0.0.1:9229", "127.0.0.1:8080", "[::1]:82"]
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        assert_eq!(found, want);
    }
}
