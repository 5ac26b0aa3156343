package sdktest

import (
	"math"
	"slices"

	"github.com/obsd-io/obsd/runtime/abi"
	"github.com/obsd-io/obsd/sdk"
)

// limits are the least and the most of fields that are ints, where they are not those of a time.
var limits = map[abi.Field][2]int64{
	abi.FieldSeverity:          {0, 24},
	abi.FieldFlags:             {0, math.MaxUint32},
	abi.FieldSpanKind:          {0, 5},
	abi.FieldSpanStatusCode:    {0, 2},
	abi.FieldMetricType:        {abi.MetricGauge, abi.MetricSum},
	abi.FieldMetricTemporality: {1, 2},
}

// idLengths are the lengths of fields that are bytes.
var idLengths = map[abi.Field]int{abi.FieldTraceID: 16, abi.FieldSpanID: 8, abi.FieldSpanParentID: 8}

// setField applies an edit of a field.
func (o *output) setField(t target, e edit) {
	o.p.t.Helper()
	f := abi.Field(e.name)
	i := slices.IndexFunc(abi.Fields, func(info abi.FieldInfo) bool { return info.Field == f && info.Field != 0 })
	if i < 0 {
		o.p.t.Fatalf("row %d: sets field %d, which is not known", e.row, f)
	}
	info := abi.Fields[i]
	if info.Signals>>t.signal()&1 == 0 {
		o.p.t.Fatalf("row %d: sets %s, which %s do not have", e.row, info.Column, abi.SignalNames[t.signal()])
	}
	if info.Write != "" {
		o.declared(t, info.Write)
	} else if !t.made || t.copied {
		o.p.t.Fatalf("row %d: sets %s, which only new data points can", e.row, info.Column)
	}
	if f == abi.FieldSeverity && e.typ == abi.TypeName {
		t.row.(*Log).SeverityText = o.name(e.cell >> 32)
		e.typ, e.cell = abi.TypeInt, e.cell&math.MaxUint32
	}
	switch field := t.field(info.Column).(type) {
	case *any:
		*field = o.anyField(t, e)
	case *string:
		*field = o.stringField(e, info)
	case *bool:
		if e.typ != abi.TypeBool {
			o.wrongType(e, info, "a bool")
		}
		*field = e.cell != 0
	case *int64:
		*field = o.intField(e, info)
	case *uint32:
		*field = uint32(o.intField(e, info))
	case *sdk.Severity:
		*field = sdk.Severity(o.intField(e, info))
	case *[]byte:
		*field = o.idField(e, info)
	}
}

func (o *output) wrongType(e edit, info abi.FieldInfo, want string) {
	o.p.t.Helper()
	o.p.t.Fatalf("row %d: %s: a value of type %d, want %s", e.row, info.Column, e.typ, want)
}

// anyField is a body's value or a data point's.
func (o *output) anyField(t target, e edit) any {
	o.p.t.Helper()
	if point, ok := t.row.(*Point); ok {
		if kind := point.metricType(); kind != abi.MetricGauge && kind != abi.MetricSum {
			o.p.t.Fatalf("row %d: value: only data points of a gauge or sum have one", e.row)
		}
		if e.typ != abi.TypeInt && e.typ != abi.TypeDouble {
			o.p.t.Fatalf("row %d: value: a value of type %d, want an int or double", e.row, e.typ)
		}
	}
	if e.typ == abi.TypeNone {
		return nil
	}
	return o.value(e)
}

func (o *output) stringField(e edit, info abi.FieldInfo) string {
	o.p.t.Helper()
	if e.typ != abi.TypeNone {
		switch v := o.value(e).(type) {
		case string:
			if e.typ != abi.TypeJSON {
				return v
			}
		case []byte:
			if e.typ != abi.TypeBytes {
				return string(v)
			}
		}
	}
	o.wrongType(e, info, "a string")
	return ""
}

func (o *output) intField(e edit, info abi.FieldInfo) int64 {
	o.p.t.Helper()
	if e.typ != abi.TypeInt {
		o.wrongType(e, info, "an int")
	}
	limit, ok := limits[info.Field]
	if !ok {
		limit = [2]int64{0, math.MaxInt64}
	}
	if v := int64(e.cell); v < limit[0] || v > limit[1] {
		o.p.t.Fatalf("row %d: %s: %d, want %d to %d", e.row, info.Column, v, limit[0], limit[1])
	}
	return int64(e.cell)
}

func (o *output) idField(e edit, info abi.FieldInfo) []byte {
	o.p.t.Helper()
	if e.typ == abi.TypeNone {
		return nil
	}
	id, ok := o.value(e).([]byte)
	if !ok {
		o.wrongType(e, info, "bytes")
	}
	if want := idLengths[info.Field]; len(id) != want {
		o.p.t.Fatalf("row %d: %s: %d bytes, want %d", e.row, info.Column, len(id), want)
	}
	return id
}
