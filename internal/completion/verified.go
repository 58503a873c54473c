package completion

import "sync"

// verified remembers the objects whose bytes were looked at, so that a completion
// that is repeated reads none of them twice.
type verified struct {
	mutex sync.Mutex
	set   map[string]struct{}
	order []string // a ring
	next  int
}

// remembered bounds how many objects are remembered.
const remembered = 4096

func (v *verified) add(id, etag string) {
	name := id + etag
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.set == nil {
		v.set = map[string]struct{}{}
	}
	if _, ok := v.set[name]; ok {
		return
	}
	if len(v.order) < remembered {
		v.order = append(v.order, name)
	} else {
		delete(v.set, v.order[v.next])
		v.order[v.next] = name
		v.next = (v.next + 1) % remembered
	}
	v.set[name] = struct{}{}
}

func (v *verified) has(id, etag string) bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	_, ok := v.set[id+etag]
	return ok
}
