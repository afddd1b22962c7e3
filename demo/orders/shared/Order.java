// An order as it was taken, with the receipt that the customer gets: about 20 KiB in memory, nearly
// all of it the receipt.
package shop.orders;

import java.nio.charset.StandardCharsets;
import java.util.List;

record Order(String id, String customer, List<OrderLine> lines, String note, byte[] receipt) {
    /** Printed at the end of every receipt, as the law of the demo's land wants it. */
    private static final String TERMS =
        "Goods remain ours until they are paid for; returns are taken within fourteen days. \n"
            .repeat(230);

    static Order of(String id, String customer, List<OrderLine> lines, String note) {
        return new Order(id, customer, List.copyOf(lines), note, print(id, customer, lines, note));
    }

    long cents() {
        return lines.stream().mapToLong(line -> line.quantity() * line.cents()).sum();
    }

    String booking() {
        return "{\"order_id\":" + Json.quote(id) + ",\"cents\":" + cents() + "}";
    }

    private static byte[] print(String id, String customer, List<OrderLine> lines, String note) {
        var text = new StringBuilder(TERMS.length() + 512);
        text.append("Order ").append(id).append(" of ").append(customer).append('\n');
        for (OrderLine line : lines) {
            text.append(line.quantity()).append(" x ").append(line.sku()).append(' ')
                .append(line.cents()).append('\n');
        }
        text.append(note).append('\n').append(TERMS);
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }
}
