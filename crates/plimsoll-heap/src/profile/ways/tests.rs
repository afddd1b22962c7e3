//! The bound of what is looked at. Which places are found is tested with `suspects`.

use super::*;

#[test]
fn lines_are_followed_until_so_much_of_the_source_was_looked_at() {
    let text = "heap profile: 1: 9 [1: 9] @ heap/2\n1: 9 [1: 9] @ 0x1\n\
                #\t0x1\tmain.keep+0x1\t/m.go:2\n";
    let profile = Profile::read(text.as_bytes()).unwrap();
    let source = "func keep(n int) {\n\tALL = append(ALL, make([]byte, n))\n}\n";
    let listing = Listing::read("/m.go", source).unwrap();
    let listings = Listings::from([("/m.go".to_owned(), listing)]);
    let nearest = Nearest::of(&profile);
    let field = |looks_left| {
        let mut ways = Ways { looks_left, ..Ways::new(&profile, &listings, &nearest) };
        ways.place(profile.stacks[0]).field
    };
    assert_eq!(field(LOOKS_MAX).as_deref(), Some("ALL"));
    assert_eq!((field(0), field(100)), (None, None));
}
