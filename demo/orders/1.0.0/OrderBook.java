// Orders by their id, so that a client that sends an order twice gets one order and one booking.
// Version 1.0.0: the newest RECENT_MAX orders, which is as far back as clients repeat.
package shop.orders;

import java.util.ArrayDeque;
import java.util.concurrent.ConcurrentHashMap;

final class OrderBook {
    /** Two seconds at the demo's load; short of a young collection, so that none of it gets old. */
    private static final int RECENT_MAX = 40;

    private final ConcurrentHashMap<String, Order> byId = new ConcurrentHashMap<>();
    private final ArrayDeque<String> oldestFirst = new ArrayDeque<>();

    Order find(String id) {
        return byId.get(id);
    }

    void remember(Order order) {
        if (byId.putIfAbsent(order.id(), order) != null) {
            return;
        }
        synchronized (oldestFirst) {
            oldestFirst.addLast(order.id());
            if (oldestFirst.size() > RECENT_MAX) {
                byId.remove(oldestFirst.removeFirst());
            }
        }
    }
}
