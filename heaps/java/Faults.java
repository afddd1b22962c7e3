import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/**
 * A shop's service with one planted fault, or its healthy twin, which does the same work and cleans
 * up. What is planted where is in heaps/truth.csv.
 *
 *     java -Xmx512m heaps/java/Faults.java cache             # prints "ready" and waits for a line
 *     java -Xmx512m heaps/java/Faults.java cache-healthy dump.hprof   # writes a dump and ends
 */
public final class Faults {
    /** What one kind of request does, n requests of it. */
    interface Traffic {
        void serve(int requests, boolean healthy) throws Exception;
    }

    record Case(int requests, Traffic traffic) {}

    static final Map<String, Case> CASES = new LinkedHashMap<>();

    static {
        CASES.put("static-collection", new Case(60_000, AuditLog::serve));
        CASES.put("collection", new Case(20_000, SessionRegistry::serve));
        CASES.put("weak-map", new Case(10_000, BasketAttributes::serve));
        CASES.put("listener", new Case(12_000, PriceFeed::serve));
        CASES.put("thread-local", new Case(16_000, RequestContext::serve));
        CASES.put("class-loader", new Case(40, DriverRegistry::serve));
        CASES.put("off-heap", new Case(40, Thumbnails::serve));
        CASES.put("unclosed-stream", new Case(1_500, PriceImport::serve));
        CASES.put("unclosed-statement", new Case(8_000, ShopConnection::serve));
        CASES.put("finalizer", new Case(6_000, LegacyHandle::serve));
        CASES.put("duplicates", new Case(20_000, CustomerDirectory::serve));
        CASES.put("cache", new Case(30_000, QuoteService::serve));
        CASES.put("closure", new Case(10_000, MailScheduler::serve));
        CASES.put("chain", new Case(40_000, EventJournal::serve));
    }

    public static void main(String[] args) throws Exception {
        boolean healthy = args[0].endsWith("-healthy");
        Case wanted = CASES.get(healthy ? args[0].replace("-healthy", "") : args[0]);
        if (wanted == null) {
            System.err.println("no such fault; there are " + CASES.keySet());
            System.exit(2);
        }
        Storefront.open();
        wanted.traffic().serve(wanted.requests(), healthy);
        if (args.length > 1) {
            dump(args[1]);
            System.exit(0);
        }
        System.out.println("ready");
        System.in.read();
        System.exit(0);
    }

    static void dump(String path) throws Exception {
        var server = java.lang.management.ManagementFactory.getPlatformMBeanServer();
        var type = com.sun.management.HotSpotDiagnosticMXBean.class;
        var bean = java.lang.management.ManagementFactory.newPlatformMXBeanProxy(
                server, "com.sun.management:type=HotSpotDiagnostic", type);
        bean.dumpHeap(path, true);
    }

    /** A text of its own, as a request brings it. */
    static String text(String kind, int number, int length) {
        StringBuilder text = new StringBuilder(length).append(kind).append(' ').append(number);
        while (text.length() < length) {
            text.append(' ').append((char) ('a' + (number + text.length()) % 26));
        }
        return text.toString();
    }

    /** Keeps the newest only: what healthy code does where others keep everything. */
    static final class Recent<K, V> extends LinkedHashMap<K, V> {
        final int limit;

        Recent(int limit) {
            super(16, 0.75f, true);
            this.limit = limit;
        }

