//! What a crate's manifest says it depends on, with the line it says it on.

use crate::tree::File;

/// One dependency of one crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// Whether only its tests, examples and benchmarks need it.
    pub(crate) for_tests: bool,
}

/// Every dependency, platform-specific ones included. A manifest that cannot be read has none
/// here: cargo has refused it long before.
pub(crate) fn dependencies(manifest: &File) -> Vec<Dependency> {
    let Ok(table) = manifest.text.parse::<toml::Table>() else { return Vec::new() };
    let platforms = table.get("target").and_then(toml::Value::as_table);
    let platforms = platforms.into_iter().flat_map(|all| all.values());
    let mut found = Vec::new();
    for place in platforms.filter_map(toml::Value::as_table).chain([&table]) {
        for (section, for_tests) in
            [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
        {
            let names = place.get(section).and_then(toml::Value::as_table);
            found.extend(names.into_iter().flat_map(toml::Table::keys).map(|name| Dependency {
                name: name.clone(),
                line: line_of(manifest, section, name),
                for_tests,
            }));
        }
    }
    found
}

/// Names in `[workspace.dependencies]`, with their lines.
pub(crate) fn workspace_dependencies(root: &File) -> Vec<Dependency> {
    let Ok(table) = root.text.parse::<toml::Table>() else { return Vec::new() };
    let names = table
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(toml::Value::as_table);
    let dependency = |name: &String| Dependency {
        name: name.clone(),
        line: line_of(root, "workspace.dependencies", name),
        for_tests: false,
    };
    names.into_iter().flat_map(toml::Table::keys).map(dependency).collect()
}

/// The line that starts with the name, after its section's heading; the heading's line otherwise.
fn line_of(manifest: &File, section: &str, name: &str) -> usize {
    let mut heading = 1;
    let mut inside = false;
    for (number, line) in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim_matches(['[', ']']).ends_with(section);
            heading = if inside { number } else { heading };
        }
        let names_it =
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
        if inside && names_it {
            return number;
        }
    }
    heading
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    #[test]
    fn dependencies_come_with_their_line_and_their_purpose() {
        let manifest = "[dependencies]\na.workspace = true\n[dev-dependencies]\nb = \"1\"\n\
                        [target.'cfg(unix)'.dependencies]\nc = { version = \"1\" }\n";
        let tree = Tree::of(&[("crates/x/Cargo.toml", manifest)]);
        let file = tree.manifests().next().expect("one manifest");
        let mut found: Vec<_> = dependencies(file)
            .into_iter()
            .map(|dependency| (dependency.name, dependency.line, dependency.for_tests))
            .collect();
        found.sort();
        let expected = [("a", 2, false), ("b", 4, true), ("c", 6, false)];
        assert_eq!(found, expected.map(|(name, line, tests)| (name.to_owned(), line, tests)));
    }

    #[test]
    fn a_manifest_that_is_not_toml_has_no_dependencies() {
        let tree = Tree::of(&[("crates/x/Cargo.toml", "[dependencies\n")]);
        assert_eq!(dependencies(tree.manifests().next().expect("one manifest")), []);
    }
}
