//! OTLP over HTTP: metrics and traces, in protobuf and in JSON.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use plimsoll_ingest::Rejections;
use plimsoll_ingest::admission::Origin;
use plimsoll_ingest::otlp::{
    Encoding, OtlpError, decode_metrics, decode_traces, metrics_response, traces_response,
};
use plimsoll_model::Reading;
use plimsoll_store::Arrived;

use crate::answer::Failure;
use crate::arrive;
use crate::guard;
use crate::shared::{Counters, Shared};

#[utoipa::path(post, path = "/v1/metrics", responses(
    (status = 200, description = "ExportMetricsServiceResponse; durable when answered"),
    (status = 400, description = "Not OTLP", body = plimsoll_wire::api::ErrorBody),
    (status = 503, description = "Not stored; send again", body = plimsoll_wire::api::ErrorBody)
))]
pub(crate) async fn metrics(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let encoding = encoding(&headers)?;
    let origin = match guard::is_agent(&headers, &shared) {
        true => Origin::Agent,
        false => Origin::Pushed,
    };
    let now = shared.clock.now();
    let batch = decode_metrics(&body, encoding, &shared.catalogue, now);
    let batch = batch.map_err(|error| unreadable(&error))?;
    let mut rejections = batch.rejections;
    let admitted = {
        let mut intake = shared.intake();
        let mut refused = Rejections::default();
        let admitted: Vec<Reading> = batch
            .readings
            .into_iter()
            .filter(|reading| match intake.admission.admit(reading, origin, now) {
                Ok(()) => true,
                Err(rejection) => {
                    refused.add(None, rejection);
                    false
                }
            })
            .collect();
        rejections.merge(refused);
        intake.rejections.merge(rejections.clone());
        admitted
    };
    arrive::take(&shared, Arrived::Readings(admitted)).await?;
    Ok(answer(encoding, metrics_response(&rejections, encoding)))
}

#[utoipa::path(post, path = "/v1/traces", responses(
    (status = 200, description = "ExportTraceServiceResponse; spans become traffic, and are gone"),
    (status = 400, description = "Not OTLP", body = plimsoll_wire::api::ErrorBody)
))]
pub(crate) async fn traces(
    State(shared): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Failure> {
    let encoding = encoding(&headers)?;
    let now = shared.clock.now();
    let batch = decode_traces(&body, encoding, now).map_err(|error| unreadable(&error))?;
    let mut rejections = batch.rejections;
    Counters::add(&shared.counters.spans, batch.spans.len());
    {
        let mut intake = shared.intake();
        for span in &batch.spans {
            if let Err(rejection) = intake.traffic.record(span, now) {
                rejections.add(None, rejection);
            }
        }
        intake.rejections.merge(rejections.clone());
    }
    Ok(answer(encoding, traces_response(&rejections, encoding)))
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Failure> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            "compressed bodies are not read yet",
            "set the exporter's compression to none",
        ));
    }
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match given.and_then(|text| text.split(';').next()).map(str::trim) {
        Some("application/x-protobuf") => Ok(Encoding::Protobuf),
        Some("application/json") => Ok(Encoding::Json),
        Some(_) | None => Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "OTLP is read as application/x-protobuf or application/json",
            "set the exporter's protocol to http/protobuf or http/json",
        )),
    }
}

fn unreadable(error: &OtlpError) -> Failure {
    Failure::bad_request(&error.to_string(), "look at the exporter; sending it again does not help")
}

fn answer(encoding: Encoding, body: Vec<u8>) -> Response {
    let kind = match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}
