//! Good input of every format, made by code or taken from fixtures: where a fuzzer begins.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use parquet::basic::{Compression, Encoding};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use plimsoll_model::{
    Alert, AlertLevel, InstanceName, JournalDraft, JournalKind, Life, Metric, Sample, Series,
    SeriesLimit, ServiceHistory, ServiceName, Urgency, Version,
};
use plimsoll_wire::agent::{Orders, Poll, sign};
use plimsoll_wire::alert::AlertRecord;
use plimsoll_wire::capture::CaptureShape;
use plimsoll_wire::command::CommandShape;
use plimsoll_wire::event::ChangeShape;
use plimsoll_wire::incident::IncidentRecord;
use plimsoll_wire::journal::{EntryDraft, Head, HeadShape, chain};
use plimsoll_wire::local::{BegunCommand, Lease, Leases, ReplicaVersions};
use plimsoll_wire::plan::PlanShape;
use plimsoll_wire::reach::ReachShape;
use plimsoll_wire::receipt::ReceiptShape;
use plimsoll_wire::{arrivals, format_time, outlines};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use examples::at;

#[expect(clippy::unwrap_used, reason = "examples of the tests of the wire, all valid")]
#[path = "../../crates/plimsoll-wire/tests/records/examples.rs"]
mod examples;

pub(crate) const HISTOGRAM: &str =
    include_str!("../../crates/plimsoll-heap/tests/fixtures/histogram-java17.txt");

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Vec<u8>> {
    texts.map(|text| text.as_bytes().to_vec()).into()
}

fn json(shape: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(shape).expect("shapes are JSON")
}

pub(crate) fn csv() -> Vec<Vec<u8>> {
    texts([
        "ts,service,version,instance,metric,value\n\
         1780000000,orders,1.0,orders-0,container.memory.anon,314572800\n\
         2026-05-28T20:26:45Z,orders,,\"orders-1\",process.fds,17\n",
        "\u{feff}value,metric,instance,version,service,ts,more\r\n\
         1e9,\"jvm_memory_used_bytes{area=\"\"heap\"\",id=\"\"G1 Old Gen\"\"}\",i,v,s,1780000000.5,x\r\n\
         NaN,container_memory_rss,i,v,s,1780000001,\r\n\r\n",
    ])
}

pub(crate) fn events() -> Vec<Vec<u8>> {
    let line = json(&ChangeShape::from(&examples::change()));
    let mut seeds = texts([
        "{\"ts\":1780000000,\"kind\":\"deploy\",\"service\":\"orders\",\"version\":\"1.1.0\"}\n\
         {\"ts\":\"2026-05-28T20:26:40Z\",\"kind\":\"log\",\"service\":\"orders\",\
          \"instance\":\"orders-0\",\"attributes\":{\"message\":\"java.lang.OutOfMemoryError\",\
          \"count\":3}}\r\n\nnonsense\n",
    ]);
    seeds.push(line);
    seeds
}

pub(crate) fn logs() -> Vec<Vec<u8>> {
    texts([
        "2026-05-28 20:26:40,123 ERROR failed\njava.lang.OutOfMemoryError: Java heap space\n\
         {\"ts\":1780000000,\"service\":\"stock\",\"instance\":\"stock-1\",\
          \"message\":\"x: Too many open files\"}\n[Thu May 28 20:26:40 2026] EMFILE: x\n",
        "2026-05-28T20:27:00+0000 host kernel: worker invoked oom-killer: gfp_mask=0xcc0\n\
         [   40]     0    40      620       12    45056        0    0 main\n\
         oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/shop/orders-0,\
         task_memcg=/shop/orders-0,task=worker,pid=41,uid=0\n\
         Memory cgroup out of memory: Killed process 41 (worker) total-vm:2kB\n\
         Task in /mem2 killed as a result of limit of /mem2\n\
         Killed process 13536 (orders), UID 0, total-vm:33558652kB, anon-rss:920kB\n",
    ])
}

