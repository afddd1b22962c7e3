//! What traces requests mean: real ones in both encodings, span by span.

use super::*;

#[test]
fn server_and_client_spans_are_seen_and_others_left_out() {
    let failed = Some(Status { code: 2, ..Status::default() });
    let server = SentSpan { status: failed, ..sent_span(2) };
    let request = traces_request(vec![server, sent_span(3), sent_span(1), sent_span(99)]);
    for encoding in BOTH {
        let batch = decode_traces(&encode(&request, encoding), encoding, NOW).unwrap();
        assert_eq!((batch.ignored, batch.rejections.total()), (2, 0), "{}", batch.rejections);
        let [server, client] = batch.spans.as_slice() else { panic!("{batch:?}") };
        assert_eq!((server.kind, server.error, &server.peer), (SpanKind::Server, true, &None));
        assert_eq!((client.kind, client.error), (SpanKind::Client, false));
        assert_eq!(client.peer.as_ref().unwrap().as_str(), "catalog");
        assert_eq!(server.end_nanos - server.start_nanos, 2_500_000);
        assert_eq!((server.service.as_str(), server.instance.as_str()), ("orders", "orders-0"));
    }
}

#[test]
fn a_server_span_with_http_status_500_is_an_error_even_without_a_status() {
    let check = |code: i64, want: bool| {
        let value = Some(AnyValue { value: Some(Text::IntValue(code)) });
        let status =
            KeyValue { key: "http.response.status_code".into(), value, ..KeyValue::default() };
        let span = SentSpan { attributes: vec![status], ..sent_span(2) };
        let bytes = traces_request(vec![span]).encode_to_vec();
        let batch = decode_traces(&bytes, Encoding::Protobuf, NOW).unwrap();
        assert_eq!(batch.spans[0].error, want, "{code}");
    };
    check(200, false);
    check(499, false);
    check(500, true);
}

#[test]
fn spans_with_impossible_times_are_counted() {
    let check = |start, end, want| {
        let (start_time_unix_nano, end_time_unix_nano) = (start, end);
        let span = SentSpan { start_time_unix_nano, end_time_unix_nano, ..sent_span(2) };
        let bytes = traces_request(vec![span]).encode_to_vec();
        let batch = decode_traces(&bytes, Encoding::Protobuf, NOW).unwrap();
        let reasons: Vec<_> = batch.rejections.counts().collect();
        assert_eq!((batch.spans.len(), reasons), (0, vec![(want, 1)]));
    };
    check(0, NOW_NANOS, Reason::TimeMissing);
    check(NOW_NANOS, 0, Reason::TimeMissing);
    check(NOW_NANOS, NOW_NANOS - 1, Reason::ImpossibleSpan);
    check(1, NOW_NANOS, Reason::ImpossibleSpan);
    check(NOW_NANOS, NOW_NANOS + 301_000_000_000, Reason::TimeInFuture);
}

/// As the JavaScript SDK writes it: times as texts, fields left out, attributes as objects.
#[test]
fn json_written_by_hand_with_fields_left_out_is_read() {
    let text = r#"{"resourceSpans":[{"resource":{"attributes":[
        {"key":"service.name","value":{"stringValue":"catalog"}},
        {"key":"process.pid","value":{"intValue":17}},
        {"key":"service.instance.id","value":{"stringValue":"catalog-0"}}]},
        "scopeSpans":[{"scope":{"name":"http"},"spans":[{
        "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
        "name":"GET","kind":2,"startTimeUnixNano":"1779999999000000000",
        "endTimeUnixNano":"1780000000000000000"}]}]}]}"#;
    let batch = decode_traces(text.as_bytes(), Encoding::Json, NOW).unwrap();
    assert_eq!(batch.spans.len(), 1, "{}", batch.rejections);
    let text = text.replace("\"kind\":2", "\"kind\":2,\"attributes\":[],\"status\":{},\"more\":1");
    let batch = decode_traces(text.as_bytes(), Encoding::Json, NOW).unwrap();
    assert_eq!(batch.spans.len(), 1, "{}", batch.rejections);
}
