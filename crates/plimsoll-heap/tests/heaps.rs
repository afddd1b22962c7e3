//! The table of planted faults against the programs that plant them: a name that one of them changes
//! alone would make every measurement with it a lie.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of faults in the table of cases of a program, as any of the languages quotes them.
fn cases(program: &str) -> BTreeSet<String> {
    let table = program.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("CASES.put(").unwrap_or(line);
        let name = line.split(['"', '\'']).nth(1);
        let quoted = name.filter(|_| line.starts_with(['"', '\'']));
        // Names without a dash need no quotes in JavaScript.
        let plain = line.split_once(": [").map(|(name, _)| name);
        let name = quoted.or(plain)?;
        let is_case = ["new Case(", ": [", ": (", "{"].iter().any(|mark| line.contains(mark));
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        (is_case && is_name).then(|| name.to_owned())
    });
    table.collect()
}

#[test]
fn the_table_of_planted_faults_says_what_the_programs_have() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table = fs::read_to_string(root.join("heaps/truth.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0], ["program", "fault", "twin", "holder", "field", "class"]);
    let mut told: BTreeSet<(&str, String)> = BTreeSet::new();
    let mut holders = BTreeSet::new();
    for row in &rows[1..] {
        let &[program, fault, twin, holder, field, _] = row.as_slice() else {
            panic!("not six columns: {row:?}")
        };
        assert_eq!(twin, format!("{fault}-healthy"));
        let text = fs::read_to_string(root.join(program)).unwrap();
        let last = holder.rsplit(['$', '.', ')']).find(|part| !part.is_empty()).unwrap();
        let is_of_program = !holder.starts_with(['(']) && !holder.starts_with("java.");
        for name in [last, field].into_iter().filter(|_| is_of_program) {
            assert!(text.contains(name), "{program} has no {name}");
        }
        assert!(holders.insert((program, holder, field)), "planted twice: {row:?}");
        assert!(told.insert((program, fault.to_owned())), "told twice: {row:?}");
    }
    let programs: BTreeSet<&str> = rows[1..].iter().map(|row| row[0]).collect();
    for program in programs {
        let has = cases(&fs::read_to_string(root.join(program)).unwrap());
        let told: BTreeSet<String> =
            told.iter().filter(|(of, _)| *of == program).map(|(_, fault)| fault.clone()).collect();
        assert_eq!(has, told, "{program}");
    }
}
