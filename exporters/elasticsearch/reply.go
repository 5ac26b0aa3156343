package elasticsearch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// item is the result of one document.
type item struct {
	ID     string `json:"_id"`
	Status int    `json:"status"`
	Error  *fault `json:"error"`
}

// fault is Elasticsearch's description of what went wrong.
type fault struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// UnmarshalJSON takes the object of today and the bare string of old proxies.
func (f *fault) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &f.Reason)
	}
	type plain fault
	return json.Unmarshal(b, (*plain)(f))
}

// ok reports whether the document is stored.
func (it *item) ok() bool { return it.Status >= 200 && it.Status < 300 }

// kind is the type of the error, or the status where there is none.
func (it *item) kind() string {
	if it.Error != nil && it.Error.Type != "" {
		return it.Error.Type
	}
	return "status_" + strconv.Itoa(it.Status)
}

// reason is the text of the error, bounded.
func (it *item) reason() string {
	if it.Error == nil {
		return ""
	}
	return printable(it.Error.Reason, 300)
}

var (
	errNoItems  = errors.New("it has no items")
	errNoStatus = errors.New("an item has no status")
)

// parseReply reads the answer to a request with n documents. It returns nil if
// all are stored, and the results in the order of the answer if not. An answer
// that does not speak of n documents is an error.
func parseReply(body []byte, n int) ([]item, error) {
	if allStored(body, n) {
		return nil, nil
	}
	var reply struct {
		Errors *bool `json:"errors"`
		Items  []struct {
			Create *item `json:"create"`
			Index  *item `json:"index"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return nil, err
	}
	if reply.Errors == nil && len(reply.Items) == 0 {
		return nil, errNoItems
	}
	if len(reply.Items) != n {
		return nil, fmt.Errorf("it has %d items for %d documents", len(reply.Items), n)
	}
	items := make([]item, n)
	stored := 0
	for i, it := range reply.Items {
		one := it.Create
		if one == nil {
			one = it.Index
		}
		if one == nil || one.Status == 0 {
			return nil, errNoStatus
		}
		items[i] = *one
		if one.ok() {
			stored++
		}
	}
	if stored == n {
		return nil, nil
	}
	return items, nil
}

// allStored knows the usual answer without parsing it: no errors, and n times a
// status that starts with 20.
func allStored(body []byte, n int) bool {
	body = bytes.TrimSpace(body)
	return bytes.HasPrefix(body, []byte(`{"errors":false,"items":[`)) &&
		bytes.HasSuffix(body, []byte(`}}]}`)) &&
		bytes.Count(body, []byte(`"status":20`)) == n
}

// parseError returns what an answer with an error status says, bounded.
func parseError(body []byte) string {
	var reply struct {
		Error *fault `json:"error"`
	}
	if json.Unmarshal(body, &reply) == nil && reply.Error != nil && reply.Error.Type+reply.Error.Reason != "" {
		text := reply.Error.Type
		if text != "" && reply.Error.Reason != "" {
			text += ": "
		}
		return printable(text+reply.Error.Reason, 300)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return "no explanation"
	}
	return quote(body, 200)
}

// quote returns the start of foreign bytes, quoted.
func quote(b []byte, limit int) string {
	if len(b) > limit {
		return strconv.Quote(string(b[:limit])) + "..."
	}
	return strconv.Quote(string(b))
}

// printable returns the start of a foreign text on one line.
func printable(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		for limit > 0 && !utf8.RuneStart(s[limit]) {
			limit--
		}
		s = s[:limit]
	}
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if cut {
		s += "..."
	}
	return s
}
