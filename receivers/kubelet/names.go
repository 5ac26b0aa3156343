package kubelet

import "strings"

// maxNames bounds what names remembers: at most a few tens of megabytes, and with 110 pods a node far less.
const maxNames = 1 << 17

// names keeps one copy of each name and label value that scrapes meet again and again, so that the hundred thousand
// strings of an answer are not made anew each time. It is used by one scrape at a time.
type names struct{ known map[string]string }

func newNames() *names { return &names{known: map[string]string{}} }

// get returns b as a string of valid UTF-8.
func (n *names) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := n.known[string(b)]; ok {
		return s
	}
	if len(n.known) >= maxNames {
		clear(n.known)
	}
	key := string(b)
	s := strings.ToValidUTF8(key, "�")
	n.known[key] = s
	return s
}
