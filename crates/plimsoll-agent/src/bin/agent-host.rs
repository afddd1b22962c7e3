//! Hosts the acting half of an agent and nothing else, for the tests that kill its process:
//! `exec-child ...` as the launcher, `run SERVER TOKEN FOLDER FLEET.json` until it is killed. Not
//! part of the product.

use std::error::Error;
use std::process::ExitCode;

use plimsoll_act::launch::{EXIT_NOT_LAUNCHED, SUBCOMMAND, launch_child};
use plimsoll_agent::commands::{CommandOptions, run_commands};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        Some(word) if word == SUBCOMMAND => {
            eprintln!("{}", launch_child(args));
            ExitCode::from(EXIT_NOT_LAUNCHED)
        }
        Some(_) | None => match run(std::env::args().skip(2).collect()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
    }
}

#[tokio::main]
async fn run(args: Vec<String>) -> Result<(), Box<dyn Error>> {
    let [server, token, folder, fleet] = args.as_slice() else {
        return Err("run SERVER TOKEN FOLDER FLEET.json".into());
    };
    let options = CommandOptions {
        server: server.clone(),
        token: token.clone(),
        agent: "host".to_owned(),
        folder: folder.into(),
        found: None,
        fleet: Some(serde_json::from_slice(&std::fs::read(fleet)?)?),
        launcher: vec![std::env::current_exe()?.into(), SUBCOMMAND.into()],
        otlp_endpoint: "http://127.0.0.1:1".to_owned(),
    };
    run_commands(options, std::future::pending()).await?;
    Ok(())
}
