//! Where the inspector of a Node.js process is expected to listen.
//!
//! Not here: whether it does (`sockets`), opening it and talking to it (`v8`).

/// Where Node.js listens when it is not told otherwise.
pub(super) const PORT_DEFAULT: u16 = 9229;

/// The port that the command line names, else the default one.
pub(super) fn wanted_port(arguments: &[String]) -> u16 {
    let options = arguments.iter().skip(1).take_while(|argument| argument.starts_with('-'));
    options.filter_map(|option| port_of_option(option)).last().unwrap_or(PORT_DEFAULT)
}

fn port_of_option(option: &str) -> Option<u16> {
    const OPTIONS: [&str; 5] =
        ["--inspect", "--inspect-brk", "--inspect-wait", "--inspect-port", "--debug-port"];
    let (name, address) = option.split_once('=')?;
    if !OPTIONS.contains(&name) {
        return None;
    }
    let port = address.rsplit_once(':').map_or(address, |(_, port)| port);
    port.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_one_of_the_last_option_before_the_script() {
        let check = |line: &str, want: u16| {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(wanted_port(&arguments), want, "{line}");
        };
        check("node server.js", PORT_DEFAULT);
        check("node --inspect server.js", PORT_DEFAULT);
        check("node --inspect=127.0.0.1:9300 server.js", 9300);
        check("node --inspect=9300 --inspect-port=[::1]:9301 server.js", 9301);
        check("node --max-old-space-size=100 server.js --inspect=9400", PORT_DEFAULT);
        check("node --inspect=x server.js", PORT_DEFAULT);
    }
}
