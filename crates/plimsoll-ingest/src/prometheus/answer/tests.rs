//! Answers as servers give them, damaged ones, and those of servers that mean harm.

use proptest::prelude::*;

use super::*;

const FROM: i64 = 1_780_000_000;
const STEP: Span = Span::from_secs(15);
const WINDOW: Window =
    Window { from: Timestamp::from_secs(FROM), to: Timestamp::from_secs(FROM + 60) };

/// A body that the server of a test gives for these points of one series.
fn body(points: &[(i64, f64)]) -> Vec<u8> {
    let points: Vec<_> =
        points.iter().map(|(secs, value)| format!("[{secs},\"{value}\"]")).collect();
    let series = format!("{{\"metric\":{{\"job\":\"a\"}},\"values\":[{}]}}", points.join(","));
    let data = format!("{{\"resultType\":\"matrix\",\"result\":[{series}]}}");
    format!("{{\"status\":\"success\",\"data\":{data}}}").into_bytes()
}

#[test]
fn a_point_outside_of_the_question_is_counted_and_not_taken() {
    let given = [(5, 1.0), (FROM - 15, 2.0), (FROM, 3.0), (FROM + 75, 4.0), (FROM + 76, 5.0)];
    let Curves { curves, rejections } = matrix(&body(&given), WINDOW, STEP).unwrap();
    let values: Vec<_> = curves[0].points.iter().map(|(_, value)| *value).collect();
    assert_eq!(values, [2.0, 3.0, 4.0]);
    assert_eq!(rejections.count(Reason::OutsideWindow), 2);
    assert_eq!(rejections.total(), 2);
}

#[test]
fn points_are_put_in_order_and_a_moment_has_one() {
    let given = [(FROM + 30, 3.0), (FROM, 1.0), (FROM + 30, 4.0), (FROM + 15, 2.0)];
    let curves = matrix(&body(&given), WINDOW, STEP).unwrap().curves;
    let values: Vec<_> = curves[0].points.iter().map(|(_, value)| *value).collect();
    assert_eq!(values, [1.0, 2.0, 3.0]);
}

#[test]
fn what_a_server_says_commands_no_terminal_and_fills_none() {
    let long = "x".repeat(10_000);
    let said = format!(r#"{{"status":"error","error":"\u001b[2J{long}"}}"#);
    let error = matrix(said.as_bytes(), WINDOW, STEP).unwrap_err().to_string();
    assert!(error.len() < 300 && !error.contains('\x1b'), "{error}");
    let kind = r#"{"status":"success","data":{"resultType":"\u001b[2J","result":[]}}"#;
    let error = matrix(kind.as_bytes(), WINDOW, STEP).unwrap_err().to_string();
    assert!(!error.contains('\x1b'), "{error}");
}

#[test]
fn a_list_that_is_longer_in_memory_than_on_the_way_is_refused() {
    let list = |count: usize| {
        let entries = vec!["{}"; count].join(",");
        format!(r#"{{"status":"success","data":[{entries}]}}"#)
    };
    assert_eq!(series(list(LISTED_MAX).as_bytes()).unwrap().len(), LISTED_MAX);
    assert!(series(list(LISTED_MAX + 1).as_bytes()).is_err());
}

/// What is read of a body is inside of the question, and no more than the body has room for.
fn check_bounded(body: &[u8]) {
    if let Ok(Curves { curves, rejections }) = matrix(body, WINDOW, STEP) {
        let points: Vec<_> = curves.iter().flat_map(|curve| &curve.points).collect();
        let (from, to) = (WINDOW.from - STEP, WINDOW.to + STEP);
        assert!(points.iter().all(|(at, _)| (from..=to).contains(at)), "{points:?}");
        // `[1,"1"]` is the shortest point, and `{"metric":{}}` the shortest curve.
        assert!((points.len() as u64 + rejections.total()) * 7 <= body.len() as u64);
        assert!(curves.len() * 13 <= body.len());
    }
    // `""` and `{}`.
    assert!(names(body).map_or(0, |names| names.len()) * 2 <= body.len());
    assert!(series(body).map_or(0, |all| all.len()) * 2 <= body.len());
    let said = refusal_of(body).unwrap_or_default();
    assert!(said.len() <= body.len() * 3 && (!wants_smaller(400, body) || !said.is_empty()));
}

/// Bodies of every kind that a server gives.
fn real() -> impl Strategy<Value = Vec<u8>> {
    let point = (FROM - 100..FROM + 200, any::<f64>());
    let curve = proptest::collection::vec(point, 0..20).prop_map(|points| body(&points));
    let texts = [
        r#"{"status":"success","data":["up","go_goroutines"]}"#,
        r#"{"status":"success","data":[{"__name__":"up","pod":"a"},{"__name__":"b"}]}"#,
        r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
    ];
    let text = proptest::sample::select(texts.to_vec());
    prop_oneof![curve, text.prop_map(|text| text.as_bytes().to_vec())]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..2000)) {
        check_bounded(&body);
    }

    #[test]
    fn no_damage_to_an_answer_makes_it_panic(
        mut body in real(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut in any::<prop::sample::Index>(),
        doubled in any::<bool>(),
    ) {
        check_bounded(&body);
        for (place, byte) in &changes {
            *place.get_mut(&mut body) = *byte;
        }
        check_bounded(&body);
        let (start, end) = body.split_at(cut.index(body.len()));
        let spliced = if doubled { [start, start, end].concat() } else { start.to_vec() };
        check_bounded(&spliced);
    }

    #[test]
    fn no_shape_of_json_makes_it_panic(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"status\"", "\"success\"", "\"data\"",
            "\"resultType\"", "\"matrix\"", "\"result\"", "\"metric\"", "\"values\"",
            "1780000000", "-1e999", "1e-400", "\"NaN\"", "\"\\ud800\"", "null", "[[[[",
        ]), 0..60),
        inside in any::<bool>(),
    ) {
        let text = parts.concat();
        let text = match inside {
            true => format!(
                r#"{{"status":"success","data":{{"resultType":"matrix","result":[{text}]}}}}"#
            ),
            false => text,
        };
        check_bounded(text.as_bytes());
    }
}

