//! Lines of a program's source, as a report of a profile reads them: any text, asked at its lines.

use plimsoll_heap::profile::{Listing, Listings, Profile, ProfileChange, ProfileReport};

/// Lines that are asked; each is the caller of the next.
const LINES_MAX: usize = 48;

pub(crate) fn source_lines(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for file in ["/m.go", "/m.py"] {
        let lines = text.lines().count();
        let listing = Listing::read(file, &text).expect("the name tells the language");
        let listings = Listings::from([(file.to_owned(), listing)]);
        for head in ["heap profile: 2: 9437184 [2: 9437184] @ heap/2", "goroutine profile: total 2"]
        {
            let profile = profile(head, file, &text);
            let report = ProfileReport::of(&profile, &listings).expect("both kinds are ranked");
            let nothing = ProfileReport::of(&profile, &Listings::new()).expect("as with sources");
            assert_eq!((report.total, &report.functions), (nothing.total, &nothing.functions));
            let sum: i64 = report.places.iter().map(|place| place.value).sum();
            assert_eq!(sum, report.total, "every sample is in one place");
            for place in report.places.iter().chain(&report.suspects) {
                assert!((0.0..=1.0).contains(&place.share), "{place:?}");
                let is_name = |name: &String| {
                    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_')
                };
                assert!(place.field.as_ref().is_none_or(is_name), "{place:?}");
                let line = place.read_at.as_ref().map_or(0, |(_, line)| *line as usize);
                assert!(line <= lines, "{place:?}");
                assert!(!place.words(false).is_empty());
            }
            let same = ProfileChange::of(&[profile.clone(), profile], &listings);
            assert!(same.is_ok_and(|same| same.places.is_empty() && same.suspects.is_empty()));
        }
    }
}

/// Two stacks through lines of the text: the first lines, each called by the next, and the last.
fn profile(head: &str, file: &str, text: &str) -> Profile {
    let lines: Vec<&str> = text.lines().collect();
    let mut function = "f".to_owned();
    let frames = lines.iter().enumerate().map(|(at, line)| {
        let named = line.trim_start().strip_prefix("def ").or_else(|| line.strip_prefix("func "));
        let named = named.map(|rest| rest.split_once(") ").map_or(rest, |(_, rest)| rest));
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let name = named.and_then(|rest| rest.split(|c| !is_part(c)).next());
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            function = name.to_owned();
        }
        format!("#\t0x1\tmain.{function}+0x1\t{file}:{}\n", at + 1)
    });
    let frames: Vec<String> = frames.collect();
    let wait = "#\t0x1\truntime.chanrecv1+0x1\t/go/chan.go:1\n";
    let first: String = frames.iter().take(LINES_MAX).cloned().collect();
    let last: String = frames.iter().rev().take(LINES_MAX).cloned().collect();
    let counts = if head.starts_with("heap") { "1: 4718592 [1: 4718592]" } else { "1" };
    let text = format!("{head}\n{counts} @ 0x1\n{wait}{first}\n{counts} @ 0x2\n{wait}{last}\n");
    Profile::read(text.as_bytes()).expect("the head is one of those that are known")
}

pub(crate) fn source_lines_seeds() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../heaps/go/faults.go").to_vec(),
        include_bytes!("../../heaps/python/faults.py").to_vec(),
        b"func (s *S) f(n int) {\n\tl := &L{n}\n\tl.next = s.head\n\ts.head = l\n\tgo func() {\n\
          \t\t<-s.quit\n\t\tuse(l)\n\t}()\n\tselect {\n\tcase s.out <- l:\n\t}\n}\n"
            .to_vec(),
        b"@functools.lru_cache(maxsize=None)\ndef f(n, seen=[]):\n    \"\"\"x\n    = y\"\"\"\n\
          \x20   with open(n) as g:\n        seen.append((g, lambda: n))\n    return g\n"
            .to_vec(),
    ]
}
