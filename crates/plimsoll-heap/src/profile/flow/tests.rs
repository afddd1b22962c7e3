//! Where values go, in code as people write it. None of it is that of the planted programs.

use super::*;

/// The line with `HERE` makes the value.
fn step(file: &str, source: &str) -> Step {
    let line = source.lines().position(|line| line.contains("HERE")).unwrap() as u32 + 1;
    let listing = Listing::read(file, source).unwrap();
    let body = Body::of(&listing, listing.function_at(line).unwrap());
    Step::of(&listing, &body, line).unwrap()
}

fn check(file: &str, source: &str, want: Goes) {
    assert_eq!(step(file, source).goes, want, "{source}");
}

fn way(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

#[test]
fn a_value_of_go_is_followed_to_where_it_is_kept() {
    let check = |body: &str, want| {
        check("a.go", &format!("func (s *Store) f(n int) T {{\n{body}\n}}"), want)
    };
    check("\ts.orders[n] = new(Order) // HERE", Goes::Into(way("s.orders")));
    check("\tall = append(all, make([]byte, n)) // HERE", Goes::Into(way("all")));
    check(
        "\to := &Order{ // HERE\n\t\tn,\n\t}\n\tp := wrap(o)\n\ts.byUser[n] = p",
        Goes::Into(way("s.byUser")),
    );
    check("\tvar b strings.Builder\n\tb.Grow(n) // HERE\n\treturn b.String()", Goes::Back);
    check("\tpage := make([]byte, n) // HERE\n\treturn len(page)", Goes::Stays("page".into()));
    check(
        "\tp := make([]byte, n) // HERE\n\tselect {\n\tcase s.out <- p:\n\t}",
        Goes::Sent(way("s.out")),
    );
    check(
        "\tp := make([]byte, n) // HERE\n\tgo func() {\n\t\t<-s.quit\n\t\tuse(p)\n\t}()",
        Goes::Goroutine(Some("quit".into())),
    );
    check("\tl := &Link{n} // HERE\n\tl.next = s.head\n\ts.head = l", Goes::Chain(way("s.head")));
    check("\ts.cached = load(n) // HERE", Goes::Field(way("s.cached")));
    check("\ts.seen.Store(n, load(n)) // HERE", Goes::Into(way("s.seen")));
    check("\tlist := []T{}\n\tlist = append(list, load(n)) // HERE\n\treturn list", Goes::Back);
    check("\tload(n) // HERE", Goes::Dropped("load".into()));
}

#[test]
fn a_value_of_python_is_followed_to_where_it_is_kept() {
    let check = |body: &str, want| {
        check("a.py", &format!("class Store:\n  def f(self, n, seen=[]):\n{body}\n"), want)
    };
    check("    self.orders[n] = Order(n)  # HERE", Goes::Into(way("self.orders")));
    check("    o = Order(  # HERE\n        n)\n    ALL.append((o, n))", Goes::Into(way("ALL")));
    check("    seen.append(bytes(n))  # HERE", Goes::Into(way("seen")));
    check("    out = []\n    out.append(bytes(n))  # HERE\n    return out", Goes::Back);
    check(
        "    self.last.next = Link(n)  # HERE\n    self.last = self.last.next",
        Goes::Chain(way("self.last")),
    );
    check("    global latest\n    latest = bytes(n)  # HERE", Goes::Field(way("latest")));
    check("    Order(n)  # HERE", Goes::Dropped("Order".into()));
    check("    yield bytes(n)  # HERE", Goes::Back);
    check(
        "    for row in rows(n):  # HERE\n        self.rows.add(row)",
        Goes::Into(way("self.rows")),
    );
}

#[test]
fn a_value_that_is_kept_by_a_function_or_with_a_file_is_told() {
    let jobs = "func (s *Store) f(n int) {\n\tm := make([]byte, n) // HERE\n\ts.jobs = append(s.jobs, func() int {\n\t\treturn len(m)\n\t})\n}";
    let kept = step("a.go", jobs);
    assert!(kept.in_function && kept.goes == Goes::Into(way("s.jobs")), "{kept:?}");
    let file = |close: &str| {
        format!(
            "func (s *Store) f(n string) {{\n\tf, err := os.Open(n)\n{close}\tr := bufio.NewReader(f) // HERE\n\ts.all = append(s.all, r)\n}}"
        )
    };
    assert!(step("a.go", &file("")).is_opened);
    assert!(!step("a.go", &file("\tdefer f.Close()\n")).is_opened);
    let read =
        "def f(n):\n    file = open(n)\n    text = file.read()  # HERE\n    ALL.append(text)\n";
    assert!(!step("a.py", read).is_opened);
    let rows = "def f(n):\n    c = db.execute(n)\n    row = c.fetchone()  # HERE\n    ALL.append((c, row))\n";
    assert!(step("a.py", rows).is_opened);
}

#[test]
fn a_wait_names_its_channel() {
    let check = |line: &str, want: Option<&str>| {
        assert_eq!(received(line).as_deref(), want, "{line}");
    };
    check("<-waiting.Done()", Some("waiting"));
    check("for update := range updates {", Some("updates"));
    check("case job, ok := <-w.jobs:", Some("jobs"));
    check("x := 3", None);
    assert_eq!(sends_on("w.answers <- answer").as_deref(), Some("answers"));
}

#[test]
fn what_the_function_closes_or_reads_out_is_not_open() {
    let check = |file: &str, source: &str, want| {
        let step = step(file, source);
        assert_eq!(step.is_opened, want, "{source}");
    };
    let go = |close: &str| {
        format!(
            "func f(db *sql.DB, q string) {{\n\trows, err := db.Query(q) // HERE\n{close}\tuse(rows)\n}}"
        )
    };
    check("a.go", &go(""), true);
    check("a.go", &go("\tdefer rows.Close()\n"), false);
    check("a.go", &go("\tdefer func() { _ = rows.Close() }()\n"), false);
    check("a.go", &go("\trows.Close()\n"), false);
    check("a.go", &go("\tif err != nil {\n\t\trows.Close()\n\t}\n"), true);
    let python = |line: &str| format!("def f(k, q):\n    {line}  # HERE\n    return k\n");
    check("a.py", &python("c = db.execute(q)"), true);
    check("a.py", &python("with open(q) as c:"), false);
    check("a.py", &python("CACHE[k] = db.execute(q).fetchall()"), false);
    check("a.py", &python("text = open(q).read()"), false);
}

#[test]
fn a_name_that_begins_like_a_keyword_is_a_name() {
    let body = |line: &str| format!("def f(self, n):\n    {line}  # HERE\n");
    check("a.py", &body("returns[n] = Order(n)"), Goes::Into(way("returns")));
    check("a.py", &body("yields.append(Order(n))"), Goes::Into(way("yields")));
    check("a.py", &body("return Order(n)"), Goes::Back);
    check("a.py", &body("return"), Goes::Back);
    check("a.py", &body("yield(Order(n))"), Goes::Back);
}
