// A shop's service with one planted fault, or its healthy twin, which does the same work and cleans
// up. What is planted where is in heaps/truth.csv.
//
//	go run heaps/go/faults.go cache                 # prints "ready" and waits for a line
//	go run heaps/go/faults.go cache-healthy heap.pb.gz goroutine.pb.gz    # writes profiles and ends
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"
)

type Item struct {
	Name, About string
	Cents       int
}

// text is a text of its own, as a request brings it.
func text(kind string, number, length int) string {
	var text strings.Builder
	text.Grow(length)
	fmt.Fprintf(&text, "%s %d ", kind, number)
	for text.Len() < length {
		text.WriteByte(byte('a' + (number+text.Len())%26))
	}
	return text.String()
}

// Recent keeps the newest only: what healthy code does where others keep everything.
type Recent struct {
	limit int
	byKey map[string][]byte
	order []string
}

func newRecent(limit int) *Recent {
	return &Recent{limit: limit, byKey: make(map[string][]byte)}
}

func (r *Recent) put(key string, value []byte) {
	r.byKey[key] = value
	r.order = append(r.order, key)
	if len(r.order) > r.limit {
		delete(r.byKey, r.order[0])
		r.order = append(r.order[:0], r.order[1:]...)
	}
}

// ---- What every such service has, and what is no leak.

type Storefront struct {
	catalogue  []Item
	pages      *Recent
	bufferPool [][]byte
}

func openStorefront() *Storefront {
	front := &Storefront{pages: newRecent(1000)}
	for at := 0; at < 2000; at++ {
		item := Item{fmt.Sprint("item ", at), text("about", at, 120), at * 7}
		front.catalogue = append(front.catalogue, item)
	}
	for at := 0; at < 3000; at++ {
		front.pages.put(fmt.Sprint("page ", at), []byte(text("page", at, 400)))
	}
	for at := 0; at < 32; at++ {
		front.bufferPool = append(front.bufferPool, make([]byte, 16<<10))
	}
	return front
}

// ---- A variable of the package to which each request adds.

type AuditEntry struct {
	user, action string
}

var auditTrail []AuditEntry

func recordAudit(at int) {
	auditTrail = append(auditTrail, AuditEntry{fmt.Sprint("user ", at), text("bought", at, 500)})
}

func serveAudit(requests int, healthy bool) {
	for at := 0; at < requests; at++ {
		recordAudit(at)
		if healthy && len(auditTrail) >= 500 {
			auditTrail = auditTrail[:0]
		}
	}
	if healthy {
		auditTrail = nil
	}
}

// ---- Sessions that nobody ends.

type Session struct {
	token  string
	basket []byte
}

type SessionRegistry struct {
	openSessions map[string]*Session
}

var registry = &SessionRegistry{openSessions: make(map[string]*Session)}

func (r *SessionRegistry) login(user int) {
	token := fmt.Sprint("token-", user)
	r.openSessions[token] = &Session{token, make([]byte, 1500)}
}

func serveSessions(requests int, healthy bool) {
	for at := 0; at < requests; at++ {
		registry.login(at)
		if healthy && at >= 200 {
			delete(registry.openSessions, fmt.Sprint("token-", at-200))
		}
	}
}

// ---- A cache without a limit.

type QuoteService struct {
	quoteCache map[string][]byte
	recent     *Recent
}

var quotes = &QuoteService{quoteCache: make(map[string][]byte), recent: newRecent(1000)}

func (q *QuoteService) quote(item string) []byte {
	offer, ok := q.quoteCache[item]
	if !ok {
		offer = make([]byte, 1200)
		q.quoteCache[item] = offer
	}
	return offer
}

func serveQuotes(requests int, healthy bool) {
	for at := 0; at < requests; at++ {
		if healthy {
			quotes.recent.put(fmt.Sprint("item ", at), make([]byte, 1200))
		} else {
			quotes.quote(fmt.Sprint("item ", at))
		}
	}
}

// ---- Goroutines that send an answer which nobody waits for any more.

type Payment struct {
	order  int
	basket []byte
}

func askBank(order int, answer chan<- Payment) {
	payment := Payment{order, make([]byte, 6000)}
	answer <- payment
}

func servePayments(requests int, healthy bool) {
	for at := 0; at < requests; at++ {
		answer := make(chan Payment)
		if healthy {
			answer = make(chan Payment, 1)
		}
		go askBank(at, answer)
		// The caller gives up: its deadline has passed.
	}
	settle()
}

// ---- Goroutines that wait for work on a channel that is never closed.

func followOrder(updates <-chan int) int {
	page := make([]byte, 6000+cap(updates))
	for update := range updates {
		page[update%len(page)]++
	}
	return len(page)
}

func serveOrders(requests int, healthy bool) {
	for at := 0; at < requests; at++ {
		updates := make(chan int, 1)
		go followOrder(updates)
		updates <- at
		if healthy {
			close(updates)
		}
	}
	settle()
}

