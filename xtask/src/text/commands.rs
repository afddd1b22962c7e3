//! Which commands a program has, read from the `clap` declarations in its sources.
//!
//! Read, not asked: `tidy` must not need a build of the program whose documents it checks. A
//! command renamed by an attribute would be missed, so ours are named by their variants.

use std::collections::BTreeMap;

use super::code::{Token, closing, tokens};
use crate::tree::File;

/// The commands of one program.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    /// The enum at the top, once a struct that derives `Parser` names it.
    root: Option<String>,
    /// Each enum that derives `Subcommand`: command name, and the identifiers in its variant.
    enums: BTreeMap<String, Vec<(String, Vec<String>)>>,
    /// Each other type that derives something: the identifiers in its body.
    types: BTreeMap<String, Vec<String>>,
}

impl Commands {
    pub(crate) fn of<'a>(sources: impl Iterator<Item = &'a File>) -> Self {
        let mut commands = Self::default();
        let mut parsers = Vec::new();
        for file in sources {
            let tokens = tokens(&file.code);
            for at in 0..tokens.len() {
                commands.read_derive(&tokens, at, &mut parsers);
            }
        }
        commands.root = parsers.iter().find_map(|body| commands.nested(body));
        commands
    }

    /// What is wrong with `program words...`, if something is.
    pub(crate) fn complaint(&self, words: &[&str]) -> Option<String> {
        let mut known = self.root.as_ref().and_then(|root| self.enums.get(root));
        if known.is_none() && words.first().is_some_and(|word| is_command(word)) {
            return Some("the sources declare no commands".into());
        }
        for word in words.iter().take_while(|word| is_command(word) && **word != "help") {
            let Some(variants) = known else { break };
            let Some((_, inside)) = variants.iter().find(|(name, _)| name == word) else {
                let names: Vec<&str> = variants.iter().map(|(name, _)| name.as_str()).collect();
                return Some(format!("no command `{word}`; there are {}", names.join(", ")));
            };
            known = self.nested(inside).and_then(|name| self.enums.get(&name));
        }
        None
    }

    /// The enum of commands that these identifiers name, directly or through a struct.
    fn nested(&self, identifiers: &[String]) -> Option<String> {
        let direct =
            |names: &[String]| names.iter().find(|name| self.enums.contains_key(*name)).cloned();
        direct(identifiers).or_else(|| {
            identifiers.iter().filter_map(|name| self.types.get(name)).find_map(|body| direct(body))
        })
    }

    fn read_derive(&mut self, tokens: &[Token<'_>], at: usize, parsers: &mut Vec<Vec<String>>) {
        if tokens[at].text != "derive" || at < 2 || tokens[at - 1].text != "[" {
            return;
        }
        let derived = |name| tokens[at..closing(tokens, at - 1)].iter().any(|t| t.text == name);
        let Some(keyword) = item_keyword(tokens, closing(tokens, at - 1) + 1) else { return };
        let Some(name) = tokens.get(keyword + 1).map(|token| token.text.to_owned()) else { return };
        let Some(open) =
            (keyword..tokens.len()).find(|index| matches!(tokens[*index].text, "{" | "(" | ";"))
        else {
            return;
        };
        let body = &tokens[open..closing(tokens, open)];
        if derived("Subcommand") {
            self.enums.insert(name, variants(body));
            return;
        }
        let identifiers: Vec<String> = body.iter().map(|token| token.text.to_owned()).collect();
        if derived("Parser") {
            parsers.push(identifiers.clone());
        }
        self.types.insert(name, identifiers);
    }
}

/// The position of `struct` or `enum` after the attributes that may stand between.
fn item_keyword(tokens: &[Token<'_>], mut at: usize) -> Option<usize> {
    loop {
        match tokens.get(at)?.text {
            "struct" | "enum" => return Some(at),
            "#" => at = closing(tokens, at + 1) + 1,
            "(" => at = closing(tokens, at) + 1,
            "pub" => at += 1,
            _ => return None,
        }
    }
}

/// The variants of an enum's body, which starts with its `{`.
fn variants(body: &[Token<'_>]) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut at = 1;
    while let Some(token) = body.get(at) {
        match token.text {
            "#" => at = closing(body, at + 1),
            "(" | "{" => {
                let end = closing(body, at);
                if let Some((_, inside)) = found.last_mut() {
                    inside.extend(body[at..end].iter().map(|token| token.text.to_owned()));
                }
                at = end;
            }
            text if text.starts_with(char::is_uppercase) => {
                found.push((kebab(text), Vec::new()));
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn kebab(variant: &str) -> String {
    let mut name = String::new();
    for (index, c) in variant.chars().enumerate() {
        if c.is_uppercase() && index > 0 {
            name.push('-');
        }
        name.extend(c.to_lowercase());
    }
    name
}

/// A plain word, not an option, a file, a placeholder or an operator of the shell.
fn is_command(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    const SOURCE: &str = "
        #[derive(Debug, Parser)]
        #[command(name = \"plimsoll\")]
        struct Arguments { #[command(subcommand)] command: Command }
        #[derive(Subcommand)]
        pub(crate) enum Command {
            /// Runs Demo things.
            Demo(Demo),
            #[command(about = \"x\")]
            Scan { #[arg(long)] format: Format },
            Audit(Audit),
            Heap { #[command(subcommand)] command: HeapCommand },
        }
        #[derive(Args)] struct Audit { #[command(subcommand)] command: AuditCommand }
        #[derive(Subcommand)] enum AuditCommand { Verify { file: PathBuf } }
        #[derive(Subcommand)] enum HeapCommand { Report, ShowPath }
    ";

    fn check(line: &str, expected: Option<&str>) {
        let tree = Tree::of(&[("crates/plimsoll/src/main.rs", SOURCE)]);
        let words: Vec<&str> = line.split(' ').collect();
        let complaint = Commands::of(tree.rust()).complaint(&words);
        assert_eq!(complaint.as_deref(), expected, "{line}");
    }

    #[test]
    fn what_is_declared_exists_at_every_level() {
        check("demo --json story.json", None);
        check("scan FILE", None);
        check("audit verify", None);
        check("heap show-path", None);
        check("help", None);
    }

    #[test]
    fn what_is_not_declared_is_named_with_what_there_is() {
        check("dance", Some("no command `dance`; there are demo, scan, audit, heap"));
        check("audit forge", Some("no command `forge`; there are verify"));
    }

    #[test]
    fn a_program_without_declarations_has_no_commands() {
        let complaint = Commands::of(std::iter::empty()).complaint(&["demo"]);
        assert_eq!(complaint.as_deref(), Some("the sources declare no commands"));
    }
}
