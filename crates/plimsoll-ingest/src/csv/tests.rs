//! Tests of the CSV reader: what is taken, what is counted, and what stops it.

use std::sync::LazyLock;

use plimsoll_model::{Metric, Timestamp};
use proptest::prelude::*;

use super::*;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::built_in);
const HEADER: &str = "ts,service,version,instance,metric,value\n";

fn read_all(input: &[u8]) -> Result<(Vec<Reading>, CsvSummary), CsvError> {
    let mut readings = Vec::new();
    let now = Some(Timestamp::from_secs(1_780_000_000));
    let summary = read(input, &CATALOGUE, now, &mut |one| readings.push(one))?;
    Ok((readings, summary))
}

fn rows(text: &str) -> (Vec<Reading>, CsvSummary) {
    read_all(format!("{HEADER}{text}").as_bytes()).unwrap()
}

fn check_rejected(line: &str, want: Reason) {
    let good = "1779999990,orders,1.0,orders-0,process.fds,7";
    let (readings, summary) = rows(&format!("{good}\n{line}\n{good}\n"));
    let line = &line[..line.len().min(200)];
    assert_eq!(readings.len(), 2, "the lines around it are taken: {line}");
    let counts: Vec<_> = summary.rejections.counts().collect();
    assert_eq!(counts, [(want, 1)], "{line}");
    assert_eq!(summary.rejections.examples(want)[0].line, Some(3), "{line}");
}

#[test]
fn a_line_becomes_a_reading() {
    let (readings, summary) = rows("1779999990.5,orders,1.1.0,orders-0,runtime.heap.live,1e6\n");
    let [reading] = readings.as_slice() else { panic!("{readings:?}") };
    assert_eq!(reading.at, Timestamp::from_millis(1_779_999_990_500));
    assert_eq!(reading.service.as_str(), "orders");
    assert_eq!(reading.version.as_ref().unwrap().as_str(), "1.1.0");
    assert_eq!(reading.instance.as_str(), "orders-0");
    assert_eq!((reading.metric, reading.value), (Metric::RuntimeHeapLive, 1e6));
    assert_eq!((summary.rows, summary.readings, summary.ignored), (1, 1, 0));
}

#[test]
fn columns_may_stand_in_any_order_with_others_between() {
    let input = "\u{feff}value,note,metric,\"Instance\",version,service,ts\r\n\
        7,\"a, \"\"b\"\"\",process_open_fds,\"orders-0\",,orders,2026-05-28T20:26:00Z\r\n";
    let (readings, summary) = read_all(input.as_bytes()).unwrap();
    assert!(summary.rejections.is_empty(), "{}", summary.rejections);
    assert_eq!((readings[0].metric, readings[0].value), (Metric::ProcessFds, 7.0));
    assert_eq!(readings[0].version, None);
}

#[test]
fn a_line_that_cannot_be_used_is_counted_with_its_number() {
    check_rejected("1779999990,orders,1.0,orders-0,process.fds", Reason::ColumnCount);
    check_rejected("1779999990,orders,1.0,orders-0,process.fds,7,8", Reason::ColumnCount);
    check_rejected("17799", Reason::ColumnCount);
    check_rejected("noon,orders,1.0,orders-0,process.fds,7", Reason::UnreadableTime);
    check_rejected(",orders,1.0,orders-0,process.fds,7", Reason::TimeMissing);
    check_rejected("1780000301,orders,1.0,orders-0,process.fds,7", Reason::TimeInFuture);
    check_rejected("1779999990,,1.0,orders-0,process.fds,7", Reason::MissingService);
    check_rejected("1779999990,orders,1.0,,process.fds,7", Reason::MissingInstance);
    check_rejected("1779999990,orders,1.0,orders-0,process.fds,seven", Reason::UnreadableValue);
    check_rejected("1779999990,orders,1.0,orders-0,process.fds,", Reason::UnreadableValue);
    check_rejected("1779999990,orders,1.0,orders-0,process.fds,NaN", Reason::NotFinite);
    check_rejected("1779999990,orders,1.0,orders-0,process.fds,inf", Reason::NotFinite);
    check_rejected("1779999990,orders,1.0,orders-0,process.fds,-4", Reason::Negative);
    check_rejected("1779999990,orders,1.0,orders-0,process.fds,1e300", Reason::TooLarge);
    check_rejected("1779999990,orders,1.0,orders-0,my.metric,7", Reason::UnknownMetric);
    check_rejected(
        "1779999990,orders,1.0,orders-0,jvm_memory_used_bytes,7",
        Reason::NeedsAttributes,
    );
    check_rejected("1779999990,orders,1.0,\"orders-0,process.fds,7", Reason::Unreadable);
    check_rejected(&"1,".repeat(10_000), Reason::Unreadable);
    check_rejected(&"x".repeat(10_000_000), Reason::LineTooLong);
    let long = "x".repeat(300);
    check_rejected(&format!("1779999990,{long},1,orders-0,process.fds,7"), Reason::BadName);
}

