//! `plimsoll heap redact`, as its users have it: the real binary over files.
//!
//! What is a value is tested in `plimsoll-heap`; here stand files, words and exit codes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop here")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

const SNAPSHOT: &str = concat!(
    r#"{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count"],"#,
    r#""node_types":[["string","object"]],"edge_fields":["type","name_or_index","to_node"],"#,
    r#""edge_types":[["property"]]}},"nodes":[1,0,1,8,1,0,1,3,16,0],"edges":[0,2,5],"#,
    r#""strings":["Shop","secret","token"]}"#,
);

fn redact(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    let output = command.args(["heap", "redact"]).args(words).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_copy_has_no_value_and_only_its_owner_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in"), SNAPSHOT).unwrap();
    let (code, told, _) = redact(folder.path(), &["in", "out", "--format", "json"]);
    assert_eq!(code, 0);
    let answer: Value = serde_json::from_str(&told).unwrap();
    let numbers = ["strings_erased", "names_hidden"].map(|name| answer[name].as_u64().unwrap());
    assert_eq!((numbers, &answer["cut_at"]), ([1, 0], &Value::Null));
    let out = folder.path().join("out");
    let copy = fs::read_to_string(&out).unwrap();
    assert_eq!(copy, SNAPSHOT.replace("secret", "<6 chars>"));
    assert_eq!(answer["output_bytes"].as_u64().unwrap(), copy.len() as u64);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let hidden = ["--level", "values-and-names", "--force", "in", "out"];
    assert_eq!(redact(folder.path(), &hidden).0, 0);
    let copy = fs::read_to_string(&out).unwrap();
    assert!(copy.ends_with(r#"["<name 0>","<6 chars>","<name 2>"]}"#), "{copy}");
    assert_eq!(files(folder.path()), 2);
}

#[test]
fn a_packed_dump_is_unpacked_up_to_a_bound_and_a_cut_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(SNAPSHOT.as_bytes()).unwrap();
    fs::write(folder.path().join("in.gz"), packed.finish().unwrap()).unwrap();
    assert_eq!(redact(folder.path(), &["in.gz", "out"]).0, 0);
    let copy = fs::read_to_string(folder.path().join("out")).unwrap();
    assert_eq!(copy, SNAPSHOT.replace("secret", "<6 chars>"));
    let (code, _, told) = redact(folder.path(), &["in.gz", "more", "--unpack-max", "100"]);
    assert!(code == 2 && told.contains("--unpack-max"), "{told}");
    fs::write(folder.path().join("cut"), &SNAPSHOT[..SNAPSHOT.len() - 12]).unwrap();
    let (code, _, told) = redact(folder.path(), &["cut", "cut-out"]);
    assert!(code == 0 && told.contains("ends too early"), "{told}");
    assert_eq!(files(folder.path()), 4);
}

#[test]
fn what_cannot_be_done_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in"), SNAPSHOT).unwrap();
    fs::write(folder.path().join("text"), "a diary").unwrap();
    fs::write(folder.path().join("bad"), SNAPSHOT.replace("[0,2,5]", "[0,2,x]")).unwrap();
    let check = |words: &[&str], code: i32, want: &str| {
        let (found, _, told) = redact(folder.path(), words);
        assert!(found == code && told.contains(want), "{found}: {told}");
        assert_eq!(files(folder.path()), 3);
    };
    check(&["in", "text"], 2, "exists already");
    check(&["text", "out"], 2, "neither HPROF nor a V8 snapshot");
    check(&["bad", "out"], 2, "damaged at offset");
    check(&["nothing", "out"], 2, "cannot open");
    check(&[".", "out"], 2, "is not a file");
    check(&["in", "no/such/folder"], 4, "cannot make a file");
    assert_eq!(fs::read_to_string(folder.path().join("text")).unwrap(), "a diary");
}
