package filelog

import (
	"slices"
	"time"
)

// maxArrived bounds the files that are held open for a follower that a worker does not give back.
const maxArrived = 64

// arrival is a file that came to a follower's path while a worker had the follower.
type arrival struct {
	file logFile
	st   fileStat
}

// guard opens what newly stands at the path of a follower that waits for a worker, or whose batch the pipeline does not give back.
// It may be rotated, packed and deleted before the follower's next turn. The poller calls it.
func (f *follower) guard() {
	st, err := f.r.sys.stat(f.path)
	if err != nil || !st.regular || st.key == f.guarded {
		return
	}
	f.guardMu.Lock()
	defer f.guardMu.Unlock()
	if len(f.arrived) >= maxArrived {
		return // the folder is looked through at the next turn
	}
	file, err := f.r.sys.open(f.path)
	if err != nil {
		return // the next turn tells
	}
	if st, err = file.stat(); err != nil {
		_ = file.Close()
		return
	}
	f.guarded = st.key
	f.arrived = append(f.arrived, arrival{file: file, st: st})
}

// takeArrived takes up the files that the poller opened, in the order in which they stood at the path.
func (f *follower) takeArrived(now time.Time) {
	f.guardMu.Lock()
	arrived := f.arrived
	f.arrived = nil
	f.guardMu.Unlock()
	for _, a := range arrived {
		g := f.known(a.st.key)
		if (g != nil && g.file != nil) || f.r.ownedByOther(a.st.key, f, f.path) {
			_ = a.file.Close()
			continue
		}
		if f.current != nil {
			f.current.grew = now
			f.current = nil
		}
		f.stand(a.file, a.st, f.returned(a.file, a.st), now)
		f.settleAt = now // there may have been more of them
	}
}

func (f *follower) closeArrived() {
	f.guardMu.Lock()
	defer f.guardMu.Unlock()
	for _, a := range f.arrived {
		_ = a.file.Close()
	}
	f.arrived = nil
}

// keep puts the positions of a file whose folder is gone aside, for the case that the folder is on a disk that comes back.
func (r *fileLog) keep(path string, rec record) {
	if rec.Gone == 0 {
		rec.Gone = time.Now().Unix()
	}
	r.kept[path] = rec
	if r.positions != nil {
		r.positions.put(recordPrefix+path, rec.encode())
	}
}

// expire drops positions that were kept for long enough, and says whether there were any.
func (r *fileLog) expire(now time.Time) (dropped bool) {
	if now.Before(r.expireAt) {
		return false
	}
	r.expireAt = now.Add(expireEvery)
	for path, rec := range r.kept {
		if now.Sub(time.Unix(rec.Gone, 0)) < keepMissing {
			continue
		}
		dropped = true
		delete(r.kept, path)
		if r.positions != nil {
			r.positions.put(recordPrefix+path, nil)
		}
		for _, g := range rec.Generations {
			if unread := g.Size - g.Offset; !g.Done && unread > 0 {
				r.loseBytes(unread, reasonGone, path, mendGone)
			}
		}
	}
	return dropped
}

// back returns the positions that were kept for a path, if its folder has come back.
func (r *fileLog) back(path string) (record, bool) {
	rec, ok := r.kept[path]
	delete(r.kept, path)
	rec.Generations = slices.Clone(rec.Generations)
	return rec, ok
}