const METRICS: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[
 {"key":"service.name","value":{"stringValue":"orders"}},
 {"key":"service.instance.id","value":{"stringValue":"orders-0"}},
 {"key":"service.version","value":{"stringValue":"1.0"}}]},"scopeMetrics":[{"metrics":[
 {"name":"jvm.memory.used","unit":"By","gauge":{"dataPoints":[
  {"timeUnixNano":"1780000000000000000","asInt":"1048576","attributes":[
   {"key":"jvm.memory.type","value":{"stringValue":"heap"}},
   {"key":"jvm.memory.pool.name","value":{"stringValue":"G1 Old Gen"}}]}]}},
 {"name":"process.fds","sum":{"aggregationTemporality":2,"isMonotonic":false,"dataPoints":[
  {"timeUnixNano":"1780000005000000000","asDouble":17.5}]}},
 {"name":"x","histogram":{"aggregationTemporality":1,"dataPoints":[
  {"timeUnixNano":"1780000005000000000","count":"2","bucketCounts":["1","1"],
   "explicitBounds":[0.5]}]}}]}]}]}"#;

const TRACES: &str = r#"{"resourceSpans":[{"resource":{"attributes":[
 {"key":"service.name","value":{"stringValue":"orders"}}]},"scopeSpans":[{"spans":[
 {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET","kind":2,
  "startTimeUnixNano":"1780000295000000000","endTimeUnixNano":"1780000296000000000",
  "attributes":[{"key":"http.response.status_code","value":{"intValue":"503"}}]},
 {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b175","name":"q","kind":3,
  "startTimeUnixNano":"1780000295500000000","endTimeUnixNano":"1780000295900000000",
  "attributes":[{"key":"peer.service","value":{"stringValue":"stock"}}],
  "status":{"code":2}}]}]}]}"#;

pub(crate) fn otlp_metrics() -> Vec<Vec<u8>> {
    both::<ExportMetricsServiceRequest>(METRICS)
}

pub(crate) fn otlp_traces() -> Vec<Vec<u8>> {
    both::<ExportTraceServiceRequest>(TRACES)
}

/// A request in both encodings, behind the byte that chooses one.
fn both<Request: Message + DeserializeOwned>(text: &str) -> Vec<Vec<u8>> {
    let request: Request = serde_json::from_str(text).expect("the request is OTLP");
    let protobuf = [&b"p"[..], &request.encode_to_vec()].concat();
    vec![format!("j{text}").into_bytes(), protobuf]
}

pub(crate) fn catalogue() -> Vec<Vec<u8>> {
    texts([
        "ignored = [\"noise\"]\n\
         [[metric.\"runtime.heap.used\"]]\nname = \"my.heap\"\nwhen = { area = \"heap\" }\n\
         unless = { id = [\"a\", \"b\"] }\nparts = [\"id\"]\nscale = 1024\nabsent = [-1]\n",
        "[[metric.\"process.start_time\"]]\nname = \"up\"\nage = true\n\
         [rate]\n\"service.requests.rate\" = [\"my_requests_total\"]\n",
    ])
}

