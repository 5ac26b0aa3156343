package sdk

import "testing"

// BenchmarkObject reads a line of 9 members.
func BenchmarkObject(b *testing.B) {
	line := `{"time":"2026-11-23T10:00:00.123Z","level":"info","logger":"com.example.orders.OrderService","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","user_id":1234,"duration_ms":17.25,"cached":true,"path":"/api/v1/orders/1234","message":"order was placed"}`
	text := textOf(line, "")
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	var o Object
	for range b.N {
		for o.Read(text); o.Next(); {
			continue
		}
		if !o.Whole() {
			b.Fatal("not whole")
		}
	}
}
