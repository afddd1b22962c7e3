//! Which relay of `tor-relay-memory` ran under which allocator, from the file names of its groups,
//! and which of the allocators the source calls flat.

use std::collections::BTreeMap;
use std::path::Path;

use super::AdaptError;
use super::table::{Lines, files, stem};

/// What the report's table of growth calls "Flat", and its summary "STABLE". Of the others it says
/// "Growing" (mimalloc 3.0.1) and "Variable" (glibc).
const FLAT: [&str; 3] = ["mimalloc209", "mimalloc217", "jemalloc"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allocator {
    pub(super) name: String,
    pub(super) stays_flat: bool,
}

/// By nickname. The groups of before the last migration are not read: what ran under them is told
/// apart by restarts.
pub(super) fn read(folder: &Path) -> Result<BTreeMap<String, Allocator>, AdaptError> {
    let mut allocators = BTreeMap::new();
    for path in files(folder, &[".txt"])? {
        let Some(allocator) = of_file(&stem(&path)) else { continue };
        let mut lines = Lines::open(&path)?;
        while let Some((_, line)) = lines.next_line()? {
            if !line.trim().is_empty() {
                allocators.insert(line.trim().to_owned(), allocator.clone());
            }
        }
    }
    Ok(allocators)
}

/// `group_B_mimalloc209`.
fn of_file(stem: &str) -> Option<Allocator> {
    let mut parts = stem.split('_').skip(2);
    let (name, more) = (parts.next()?, parts.next());
    let stays_flat = FLAT.contains(&name);
    more.is_none().then(|| Allocator { name: name.into(), stays_flat })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_is_in_the_name_of_the_groups_file() {
        let check = |stem, want: Option<(&str, bool)>| {
            let allocator = of_file(stem);
            let got = allocator.as_ref().map(|a| (a.name.as_str(), a.stays_flat));
            assert_eq!(got, want, "{stem}");
        };
        check("group_B_mimalloc209", Some(("mimalloc209", true)));
        check("group_A_mimalloc301", Some(("mimalloc301", false)));
        check("group_E_glibc", Some(("glibc", false)));
        check("group_E_glibc_historical", None);
        check("readme", None);
    }
}
