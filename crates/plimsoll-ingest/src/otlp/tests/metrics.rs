//! What metrics requests mean: real ones in both encodings, point by point.

use super::*;

fn decode_as(request: &ExportMetricsServiceRequest, encoding: Encoding) -> MetricsBatch {
    let bytes = encode(request, encoding);
    decode_metrics(&bytes, encoding, &CATALOGUE, NOW).unwrap()
}

fn check(metric: Sent, want: Result<&[(Metric, f64)], Reason>) {
    let request = metrics_request(Some(orders()), vec![metric]);
    for encoding in BOTH {
        let batch = decode_as(&request, encoding);
        let got: Vec<_> = batch.readings.iter().map(|one| (one.metric, one.value)).collect();
        let reasons: Vec<_> = batch.rejections.counts().collect();
        match want {
            Ok(want) => assert_eq!((got.as_slice(), reasons.len()), (want, 0), "{reasons:?}"),
            Err(reason) => assert_eq!((got.len(), reasons), (0, vec![(reason, 1)]), "{request:?}"),
        }
    }
}

#[test]
fn a_gauge_and_a_sum_become_readings_of_their_resource() {
    let fds = sum("process.unix.file_descriptor.count", 2, false, point(Value::AsInt(40), &[]));
    let rss = gauge("process.memory.usage", "MiBy", vec![point(Value::AsDouble(2.0), &[])]);
    let request = metrics_request(Some(orders()), vec![rss, fds]);
    for encoding in BOTH {
        let batch = decode_as(&request, encoding);
        assert!(batch.rejections.is_empty(), "{}", batch.rejections);
        let [rss, fds] = batch.readings.as_slice() else { panic!("{batch:?}") };
        assert_eq!((rss.metric, rss.value), (Metric::ProcessMemoryRss, 2_097_152.0));
        assert_eq!((fds.metric, fds.value), (Metric::ProcessFds, 40.0));
        assert_eq!(
            (rss.at, rss.service.as_str(), rss.instance.as_str()),
            (NOW, "orders", "orders-0")
        );
        assert_eq!(rss.version.as_ref().unwrap().as_str(), "1.1.0");
    }
}

#[test]
fn the_pools_of_a_heap_are_added_up_and_never_counted_twice() {
    let pool = |name, bytes| {
        let attributes = [("jvm.memory.type", "heap"), ("jvm.memory.pool.name", name)];
        point(Value::AsInt(bytes), &attributes)
    };
    let nonheap = [("jvm.memory.type", "non_heap"), ("jvm.memory.pool.name", "Metaspace")];
    let metaspace = point(Value::AsInt(7), &nonheap);
    let whole = point(Value::AsInt(35), &[("jvm.memory.type", "heap")]);
    let parts = vec![pool("Eden", 10), pool("Old", 20), metaspace];
    let used = [(Metric::RuntimeHeapUsed, 30.0), (Metric::RuntimeNonheapUsed, 7.0)];
    check(gauge("jvm.memory.used", "By", parts), Ok(&used));
    let with_whole = vec![pool("Eden", 10), whole, pool("Old", 20)];
    check(gauge("jvm.memory.used", "By", with_whole), Ok(&[(Metric::RuntimeHeapUsed, 35.0)]));
}

#[test]
fn what_says_that_there_is_nothing_is_left_out() {
    check(gauge("go.memory.limit", "By", vec![point(Value::AsInt(i64::MAX), &[])]), Ok(&[]));
    check(gauge("target_info", "", vec![point(Value::AsInt(1), &[])]), Ok(&[]));
    let stale = NumberDataPoint { flags: 1, value: None, ..point(Value::AsInt(1), &[]) };
    check(gauge("process.fds", "", vec![stale]), Ok(&[]));
}

#[test]
fn a_point_that_cannot_be_used_is_counted_with_its_reason() {
    let fds = |point| gauge("process.fds", "", vec![point]);
    let one = || point(Value::AsInt(1), &[]);
    let at = |time_unix_nano| NumberDataPoint { time_unix_nano, ..one() };
    check(fds(at(0)), Err(Reason::TimeMissing));
    check(fds(at(u64::MAX)), Err(Reason::TimeInFuture));
    check(fds(at(NOW_NANOS + 301_000_000_000)), Err(Reason::TimeInFuture));
    check(fds(at(NOW_NANOS - 31 * 86_400_000_000_000)), Err(Reason::TimeTooOld));
    check(fds(NumberDataPoint { value: None, ..one() }), Err(Reason::UnreadableValue));
    check(fds(point(Value::AsInt(-1), &[])), Err(Reason::Negative));
    check(gauge("my.metric", "", vec![one()]), Err(Reason::UnknownMetric));
    check(gauge("jvm.memory.used", "By", vec![one()]), Err(Reason::NeedsAttributes));
    check(gauge("process.memory.usage", "s", vec![one()]), Err(Reason::WrongUnit));
    check(gauge("container.cpu.usage", "{cpu}", vec![one()]), Err(Reason::WrongKind));
    check(sum("container.cpu.usage", 1, true, one()), Err(Reason::DeltaTemporality));
    check(sum("container.cpu.usage", 2, true, one()), Ok(&[(Metric::ContainerCpuUsage, 1.0)]));
    let data_points = vec![HistogramDataPoint::default()];
    let data = Some(Data::Histogram(Histogram { data_points, aggregation_temporality: 2 }));
    let histogram = Sent { name: "jvm.gc.duration".into(), data, ..Sent::default() };
    check(histogram, Err(Reason::UnsupportedShape));
    let long = "x".repeat(2000);
    check(fds(point(Value::AsInt(1), &[("a", &long)])), Err(Reason::AttributeTooLong));
    let many = vec![("a", "b"); 129];
    check(fds(point(Value::AsInt(1), &many)), Err(Reason::TooManyAttributes));
}