pub(crate) fn prometheus() -> Vec<Vec<u8>> {
    let names = "{\"status\":\"success\",\"data\":[\"container_memory_rss\",\"process_open_fds\",\
                 \"kube_pod_owner\",\"app_build_info\",\"kube_pod_container_info\",\
                 \"kube_pod_container_status_last_terminated_reason\",\"http_requests_total\"]}";
    let labels = "\"namespace\":\"shop\",\"pod\":\"orders-6d4c-x\",\"container\":\"orders\",\
                  \"instance\":\"10.0.0.1:80\",\"job\":\"orders\",\"image\":\"orders:1.0\"";
    let series = format!("{{\"status\":\"success\",\"data\":[{{{labels}}},{{}}]}}");
    let curves = format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[\
         {{\"metric\":{{{labels}}},\"values\":[[1780000000,\"1e9\"],[1780000060,\"NaN\"],\
         [1780000120.5,\"+Inf\"]]}}]}}}}"
    );
    let whole = [names, &series, &curves].join("\0");
    let refused =
        "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"too many samples\"}";
    texts([whole.as_str(), refused])
}

pub(crate) fn parquet() -> Vec<Vec<u8>> {
    let zstd = Compression::ZSTD(parquet::basic::ZstdLevel::default());
    vec![
        parquet_file(Compression::UNCOMPRESSED, true, WriterVersion::PARQUET_1_0),
        parquet_file(Compression::UNCOMPRESSED, true, WriterVersion::PARQUET_2_0),
        parquet_file(Compression::SNAPPY, false, WriterVersion::PARQUET_1_0),
        parquet_file(zstd, true, WriterVersion::PARQUET_1_0),
    ]
}

fn parquet_file(compression: Compression, dictionary: bool, version: WriterVersion) -> Vec<u8> {
    const ROWS: i64 = 20;
    let schema = "message m { REQUIRED INT64 ts (TIMESTAMP(MILLIS, true)); \
                  OPTIONAL BYTE_ARRAY service (UTF8); OPTIONAL BYTE_ARRAY version (UTF8); \
                  OPTIONAL BYTE_ARRAY instance (UTF8); OPTIONAL BYTE_ARRAY metric (UTF8); \
                  REQUIRED DOUBLE value; }";
    let schema = Arc::new(parse_message_type(schema).expect("it is a schema"));
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(dictionary)
        .set_writer_version(version)
        .set_encoding(Encoding::PLAIN)
        .build();
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties))
        .expect("memory can be written to");
    let mut group = writer.next_row_group().expect("memory can be written to");
    let times: Vec<i64> = (0..ROWS).map(|row| 1_780_000_000_000 + 1000 * row).collect();
    put::<Int64Type>(&mut group, &times, None);
    for name in ["orders", "1.0", "orders-0", "container_memory_rss"] {
        let levels: Vec<i16> = (0..ROWS).map(|row| i16::from(row % 7 > 0)).collect();
        let present = levels.iter().filter(|level| **level > 0).count();
        put::<ByteArrayType>(&mut group, &vec![ByteArray::from(name); present], Some(&levels));
    }
    let values: Vec<f64> = (0..ROWS).map(|row| 1e6 * row as f64).collect();
    put::<DoubleType>(&mut group, &values, None);
    group.close().expect("memory can be written to");
    writer.close().expect("memory can be written to");
    bytes
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) {
    let column = group.next_column().expect("memory can be written to");
    let mut column = column.expect("the schema has one more column");
    column.typed::<T>().write_batch(values, levels, None).expect("the values fit the schema");
    column.close().expect("memory can be written to");
}

pub(crate) fn plan() -> Vec<Vec<u8>> {
    let shape = serde_json::to_value(PlanShape::from(&examples::plan())).expect("shapes are JSON");
    let parts = shape.as_object().into_iter().flat_map(|fields| fields.values());
    let drafts = parts.filter(|part| part.is_object()).map(json);
    let mut seeds: Vec<_> = drafts.collect();
    seeds.push(json(&shape));
    seeds
}

pub(crate) fn incident() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> =
        examples::incidents().iter().map(|one| json(&IncidentRecord::from(one))).collect();
    let older = include_str!("../../crates/plimsoll-wire/tests/fixtures/incident-format-1.json");
    seeds.extend(texts([older]));
    seeds
}

pub(crate) fn stored() -> Vec<Vec<u8>> {
    let service = ServiceName::new("orders").expect("a name");
    let sample = |index: i64| Sample { at: at(5 * index), value: (1000 + 7 * index % 90) as f64 };
    let series = |count: i64| {
        let mut series = Series::default();
        (0..count).for_each(|index| series.insert(sample(index), SeriesLimit::OUTLINES.samples));
        series
    };
    let life = |count| Life {
        instance: InstanceName::new("orders-0").expect("a name"),
        version: Version::new("1.1.0").ok(),
        started_at: at(0),
        start_known: true,
        series: [(Metric::ProcessMemoryRss, series(count))].into(),
    };
    let lives = vec![life(0), life(3), life(400)];
    let history = ServiceHistory { service: service.clone(), lives, changes: Vec::new() };
    let batch: Vec<_> = (0..40).map(|index| (index % 7, sample(index))).collect();
    let alert = Alert {
        service,
        level: AlertLevel::Confirmed,
        urgency: Urgency::Page,
        raised_at: at(10),
        told_at: Some(at(20)),
        steady_since: None,
        undecided_since: None,
    };
    vec![outlines::pack(&history), arrivals::pack(&batch), json(&AlertRecord::from(&alert))]
}

