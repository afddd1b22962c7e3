//! Which class explains a growth: the class of the program that pulls the others along.
//!
//! The largest row of a growth is nearly always `byte[]`, which tells nobody anything: it is what
//! strings are made of, and strings belong to something. When one leaked `Order` brings one
//! `HashMap$Node`, one `String` and one `byte[]`, the instance counts of all four grow together.
//! So classes whose instances grow as a small whole multiple of a candidate's are taken as its
//! group, and the candidate whose group explains most of the growth is named.
//!
//! What it cannot see: who refers to whom (that needs a dump), and a chance agreement of two
//! counts. The answer says what share is the class's own and what share is the group's.

use crate::class_name::{Origin, is_leaf, is_reference_array, origin};
use crate::growth::{GrowthRow, HistogramGrowth};

/// How far a member's instance growth may be from a whole multiple of the leader's, as part of
/// the leader's growth. In flight work and other traffic blur counts by a few percent; at 0.10 a
/// fifth of all unrelated counts would agree by chance, which the ranking by bytes then outweighs.
const RATIO_TOLERANCE: f64 = 0.10;

/// Largest whole multiple taken as "so many of these in one of those". Beyond it every count is
/// near some multiple.
const MULTIPLE_MAX: f64 = 8.0;

/// Most leaves (strings, arrays of primitives) that one owner is thought to have. Twice the largest
/// multiple: an owner has some leaves of its own and those of what it holds, and where little has
/// leaked yet, what the runtime loads meanwhile adds several for each owner.
const LEAVES_MAX: f64 = 2.0 * MULTIPLE_MAX;

/// A group that explains less of the growth than this is not named: the class would be true and
/// beside the point.
const GROUP_SHARE_MIN: f64 = 0.25;

/// Groups whose shares are closer than this are equally good, and the leader with more bytes of
/// its own is named: without it, any class with half the count would win by its own few bytes.
const GROUP_SHARE_TIE: f64 = 0.05;

/// Most candidates that are tried, those with most bytes of growth of their own first. Each costs
/// one pass over the rows.
const CANDIDATES_MAX: usize = 64;

/// Fewer new instances than this are no pattern: any two classes may both have grown by three.
const INSTANCES_GROWN_MIN: i64 = 16;

/// An array class counts as the table behind a collection when it takes at most this many bytes
/// for each new entry: 8 bytes a slot, a table at least 3/8 full after it doubled.
const TABLE_BYTES_PER_ENTRY_MAX: f64 = 24.0;

/// The class that explains a growth, and how far.
#[derive(Clone, Debug, PartialEq)]
pub struct Dominant {
    /// The class to look for in the source.
    pub class: String,
    pub origin: Origin,
    pub instances_grown: i64,
    /// What the instances of `class` alone take, as part of all growth, from 0 to 1.
    pub own_share: f64,
    /// What `class` and the classes that grow along with it take, as part of all growth. This is
    /// the `growing_class_share` of a story: the part of the growth that would go if no instance
    /// of `class` were kept.
    pub group_share: f64,
    /// The classes that grow along, most bytes first; without `class` itself.
    pub group: Vec<Tie>,
}

/// A class that grows along with the dominant one.
#[derive(Clone, Debug, PartialEq)]
pub struct Tie {
    pub class: String,
    pub bytes_grown: i64,
    /// New instances for each new instance of the dominant class; near 0 for the table that
    /// holds them all.
    pub per_instance: f64,
}

impl Dominant {
    /// Bytes that each new instance of the class brings with it, the group's included.
    pub fn bytes_per_instance(&self, growth: &HistogramGrowth) -> f64 {
        self.group_share * growth.grown.as_f64() / (self.instances_grown.max(1) as f64)
    }
}

/// Why no class is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDominant {
    /// No class grew.
    NothingGrew,
    /// Classes grew, each by too few instances to tell a pattern.
    TooFewInstances,
    /// Many classes grew, and none with what goes along with it explains much.
    Spread,
}

impl NoDominant {
    /// In words, for people.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NothingGrew => "no class grew between the two histograms",
            Self::TooFewInstances => {
                "no class gained enough instances between the two histograms to tell a pattern; \
                 leave more time between them"
            }
            Self::Spread => "the growth is spread over many classes, and none stands out",
        }
    }
}

/// Names the class that explains most of the growth: one of the application where one does, else
/// of a library, else of the JDK.
///
/// # Errors
/// When nothing grew, or nothing stands out, with the reason.
pub fn dominant(growth: &HistogramGrowth) -> Result<Dominant, NoDominant> {
    if growth.grown.0 == 0 {
        return Err(NoDominant::NothingGrew);
    }
    let led = best(growth, |origin| origin != Origin::Jdk);
    if let Some(found) = led.filter(|found| found.group_share >= GROUP_SHARE_MIN) {
        return Ok(found);
    }
    let jdk = best(growth, |origin| origin == Origin::Jdk).ok_or(NoDominant::TooFewInstances)?;
    if jdk.group_share >= GROUP_SHARE_MIN { Ok(jdk) } else { Err(NoDominant::Spread) }
}

