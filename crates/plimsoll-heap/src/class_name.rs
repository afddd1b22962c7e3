//! Class names of the JVM: from the form in a histogram to the form people write, and who wrote
//! the class.
//!
//! Not here: any value from a heap. A class name is a name from the program's text; the one part
//! of it that is made while the program runs, the address behind a lambda or a hidden class, is
//! cut off, so that what leaves this module is the same in each run of the program.

/// Who wrote a class, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Anything that is not known to be of the other two: most likely the service's own.
    Application,
    /// A widespread library: its growth is usually held by a class of the application.
    Library,
    /// The JDK itself, and arrays of primitives: they are what other things are made of.
    Jdk,
}

/// Packages that come with every JDK.
const JDK_PACKAGES: [&str; 6] = ["java.", "javax.", "jdk.", "sun.", "com.sun.", "jrockit."];

/// Libraries that are seen in most services. A missing name costs little: the class then counts
/// as the application's, and is named itself instead of what it holds.
const LIBRARY_PACKAGES: [&str; 26] = [
    "akka.",
    "ch.qos.logback.",
    "com.fasterxml.",
    "com.github.benmanes.caffeine.",
    "com.google.common.",
    "com.google.protobuf.",
    "com.mysql.",
    "com.zaxxer.hikari.",
    "groovy.",
    "io.grpc.",
    "io.micrometer.",
    "io.netty.",
    "io.opentelemetry.",
    "io.undertow.",
    "io.vertx.",
    "kotlin.",
    "kotlinx.",
    "okhttp3.",
    "org.apache.",
    "org.eclipse.jetty.",
    "org.hibernate.",
    "org.postgresql.",
    "org.slf4j.",
    "org.springframework.",
    "reactor.",
    "scala.",
];

const PRIMITIVES: [&str; 8] =
    ["boolean", "byte", "char", "short", "int", "long", "float", "double"];

/// More dimensions than this are not a Java array (JVM specification 4.3.2 ends at 255).
const DIMENSIONS_MAX: usize = 255;

/// The name as people write it: `[B` is `byte[]`, `[Ljava.lang.String;` is `java.lang.String[]`,
/// and `Shop$$Lambda$14/0x0000000800c03200` is `Shop$$Lambda$14`. A name that is in neither form
/// is given back unchanged.
pub fn readable(jvm_name: &str) -> String {
    let element = jvm_name.trim_start_matches('[');
    let dimensions = jvm_name.len() - element.len();
    if dimensions == 0 {
        return without_address(element).to_owned();
    }
    let Some(name) = element_name(element).filter(|_| dimensions <= DIMENSIONS_MAX) else {
        return jvm_name.to_owned();
    };
    format!("{}{}", without_address(name), "[]".repeat(dimensions))
}

fn element_name(descriptor: &str) -> Option<&str> {
    match descriptor {
        "Z" => Some("boolean"),
        "B" => Some("byte"),
        "C" => Some("char"),
        "S" => Some("short"),
        "I" => Some("int"),
        "J" => Some("long"),
        "F" => Some("float"),
        "D" => Some("double"),
        class => class.strip_prefix('L')?.strip_suffix(';').filter(|name| !name.is_empty()),
    }
}

/// JDK 17 writes `/0x..` behind a hidden class, JDK 21 and later `/0x..` or `+0x..`.
fn without_address(name: &str) -> &str {
    let Some((head, address)) = name.rsplit_once(['/', '+']) else { return name };
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    match address.strip_prefix("0x") {
        Some(digits) if is_hex(digits) && !head.is_empty() => head,
        Some(_) | None => name,
    }
}

/// Who wrote the class of a [`readable`] name; an array is of its element's origin.
pub fn origin(readable_name: &str) -> Origin {
    let element = readable_name.trim_end_matches("[]");
    let starts = |packages: &[&str]| packages.iter().any(|package| element.starts_with(package));
    if starts(&JDK_PACKAGES) || PRIMITIVES.contains(&element) || element.starts_with('<') {
        Origin::Jdk
    } else if starts(&LIBRARY_PACKAGES) {
        Origin::Library
    } else {
        Origin::Application
    }
}

/// Whether the class is an array of references, for example the table of a map.
pub(crate) fn is_reference_array(readable_name: &str) -> bool {
    readable_name.strip_suffix("[]").is_some_and(|element| !PRIMITIVES.contains(&element))
}

/// Whether instances refer to nothing that could grow: strings, arrays of primitives, boxes.
pub(crate) fn is_leaf(readable_name: &str) -> bool {
    const LEAVES: [&str; 8] = [
        "java.lang.String",
        "java.lang.Integer",
        "java.lang.Long",
        "java.lang.Double",
        "java.util.UUID",
        "java.util.Date",
        "java.time.Instant",
        "java.math.BigDecimal",
    ];
    let element = readable_name.strip_suffix("[]");
    element.is_some_and(|element| PRIMITIVES.contains(&element)) || LEAVES.contains(&readable_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jvm_names_are_written_the_way_people_do() {
        let check = |jvm: &str, want: &str| assert_eq!(readable(jvm), want);
        check("[B", "byte[]");
        check("[[J", "long[][]");
        check("[Ljava.lang.String;", "java.lang.String[]");
        check("[[Lcom.shop.Order$Line;", "com.shop.Order$Line[][]");
        check("com.shop.Order", "com.shop.Order");
        check("Shop$$Lambda$14/0x0000000800c03200", "Shop$$Lambda$14");
        check(
            "java.lang.invoke.LambdaForm$MH+0x00007f2a4c001000",
            "java.lang.invoke.LambdaForm$MH",
        );
        check("[LShop$$Lambda$14/0x0000000800c03200;", "Shop$$Lambda$14[]");
    }

    #[test]
    fn a_name_in_no_known_form_is_left_alone() {
        for name in ["", "[", "[Q", "[L;", "[Lopen", "a/0xzz", "/0x12", "B"] {
            assert_eq!(readable(name), name);
        }
        let deep = format!("{}B", "[".repeat(256));
        assert_eq!(readable(&deep), deep);
    }

    #[test]
    fn the_origin_is_told_by_the_package_and_arrays_follow_their_element() {
        let check = |name: &str, want: Origin| assert_eq!(origin(name), want, "{name}");
        check("byte[]", Origin::Jdk);
        check("java.util.HashMap$Node[]", Origin::Jdk);
        check("com.sun.proxy.Thing", Origin::Jdk);
        check("<methodKlass>", Origin::Jdk);
        check("com.sunrise.Order", Origin::Application);
        check("Order[]", Origin::Application);
        check("io.netty.buffer.PoolChunk", Origin::Library);
        check("javassist.Thing", Origin::Application);
    }
}
