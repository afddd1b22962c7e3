// One service that orders calls: a request with trace context, a client span, and short timeouts.
// It does not retry: whoever placed the order decides that.
package shop.orders;

import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;

final class Downstream {
    private static final int CONNECT_MILLIS = 500;
    private static final int READ_MILLIS = 2000;
    private static final int ANSWER_BYTES_MAX = 64 * 1024;

    private final String service;
    private final String url;
    private final SpanExporter spans;

    /** `url` is null where this fleet runs without the service. */
    Downstream(String service, String url, SpanExporter spans) {
        this.service = service;
        this.url = url;
        this.spans = spans;
    }

    boolean isKnown() {
        return url != null;
    }

    String call(String method, String path, String body, TraceContext parent) throws Refused {
        var span = spans.begin(parent, method + " " + service, SpanExporter.CLIENT, service);
        int status = 0;
        try {
            var connection = (HttpURLConnection) new URL(url + path).openConnection();
            status = send(connection, method, body, span.context());
            String answer = read(connection, status);
            if (status != 200) {
                throw new Refused(status == 503 ? 503 : 502, service + " answered " + status);
            }
            return answer;
        } catch (IOException away) {
            throw new Refused(502, service + " does not answer: " + away.getMessage());
        } finally {
            spans.end(span, status);
        }
    }

    private static int send(HttpURLConnection connection, String method, String body,
            TraceContext context) throws IOException {
        connection.setConnectTimeout(CONNECT_MILLIS);
        connection.setReadTimeout(READ_MILLIS);
        connection.setRequestMethod(method);
        connection.setRequestProperty("traceparent", context.traceparent());
        if (body != null) {
            connection.setDoOutput(true);
            connection.setRequestProperty("Content-Type", "application/json");
            connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
        }
        return connection.getResponseCode();
    }

    /** The body is always read to its end: only then is the connection used again. */
    private static String read(HttpURLConnection connection, int status) throws IOException {
        boolean failed = status >= 400;
        try (InputStream in = failed ? connection.getErrorStream() : connection.getInputStream()) {
            byte[] body = in == null ? new byte[0] : in.readNBytes(ANSWER_BYTES_MAX);
            return new String(body, StandardCharsets.UTF_8);
        }
    }
}
