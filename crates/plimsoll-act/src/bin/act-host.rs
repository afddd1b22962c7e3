//! Hosts a supervisor and nothing else, for the tests that kill its process: `exec-child ...` as
//! the launcher, `run FLEET.json FOLDER` until its input ends. Not part of the product.

use std::error::Error;
use std::ffi::OsString;
use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use plimsoll_act::launch::{EXIT_NOT_LAUNCHED, SUBCOMMAND, launch_child};
use plimsoll_act::supervisor::{Supervisor, SupervisorOptions};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next() {
        Some(word) if word == SUBCOMMAND => {
            eprintln!("{}", launch_child(args));
            ExitCode::from(EXIT_NOT_LAUNCHED)
        }
        Some(_) | None => match run(args.collect()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
    }
}

#[tokio::main]
async fn run(args: Vec<OsString>) -> Result<(), Box<dyn Error>> {
    let [fleet, folder] = args.as_slice() else { return Err("run FLEET.json FOLDER".into()) };
    let fleet = serde_json::from_slice(&std::fs::read(fleet)?)?;
    let options = SupervisorOptions {
        launcher: vec![std::env::current_exe()?.into(), SUBCOMMAND.into()],
        folder: folder.into(),
        otlp_endpoint: "http://127.0.0.1:1".to_owned(),
    };
    let supervisor = Supervisor::prepare(&fleet, options)?;
    let failures = supervisor.start_all(Duration::from_secs(20)).await;
    println!("{}", if failures.is_empty() { "ready" } else { "failed" });
    let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    input.await??;
    supervisor.stop_all().await;
    Ok(())
}
