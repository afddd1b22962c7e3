//! Writes the seeds of every target below a folder, for libFuzzer: `<folder>/<target>/<number>`.
//! Called by `cargo xtask fuzz`.

use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: seeds FOLDER");
        return ExitCode::FAILURE;
    };
    match write_all(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the seeds could not be written below {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write_all(folder: &Path) -> io::Result<()> {
    for target in fuzz::TARGETS {
        let own = folder.join(target.name);
        std::fs::create_dir_all(&own)?;
        for (number, seed) in target.seeds().iter().enumerate() {
            std::fs::write(own.join(number.to_string()), seed)?;
        }
    }
    Ok(())
}
