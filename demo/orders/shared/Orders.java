// The orders service of the demo fleet: takes an order, asks catalog for prices, books the sum in
// ledger, asks recommend for suggestions, and answers. It is not a model of a good shop.
//
// Its fault is in OrderBook.java, the one file that differs between the versions: 1.1.0 keeps every
// order in a map that nothing empties.
package shop.orders;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

public final class Orders {
    /** Above what the load keeps open, so that no request waits for a thread. */
    private static final int WORKERS = 24;
    private static final int WAITING_MAX = 256;
    private static final int BODY_BYTES_MAX = 16 * 1024;
    private static final int LINES_MAX = 20;
    /** Shoppers are grouped for suggestions; recommend holds one answer per product and segment. */
    private static final int SEGMENTS = 8;

    private final SpanExporter spans = SpanExporter.fromEnvironment();
    private final Downstream catalog = downstream("catalog", "CATALOG_URL");
    private final Downstream ledger = downstream("ledger", "LEDGER_URL");
    private final Downstream recommend = downstream("recommend", "RECOMMEND_URL");
    private final OrderBook book = new OrderBook();

    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(System.getenv("PORT"));
        new Orders().listen(port);
    }

    private Downstream downstream(String service, String variable) {
        return new Downstream(service, System.getenv(variable), spans);
    }

    private void listen(int port) throws IOException {
        var address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        HttpServer server = HttpServer.create(address, 128);
        // A full queue makes the accepting thread work itself: back-pressure rather than a backlog.
        server.setExecutor(new ThreadPoolExecutor(WORKERS, WORKERS, 0, TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(WAITING_MAX), new ThreadPoolExecutor.CallerRunsPolicy()));
        server.createContext("/orders", this::answerOrder);
        server.createContext("/healthz", this::answerHealth);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(1)));
        spans.start();
        server.start();
    }

    private void answerHealth(HttpExchange exchange) throws IOException {
        reply(exchange, 200, "{\"ready\":true,\"spans_dropped\":" + spans.dropped() + "}");
    }

    private void answerOrder(HttpExchange exchange) throws IOException {
        var context = TraceContext.of(exchange.getRequestHeaders().getFirst("traceparent"));
        var span = spans.begin(context, "POST /orders", SpanExporter.SERVER, null);
        int status = 500;
        try {
            String answer;
            try {
                answer = order(exchange, span.context());
                status = 200;
            } catch (Refused refused) {
                status = refused.status;
                answer = "{\"error\":" + Json.quote(refused.getMessage()) + "}";
            }
            reply(exchange, status, answer);
        } finally {
            spans.end(span, status);
        }
    }

    private String order(HttpExchange exchange, TraceContext context) throws IOException, Refused {
        if (!exchange.getRequestMethod().equals("POST")) {
            throw new Refused(405, "orders are taken with POST");
        }
        byte[] body = exchange.getRequestBody().readNBytes(BODY_BYTES_MAX + 1);
        if (body.length > BODY_BYTES_MAX) {
            throw new Refused(413, "an order has at most " + BODY_BYTES_MAX + " bytes");
        }
        Map<?, ?> wish = parse(new String(body, StandardCharsets.UTF_8), 400);
        String id = text(wish, "order_id");
        Order known = book.find(id);
        Order order = known != null ? known : take(id, wish, context);
        return "{\"order_id\":" + Json.quote(order.id()) + ",\"cents\":" + order.cents()
            + ",\"suggestions\":" + suggestions(order, context) + "}";
    }

    private Order take(String id, Map<?, ?> wish, TraceContext context) throws Refused {
        var lines = new ArrayList<OrderLine>();
        for (Object item : wish.get("lines") instanceof List<?> list ? list : List.of()) {
            if (!(item instanceof Map<?, ?> line) || lines.size() == LINES_MAX) {
                throw new Refused(400, "`lines` holds at most " + LINES_MAX + " objects");
            }
            String sku = text(line, "sku");
            int quantity = line.get("quantity") instanceof Double number ? number.intValue() : 1;
            lines.add(new OrderLine(sku, quantity, price(sku, context)));
        }
        if (lines.isEmpty()) {
            throw new Refused(400, "an order has at least one line");
        }
        var order = Order.of(id, text(wish, "customer"), lines, text(wish, "note"));
        if (ledger.isKnown()) {
            ledger.call("POST", "/book", order.booking(), context);
        }
        book.remember(order);
        return order;
    }

    private long price(String sku, TraceContext context) throws Refused {
        if (!catalog.isKnown()) {
            return 999;
        }
        String answer = catalog.call("GET", "/price/" + sku, null, context);
        if (parse(answer, 502).get("cents") instanceof Double cents) {
            return cents.longValue();
        }
        throw new Refused(502, "catalog answered without a price");
    }

    /** Suggestions are a courtesy: without recommend the order is taken all the same. */
    private String suggestions(Order order, TraceContext context) {
        if (!recommend.isKnown()) {
            return "[]";
        }
        int segment = Math.floorMod(order.customer().hashCode(), SEGMENTS);
        String path = "/suggest/" + order.lines().get(0).sku() + "?segment=" + segment;
        try {
            return recommend.call("GET", path, null, context);
        } catch (Refused away) {
            return "[]";
        }
    }

    private static Map<?, ?> parse(String text, int statusOtherwise) throws Refused {
        try {
            if (Json.parse(text) instanceof Map<?, ?> map) {
                return map;
            }
        } catch (IllegalArgumentException malformed) {
            throw new Refused(statusOtherwise, malformed.getMessage());
        }
        throw new Refused(statusOtherwise, "expected a JSON object");
    }

    private static String text(Map<?, ?> map, String key) throws Refused {
        if (map.get(key) instanceof String text && text.matches("[\\w .,-]{1,200}")) {
            return text;
        }
        throw new Refused(400, "`" + key + "` is not a text of letters, digits and blanks");
    }

    private static void reply(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, body.length);
        try (var out = exchange.getResponseBody()) {
            out.write(body);
        }
    }
}
