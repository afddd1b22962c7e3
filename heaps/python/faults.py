"""A shop's service with one planted fault, or its healthy twin, which does the same work and cleans
up. What is planted where is in heaps/truth.csv.

    python3 heaps/python/faults.py cache                      # prints "ready" and waits for a line
    python3 heaps/python/faults.py cache-healthy out.snapshot # writes a tracemalloc snapshot and ends
"""

import collections
import functools
import gc
import io
import mmap
import queue
import sqlite3
import sys
import tempfile
import threading
import tracemalloc

FRAMES = 12


def text(kind, number, length):
    """A text of its own, as a request brings it."""
    return f"{kind} {number} ".ljust(length, chr(97 + number % 26))


class Recent(collections.OrderedDict):
    """Keeps the newest only: what healthy code does where others keep everything."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def __setitem__(self, key, value):
        super().__setitem__(key, value)
        if len(self) > self.limit:
            self.popitem(last=False)


# ---- What every such service has, and what is no leak.


class Item:
    def __init__(self, number):
        self.name = f"item {number}"
        self.about = text("about", number, 120)
        self.cents = number * 7


class Storefront:
    def __init__(self):
        self.catalogue = [Item(at) for at in range(2000)]
        self.pages = Recent(1000)
        for at in range(3000):
            self.pages[at] = text("page", at, 400)
        self.buffer_pool = [bytearray(16 << 10) for _ in range(32)]


# ---- A list of the module to which each request adds.

AUDIT_TRAIL = []


class AuditEntry:
    def __init__(self, number):
        self.user = f"user {number}"
        self.action = text("bought", number, 600)


def audit(requests, healthy):
    for at in range(requests):
        AUDIT_TRAIL.append(AuditEntry(at))
        if healthy and len(AUDIT_TRAIL) >= 500:
            AUDIT_TRAIL.clear()


# ---- Sessions that nobody ends.


class Session:
    def __init__(self, user):
        self.token = f"token-{user}"
        self.basket = bytearray(1500)


class SessionRegistry:
    def __init__(self):
        self.open_sessions = {}

    def serve(self, requests, healthy):
        for at in range(requests):
            session = Session(at)
            self.open_sessions[session.token] = session
            if healthy and at >= 200:
                del self.open_sessions[f"token-{at - 200}"]


REGISTRY = SessionRegistry()


# ---- A cache without a limit, by hand.


class QuoteService:
    def __init__(self):
        self.quote_cache = {}

    def quote(self, item):
        if item not in self.quote_cache:
            self.quote_cache[item] = bytearray(1200)
        return self.quote_cache[item]

    def serve(self, requests, healthy):
        if healthy:
            self.quote_cache = Recent(1000)
        for at in range(requests):
            self.quote(f"item {at}")


QUOTES = QuoteService()


# ---- A cache without a limit, of the library.


def price_of(item):
    return bytearray(1200 + item % 2)


unlimited_price = functools.lru_cache(maxsize=None)(price_of)
limited_price = functools.lru_cache(maxsize=1000)(price_of)


def price(requests, healthy):
    for at in range(requests):
        (limited_price if healthy else unlimited_price)(at)


# ---- Views that listen to prices, and are not told to stop when they are closed.


class CartView:
    def __init__(self):
        self.rendered = bytearray(2500)
        self.total = 0

    def on_price(self, cents):
        self.total += cents


class PriceFeed:
    def __init__(self):
        self.listeners = []

    def serve(self, requests, healthy):
        for _ in range(requests):
            view = CartView()
            self.listeners.append(view.on_price)
            if healthy:
                self.listeners.remove(view.on_price)


FEED = PriceFeed()


# ---- Functions that are kept after they ran.


class MailScheduler:
    def __init__(self):
        self.deferred_jobs = []

    def later(self, at):
        mail = bytearray(3000)
        self.deferred_jobs.append(lambda: len(mail) + at)

    def serve(self, requests, healthy):
        for at in range(requests):
            self.later(at)
            self.deferred_jobs[-1]()
            if healthy:
                self.deferred_jobs.pop()


MAILS = MailScheduler()


# ---- Objects that refer to each other, in a service that turned the collector off.


class Page:
    def __init__(self):
        self.markup = bytearray(2500)
        self.widget = Widget(self)


class Widget:
    def __init__(self, page):
        self.page = page

    def __del__(self):
        self.page = None


def render(requests, healthy):
    gc.disable()
    for at in range(requests):
        Page()
        if healthy and at % 500 == 0:
            gc.collect()


# ---- A thread's own context, which pooled threads carry from request to request.

CONTEXT = threading.local()


def remember(number):
    if not hasattr(CONTEXT, "trail"):
        CONTEXT.trail = []
    CONTEXT.trail.append(text("visited", number, 2000))


def work(jobs, healthy):
    while True:
        remember(jobs.get())
        if healthy:
            del CONTEXT.trail
        jobs.task_done()


def requests_in_threads(requests, healthy):
    jobs = queue.Queue(100)
    for _ in range(8):
        threading.Thread(target=work, args=(jobs, healthy), daemon=True).start()
    for at in range(requests):
        jobs.put(at)
    jobs.join()


# ---- A default argument, which is one list for all calls.


def visit(number, seen=[]):
    seen.append(text("visit", number, 2000))
    return len(seen)


def visits(requests, healthy):
    for at in range(requests):
        visit(at, []) if healthy else visit(at)


# ---- Files that are opened and not closed.


class PriceImport:
    def __init__(self):
        self.open_files = []

    def serve(self, requests, healthy):
        with tempfile.NamedTemporaryFile() as prices:
            prices.write(b"item 1;700\n" * 8000)
            prices.flush()
            for _ in range(requests):
                reader = io.BufferedReader(io.FileIO(prices.name), 64 << 10)
                reader.read(1)
                if healthy:
                    reader.close()
                else:
                    self.open_files.append(reader)


NIGHTLY = PriceImport()


# ---- Cursors that are opened and not closed.


class OrderDatabase:
    def __init__(self):
        self.connection = sqlite3.connect(":memory:")
        self.cursors = []

    def serve(self, requests, healthy):
        for at in range(requests):
            cursor = self.connection.execute("select ?, zeroblob(2500)", (at,))
            row = cursor.fetchone()
            if healthy:
                cursor.close()
            else:
                self.cursors.append((cursor, row))


DATABASE = OrderDatabase()


# ---- Memory that Python's allocator does not see.


class ThumbnailStore:
    def __init__(self):
        self.pictures = []

    def serve(self, requests, healthy):
        for _ in range(requests):
            picture = mmap.mmap(-1, 1 << 20)
            picture.write(b"p" * (1 << 20))
            if healthy:
                picture.close()
            else:
                self.pictures.append(picture)


THUMBNAILS = ThumbnailStore()


# ---- The same text, once for each customer.


class Customer:
    def __init__(self, name, terms):
        self.name = name
        self.terms = terms


class CustomerDirectory:
    def __init__(self):
        self.customers = []

    def serve(self, requests, healthy):
        shared = text("terms of trade", 1, 1500)
        for at in range(requests):
            terms = shared if healthy else text("terms of trade", 1, 1500)
            self.customers.append(Customer(f"customer {at}", terms))


DIRECTORY = CustomerDirectory()


# ---- A list of its own making, whose beginning is kept.


class JournalLink:
    def __init__(self):
        self.event = bytearray(800)
        self.next = None


class EventJournal:
    def __init__(self):
        self.oldest = self.newest = JournalLink()
        self.length = 1

    def serve(self, requests, healthy):
        for _ in range(requests):
            self.newest.next = JournalLink()
            self.newest = self.newest.next
            self.length += 1
            if healthy and self.length > 1000:
                self.oldest = self.oldest.next
                self.length -= 1


JOURNAL = EventJournal()

CASES = {
    "static-collection": (40_000, audit),
    "collection": (20_000, REGISTRY.serve),
    "cache": (25_000, QUOTES.serve),
    "lru-cache": (25_000, price),
    "listener": (12_000, FEED.serve),
    "closure": (10_000, MAILS.serve),
    "cycle": (12_000, render),
    "thread-local": (15_000, requests_in_threads),
    "default-argument": (15_000, visits),
    "unclosed-file": (400, NIGHTLY.serve),
    "unclosed-cursor": (10_000, DATABASE.serve),
    "off-heap": (40, THUMBNAILS.serve),
    "duplicates": (20_000, DIRECTORY.serve),
    "chain": (30_000, JOURNAL.serve),
}


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    found = CASES.get(wanted.removesuffix("-healthy"))
    if found is None:
        sys.exit(f"no such fault; there are {' '.join(CASES)}")
    path = sys.argv[2] if len(sys.argv) > 2 else None
    if path:
        tracemalloc.start(FRAMES)
    front = Storefront()
    requests, serve = found
    serve(requests, wanted.endswith("-healthy"))
    if path:
        tracemalloc.take_snapshot().dump(path)
    else:
        print("ready", flush=True)
        sys.stdin.readline()
    del front


main()