fn best(growth: &HistogramGrowth, is_wanted: impl Fn(Origin) -> bool) -> Option<Dominant> {
    let groups: Vec<Dominant> = growth
        .rows
        .iter()
        .filter(|row| row.bytes_grown > 0 && row.instances_grown >= INSTANCES_GROWN_MIN)
        .filter(|row| is_wanted(origin(&row.class)))
        .take(CANDIDATES_MAX)
        .map(|leader| group_of(leader, growth))
        .collect();
    let most = groups.iter().map(|group| group.group_share).fold(0.0, f64::max);
    groups.into_iter().filter(|group| group.group_share >= most - GROUP_SHARE_TIE).min_by(|a, b| {
        a.origin
            .cmp(&b.origin)
            .then(in_step(b, growth).cmp(&in_step(a, growth)))
            .then(b.own_share.total_cmp(&a.own_share))
    })
}

/// How many classes grow one for one with a class: the entry that holds it, the list that it has. A
/// class that it holds in other numbers has fewer of them. Classes that are a little off count for
/// less, because maps and lists of the runtime itself grow too, which is much beside a young leak.
fn in_step(group: &Dominant, growth: &HistogramGrowth) -> u64 {
    let leaders = group.instances_grown as f64;
    let others = growth.rows.iter().filter(|row| row.class != group.class && !is_leaf(&row.class));
    let close = |row: &GrowthRow| {
        let off = (row.instances_grown as f64 / leaders - 1.0).abs();
        (1.0 - off / RATIO_TOLERANCE).max(0.0)
    };
    others.map(close).sum::<f64>().round() as u64
}

fn group_of(leader: &GrowthRow, growth: &HistogramGrowth) -> Dominant {
    let followers = growth
        .rows
        .iter()
        .filter(|row| row.bytes_grown > 0 && row.class != leader.class)
        .filter(|row| grows_along(row, leader) || is_table_of(row, leader));
    let mut group_share = leader.share;
    let mut group = Vec::new();
    for row in followers {
        group_share += row.share;
        group.push(Tie {
            class: row.class.clone(),
            bytes_grown: row.bytes_grown,
            per_instance: row.instances_grown as f64 / leader.instances_grown as f64,
        });
    }
    Dominant {
        class: leader.class.clone(),
        origin: origin(&leader.class),
        instances_grown: leader.instances_grown,
        own_share: leader.share,
        group_share: group_share.min(1.0),
        group,
    }
}

/// A leaf (a string, an array of primitives, a boxed number) refers to nothing that grows, so it is
/// somebody's content, and how many of them one owner has differs from owner to owner. For anything
/// else only a whole multiple is a pattern.
fn grows_along(row: &GrowthRow, leader: &GrowthRow) -> bool {
    let ratio = row.instances_grown as f64 / leader.instances_grown as f64;
    let multiple = ratio.round();
    if is_leaf(&row.class) {
        return (1.0 - RATIO_TOLERANCE..=LEAVES_MAX).contains(&ratio);
    }
    (1.0..=MULTIPLE_MAX).contains(&multiple) && (ratio - multiple).abs() <= RATIO_TOLERANCE
}

