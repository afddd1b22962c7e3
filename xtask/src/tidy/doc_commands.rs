//! Every `plimsoll ...` and `cargo xtask ...` that a document names exists.

use super::Finding;
use super::doc_paths::describes_now;
use crate::text::commands::Commands;
use crate::text::markdown;
use crate::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let programs = [("plimsoll", "crates/plimsoll/src/"), ("cargo xtask", "xtask/src/main.rs")];
    let mut findings = Vec::new();
    for (program, sources) in programs {
        let commands = Commands::of(tree.rust().filter(|file| file.path.starts_with(sources)));
        for document in tree.documents().filter(|document| describes_now(&document.path)) {
            findings.extend(complaints(document, program, &commands));
        }
    }
    findings
}

fn complaints(document: &File, program: &str, commands: &Commands) -> Vec<Finding> {
    let markdown = markdown::read(&document.text);
    let pieces = markdown.spans.iter().chain(&markdown.code_lines);
    let mut findings = Vec::new();
    for piece in pieces {
        let Some(words) = invocation(piece.text, program) else { continue };
        if let Some(complaint) = commands.complaint(&words) {
            let what = format!("`{program}`: {complaint}; correct the document");
            findings.push(Finding::new(&document.path, piece.line, what));
        }
    }
    findings
}

/// The words after the program's name, where the line runs the program.
fn invocation<'a>(line: &'a str, program: &str) -> Option<Vec<&'a str>> {
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let through_cargo = format!("cargo run -p {program} -- ");
    let after = line.strip_prefix(&through_cargo).or_else(|| {
        let (folder, rest) = line.split_at(line.find(program)?);
        let in_place = folder.is_empty() || (folder.ends_with('/') && !folder.contains(' '));
        rest.strip_prefix(program)?.strip_prefix(' ').filter(|_| in_place)
    })?;
    Some(after.split_whitespace().take_while(|word| !word.starts_with('#')).collect())
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    const SOURCE: (&str, &str) = (
        "crates/plimsoll/src/main.rs",
        "#[derive(Parser)] struct A { c: Command } #[derive(Subcommand)] enum Command { Demo, Up }",
    );
    const XTASK: (&str, &str) = (
        "xtask/src/main.rs",
        "#[derive(Parser)] struct A { c: Command } #[derive(Subcommand)] enum Command { Test }",
    );

    fn check_document(text: &str, expected: &[usize]) {
        assert_lines(check, &[SOURCE, XTASK, ("README.md", text)], expected);
    }

    #[test]
    fn a_command_that_is_not_there_is_found_in_spans_and_in_blocks() {
        check_document(
            "`plimsoll dance`\n\n```\n$ plimsoll sing --x\n./target/plimsoll fly\n",
            &[1, 4, 5],
        );
        check_document("`cargo xtask fly`", &[1]);
    }

    #[test]
    fn commands_that_are_there_and_other_programs_are_not_complained_about() {
        check_document(
            "`plimsoll up` and `cargo xtask test`, `cargo run -p plimsoll -- demo`",
            &[],
        );
        check_document("`plimsoll --version`, `plimsoll-model x`, `echo plimsoll x`", &[]);
    }
}
