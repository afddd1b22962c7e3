// One product of an order, at the price that catalog gave.
package shop.orders;

record OrderLine(String sku, int quantity, long cents) {}