// ---- Tickers and contexts that are never stopped.

type Reminder struct {
	stop context.CancelFunc
}

var reminders []Reminder

func remind(at int, healthy bool) {
	waiting, stop := context.WithCancel(context.Background())
	mail := make([]byte, 6000)
	go func() {
		<-waiting.Done()
		mail[0] = 1
	}()
	if healthy {
		stop()
	} else {
		reminders = append(reminders, Reminder{stop})
	}
}

func serveReminders(requests int, healthy bool) {
	for at := 0; at < requests; at++ {
		remind(at, healthy)
	}
	settle()
}

// ---- Files that are opened and not closed.

type PriceImport struct {
	openFiles []*bufio.Reader
}

var nightly = &PriceImport{}

func (p *PriceImport) open(path string, healthy bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	reader := bufio.NewReaderSize(file, 64<<10)
	if _, err := reader.ReadByte(); err != nil {
		return err
	}
	if healthy {
		return file.Close()
	}
	p.openFiles = append(p.openFiles, reader)
	return nil
}

func serveFiles(requests int, healthy bool) {
	path, err := os.Executable()
	for at := 0; at < requests && err == nil; at++ {
		err = nightly.open(path, healthy)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// ---- The same text, once for each customer.

type Customer struct {
	name, terms string
}

type CustomerDirectory struct {
	customers []Customer
}

var directory = &CustomerDirectory{}

func (d *CustomerDirectory) add(at int, terms string) {
	d.customers = append(d.customers, Customer{fmt.Sprint("customer ", at), terms})
}

func serveCustomers(requests int, healthy bool) {
	shared := text("terms of trade", 1, 1500)
	for at := 0; at < requests; at++ {
		terms := shared
		if !healthy {
			terms = strings.Clone(shared)
		}
		directory.add(at, terms)
	}
}

// ---- Functions that are kept after they ran.

type MailScheduler struct {
	deferredJobs []func() int
}

var mails = &MailScheduler{}

func (m *MailScheduler) later(at int) {
	mail := make([]byte, 3000)
	m.deferredJobs = append(m.deferredJobs, func() int { return len(mail) + at })
}

func serveMails(requests int, healthy bool) {
	for at := 0; at < requests; at++ {
		mails.later(at)
		mails.deferredJobs[len(mails.deferredJobs)-1]()
		if healthy {
			mails.deferredJobs = nil
		}
	}
}

// ---- A list of its own making, whose beginning is kept.

type JournalLink struct {
	event []byte
	next  *JournalLink
}

type EventJournal struct {
	oldest, newest *JournalLink
	length         int
}

var journal = &EventJournal{}

func (j *EventJournal) add(healthy bool) {
	link := &JournalLink{event: make([]byte, 800)}
	if j.oldest == nil {
		j.oldest = link
	} else {
		j.newest.next = link
	}
	j.newest = link
	j.length++
	if healthy && j.length > 1000 {
		j.oldest = j.oldest.next
		j.length--
	}
}

func serveJournal(requests int, healthy bool) {
	for at := 0; at < requests; at++ {
		journal.add(healthy)
	}
}

// settle waits until goroutines that can end have ended.
func settle() {
	for before := -1; before != runtime.NumGoroutine(); {
		before = runtime.NumGoroutine()
		time.Sleep(50 * time.Millisecond)
	}
}

type traffic struct {
	requests int
	serve    func(requests int, healthy bool)
}

var cases = map[string]traffic{
	"static-collection": {60_000, serveAudit},
	"collection":        {20_000, serveSessions},
	"cache":             {30_000, serveQuotes},
	"goroutine-send":    {5_000, servePayments},
	"goroutine-receive": {5_000, serveOrders},
	"goroutine-context": {5_000, serveReminders},
	"unclosed-file":     {500, serveFiles},
	"duplicates":        {20_000, serveCustomers},
	"closure":           {12_000, serveMails},
	"chain":             {40_000, serveJournal},
}

// profile writes a profile of a kind to a path.
func profile(kind, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.Lookup(kind).WriteTo(file, 0); err != nil {
		return err
	}
	return file.Close()
}

func main() {
	runtime.MemProfileRate = 4096
	wanted := ""
	if len(os.Args) > 1 {
		wanted = os.Args[1]
	}
	found, ok := cases[strings.TrimSuffix(wanted, "-healthy")]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such fault; heaps/truth.csv has them")
		os.Exit(2)
	}
	front := openStorefront()
	found.serve(found.requests, strings.HasSuffix(wanted, "-healthy"))
	runtime.GC()
	runtime.GC()
	for at, kind := range []string{"heap", "goroutine"} {
		if len(os.Args) > at+2 {
			if err := profile(kind, os.Args[at+2]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	if len(os.Args) == 2 {
		fmt.Println("ready")
		bufio.NewReader(os.Stdin).ReadString('\n')
	}
	runtime.KeepAlive(front)
}
