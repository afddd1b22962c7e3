// Sends finished spans as OTLP/HTTP JSON, once a second, from its own thread. A request never
// waits for it: its queue is bounded, the oldest span is dropped and counted, and a batch that the
// endpoint did not take is tried again a second later.
package shop.orders;

import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

final class SpanExporter {
    static final int SERVER = 2;
    static final int CLIENT = 3;

    /** About 20 s of this service's spans at the demo's load. */
    private static final int QUEUE_MAX = 2048;
    private static final int BATCH_MAX = 512;
    private static final int TIMEOUT_MILLIS = 1000;

    /** `peer` is the called service, null for a server span. */
    record Span(TraceContext context, String parentId, String name, int kind, String peer,
            long startNanos) {}

    private record Finished(Span span, long endNanos, int status) {}

    /** Null when nobody asked for spans. */
    private final String endpoint;
    private final String resource;
    private final ArrayDeque<Finished> queue = new ArrayDeque<>();
    private long dropped;

    private SpanExporter(String endpoint, String resource) {
        this.endpoint = endpoint;
        this.resource = resource;
    }

    static SpanExporter fromEnvironment() {
        Map<String, String> environment = System.getenv();
        String base = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT");
        String name = environment.getOrDefault("OTEL_SERVICE_NAME", "orders");
        var attributes = new ArrayList<String>(List.of(attribute("service.name", name)));
        for (String pair : environment.getOrDefault("OTEL_RESOURCE_ATTRIBUTES", "").split(",")) {
            String[] parts = pair.split("=", 2);
            if (parts.length == 2) {
                attributes.add(attribute(parts[0].trim(), parts[1].trim()));
            }
        }
        String endpoint = base == null ? null : base + "/v1/traces";
        return new SpanExporter(endpoint, String.join(",", attributes));
    }

    void start() {
        if (endpoint == null) {
            return;
        }
        var thread = new Thread(this::exportForever, "spans");
        thread.setDaemon(true);
        thread.start();
    }

    Span begin(TraceContext parent, String name, int kind, String peer) {
        return new Span(parent.child(), parent.spanId(), name, kind, peer, nowNanos());
    }

    /** `status` is the HTTP status, 0 when there was no answer. */
    void end(Span span, int status) {
        var finished = new Finished(span, nowNanos(), status);
        synchronized (queue) {
            if (queue.size() == QUEUE_MAX) {
                queue.removeFirst();
                dropped++;
            }
            queue.addLast(finished);
        }
    }

    long dropped() {
        synchronized (queue) {
            return dropped;
        }
    }

    private void exportForever() {
        while (true) {
            try {
                Thread.sleep(1000);
                for (var batch = take(); !batch.isEmpty(); batch = take()) {
                    if (!send(batch)) {
                        putBack(batch);
                        break;
                    }
                }
            } catch (InterruptedException stopped) {
                return;
            }
        }
    }

    private List<Finished> take() {
        synchronized (queue) {
            var batch = new ArrayList<Finished>(Math.min(queue.size(), BATCH_MAX));
            while (batch.size() < BATCH_MAX && !queue.isEmpty()) {
                batch.add(queue.removeFirst());
            }
            return batch;
        }
    }

    private void putBack(List<Finished> batch) {
        synchronized (queue) {
            for (int i = batch.size() - 1; i >= 0 && queue.size() < QUEUE_MAX; i--) {
                queue.addFirst(batch.remove(i));
            }
            dropped += batch.size();
        }
    }

    private boolean send(List<Finished> batch) {
        byte[] body = json(batch).getBytes(StandardCharsets.UTF_8);
        try {
            var connection = (HttpURLConnection) new URL(endpoint).openConnection();
            connection.setConnectTimeout(TIMEOUT_MILLIS);
            connection.setReadTimeout(TIMEOUT_MILLIS);
            connection.setRequestMethod("POST");
            connection.setRequestProperty("Content-Type", "application/json");
            connection.setDoOutput(true);
            connection.getOutputStream().write(body);
            int status = connection.getResponseCode();
            var in = status < 400 ? connection.getInputStream() : connection.getErrorStream();
            if (in != null) {
                in.readAllBytes();
                in.close();
            }
            // What the endpoint calls our mistake would be refused again: it counts as taken.
            return status < 500 && status != 429;
        } catch (IOException away) {
            return false;
        }
    }

    private String json(List<Finished> batch) {
        var text = new StringBuilder(batch.size() * 400)
            .append("{\"resourceSpans\":[{\"resource\":{\"attributes\":[").append(resource)
            .append("]},\"scopeSpans\":[{\"scope\":{\"name\":\"shop.orders\"},\"spans\":[");
        for (int i = 0; i < batch.size(); i++) {
            text.append(i == 0 ? "" : ",");
            write(text, batch.get(i));
        }
        return text.append("]}]}]}").toString();
    }

    private static void write(StringBuilder text, Finished finished) {
        Span span = finished.span();
        text.append("{\"traceId\":\"").append(span.context().traceId());
        text.append("\",\"spanId\":\"").append(span.context().spanId());
        text.append("\",\"parentSpanId\":\"").append(span.parentId());
        text.append("\",\"name\":").append(Json.quote(span.name()));
        text.append(",\"kind\":").append(span.kind());
        text.append(",\"startTimeUnixNano\":\"").append(span.startNanos());
        text.append("\",\"endTimeUnixNano\":\"").append(finished.endNanos());
        text.append("\",\"attributes\":[{\"key\":\"http.response.status_code\",");
        text.append("\"value\":{\"intValue\":\"").append(finished.status()).append("\"}}");
        if (span.peer() != null) {
            text.append(',').append(attribute("peer.service", span.peer()));
        }
        boolean failed = finished.status() == 0 || finished.status() >= 500;
        text.append("],\"status\":{\"code\":").append(failed ? 2 : 1).append("}}");
    }

    private static String attribute(String key, String value) {
        return "{\"key\":" + Json.quote(key)
            + ",\"value\":{\"stringValue\":" + Json.quote(value) + "}}";
    }

    private static long nowNanos() {
        var now = java.time.Instant.now();
        return now.getEpochSecond() * 1_000_000_000L + now.getNano();
    }
}
