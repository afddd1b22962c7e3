// Why an order, or a call on its behalf, was not done; becomes the status of the answer.
package shop.orders;

final class Refused extends Exception {
    private static final long serialVersionUID = 1;

    final int status;

    Refused(int status, String message) {
        super(message);
        this.status = status;
    }
}
