//! Tests of the log reader: what becomes a change, of whom, and what is counted.

use super::*;

const START: Timestamp = Timestamp::from_secs(1_780_000_000);

fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

fn scanned(text: &str, whose: &Whose) -> (Vec<Change>, LogSummary) {
    let mut changes = Vec::new();
    let services = [name("orders"), name("orders-api"), name("stock")];
    let summary =
        read(text.as_bytes(), &Signatures::built_in(), whose, &services, &mut |c| changes.push(c));
    (changes, summary.unwrap())
}

fn of(service: &str, instance: Option<&str>) -> Whose {
    let instance = instance.map(|text| InstanceName::new(text).unwrap());
    Whose { service: Some(name(service)), instance }
}

#[test]
fn a_signature_of_an_hour_is_one_change_with_a_count_and_without_the_text() {
    let text = "2026-05-28T20:26:40Z ERROR secret-1\n\
                java.lang.OutOfMemoryError: Java heap space\n\
                \tat shop.Order(Order.java:1)\n\
                2026-05-28T20:27:40Z ERROR java.lang.OutOfMemoryError: Java heap space\n\
                2026-05-28T23:00:00Z ERROR java.lang.OutOfMemoryError: Java heap space\n";
    let (changes, summary) = scanned(text, &of("orders", Some("orders-0")));
    assert_eq!((summary.lines, summary.seen, summary.taken), (5, 3, 3));
    let counts: Vec<_> = changes
        .iter()
        .map(|change| plimsoll_model::Observed::of(change).unwrap())
        .map(|seen| (seen.signature, seen.at, seen.count))
        .collect();
    let later = Timestamp::from_secs(1_780_009_200);
    assert_eq!(counts, [(Signature::HeapFull, START, 2), (Signature::HeapFull, later, 1)]);
    assert!(!format!("{changes:?}").contains("secret"));
    assert!(!format!("{changes:?}").contains("Java heap space"));
}

#[test]
fn lines_of_json_say_whose_they_are() {
    let text = "{\"ts\":1780000000,\"service\":\"stock\",\"instance\":\"stock-1\",\
                 \"message\":\"open /x: too many open files\"}\n\
                {\"@timestamp\":\"2026-05-28T20:26:40Z\",\"msg\":\"EMFILE: too many open files\"}\n\
                {\"time\":\"2026-05-28T20:26:40Z\",\"level\":\"info\"}\n";
    let (changes, summary) = scanned(text, &Whose::default());
    let [change] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!((change.at, change.kind), (START, ChangeKind::Log));
    assert_eq!(change.instance.as_ref().unwrap().as_str(), "stock-1");
    assert_eq!(summary.rejections.count(Reason::MissingService), 1);
}

#[test]
fn a_kill_is_given_to_the_service_of_its_group() {
    let check = |cgroup: &str, process: &str, want: Option<(&str, Option<&str>)>| {
        let kill =
            Kill { pid: 1, process: process.into(), cgroup: Some(cgroup.into()), main: None };
        let found = owner(&kill, &[name("orders"), name("orders-api"), name("stock")]);
        let found = found.service.map(|service| (service.to_string(), found.instance));
        let found = found.as_ref().map(|(s, i)| (s.as_str(), i.as_ref().map(InstanceName::as_str)));
        assert_eq!(found, want, "{cgroup} {process}");
    };
    check("/system.slice/orders.service", "java", Some(("orders", None)));
    check("/shop/orders-0", "java", Some(("orders", Some("orders-0"))));
    check("/shop/orders-api-6d4c-x", "java", Some(("orders-api", Some("orders-api-6d4c-x"))));
    check("/docker/2e088fe462e2", "stock", Some(("stock", None)));
    check("/docker/2e088fe462e2", "java", None);
    check("/shop/ordersx", "java", None);
}

#[test]
fn a_child_that_is_killed_ends_no_run() {
    let report = |pid: u32| {
        format!(
            "2026-05-28T20:26:40Z x kernel: a invoked oom-killer: gfp_mask=0\n\
             2026-05-28T20:26:40Z x kernel: [   10]     0    10      620       12    4        0    0 a\n\
             2026-05-28T20:26:40Z x kernel: [   11]     0    11      620       12    4        0    0 b\n\
             2026-05-28T20:26:40Z x kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),\
             oom_memcg=/shop/orders-0,task_memcg=/shop/orders-0,task=a,pid={pid},uid=0\n\
             2026-05-28T20:26:40Z x kernel: Memory cgroup out of memory: Killed process {pid} (a) total-vm:1kB\n"
        )
    };
    let kinds = |pid| scanned(&report(pid), &Whose::default()).0[0].kind;
    assert_eq!(kinds(10), ChangeKind::OomKill);
    assert_eq!(kinds(11), ChangeKind::Log);
}

#[test]
fn a_signature_without_a_time_is_counted_and_the_rest_is_read() {
    let long = "x".repeat(LINE_BYTES_MAX + 1);
    let text = format!("EMFILE: a\n\n{long}\nno signature\n1780000000 EMFILE: b\n");
    let (changes, summary) = scanned(&text, &of("orders", None));
    assert_eq!(changes.len(), 1);
    assert_eq!((summary.lines, summary.seen, summary.taken), (4, 2, 1));
    assert_eq!(summary.rejections.count(Reason::TimeMissing), 1);
    assert_eq!(summary.rejections.count(Reason::LineTooLong), 1);
}

#[test]
fn lines_that_never_end_make_a_bounded_number_of_changes() {
    let mut text = String::new();
    for hour in 0..CHANGES_MAX + 10 {
        text.push_str(&format!("{} EMFILE: x\n", 1_000_000_000 + 3600 * hour));
    }
    let (changes, summary) = scanned(&text, &of("orders", None));
    assert_eq!(changes.len(), CHANGES_MAX);
    assert_eq!(summary.rejections.count(Reason::TooManyPoints), 10);
}
