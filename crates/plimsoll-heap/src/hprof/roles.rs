//! What the types of a JVM's heap are to someone who looks for an owner: data, by name.

use crate::shape::Role;

/// Packages whose types are parts of collections and wrappers.
const PLUMBING: &[&str] = &[
    "java.util.",
    "com.github.benmanes.caffeine.cache.",
    "com.google.common.cache.",
    "com.google.common.collect.",
    "it.unimi.dsi.fastutil.",
    "gnu.trove.",
    "io.netty.util.collection.",
    "org.eclipse.collections.",
    "java.lang.ThreadLocal$",
    "kotlin.collections.",
    "scala.collection.",
    "android.util.ArrayMap",
    "android.util.SparseArray",
    "androidx.collection.",
];

/// Types of those packages that are things of their own.
const NO_PLUMBING: &[&str] = &[
    "java.util.concurrent.ThreadPoolExecutor",
    "java.util.concurrent.ScheduledThreadPoolExecutor",
    "java.util.concurrent.ForkJoin",
    "java.util.concurrent.CompletableFuture",
    "java.util.concurrent.FutureTask",
    "java.util.jar.",
    "java.util.logging.",
    "java.util.regex.",
    "java.util.stream.",
    "java.util.zip.",
    "java.util.ResourceBundle",
    "java.util.ServiceLoader",
    "java.util.Timer",
];

/// References that stand between an owner and its object.
const REFERENCES: &[&str] = &[
    "java.lang.ref.WeakReference",
    "java.lang.ref.SoftReference",
    "java.lang.ref.PhantomReference",
];

const VALUES: &[&str] = &[
    "java.lang.String",
    "java.lang.Boolean",
    "java.lang.Byte",
    "java.lang.Character",
    "java.lang.Double",
    "java.lang.Float",
    "java.lang.Integer",
    "java.lang.Long",
    "java.lang.Short",
    "java.math.BigDecimal",
    "java.math.BigInteger",
    "java.util.BitSet",
    "java.util.Date",
    "java.util.Locale",
    "java.util.UUID",
];

const PRIMITIVES: &[&str] =
    &["boolean[]", "byte[]", "char[]", "double[]", "float[]", "int[]", "long[]", "short[]"];

/// Of a type by its own name, and those of the classes above it.
pub(super) fn role<'a>(mut names: impl Iterator<Item = &'a str>) -> Role {
    let Some(name) = names.next() else { return Role::Object };
    if name == "java.lang.Class" {
        return Role::Scope;
    }
    if VALUES.contains(&name) || PRIMITIVES.contains(&name) {
        return Role::Value;
    }
    let begins = |list: &[&str]| list.iter().any(|prefix| name.starts_with(prefix));
    if name.ends_with("[]") || REFERENCES.contains(&name) {
        return Role::Plumbing;
    }
    if begins(PLUMBING) && !begins(NO_PLUMBING) {
        return Role::Plumbing;
    }
    names
        .find_map(|above| match above {
            "java.lang.Thread" => Some(Role::Thread),
            "java.lang.ClassLoader" => Some(Role::Loader),
            _ => None,
        })
        .unwrap_or(if name == "java.lang.Thread" { Role::Thread } else { Role::Object })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_collections_are_told_from_what_is_in_them() {
        let check =
            |names: &[&str], want| assert_eq!(role(names.iter().copied()), want, "{names:?}");
        let object = "java.lang.Object";
        check(&["java.util.HashMap$Node", object], Role::Plumbing);
        check(&["java.util.HashMap$Node[]", object], Role::Plumbing);
        check(&["com.shop.Order[]", object], Role::Plumbing);
        check(&["byte[]", object], Role::Value);
        check(&["java.util.UUID", object], Role::Value);
        check(&["java.lang.Class", object], Role::Scope);
        check(&["com.shop.Order", object], Role::Object);
        check(&["java.util.concurrent.ThreadPoolExecutor$Worker", object], Role::Object);
        check(&["com.shop.Worker", "java.lang.Thread", object], Role::Thread);
        check(&["java.lang.Thread", object], Role::Thread);
        check(&["com.shop.Loader", "java.lang.ClassLoader", object], Role::Loader);
    }
}
