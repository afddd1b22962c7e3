//! The table of thresholds in `docs/detection.md` is made from the declarations.
//!
//! `PLIMSOLL_WRITE_DOCS=1 cargo test -p plimsoll-detect --test documented` writes it anew.

use std::fs;
use std::path::Path;

use plimsoll_detect::thresholds::ALL;

const BEGIN: &str = "<!-- thresholds -->\n";
const END: &str = "<!-- end of thresholds -->";

fn table() -> String {
    let mut text = "\n| name | value | unit | reason |\n|---|---|---|---|\n".to_owned();
    for threshold in ALL {
        let words: Vec<_> = threshold.rationale.split_whitespace().collect();
        let (name, value, unit) = (threshold.name, threshold.default, threshold.unit);
        text.push_str(&format!("| `{name}` | {value} | {unit} | {} |\n", words.join(" ")));
    }
    text + "\n"
}

#[test]
fn every_threshold_stands_in_the_documents_as_it_is_declared() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/detection.md");
    let text = fs::read_to_string(&path).expect("the document is part of the repository");
    let (before, rest) = text.split_once(BEGIN).expect("the document has a place for the table");
    let (found, after) = rest.split_once(END).expect("the place for the table has an end");
    let wanted = table();
    if std::env::var_os("PLIMSOLL_WRITE_DOCS").is_some() {
        let whole = format!("{before}{BEGIN}{wanted}{END}{after}");
        fs::write(&path, whole).expect("the document can be written");
        return;
    }
    assert_eq!(found, wanted, "run this test with PLIMSOLL_WRITE_DOCS=1 to write the table anew");
}