pub(crate) fn agent_messages() -> Vec<Vec<u8>> {
    let reach: Vec<_> = examples::reaches().iter().map(ReachShape::from).collect();
    let receipts: Vec<_> = examples::receipts().iter().map(ReceiptShape::from).collect();
    let commands = examples::commands();
    let orders = Orders {
        acknowledged: vec!["a".into()],
        commands: commands.iter().map(|command| sign(command, b"key")).collect(),
    };
    let mut seeds = vec![json(&orders), json(&CaptureShape::from(&examples::capture()))];
    seeds.extend(orders.commands.iter().map(json));
    seeds.extend(commands.iter().map(|command| json(&CommandShape::from(command))));
    seeds.extend(reach.iter().map(json));
    seeds.extend(receipts.iter().map(json));
    seeds.push(json(&Poll { agent: "agent-1".into(), reach, receipts }));
    seeds
}

pub(crate) fn journal() -> Vec<Vec<u8>> {
    let draft = |seq: i64| {
        let draft = JournalDraft {
            kind: JournalKind::StepEnded,
            who: "plan runner".into(),
            incident: None,
            plan: None,
            what: format!("step {seq} ended"),
            why: "its receipt came".into(),
            facts: vec![("freed".into(), "12 MiB".into()), ("freed".into(), "\u{1F600}".into())],
        };
        EntryDraft::new(draft, at(seq))
    };
    let first = chain(Head::EMPTY, draft(1));
    let head = first.head().expect("the digest of a new entry is one");
    let second = chain(head, draft(2));
    let checkpoint = second.head().map(|head| HeadShape::from(&head));
    let lines = format!("{}\n{}", first.to_line(), second.to_line());
    let with_head = format!("{}\n{lines}", serde_json::json!(checkpoint));
    texts([lines.as_str(), with_head.as_str()])
}

pub(crate) fn local_files() -> Vec<Vec<u8>> {
    let versions = ReplicaVersions::new([("orders-0".to_owned(), "1.0".to_owned())].into());
    let commands = examples::commands();
    let lease = |command| Lease {
        command: CommandShape::from(command),
        file: "/sys/fs/cgroup/orders/memory.high".into(),
        before: "max\n".into(),
        set: "1048576\n".into(),
        taken_at: format_time(at(0)),
        until: format_time(at(600)),
    };
    let leases = Leases::new(commands.iter().map(lease).collect());
    let mut seeds = vec![versions.to_json(), leases.to_json()];
    seeds.extend(commands.iter().map(|command| BegunCommand::new(command, at(1)).to_json()));
    seeds
}

pub(crate) fn corpus() -> Vec<Vec<u8>> {
    texts([
        r#"{"format":"plimsoll.corpus.v1","name":"a","origin":"drawn"}"#,
        r#"{"service":"vm-1","family":"bitbrains","half":"report","label":"unlabelled"}"#,
        r#"{"service":"a","family":"steady","half":"tune","label":"leaking","cause":"heap",
            "onset":"2026-05-28T20:26:40Z","ends":"2026-05-29T20:26:40Z","instances":["a-0"],
            "exhausted_at":null,"growth_per_hour":1.5e6,"runtime":"jvm"}"#,
    ])
}

pub(crate) fn fleet() -> Vec<Vec<u8>> {
    texts([r#"{"services":[{"service":"orders","version":"1.0","launches":{"1.0":{
        "program":"/usr/bin/java","args":["-cp","x"],"env":{"A":"b"}}},
        "replicas":[{"instance":"orders-0","port":8080}],"ready_path":"/healthz",
        "memory_limit_bytes":null,"fds_limit":1024}]}"#])
}

