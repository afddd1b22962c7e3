// The little JSON that orders needs: objects, arrays, texts, numbers and words in, quoted text out.
package shop.orders;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

final class Json {
    private static final int DEPTH_MAX = 16;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** A Map, List, String, Double, Boolean or null.
     *  @throws IllegalArgumentException which says what is wrong, and where */
    static Object parse(String text) {
        var json = new Json(text);
        Object value = json.value(0);
        if (json.next() != 0) {
            throw json.wrong("the end");
        }
        return value;
    }

    static String quote(String text) {
        var out = new StringBuilder(text.length() + 2).append('"');
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    private Object value(int depth) {
        if (depth > DEPTH_MAX) {
            throw wrong("less depth");
        }
        return switch (next()) {
            case '{' -> object(depth);
            case '[' -> array(depth);
            case '"' -> string();
            default -> word();
        };
    }

    private Map<String, Object> object(int depth) {
        var map = new HashMap<String, Object>();
        take('{');
        while (next() != '}') {
            if (!map.isEmpty()) {
                take(',');
            }
            String key = string();
            take(':');
            map.put(key, value(depth + 1));
        }
        take('}');
        return map;
    }

    private List<Object> array(int depth) {
        var list = new ArrayList<Object>();
        take('[');
        while (next() != ']') {
            if (!list.isEmpty()) {
                take(',');
            }
            list.add(value(depth + 1));
        }
        take(']');
        return list;
    }

    private String string() {
        take('"');
        var out = new StringBuilder();
        while (at < text.length() && text.charAt(at) != '"') {
            char c = text.charAt(at++);
            out.append(c == '\\' ? escaped() : c);
        }
        take('"');
        return out.toString();
    }

    private char escaped() {
        char c = at < text.length() ? text.charAt(at++) : 0;
        if (c == 'u' && at + 4 <= text.length()) {
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 4, at), 16);
        }
        int known = "nrtbf\"\\/".indexOf(c);
        if (known < 0) {
            throw wrong("an escape");
        }
        return "\n\r\t\b\f\"\\/".charAt(known);
    }

    private Object word() {
        int start = at;
        while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) {
            at++;
        }
        String word = text.substring(start, at);
        return switch (word) {
            case "true" -> true;
            case "false" -> false;
            case "null" -> null;
            default -> Double.valueOf(word);
        };
    }

    private char next() {
        while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
            at++;
        }
        return at < text.length() ? text.charAt(at) : 0;
    }

    private void take(char expected) {
        if (next() != expected) {
            throw wrong("`" + expected + "`");
        }
        at++;
    }

    private IllegalArgumentException wrong(String expected) {
        return new IllegalArgumentException("not JSON: expected " + expected + " at " + at);
    }
}
