//! What a JVM says in words about its heap and about a dump, as figures.
//!
//! Pure. The words come from a process that may be hostile: what does not fit is no answer.

use plimsoll_model::Bytes;

/// Longest message of a JVM that an error repeats.
const MESSAGE_CHARS_MAX: usize = 300;

/// How a dump went, by what the JVM says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpAnswer {
    /// The file is whole, and has so many bytes.
    Written(Bytes),
    /// It is not, for this reason, in the words of the JVM on one line.
    Failed(String),
}

impl DumpAnswer {
    /// `Heap dump file created [12345 bytes in 0.123 secs]`, since JDK 6.
    pub fn parse(text: &str) -> Self {
        let created = text.lines().find_map(|line| {
            let rest = line.trim().strip_prefix("Heap dump file created [")?;
            rest.split_once(" bytes in ")?.0.parse().ok()
        });
        created.map_or_else(|| Self::Failed(one_line(text)), |bytes| Self::Written(Bytes(bytes)))
    }
}

fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.trim().chars().map(plain).take(MESSAGE_CHARS_MAX).collect();
    if text.is_empty() { "it did not say why".to_owned() } else { text }
}

/// The sum of what `GC.heap_info` says is used, or `None` where it says nothing of the kind.
///
/// Each generation has a line ` PSYoungGen  total 38400K, used 3991K [..)`; G1 has one for all; ZGC
/// writes ` ZHeap  used 34M, capacity 128M`. Metaspace stands last, and is not heap.
pub fn heap_in_use(text: &str) -> Option<Bytes> {
    let lines = text.lines().take_while(|line| !line.trim_start().starts_with("Metaspace"));
    let figures: Vec<u64> = lines.filter_map(used_of_line).collect();
    let sum = figures.iter().try_fold(0_u64, |sum, bytes| sum.checked_add(*bytes))?;
    (!figures.is_empty()).then_some(Bytes(sum))
}

/// Lines of parts (`eden space 33792K, 11% used`) have a share and not a size behind no `used`.
fn used_of_line(line: &str) -> Option<u64> {
    let is_whole = line.contains(" total ") || line.trim_start().starts_with("ZHeap");
    let shenandoah = line.contains(" committed, ") && line.trim_end().ends_with(" used");
    if shenandoah {
        let (_, used) = line.trim_end().strip_suffix(" used")?.rsplit_once(", ")?;
        return size(used);
    }
    if !is_whole {
        return None;
    }
    let (_, rest) = line.split_once("used ")?;
    size(rest.split([',', ' ', '[']).next()?)
}

/// `3991K`, `34M`, `2G`, `123`.
fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['B', 'K', 'M', 'G', 'T']);
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_whole_only_when_the_jvm_says_how_large_it_is() {
        let check = |text: &str, want: DumpAnswer| assert_eq!(DumpAnswer::parse(text), want);
        let said = "Dumping heap to /tmp/x/heap.hprof ...\n\
                    Heap dump file created [1508823 bytes in 0.021 secs]\n";
        check(said, DumpAnswer::Written(Bytes(1_508_823)));
        let full = "Dumping heap to /tmp/x ...\nDump file is incomplete: No space left on device\n";
        let words = "Dumping heap to /tmp/x ... Dump file is incomplete: No space left on device";
        check(full, DumpAnswer::Failed(words.to_owned()));
        check(
            "Heap dump file created [x bytes in",
            DumpAnswer::Failed("Heap dump file created [x bytes in".to_owned()),
        );
        check("", DumpAnswer::Failed("it did not say why".to_owned()));
    }

    #[test]
    fn what_each_collector_says_is_used_is_read() {
        let check = |text: &str, kib: Option<u64>| {
            assert_eq!(heap_in_use(text), kib.map(|kib| Bytes(kib << 10)), "{text}");
        };
        check(
            " garbage-first heap   total 131072K, used 34567K [0xf8000000, 0x100000000)\n  region \
             size 1024K, 3 young (3072K), 0 survivors (0K)\n Metaspace       used 137K, committed \
             320K, reserved 1056768K\n",
            Some(34567),
        );
        check(
            " PSYoungGen      total 38400K, used 3991K [0x0, 0x1, 0x2)\n  eden space 33280K, 11% \
             used [0x0,0x1,0x2)\n ParOldGen       total 87552K, used 1000K [0x0, 0x1, 0x2)\n  \
             object space 87552K, 1% used [0x0,0x1,0x2)\n Metaspace       used 1K, committed 2K\n",
            Some(4991),
        );
        check(
            " def new generation   total 39296K, used 2100K [0x0, 0x1, 0x2)\n  eden space 34944K, \
             6% used [0x0, 0x1, 0x2)\n tenured generation   total 87424K, used 0K [0x0, 0x1, 0x2)\n",
            Some(2100),
        );
        check(" ZHeap           used 34M, capacity 128M, max capacity 128M\n", Some(34 << 10));
        check("Shenandoah Heap\n 128M max, 128M soft max, 96M committed, 20M used\n", Some(20480));
        check("nothing", None);
        check(" x total 1K, used 99999999999999999999K\n", None);
    }
}
