import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;

/**
 * A service that leaks a session with every request, between two dumps of its heap, while other
 * requests are in work: what a difference must name is small, and the heap is large.
 *
 *     java -Xmx2g heaps/java/Growing.java 5000000 10 before.hprof after.hprof
 *
 * holds five million objects, and does ten requests between the dumps.
 */
public final class Growing {
    record Line(String text, int place) {}

    static final class Session {
        final String user;
        final List<Line> lines = new ArrayList<>();
        final byte[] page = new byte[256];

        Session(String user) {
            this.user = user;
        }
    }

    static final class Store {
        static final Map<String, Session> SESSIONS = new ConcurrentHashMap<>();
        static final Map<Integer, List<Line>> CATALOGUE = new HashMap<>();
    }

    public static void main(String[] args) throws Exception {
        int objects = Integer.parseInt(args[0]);
        int requests = Integer.parseInt(args[1]);
        // A line has a text with its bytes: four objects with the list's share.
        for (int at = 0; at < objects / 32; at++) {
            List<Line> lines = new ArrayList<>();
            for (int line = 0; line < 10; line++) {
                lines.add(new Line("line " + at + " " + line, line));
            }
            Store.CATALOGUE.put(at, lines);
        }
        for (int warm = 0; warm < 200; warm++) {
            serve("warm " + warm);
        }
        dump(args[2] + ".warm-up.hprof");
        java.nio.file.Files.delete(java.nio.file.Path.of(args[2] + ".warm-up.hprof"));
        dump(args[2]);
        for (int request = 0; request < requests; request++) {
            serve("user " + request);
        }
        CountDownLatch ready = new CountDownLatch(4);
        for (int worker = 0; worker < 4; worker++) {
            Thread thread = new Thread(() -> work(ready), "worker " + worker);
            thread.setDaemon(true);
            thread.start();
        }
        ready.await();
        dump(args[3]);
        System.exit(0);
    }

    static void serve(String user) {
        Session session = new Session(user);
        for (int line = 0; line < 5; line++) {
            session.lines.add(new Line(user + " line " + line, line));
        }
        Store.SESSIONS.put(user, session);
    }

    /** A request that is in work while the heap is looked at: much more than what leaks. */
    static void work(CountDownLatch ready) {
        List<Line> answer = new ArrayList<>();
        for (int line = 0; line < 20_000; line++) {
            answer.add(new Line("answer " + line, line));
        }
        ready.countDown();
        try {
            Thread.currentThread().join();
        } catch (InterruptedException ended) {
            System.out.println(answer.size());
        }
    }

    static void dump(String path) throws Exception {
        var server = java.lang.management.ManagementFactory.getPlatformMBeanServer();
        var type = com.sun.management.HotSpotDiagnosticMXBean.class;
        var bean = java.lang.management.ManagementFactory.newPlatformMXBeanProxy(
                server, "com.sun.management:type=HotSpotDiagnostic", type);
        bean.dumpHeap(path, true);
    }
}