        @Override
        protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
            return size() > limit;
        }
    }

    // ---- What every such service has, and what is no leak.

    record Item(String name, String description, int cents) {}

    static final class Storefront {
        static final List<Item> CATALOGUE = new ArrayList<>();
        static final Map<Integer, String> PAGES = new Recent<>(1000);
        static final ArrayDeque<byte[]> BUFFER_POOL = new ArrayDeque<>();
        static final ExecutorService WORKERS = Executors.newFixedThreadPool(8, work -> {
            Thread thread = new Thread(work, "worker");
            thread.setDaemon(true);
            return thread;
        });

        static void open() {
            for (int at = 0; at < 2000; at++) {
                CATALOGUE.add(new Item("item " + at, text("about", at, 120), at * 7));
            }
            for (int at = 0; at < 5000; at++) {
                PAGES.put(at, text("page", at, 400));
            }
            for (int at = 0; at < 32; at++) {
                BUFFER_POOL.add(new byte[16 << 10]);
            }
        }
    }

    // ---- A static list to which each request adds.

    static final class AuditLog {
        record Entry(long number, String user, String action) {}

        static final List<Entry> ENTRIES = new ArrayList<>();

        static void serve(int requests, boolean healthy) {
            for (int at = 0; at < requests; at++) {
                ENTRIES.add(new Entry(at, "user " + at, text("bought", at, 400)));
                // The twin writes the log out, and starts anew.
                if (healthy && ENTRIES.size() >= 500) {
                    ENTRIES.clear();
                }
            }
        }
    }

    // ---- Sessions that nobody ends, in a field of an object that lives as long as the service.

    static final class SessionRegistry {
        static final class Session {
            final String token;
            final byte[] state = new byte[1500];
            final Item last;

            Session(String token, Item last) {
                this.token = token;
                this.last = last;
            }
        }

        static final SessionRegistry SHARED = new SessionRegistry();

        final Map<String, Session> openSessions = new ConcurrentHashMap<>();

        void login(int user) {
            Item last = Storefront.CATALOGUE.get(user % Storefront.CATALOGUE.size());
            openSessions.put("token-" + user, new Session("token-" + user, last));
        }

        static void serve(int requests, boolean healthy) {
            for (int at = 0; at < requests; at++) {
                SHARED.login(at);
                if (healthy && at >= 200) {
                    SHARED.openSessions.remove("token-" + (at - 200));
                }
            }
        }
    }

    // ---- A map with weak keys, whose values refer to their keys: nothing ever goes.

    static final class BasketAttributes {
        static final class Basket {
            final String owner;

            Basket(String owner) {
                this.owner = owner;
            }
        }

        static final class Attributes {
            final Basket basket;
            final byte[] discounts = new byte[3000];

            Attributes(Basket basket) {
                this.basket = basket;
            }
        }

        static final Map<Basket, Attributes> BY_BASKET = new WeakHashMap<>();

        static void serve(int requests, boolean healthy) throws Exception {
            for (int at = 0; at < requests; at++) {
                Basket basket = new Basket("owner " + at);
                BY_BASKET.put(basket, new Attributes(healthy ? null : basket));
            }
            // The map drops what was collected when it is asked; the collector takes a moment to say.
            for (int round = 0; round < 100 && healthy && BY_BASKET.size() > 10; round++) {
                System.gc();
                Thread.sleep(10);
            }
        }
    }

    // ---- Views that listen to prices, and are not told to stop when they are closed.

    interface PriceListener {
        void changed(Item item, int cents);
    }

    static final class PriceFeed {
        static final PriceFeed LIVE = new PriceFeed();

        private final List<PriceListener> priceListeners = new ArrayList<>();

        static final class CartView implements PriceListener {
            final byte[] rendered = new byte[2500];
            int total;

            @Override
            public void changed(Item item, int cents) {
                total += cents;
            }
        }

        static void serve(int requests, boolean healthy) {
            for (int at = 0; at < requests; at++) {
                CartView view = new CartView();
                LIVE.priceListeners.add(view);
                Item item = Storefront.CATALOGUE.get(at % Storefront.CATALOGUE.size());
                LIVE.priceListeners.get(LIVE.priceListeners.size() - 1).changed(item, at);
                if (healthy) {
                    LIVE.priceListeners.remove(view);
                }
            }
        }
    }

    // ---- A thread's own context, which pooled threads carry from request to request.

    static final class RequestContext {
        static final ThreadLocal<RequestContext> CURRENT =
                ThreadLocal.withInitial(RequestContext::new);

        final List<String> trail = new ArrayList<>();

        static void serve(int requests, boolean healthy) throws Exception {
            List<Future<?>> running = new ArrayList<>();
            for (int at = 0; at < requests; at++) {
                int number = at;
                running.add(Storefront.WORKERS.submit(() -> {
                    CURRENT.get().trail.add(text("visited", number, 2000));
                    if (healthy) {
                        CURRENT.remove();
                    }
                }));
            }
            for (Future<?> one : running) {
                one.get();
            }
        }
    }

    // ---- Plug-ins that are loaded anew, of which something stays registered.

    /** What a plug-in brings; each loader defines this class for itself. */
    public static final class Plugin {
        static final byte[] TABLES = new byte[900 << 10];
    }

    static final class PluginLoader extends ClassLoader {
        final String version;

        PluginLoader(String version) {
            super(Faults.class.getClassLoader());
            this.version = version;
        }

        Object start(byte[] program) throws Exception {
            Class<?> type = defineClass("Faults$Plugin", program, 0, program.length);
            return type.getDeclaredConstructor().newInstance();
        }
    }

    static final class DriverRegistry {
        static final List<Object> DRIVERS = new ArrayList<>();

        static void serve(int reloads, boolean healthy) throws Exception {
            byte[] program;
            String file = "Faults$Plugin.class";
            try (InputStream in = Faults.class.getClassLoader().getResourceAsStream(file)) {
                program = in.readAllBytes();
            }
            for (int at = 0; at < reloads; at++) {
                DRIVERS.add(new PluginLoader("1." + at).start(program));
                if (healthy && DRIVERS.size() > 1) {
                    DRIVERS.remove(0);
                }
            }
        }
    }

    // ---- Buffers outside of the heap.

    static final class Thumbnails {
        static final List<ByteBuffer> PICTURES = new ArrayList<>();

        static void serve(int requests, boolean healthy) {
            ByteBuffer reused = ByteBuffer.allocateDirect(1 << 20);
            for (int at = 0; at < requests; at++) {
                ByteBuffer picture = healthy ? reused : ByteBuffer.allocateDirect(1 << 20);
                picture.clear().putInt(at).flip();
                // Views of it take nothing more.
                PICTURES.add(healthy ? picture : picture.duplicate());
                if (healthy) {
                    PICTURES.clear();
                }
            }
        }
    }

    // ---- Streams that are opened and not closed.

    static final class PriceImport {
        final List<BufferedReader> readers = new ArrayList<>();

        static final PriceImport NIGHTLY = new PriceImport();

        static void serve(int requests, boolean healthy) {
            byte[] packed = packed();
            for (int at = 0; at < requests; at++) {
                try {
                    InputStream file = new GZIPInputStream(new ByteArrayInputStream(packed), 4096);
                    InputStreamReader text = new InputStreamReader(file, StandardCharsets.UTF_8);
                    BufferedReader reader = new BufferedReader(text);
                    NIGHTLY.readers.add(reader);
                    reader.readLine();
                    if (healthy) {
                        reader.close();
                        NIGHTLY.readers.remove(reader);
                    }
                } catch (IOException error) {
                    throw new UncheckedIOException(error);
                }
            }
        }

        static byte[] packed() {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
                out.write("item 1;700\nitem 2;1400\n".getBytes(StandardCharsets.UTF_8));
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            return bytes.toByteArray();
        }
    }

    // ---- Statements of a connection, which knows those that are open.

    static final class ShopConnection {
        static final ShopConnection PRIMARY = new ShopConnection();

        final List<ShopStatement> openStatements = new ArrayList<>();

        final class ShopStatement implements AutoCloseable {
            final String query;
            final byte[] results = new byte[4000];

            ShopStatement(String query) {
                this.query = query;
                openStatements.add(this);
            }

            @Override
            public void close() {
                openStatements.remove(this);
            }
        }

        static void serve(int requests, boolean healthy) {
            for (int at = 0; at < requests; at++) {
                ShopStatement statement = PRIMARY.new ShopStatement("select " + at);
                if (healthy) {
                    statement.close();
                }
            }
        }
    }

    // ---- Objects with a finalizer, behind one that hangs.

    static final class LegacyHandle {
        static final CountDownLatch DRIVER = new CountDownLatch(1);

        final byte[] page = new byte[4000];
        final boolean hangs;

        LegacyHandle(boolean hangs) {
            this.hangs = hangs;
        }

        @Override
        @SuppressWarnings({"deprecation", "removal"})
        protected void finalize() throws Throwable {
            if (hangs) {
                DRIVER.await();
            }
        }

        static void serve(int requests, boolean healthy) throws Exception {
            for (int at = 0; at < requests; at++) {
                new LegacyHandle(!healthy);
            }
            for (int round = 0; round < 3; round++) {
                System.gc();
                if (healthy) {
                    System.runFinalization();
                }
            }
        }
    }

    // ---- The same text, once for each customer.

    static final class CustomerDirectory {
        record Customer(String name, String terms) {}

        static final List<Customer> CUSTOMERS = new ArrayList<>();

        static void serve(int requests, boolean healthy) {
            String terms = text("terms of trade", 1, 1500);
            for (int at = 0; at < requests; at++) {
                String own = healthy ? terms : new String(terms.getBytes(StandardCharsets.UTF_8));
                CUSTOMERS.add(new Customer("customer " + at, own));
            }
        }
    }

    // ---- A cache without a limit.

    static final class QuoteService {
        record Quote(String item, byte[] offer) {}

        static QuoteService shared;

        final Map<String, Quote> quoteCache;

        QuoteService(boolean healthy) {
            quoteCache = healthy ? new Recent<>(1000) : new HashMap<>();
        }

        Quote quote(String item) {
            return quoteCache.computeIfAbsent(item, name -> new Quote(name, new byte[1000]));
        }

        static void serve(int requests, boolean healthy) {
            shared = new QuoteService(healthy);
            for (int at = 0; at < requests; at++) {
                shared.quote("item " + at);
            }
        }
    }

    // ---- Functions that are kept after they ran, with what they captured.

    static final class MailScheduler {
        static final MailScheduler DAILY = new MailScheduler();

        final List<Runnable> deferred = new ArrayList<>();
        int sent;

        void later(byte[] mail) {
            deferred.add(() -> sent += mail.length);
        }

        static void serve(int requests, boolean healthy) {
            for (int at = 0; at < requests; at++) {
                DAILY.later(new byte[3000]);
                DAILY.deferred.get(DAILY.deferred.size() - 1).run();
                if (healthy) {
                    DAILY.deferred.remove(DAILY.deferred.size() - 1);
                }
            }
        }
    }

    // ---- A list of its own making, whose beginning is kept.

    static final class EventJournal {
        static final class Link {
            final byte[] event = new byte[700];
            Link next;
        }

        static final EventJournal MAIN = new EventJournal();

        Link oldest = new Link();
        Link newest = oldest;
        int length;

        static void serve(int requests, boolean healthy) {
            for (int at = 0; at < requests; at++) {
                MAIN.newest.next = new Link();
                MAIN.newest = MAIN.newest.next;
                MAIN.length++;
                if (healthy && MAIN.length > 1000) {
                    MAIN.oldest = MAIN.oldest.next;
                    MAIN.length--;
                }
            }
        }
    }
}
