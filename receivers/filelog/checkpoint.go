package filelog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/extension/xextension/storage"
)

const (
	indexKey     = "index"
	recordPrefix = "file:"
	// storeAgain is how long a position that could not be stored waits when no newer one comes.
	storeAgain = 5 * time.Second
	// keepMissing is how long the positions of files whose folder is not there are kept, for a disk that is mounted late.
	keepMissing = 24 * time.Hour
	// expireEvery is how often positions are looked through for such as were kept for long enough.
	expireEvery = time.Minute
)

// index is the list of all records, because a storage cannot be asked for its keys.
type index struct {
	Include []string `json:"include"` // globs of the last run: start_at is for new globs only
	Paths   []string `json:"paths"`
}

// record is what is stored for one path: the position in each file that stands, or stood, there.
type record struct {
	Name        string             `json:"name"`
	Gone        int64              `json:"gone,omitempty"` // Unix seconds since when its folder is not there
	Generations []generationRecord `json:"generations"`
}

type generationRecord struct {
	fileKey
	Path     string          `json:"path,omitempty"` // if it is not the record's path
	Offset   int64           `json:"offset"`
	Size     int64           `json:"size"`
	Mtime    int64           `json:"mtime"`
	Sum      sum             `json:"sum"`
	Format   string          `json:"format,omitempty"`
	Done     bool            `json:"done,omitempty"`
	Long     bool            `json:"long,omitempty"` // the position is inside a line that is too long
	Partials []partialRecord `json:"partials,omitempty"`
}

// partialRecord says where the beginning of an unfinished message is found again. Only text from an earlier file is stored itself.
type partialRecord struct {
	Stream stream `json:"stream"`
	Time   int64  `json:"time"`
	Start  int64  `json:"start"`
	Skip   int    `json:"skip,omitempty"`
	Cut    bool   `json:"cut,omitempty"`
	Text   []byte `json:"text,omitempty"`
}

func (f *follower) record() record {
	rec := record{Name: f.name, Generations: make([]generationRecord, 0, len(f.gens))}
	for _, g := range f.gens {
		gr := generationRecord{
			fileKey: g.key, Offset: g.offset, Size: g.size, Mtime: g.mtime, Sum: g.sum,
			Format: g.asm.format.String(), Done: g.done, Long: g.asm.long.active,
		}
		if g.path != f.path {
			gr.Path = g.path
		}
		for i, p := range g.asm.parts {
			if !p.active {
				continue
			}
			pr := partialRecord{Stream: stream(i), Time: p.time, Start: p.start, Skip: p.skip, Cut: p.cut}
			if p.start < 0 {
				pr.Text = p.text
			}
			gr.Partials = append(gr.Partials, pr)
		}
		rec.Generations = append(rec.Generations, gr)
	}
	return rec
}

// restore puts the generations of a stored record into the follower.
func (f *follower) restore(rec record) {
	for _, gr := range rec.Generations {
		g := &generation{key: gr.fileKey, path: gr.Path, offset: gr.Offset, size: gr.Size, mtime: gr.Mtime, sum: gr.Sum, done: gr.Done}
		if g.path == "" {
			g.path = f.path
		}
		if g.offset < 0 || g.sum.Len < 0 || g.sum.Len > sumWindow {
			continue // not written by us
		}
		g.asm.format = formatOf(gr.Format)
		g.asm.long.active = gr.Long
		for _, pr := range gr.Partials {
			if pr.Stream >= streamCount || pr.Start > g.offset || pr.Skip < 0 {
				continue
			}
			g.asm.parts[pr.Stream] = partial{
				active: true, time: pr.Time, start: pr.Start, skip: pr.Skip, cut: pr.Cut, text: pr.Text, seen: time.Now(),
			}
			g.unloaded = g.unloaded || pr.Start >= 0
		}
		f.gens = append(f.gens, g)
		f.r.own(g.key, f, g)
	}
}

// save hands the follower's positions to the storage.
func (f *follower) save() {
	if f.r.positions == nil {
		return
	}
	f.saved = f.r.positions.put(recordPrefix+f.path, f.record().encode())
}

