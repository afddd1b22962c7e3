//! The index of decision records is complete: a record that nobody finds decides nothing.

use super::Finding;
use crate::text::markdown;
use crate::tree::Tree;

const FOLDER: &str = "docs/decisions";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let index_path = format!("{FOLDER}/README.md");
    let listed: Vec<&str> = tree.get(&index_path).map_or_else(Vec::new, |index| {
        markdown::read(&index.text).links.iter().map(|link| link.text).collect()
    });
    let mut findings = Vec::new();
    for record in tree.documents() {
        if record.folder() != FOLDER || record.path == index_path {
            continue;
        }
        if !listed.contains(&record.name()) {
            let what = format!("is not in {index_path}; add a line that links it");
            findings.push(Finding::new(&record.path, 1, what));
        }
        if !is_numbered(record.name()) {
            let what = "a record is named `NNNN-what-was-decided.md`, so that its number is stable";
            findings.push(Finding::new(&record.path, 1, what));
        }
    }
    findings
}

fn is_numbered(name: &str) -> bool {
    name.split_once('-').is_some_and(|(number, rest)| {
        number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()) && rest.len() > ".md".len()
    })
}

#[cfg(test)]
mod tests {
    use super::super::assert_lines;
    use super::*;

    #[test]
    fn a_record_that_the_index_does_not_link_is_found() {
        let index = ("docs/decisions/README.md", "- [a](0001-a.md)\n");
        let records = [("docs/decisions/0001-a.md", ""), ("docs/decisions/0002-b.md", "")];
        assert_lines(check, &[index, records[0], records[1]], &[1]);
        assert_lines(check, &[index, records[0]], &[]);
    }

    #[test]
    fn a_record_without_a_number_is_found() {
        let index = ("docs/decisions/README.md", "[a](a.md)");
        assert_lines(check, &[index, ("docs/decisions/a.md", "")], &[1]);
    }
}
