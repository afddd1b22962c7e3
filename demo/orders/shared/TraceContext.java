// W3C trace context: which trace a piece of work belongs to, and below which span.
package shop.orders;

import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

/** `spanId` is empty at the root of a trace. */
record TraceContext(String traceId, String spanId) {
    private static final Pattern HEADER =
        Pattern.compile("00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}");

    /** The caller's context, or a new trace when the header is absent or malformed. */
    static TraceContext of(String traceparent) {
        var match = HEADER.matcher(traceparent == null ? "" : traceparent);
        return match.matches()
            ? new TraceContext(match.group(1), match.group(2))
            : new TraceContext(hex16() + hex16(), "");
    }

    TraceContext child() {
        return new TraceContext(traceId, hex16());
    }

    String traceparent() {
        return "00-" + traceId + "-" + spanId + "-01";
    }

    private static String hex16() {
        long bits = ThreadLocalRandom.current().nextLong();
        return String.format("%016x", bits == 0 ? 1 : bits);
    }
}
