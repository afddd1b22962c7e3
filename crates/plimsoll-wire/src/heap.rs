//! What the commands of `plimsoll heap` print with `--format json`. Stable: others build on it.
//!
//! They are made by the command line, which alone knows heaps.

mod profile;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use profile::{
    ClassDifferenceShape, ClassGrowthShape, DominantClassShape, GcLogShape, GcMomentShape,
    GcRunShape, ProfileDifferenceShape, ProfileFunctionShape, ProfileGrowthShape,
    ProfilePlaceShape, ProfileReportShape, ProfileSuspectShape,
};

/// Counts the shapes below.
pub const HEAP_VERSION: u32 = 1;

/// One look at a heap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapReportShape {
    pub version: u32,
    pub objects: u64,
    pub alive_bytes: u64,
    pub garbage_bytes: u64,
    /// Offset at which the dump ends before it should; null of a whole one.
    pub cut_at: Option<u64>,
    /// Parts whose rest was left out because of damage.
    pub damaged_parts: u64,
    pub suspects: Vec<HeapSuspectShape>,
    pub holders: Vec<HeapHolderShape>,
    /// What is alive, by type.
    pub types: Vec<HeapTypeShape>,
    /// Null of formats that do not tell.
    pub waste: Option<HeapWasteShape>,
}

/// What is held without need, and what no histogram counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeapWasteShape {
    /// Of all copies of the same data but one.
    pub duplicate_bytes: u64,
    /// Whether that is reckoned from a part.
    pub duplicates_estimated: bool,
    /// Of slots in arrays of references that hold nothing.
    pub empty_slot_bytes: u64,
    pub off_heap_bytes: u64,
    pub off_heap_buffers: u64,
    /// Objects that nobody refers to, and whose finalizer did not run yet.
    pub waiting_finalizers: u64,
}

/// Someone who is accused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapSuspectShape {
    #[serde(flatten)]
    pub holder: HeapHolderShape,
    pub words: String,
    /// What mends it.
    pub fix: String,
    /// From a root down.
    pub path: Vec<String>,
    pub root: Option<String>,
}

/// Someone who holds much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapHolderShape {
    /// The kind of mistake that it looks like.
    pub fault: String,
    pub owner: Option<String>,
    pub field: Option<String>,
    #[serde(rename = "static")]
    pub is_static: bool,
    pub collection: String,
    pub holders: u64,
    pub retained_bytes: u64,
    /// 0 to 1, of all that is alive.
    pub share: f64,
    pub elements: Vec<HeapTypeShape>,
}

/// Objects of one type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapTypeShape {
    #[serde(rename = "type")]
    pub kind: String,
    pub count: u64,
    pub bytes: u64,
}

/// What grew between looks at a heap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapDifferenceShape {
    pub version: u32,
    /// What is alive more in the last look than in the first.
    pub bytes: i64,
    pub growth: Vec<HeapGrowthShape>,
}

/// Growth in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapGrowthShape {
    pub owner: Option<String>,
    pub field: Option<String>,
    #[serde(rename = "static")]
    pub is_static: bool,
    pub collection: String,
    pub bytes: i64,
    /// The part of the whole growth; null where the heap did not grow.
    pub share: Option<f64>,
    pub steady: bool,
    pub in_flight: bool,
    pub elements: Vec<HeapGrownShape>,
}

/// More of one type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapGrownShape {
    #[serde(rename = "type")]
    pub kind: String,
    pub count: i64,
    /// Per unit of work, where its amount is known.
    pub per_work: Option<f64>,
}

/// What a dump holds, by type, without who holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapHistogramShape {
    pub version: u32,
    pub objects: u64,
    pub bytes: u64,
    pub cut_at: Option<u64>,
    pub damaged_parts: u64,
    pub types: Vec<HeapTypeShape>,
}

/// What grew in a process since it was first looked at: one line for each look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapWatchShape {
    pub version: u32,
    /// Looks so far; of the first one there is no growth.
    pub looks: u32,
    /// From the first look to the last.
    pub seconds: f64,
    /// Work done meanwhile; null where no counter is read, or it began again.
    pub work: Option<f64>,
    /// Steps between looks that are compared.
    pub steps: u64,
    /// Growth of all types that grew.
    pub grown_bytes: u64,
    /// The type that pulls the others along, and the part of all growth that it explains with them.
    pub leader: Option<String>,
    pub leader_share: Option<f64>,
    /// Whether the leader grew in every step, and there were at least three.
    pub is_steady: bool,
    /// The most growth first.
    pub rises: Vec<HeapRiseShape>,
}

/// A type that grew, or an allocation site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapRiseShape {
    #[serde(rename = "type")]
    pub kind: String,
    pub objects: i64,
    pub bytes: i64,
    /// Part of all growth, from 0 to 1.
    pub share: f64,
    pub bytes_per_hour: f64,
    pub bytes_per_work: Option<f64>,
    pub steps_grown: u64,
}

/// Why an object is alive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeapPathShape {
    pub retained_bytes: u64,
    /// Why the root is alive.
    pub root: String,
    /// From the root to the object.
    pub steps: Vec<String>,
}