#[test]
fn bytes_that_are_not_text_cost_one_line() {
    let lines: [&[u8]; 3] =
        [HEADER.as_bytes(), b"\xff\xfe\x00,a\n", b"1779999990,orders,,orders-0,process.fds,7\n"];
    let (readings, summary) = read_all(&lines.concat()).unwrap();
    assert_eq!((readings.len(), summary.rejections.count(Reason::Unreadable)), (1, 1));
}

#[test]
fn labels_decide_which_metric_a_name_means() {
    let heap = r#"1779999990,a,,a-0,"jvm_memory_used_bytes{area=""heap""}",7"#;
    let pool = r#"1779999990,a,,a-0,"jvm_memory_used_bytes{area=""heap"",id=""Eden""}",7"#;
    let (readings, summary) = rows(&format!("{heap}\n{pool}\n"));
    assert_eq!(readings[0].metric, Metric::RuntimeHeapUsed);
    assert_eq!(summary.rejections.count(Reason::PartOfTotal), 1);
}

#[test]
fn what_is_deliberately_left_out_is_not_rejected() {
    let text = "1779999990,a,,a-0,go_info,1\n1779999990,a,,a-0,container.memory.limit,9.3e18\n\n";
    let (readings, summary) = rows(text);
    assert_eq!((readings.len(), summary.rows, summary.ignored), (0, 2, 2));
    assert!(summary.rejections.is_empty());
}

#[test]
fn without_now_no_line_is_from_the_future() {
    let input = format!("{HEADER}9999999999,a,,a-0,process.fds,7");
    let summary = read(input.as_bytes(), &CATALOGUE, None, &mut |_| {}).unwrap();
    assert_eq!(summary.readings, 1);
}

#[test]
fn a_file_without_its_columns_is_refused_clearly() {
    let check = |input: &str, want: &str| {
        let error = read_all(input.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    check("", "empty");
    check("\n1,2\n", "empty");
    check("ts,service,version,instance,metric\n", "no column `value`");
    check("1780000000,orders,1.0,orders-0,process.fds,7\n", "no column `ts`");
    check("ts,ts,service,version,instance,metric,value\n", "column `ts` twice");
    check(&"x".repeat(1_000_000), "not readable as CSV");
}

#[test]
fn a_stream_that_breaks_says_where() {
    struct Broken;
    impl io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let input = io::Read::chain(HEADER.as_bytes(), Broken);
    let input = io::BufReader::new(input);
    let error = read(input, &CATALOGUE, None, &mut |_| {}).unwrap_err();
    assert_eq!(error.to_string(), "the telemetry could not be read further after line 1");
}

#[test]
fn every_cut_of_a_file_is_read_without_harm() {
    let line = "1779999990,\"orders\",1.0,orders-0,process.fds,7\r\n";
    let whole = format!("{HEADER}{line}{line}");
    for cut in HEADER.len()..whole.len() {
        let (_, summary) = read_all(&whole.as_bytes()[..cut]).unwrap();
        let accounted = summary.readings + summary.ignored + summary.rejections.total();
        assert_eq!(accounted, summary.rows, "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(input in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(read_all(&input).is_err(), "there is no header");
        let with_header = [HEADER.as_bytes(), &input].concat();
        let (readings, summary) = read_all(&with_header).unwrap();
        prop_assert_eq!(readings.len() as u64, summary.readings);
        prop_assert!(readings.iter().all(|reading| reading.value.is_finite()));
    }

    #[test]
    fn no_near_miss_makes_it_panic(text in "([0-9a-z.,\"{}= \r\n]|process.fds|-|e){0,300}") {
        let (_, summary) = rows(&text);
        let accounted = summary.readings + summary.ignored + summary.rejections.total();
        prop_assert_eq!(accounted, summary.rows);
    }
}
