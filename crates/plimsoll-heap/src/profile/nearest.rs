//! What of a profile's stacks is asked for every one of them, found once for all: whose each frame
//! is, which own frame is nearest above, and names as numbers that several profiles share.
//!
//! Stacks are a tree and a caller's number is less than those of its callees, so one pass in the
//! order of numbers answers for every node; walking up from each would take time by the square of a
//! hostile profile's depth. Not here: what a line of source says (`ways`).

use std::collections::HashMap;

use super::evidence::Wait;
use super::{NameId, Profile, Whose};

/// No node.
const NONE: u32 = u32::MAX;

/// By node, unless said otherwise.
#[derive(Debug)]
pub(super) struct Nearest {
    /// By frame.
    whose: Vec<Whose>,
    /// The innermost node of the program's own at or above.
    own: Vec<u32>,
    /// The same of a dependency.
    dependency: Vec<u32>,
    /// What a goroutine waits for, as its frames below the nearest own one tell.
    wait: Vec<Option<Wait>>,
    /// Whether the main goroutine, or the main thread, is in it.
    in_main: Vec<bool>,
}

impl Nearest {
    pub(super) fn of(profile: &Profile) -> Self {
        let whose = whose(profile);
        let count = profile.nodes.len();
        let mut nearest = Self {
            whose,
            own: Vec::with_capacity(count),
            dependency: Vec::with_capacity(count),
            wait: Vec::with_capacity(count),
            in_main: Vec::with_capacity(count),
        };
        for (at, node) in profile.nodes.iter().enumerate() {
            let of = nearest.whose[node.frame as usize];
            let caller = node.caller.map(|caller| caller as usize);
            let above = |found: &[u32]| caller.map_or(NONE, |caller| found[caller]);
            let (own, dependency) = (above(&nearest.own), above(&nearest.dependency));
            nearest.own.push(if of == Whose::Own { at as u32 } else { own });
            let is_dependency = of == Whose::Dependency;
            nearest.dependency.push(if is_dependency { at as u32 } else { dependency });
            let function = profile.frame(node.frame).function.unwrap_or_default();
            // The outer is the more telling: a mutex waits on a semaphore.
            let outer = caller.filter(|_| of != Whose::Own);
            let outer = outer.and_then(|caller| nearest.wait[caller]);
            nearest.wait.push(outer.or_else(|| Wait::below(function)));
            let is_main = matches!(function, "runtime.main" | "main.main");
            nearest.in_main.push(is_main || caller.is_some_and(|at| nearest.in_main[at]));
        }
        nearest
    }

    pub(super) fn own(&self, node: u32) -> Option<u32> {
        Some(self.own[node as usize]).filter(|own| *own != NONE)
    }

    /// The nearest of the program's own, or of a dependency, or the node itself.
    pub(super) fn place(&self, node: u32) -> u32 {
        let dependency = Some(self.dependency[node as usize]).filter(|found| *found != NONE);
        self.own(node).or(dependency).unwrap_or(node)
    }

    pub(super) fn wait(&self, node: u32) -> Option<Wait> {
        self.wait[node as usize]
    }

    pub(super) fn in_main(&self, node: u32) -> bool {
        self.in_main[node as usize]
    }

    pub(super) fn whose(&self, frame: u32) -> Whose {
        self.whose[frame as usize]
    }
}

/// Each name is looked through once, however many frames have it.
fn whose(profile: &Profile) -> Vec<Whose> {
    let mut paths: HashMap<NameId, (Option<Whose>, bool)> = HashMap::new();
    let mut functions: HashMap<(NameId, bool), Whose> = HashMap::new();
    let mut modules: HashMap<NameId, Whose> = HashMap::new();
    let found = profile.frames.iter().enumerate().map(|(at, key)| {
        let frame = profile.frame(at as u32);
        let path = key.file.zip(frame.file).map(|(id, file)| {
            *paths.entry(id).or_insert_with(|| (Whose::by_path(file), Whose::is_go(file)))
        });
        if let Some((Some(found), _)) = path {
            return found;
        }
        if let Some((id, function)) = key.function.zip(frame.function) {
            let may_be_go = path.map_or_else(|| profile.source.may_be_go(), |(_, is_go)| is_go);
            let known = functions.entry((id, may_be_go));
            return *known.or_insert_with(|| Whose::by_function(function, may_be_go));
        }
        match (path, key.module.zip(frame.module)) {
            (Some(_), _) => Whose::Own,
            (None, Some((id, module))) => {
                *modules.entry(id).or_insert_with(|| Whose::by_module(module))
            }
            // Nothing is known, so nobody can be sent there.
            (None, None) => Whose::Language,
        }
    });
    found.collect()
}

/// For each of these profiles, the rank of each of its names among the names of all of them: equal
/// numbers are equal texts, and their order is that of the texts.
pub(super) fn ranks(looks: &[&Profile]) -> Vec<Vec<u32>> {
    let mut names: Vec<(&str, usize, usize)> = Vec::new();
    for (look, profile) in looks.iter().enumerate() {
        names.extend(profile.names.iter().enumerate().map(|(id, name)| (&**name, look, id)));
    }
    names.sort_unstable();
    let mut ranks: Vec<Vec<u32>> =
        looks.iter().map(|profile| vec![0; profile.names.len()]).collect();
    let (mut rank, mut before) = (0, None);
    for (name, look, id) in names {
        rank += u32::from(before.is_some_and(|before| before != name));
        before = Some(name);
        ranks[look][id] = rank;
    }
    ranks
}