pub(crate) fn canonical_json() -> Vec<Vec<u8>> {
    texts([
        r#"{"b":[1,-0.0,1e21,1.5e-9,18446744073709551615,-9223372036854775808],"a":null,
            "\ud83d\ude00":"\u0000\u001f\"\\/","\ufb33":true}"#,
        "[9007199254740993, 1e308, 5e-324, 0.1, 123456789012345680000]",
    ])
}

pub(crate) fn requests() -> Vec<Vec<u8>> {
    texts([
        r#"{"digest":"00","evidence":"00","approver":"ana"}"#,
        r#"{"kind":"deploy","service":"orders","version":"1.1.0","attributes":{"by":"ci"}}"#,
        r#"{"ts":1780000000.007,"kind":"log","service":"orders","instance":"orders-0"}"#,
        r#"{"op":"configure","service":"orders","file":"a.conf","content":"x=1\n"}"#,
        r#"{"answer":"status","replicas":[{"service":"orders","instance":"orders-0",
            "version":"1.0","port":8080,"state":"ready","pid":7,"crash_restarts":0,
            "last_exit":null,"cgroup":"/x"}]}"#,
    ])
}

pub(crate) fn hsperfdata() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../crates/plimsoll-runtime/tests/fixtures/g1-java17.hsperfdata")
            .to_vec(),
        include_bytes!("../../crates/plimsoll-runtime/tests/fixtures/serial-java17.hsperfdata")
            .to_vec(),
        include_bytes!("../../crates/plimsoll-runtime/tests/fixtures/parallel-java17.hsperfdata")
            .to_vec(),
        include_bytes!("../../crates/plimsoll-runtime/tests/fixtures/z-java17.hsperfdata").to_vec(),
    ]
}

pub(crate) fn http_head() -> Vec<Vec<u8>> {
    texts([
        "HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n\u{1f}",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n404 page not found\n",
        "HTTP/1.0 200\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
}

pub(crate) fn capture_words() -> Vec<Vec<u8>> {
    texts([
        "Dumping heap to /tmp/x ...\nHeap dump file created [1508823 bytes in 0.021 secs]\n",
        " garbage-first heap   total 131072K, used 34567K [0xf8000000, 0x100000000)\n Metaspace  ",
        " ZHeap           used 34M, capacity 128M, max capacity 128M\n",
        " 128M max, 128M soft max, 96M committed, 20M used\n",
        "4:memory:/kubepods.slice:cri-containerd:0af1c2d3e4f5061728394a5b6c7d8e9f0af1c2d3e4f50617\
         28394a5b6c7d8e9f\n0::/system.slice/docker-0af1c2d3e4f5061728394a5b6c7d8e9f0af1c2d3e4f50\
         61728394a5b6c7d8e9f.scope\n",
        r#"{"method":"HeapProfiler.addHeapSnapshotChunk","params":{"chunk":"{\"snapshot\":"}}"#,
        r#"{"id":1,"result":{}}"#,
        r#"{"format":1,"captures":[{"kind":"jvm_dump_all","program":"Shop","heap_bytes":1,
            "pause_ms":2,"file_bytes":3}]}"#,
    ])
}

pub(crate) fn class_histogram() -> Vec<Vec<u8>> {
    texts([
        HISTOGRAM,
        " num     #instances         #bytes  class name (module)\n\
         -------------------------------------------------------\n\
            1:          2000        48000000  [B (java.base@17.0.1)\n\
            2:             3             120  shop.Order$Line\n\
         Total          2003        48000120\n",
    ])
}

pub(crate) fn scenario() -> Vec<Vec<u8>> {
    texts([
        include_str!("../../scenarios/leak_after_deploy_with_decoy.scn"),
        include_str!("../../scenarios/sawtooth_of_garbage.scn"),
        include_str!("../../scenarios/gaps_and_restarts.scn"),
    ])
}
