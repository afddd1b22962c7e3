//! What `plimsoll heap report` and `diff` print of profiles, class histograms and GC logs.
//!
//! They are made by the command line, which alone knows heaps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::HeapTypeShape;

/// One allocation profile, or one profile of goroutines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileReportShape {
    pub version: u32,
    /// `pprof`, `heap_text`, `jemalloc`, `heaptrack`, `tracemalloc`.
    pub format: String,
    /// What is counted, as `inuse_space` or `goroutine`.
    pub measure: String,
    /// `bytes`, `count` or `other`.
    pub unit: String,
    pub total: i64,
    /// 0 where the profile does not count them.
    pub objects: i64,
    /// One allocation in so many bytes was looked at; 0 where each was, null where nobody knows.
    pub sampled_every: Option<u64>,
    /// Whether the profile ended where its format says that it does.
    pub complete: bool,
    /// Lines or records that were none.
    pub rejected: u64,
    pub suspects: Vec<ProfileSuspectShape>,
    pub places: Vec<ProfilePlaceShape>,
    /// Places with least that are not among them.
    pub places_left_out: u64,
    pub functions: Vec<ProfileFunctionShape>,
    pub functions_left_out: u64,
}

/// A place that is suspected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileSuspectShape {
    #[serde(flatten)]
    pub place: ProfilePlaceShape,
    pub words: String,
    /// What mends it; null where the kind of mistake is not known.
    pub fix: Option<String>,
    /// The heaviest stack, innermost frame first.
    pub stack: Vec<String>,
}

/// Who keeps what was allocated, as far as a profile and the program's source tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfilePlaceShape {
    /// The kind of mistake that it looks like; null where nothing tells.
    pub fault: Option<String>,
    /// A function, or a class of Python.
    pub owner: String,
    /// As the source names it; null without a source that says.
    pub field: Option<String>,
    #[serde(rename = "static")]
    pub is_static: bool,
    /// In the profile's measure; what it grew by in a difference.
    pub value: i64,
    pub objects: i64,
    /// Bytes that the profile does not count, reckoned from the line that asks for them.
    pub outside_bytes: u64,
    /// One standard error of `value`; 0 where nothing was sampled.
    pub error: u64,
    /// 0 to 1, of all; of all growth in a difference.
    pub share: f64,
    /// The nearest function of the program's own; null where it is not known.
    pub function: Option<String>,
    pub file: Option<String>,
    /// 0 where it is not known.
    pub line: u32,
    /// The file and line that named the field.
    pub read_at: Option<String>,
    /// `send`, `receive`, `select`, `lock`, `group`: what goroutines wait for.
    pub wait: Option<String>,
    /// Whether the program's own code is in the stack.
    pub own: bool,
}

/// A function by what is allocated in it, as `pprof -top` counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileFunctionShape {
    pub function: String,
    pub flat: i64,
    pub cumulative: i64,
}

/// What grew between profiles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileDifferenceShape {
    pub version: u32,
    pub format: String,
    pub measure: String,
    pub unit: String,
    pub grown: i64,
    pub objects_grown: i64,
    pub complete: bool,
    pub suspects: Vec<ProfileSuspectShape>,
    pub growth: Vec<ProfileGrowthShape>,
    /// Places with least growth that are not among them.
    pub growth_left_out: u64,
}

/// A place that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProfileGrowthShape {
    #[serde(flatten)]
    pub place: ProfilePlaceShape,
    /// Whether it grew in every step.
    pub steady: bool,
    /// `value` per unit of work, where its amount is known.
    pub per_work: Option<f64>,
}

/// What grew between two class histograms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClassDifferenceShape {
    pub version: u32,
    /// Of classes that grew.
    pub grown_bytes: u64,
    /// Of classes that shrank.
    pub shrunk_bytes: u64,
    pub complete: bool,
    /// The class that explains the growth; null where none does.
    pub dominant: Option<DominantClassShape>,
    /// Why no class is named.
    pub reason: Option<String>,
    pub growth: Vec<ClassGrowthShape>,
}

/// The class that pulls others along.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DominantClassShape {
    pub class: String,
    /// `application`, `library` or `jdk`.
    pub origin: String,
    pub instances: i64,
    /// 0 to 1, of the growth.
    pub own_share: f64,
    /// With all that grows along.
    pub group_share: f64,
    pub group: Vec<HeapTypeShape>,
    /// Instances per unit of work, where its amount is known.
    pub per_work: Option<f64>,
}

/// A class that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClassGrowthShape {
    #[serde(rename = "type")]
    pub kind: String,
    pub count: i64,
    pub bytes: i64,
    pub share: f64,
}

/// What a log of collections tells of what is alive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GcLogShape {
    pub version: u32,
    /// `unified` or `older`.
    pub form: String,
    pub collections: u64,
    /// Records that could not be read.
    pub rejected: u64,
    /// Whether moments are Unix seconds; otherwise seconds since the JVM began.
    pub dated: bool,
    /// `leaking`, `suspect`, `steady` or `undecided`.
    pub verdict: String,
    /// The detector's, in words.
    pub reason: String,
    pub growth_bytes_per_hour: Option<f64>,
    /// One for each JVM that wrote to the log.
    pub runs: Vec<GcRunShape>,
}

/// One JVM, from its start to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GcRunShape {
    /// After collections that leave no garbage.
    pub live: Vec<GcMomentShape>,
    /// Bytes per hour, as the median of all slopes; null of too few moments, or less than 10 minutes.
    pub trend_bytes_per_hour: Option<f64>,
}

/// What was alive at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GcMomentShape {
    pub at: f64,
    pub bytes: u64,
}