#[test]
fn curves_are_read_with_the_values_that_json_has_no_numbers_for() {
    let body = br#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{"__name__":"up","job":"a"},
         "values":[[1780000000,"1"],[1780000000.25,"NaN"],[1780000001,"+Inf"],[1e99,"1"]]},
        {"metric":{},"histograms":[[1780000000,{"count":"1"}]]}]},"warnings":["w"]}"#;
    let Curves { curves, rejections } = matrix(body, WINDOW, STEP).unwrap();
    assert_eq!((curves.len(), rejections.count(Reason::UnreadableTime)), (2, 1));
    let points = &curves[0].points;
    assert_eq!(points[0], (Timestamp::from_secs(1_780_000_000), 1.0));
    assert_eq!(points[1].0, Timestamp::from_millis(1_780_000_000_250));
    assert!(points[1].1.is_nan() && points[2].1.is_infinite());
    assert_eq!((points.len(), curves[1].points.len()), (3, 0));
}

#[test]
fn what_is_not_an_answer_is_told_apart() {
    let check = |body: &str, want: &str| {
        let error = matrix(body.as_bytes(), WINDOW, STEP).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    check("<html>", "not that of a Prometheus");
    check(r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#, "`vector`");
    check(r#"{"status":"error","errorType":"bad_data","error":"no such"}"#, "no such");
    check(r#"{"status":"success"}"#, "without data");
    let point = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{},"values":[[1,"x"]]}]}}"#;
    check(point, "not that of a Prometheus");
}

#[test]
fn names_and_label_sets_are_read() {
    let body = br#"{"status":"success","data":["a","b"]}"#;
    assert_eq!(names(body).unwrap(), ["a", "b"]);
    let body = br#"{"status":"success","data":[{"__name__":"a","pod":"x"}]}"#;
    assert_eq!(series(body).unwrap()[0]["pod"], "x");
}

#[test]
fn an_answer_that_was_too_large_is_asked_for_in_pieces_and_a_mistake_is_not() {
    let said = |text: &str| format!(r#"{{"status":"error","error":"{text}"}}"#).into_bytes();
    let many = said("query processing would load too many samples into memory");
    assert!(wants_smaller(422, &many));
    let fine = said("exceeded maximum resolution of 11,000 points per timeseries");
    assert!(wants_smaller(400, &fine));
    assert!(wants_smaller(503, &said("query timed out in expression evaluation")));
    assert!(wants_smaller(504, b"<html>gateway</html>"));
    assert!(!wants_smaller(400, &said("parse error: unexpected character")));
    assert!(!wants_smaller(401, b"timeout"));
}