#[test]
fn what_is_not_finite_is_refused_in_both_encodings() {
    let nan = gauge("process.fds", "", vec![point(Value::AsDouble(f64::NAN), &[])]);
    let batch = decode_as(&metrics_request(Some(orders()), vec![nan]), Encoding::Protobuf);
    assert_eq!(batch.rejections.count(Reason::NotFinite), 1);
    let text = r#"{"resourceMetrics":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"a"}},
        {"key":"service.instance.id","value":{"stringValue":"a-0"}}]},
        "scopeMetrics":[{"metrics":[{"name":"process.fds","gauge":{"dataPoints":[
        {"timeUnixNano":"1780000000000000000","asDouble":"NaN"}]}}]}]}]}"#;
    let batch = decode_metrics(text.as_bytes(), Encoding::Json, &CATALOGUE, NOW).unwrap();
    assert_eq!((batch.readings.len(), batch.rejections.total()), (0, 1));
}

#[test]
fn a_second_value_for_the_same_moment_is_refused() {
    let points = vec![point(Value::AsInt(1), &[]), point(Value::AsInt(2), &[("a", "b")])];
    let request = metrics_request(Some(orders()), vec![gauge("process.fds", "", points)]);
    let batch = decode_as(&request, Encoding::Protobuf);
    assert_eq!((batch.readings.len(), batch.readings[0].value), (1, 1.0));
    assert_eq!(batch.rejections.count(Reason::Ambiguous), 1);
}

#[test]
fn every_point_of_a_nameless_sender_is_counted() {
    let points = vec![point(Value::AsInt(1), &[]), point(Value::AsInt(2), &[])];
    let request =
        |resource| metrics_request(resource, vec![gauge("process.fds", "", points.clone())]);
    let reason = |resource| {
        let batch = decode_as(&request(resource), Encoding::Protobuf);
        assert_eq!(batch.readings, []);
        batch.rejections.counts().collect::<Vec<_>>()
    };
    assert_eq!(reason(None), [(Reason::MissingService, 2)]);
    let attributes = vec![attribute("service.name", "orders")];
    let no_instance = Resource { attributes, ..Resource::default() };
    assert_eq!(reason(Some(no_instance)), [(Reason::MissingInstance, 2)]);
}

#[test]
fn the_start_of_a_process_comes_before_the_rest_of_its_moment() {
    let rss = gauge("process.memory.usage", "By", vec![point(Value::AsInt(5), &[])]);
    let uptime = gauge("process.uptime", "s", vec![point(Value::AsDouble(100.0), &[])]);
    let batch = decode_as(&metrics_request(Some(orders()), vec![rss, uptime]), Encoding::Json);
    let first = &batch.readings[0];
    assert_eq!((first.metric, first.value), (Metric::ProcessStartTime, 1_779_999_900.0));
}

#[test]
fn points_beyond_the_bound_are_counted_and_not_taken() {
    let points: Vec<_> = (0..POINTS_MAX + 5)
        .map(|index| NumberDataPoint {
            time_unix_nano: NOW_NANOS - index * 1_000_000,
            ..point(Value::AsInt(1), &[])
        })
        .collect();
    let request = metrics_request(Some(orders()), vec![gauge("process.fds", "", points)]);
    let batch = decode_as(&request, Encoding::Protobuf);
    assert_eq!(batch.readings.len() as u64, POINTS_MAX);
    assert_eq!(batch.rejections.count(Reason::TooManyPoints), 5);
}

#[test]
fn a_partial_success_says_how_many_and_why() {
    let points = vec![point(Value::AsInt(1), &[]), point(Value::AsInt(-2), &[])];
    let request = metrics_request(Some(orders()), vec![gauge("process.threads", "", points)]);
    let batch = decode_as(&request, Encoding::Protobuf);
    let bytes = metrics_response(&batch.rejections, Encoding::Protobuf);
    let response = ExportMetricsServiceResponse::decode(bytes.as_slice()).unwrap();
    let partial = response.partial_success.unwrap();
    assert_eq!(partial.rejected_data_points, 1);
    assert!(partial.error_message.contains("negative value"), "{}", partial.error_message);
    let nothing = metrics_response(&Rejections::default(), Encoding::Protobuf);
    assert_eq!(nothing, Vec::<u8>::new());
    let text = String::from_utf8(traces_response(&batch.rejections, Encoding::Json)).unwrap();
    assert!(text.contains("\"rejectedSpans\":1"), "{text}");
}