/// The table of a growing map or list: the same few arrays, replaced by larger ones.
fn is_table_of(row: &GrowthRow, leader: &GrowthRow) -> bool {
    let entries = leader.instances_grown as f64;
    is_reference_array(&row.class)
        && origin(&row.class) == Origin::Jdk
        && (row.instances_grown as f64) <= entries * RATIO_TOLERANCE
        && (row.bytes_grown as f64) <= entries * TABLE_BYTES_PER_ENTRY_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_model::Bytes;

    fn growth(rows: &[(&str, i64, i64)]) -> HistogramGrowth {
        let grown: i64 = rows.iter().map(|(_, _, bytes)| bytes.max(&0)).sum();
        let row = |&(class, instances_grown, bytes_grown): &(&str, i64, i64)| GrowthRow {
            class: class.into(),
            instances_grown,
            bytes_grown,
            share: bytes_grown.max(0) as f64 / (grown as f64).max(1.0),
        };
        let mut rows: Vec<_> = rows.iter().map(row).collect();
        rows.sort_by_key(|row| -row.bytes_grown);
        HistogramGrowth { rows, grown: Bytes(grown as u64), shrunk: Bytes(0), complete: true }
    }

    fn check(rows: &[(&str, i64, i64)], class: &str, group_share: std::ops::Range<f64>) {
        let found = dominant(&growth(rows)).unwrap();
        assert_eq!(found.class, class);
        assert!(group_share.contains(&found.group_share), "{found:?}");
        assert!(found.own_share <= found.group_share);
    }

    #[test]
    fn the_application_class_is_named_and_not_the_byte_arrays_that_it_holds() {
        let rows = [
            ("byte[]", 10_150, 650_000),
            ("java.lang.String", 10_120, 240_000),
            ("java.util.HashMap$Node", 10_001, 320_000),
            ("com.shop.Order", 10_000, 240_000),
            ("java.util.HashMap$Node[]", 1, 65_536),
            ("java.lang.Class", 3, 400),
        ];
        check(&rows, "com.shop.Order", 0.99..1.0);
        let found = dominant(&growth(&rows)).unwrap();
        assert_eq!(found.group[0].class, "byte[]");
        assert!((found.own_share - 0.158).abs() < 0.01, "{}", found.own_share);
        assert!((found.bytes_per_instance(&growth(&rows)) - 151.5).abs() < 0.5);
    }

    #[test]
    fn an_order_with_five_lines_is_named_and_not_its_lines() {
        let rows = [
            ("com.shop.Line", 50_000, 1_200_000),
            ("com.shop.Order", 10_000, 240_000),
            ("java.util.ArrayList", 10_000, 240_000),
            ("com.shop.Customer", 40, 960),
        ];
        check(&rows, "com.shop.Order", 0.99..1.0);
    }

    #[test]
    fn what_the_collection_holds_is_named_and_not_what_that_holds_in_turn() {
        let rows = [
            ("byte[]", 2279, 8_572_016),
            ("java.lang.String", 1837, 44_088),
            ("shop.orders.OrderLine", 552, 17_664),
            ("shop.orders.Order", 437, 17_480),
            ("java.util.concurrent.ConcurrentHashMap$Node", 438, 14_016),
        ];
        check(&rows, "shop.orders.Order", 0.97..1.0);
    }

    #[test]
    fn what_the_collection_holds_is_named_when_the_leak_is_young_and_the_runtime_still_loads() {
        let rows = [
            ("byte[]", 1410, 2_972_016),
            ("java.lang.String", 1310, 31_440),
            ("shop.orders.OrderLine", 186, 5_952),
            ("shop.orders.Order", 147, 5_880),
            ("java.util.ImmutableCollections$List12", 149, 3_576),
            ("java.util.concurrent.ConcurrentHashMap$Node", 171, 5_472),
        ];
        check(&rows, "shop.orders.Order", 0.97..1.0);
    }

    #[test]
    fn more_than_sixteen_in_one_are_not_taken_as_a_pattern() {
        let rows = [("com.shop.Order", 10_000, 400_000), ("byte[]", 200_000, 600_000)];
        check(&rows, "com.shop.Order", 0.39..0.41);
    }

    #[test]
    fn growth_that_does_not_go_along_is_not_claimed() {
        let rows = [
            ("com.shop.Order", 10_000, 400_000),
            ("java.util.concurrent.ConcurrentHashMap$Node", 10_000, 320_000),
            ("byte[]", 183_456, 700_000),
        ];
        check(&rows, "com.shop.Order", 0.50..0.52);
    }

    #[test]
    fn a_library_is_named_only_when_no_application_class_explains_as_much() {
        let rows = [
            ("io.netty.buffer.PooledBuf", 1000, 64_000),
            ("com.shop.Frame", 1000, 24_000),
            ("byte[]", 1000, 1_000_000),
        ];
        check(&rows, "com.shop.Frame", 0.99..1.01);
        check(&[rows[0], rows[2]], "io.netty.buffer.PooledBuf", 0.99..1.01);
    }

    #[test]
    fn an_application_class_beside_the_point_is_not_named() {
        let rows = [("byte[]", 50_777, 9_000_000), ("com.shop.Tick", 40, 640)];
        check(&rows, "byte[]", 0.99..1.01);
    }

    #[test]
    fn when_nothing_stands_out_the_reason_is_given() {
        assert_eq!(dominant(&growth(&[])), Err(NoDominant::NothingGrew));
        assert_eq!(dominant(&growth(&[("a.B", -5, -80)])), Err(NoDominant::NothingGrew));
        let few = dominant(&growth(&[("a.B", 3, 48)]));
        assert_eq!(few, Err(NoDominant::TooFewInstances));
        let spread: Vec<(&str, i64, i64)> = ["a.A", "a.B", "a.C", "a.D", "a.E", "java.F"]
            .into_iter()
            .zip([100, 1033, 10_577, 107_333, 1_093_333, 11_234_567])
            .map(|(class, instances)| (class, instances, 1000))
            .collect();
        assert_eq!(dominant(&growth(&spread)), Err(NoDominant::Spread));
    }
}
