// Orders by their id, so that a client that sends an order twice gets one order and one booking.
// Version 1.1.0: clients now repeat after hours too, so orders are no longer forgotten so soon.
// THE FAULT OF THE DEMO: they are not forgotten at all. Nothing empties this map.
package shop.orders;

import java.util.concurrent.ConcurrentHashMap;

final class OrderBook {
    private final ConcurrentHashMap<String, Order> byId = new ConcurrentHashMap<>();

    Order find(String id) {
        return byId.get(id);
    }

    void remember(Order order) {
        byId.putIfAbsent(order.id(), order);
    }
}
