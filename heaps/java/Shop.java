import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/**
 * A heap of a chosen size, as a shop's service has it: customers with orders and items in plain
 * collections, and a store of sessions that nobody empties. For measuring how fast dumps are read.
 *
 *     java -Xmx6g heaps/java/Shop.java 300 shop.hprof
 *
 * writes a dump of about 300 MB and ends. The same size gives the same objects in each run.
 */
public final class Shop {
    record Item(String name, int cents, Integer stock) {}

    static final class Order {
        final long number;
        final List<Item> items = new LinkedList<>();
        final Map<String, String> notes = new HashMap<>();
        Customer customer;

        Order(long number) {
            this.number = number;
        }
    }

    static final class Customer {
        final String name;
        final UUID id;
        final TreeMap<Long, Order> orders = new TreeMap<>();

        Customer(String name, UUID id) {
            this.name = name;
            this.id = id;
        }
    }

    static final class Session {
        final String token;
        final byte[] page = new byte[512];
        final Customer customer;

        Session(String token, Customer customer) {
            this.token = token;
            this.customer = customer;
        }
    }

    static final class SessionStore {
        static final Map<String, Session> SESSIONS = new ConcurrentHashMap<>();
    }

    static final class EventBus {
        static final List<Supplier<Object>> LISTENERS = new ArrayList<>();
    }

    static final Map<UUID, Customer> CUSTOMERS = new HashMap<>();
    static final List<Item> CATALOGUE = new ArrayList<>();

    public static void main(String[] args) throws Exception {
        int megabytes = Integer.parseInt(args[0]);
        for (int at = 0; at < 5000; at++) {
            CATALOGUE.add(new Item("item " + at, at * 7, at + 1000));
        }
        // A customer with all orders, and now and then a session, is about 5 kB of dump.
        for (int at = 0; at < megabytes * 200; at++) {
            Customer customer = customer(at);
            if (at % 3 == 0) {
                String token = "token-" + at;
                SessionStore.SESSIONS.put(token, new Session(token, customer));
            }
            if (at % 50 == 0) {
                char[] screen = new char[64];
                EventBus.LISTENERS.add(() -> screen);
            }
        }
        dump(args[1]);
        System.exit(0);
    }

    static Customer customer(int number) {
        UUID id = new UUID(number * 31L, number);
        Customer customer = new Customer("customer " + number, id);
        for (int at = 0; at < 5; at++) {
            Order order = new Order(number * 10L + at);
            order.customer = customer;
            for (int piece = 0; piece < 6; piece++) {
                order.items.add(CATALOGUE.get((number * 7 + piece * 13 + at) % CATALOGUE.size()));
            }
            for (int note = 0; note < 2; note++) {
                order.notes.put("note " + note, "of " + number + ", " + at);
            }
            customer.orders.put(order.number, order);
        }
        CUSTOMERS.put(id, customer);
        return customer;
    }

    static void dump(String path) throws Exception {
        var server = java.lang.management.ManagementFactory.getPlatformMBeanServer();
        var type = com.sun.management.HotSpotDiagnosticMXBean.class;
        var bean = java.lang.management.ManagementFactory.newPlatformMXBeanProxy(
                server, "com.sun.management:type=HotSpotDiagnostic", type);
        bean.dumpHeap(path, true);
    }
}