func (rec record) encode() []byte {
	value, err := json.Marshal(rec)
	if err != nil {
		panic("BUG: a record holds nothing that JSON cannot: " + err.Error())
	}
	return value
}

// positions writes records behind the readers' backs: what gathers while one write runs goes out with the next.
// A reader waits for its last position to be written before it sends its next batch, so a kill repeats one batch of a file at most.
type positions struct {
	client storage.Client
	failed func(error)

	mu      sync.Mutex
	changed sync.Cond
	pending map[string][]byte // nil deletes
	queued  uint64            // number of the newest entry in pending
	tried   uint64            // number up to which writing was tried
	closing bool

	kick chan struct{}
	done chan struct{}
}

func newPositions(client storage.Client, failed func(error)) *positions {
	p := &positions{client: client, failed: failed, pending: make(map[string][]byte), kick: make(chan struct{}, 1), done: make(chan struct{})}
	p.changed.L = &p.mu
	go p.run()
	return p
}

// put queues a value, or with nil the deletion of a key, and returns its number for wait.
func (p *positions) put(key string, value []byte) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pending[key] = value
	p.queued++
	p.wakeUp()
	return p.queued
}

func (p *positions) wakeUp() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// wait returns when the entry with that number was written, or when writing it was tried.
func (p *positions) wait(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.tried < number {
		p.changed.Wait()
	}
}

func (p *positions) run() {
	defer close(p.done)
	again := time.NewTicker(storeAgain)
	defer again.Stop()
	for {
		select {
		case <-p.kick:
		case <-again.C:
		}
		if !p.write() {
			return
		}
	}
}

// write stores all that is pending. It returns false when that was the last time.
func (p *positions) write() bool {
	p.mu.Lock()
	batch, number, last := p.pending, p.queued, p.closing
	p.pending = make(map[string][]byte)
	p.mu.Unlock()
	var err error
	if len(batch) > 0 {
		err = p.store(batch)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		for key, value := range batch {
			if _, newer := p.pending[key]; !newer {
				p.pending[key] = value
			}
		}
	}
	p.tried = number
	p.changed.Broadcast()
	return !last
}

func (p *positions) store(batch map[string][]byte) error {
	ops := make([]*storage.Operation, 0, len(batch))
	for key, value := range batch {
		if value == nil {
			ops = append(ops, storage.DeleteOperation(key))
		} else {
			ops = append(ops, storage.SetOperation(key, value))
		}
	}
	err := p.client.Batch(context.Background(), ops...)
	if err != nil {
		p.failed(err)
	}
	return err
}

// close writes what is pending and closes the client.
func (p *positions) close(ctx context.Context) error {
	p.mu.Lock()
	p.closing = true
	p.wakeUp()
	p.mu.Unlock()
	<-p.done
	return p.client.Close(ctx)
}

// load reads all records. first is true if nothing was ever stored.
func (p *positions) load(ctx context.Context) (idx index, records map[string]record, first bool, err error) {
	data, err := p.client.Get(ctx, indexKey)
	if err != nil {
		return idx, nil, false, fmt.Errorf("read positions: %w", err)
	}
	if data == nil {
		return idx, nil, true, nil
	}
	if err := json.Unmarshal(data, &idx); err != nil {
		return idx, nil, false, fmt.Errorf("read positions: %q: %w", indexKey, err)
	}
	ops := make([]*storage.Operation, len(idx.Paths))
	for i, path := range idx.Paths {
		ops[i] = storage.GetOperation(recordPrefix + path)
	}
	if err := p.client.Batch(ctx, ops...); err != nil {
		return idx, nil, false, fmt.Errorf("read positions: %w", err)
	}
	records = make(map[string]record, len(ops))
	for i, op := range ops {
		if op.Value == nil {
			continue
		}
		var rec record
		if e := json.Unmarshal(op.Value, &rec); e != nil {
			err = errors.Join(err, fmt.Errorf("read positions: %q: %w", op.Key, e))
			continue
		}
		records[idx.Paths[i]] = rec
	}
	return idx, records, false, err
}
