package filelog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// accessLines returns n nginx-combined lines behind a CRI prefix, about 185 bytes each, the same on every call.
func accessLines(n int) []byte {
	random := rand.New(rand.NewPCG(7, 7))
	paths := []string{"/", "/api/v1/users", "/static/app.js", "/login", "/health", "/api/v1/orders/81237", "/api/v2/search?q=4711"}
	agents := []string{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
		"curl/8.5.0", "kube-probe/1.30", "Go-http-client/1.1",
	}
	statuses := []int{200, 200, 200, 200, 200, 201, 301, 404, 500, 503}
	start := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	var b bytes.Buffer
	for i := range n {
		at := start.Add(time.Duration(i) * time.Millisecond)
		fmt.Fprintf(&b, "%s stdout F 10.%d.%d.%d - - [%s] \"GET %s HTTP/1.1\" %d %d \"https://example.com/\" \"%s\"\n",
			at.Format("2006-01-02T15:04:05.000000000Z"), random.IntN(256), random.IntN(256), random.IntN(256),
			at.Format("02/Jan/2006:15:04:05 -0700"), paths[random.IntN(len(paths))], statuses[random.IntN(len(statuses))],
			100+random.IntN(90000), agents[random.IntN(len(agents))])
	}
	return b.Bytes()
}

// dockerLines returns the same messages as Docker's json-file driver writes them.
func dockerLines(n int) []byte {
	var b bytes.Buffer
	for line := range bytes.Lines(accessLines(n)) {
		at, message, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{'\n'}), []byte(" stdout F "))
		fmt.Fprintf(&b, `{"log":%s,"stream":"stdout","time":"%s"}`+"\n", strconv.Quote(string(message)+"\n"), at)
	}
	return b.Bytes()
}
