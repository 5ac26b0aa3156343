package table

import (
	"fmt"

	"github.com/obsd-io/obsd/runtime/abi"
)

// want says what values a field takes.
type want uint8

const (
	wantAny      want = iota // or none
	wantInt                  // from least to most
	wantString               //
	wantID                   // most bytes, or none
	wantNumber               // int or double
	wantBool                 //
	wantSeverity             // an int, or number and name in one
)

// rule is what an edit of a field is held against.
type rule struct {
	abi.FieldInfo
	want        want
	least, most int64
}

// name is what the field is called in errors.
func (r *rule) name() string { return r.Column }

// rules has the rule of each abi.Field by its number; the zero rule is of no field.
var rules = fieldRules()

func fieldRules() (all [fields]rule) {
	const maxTime = 1<<63 - 1
	for _, info := range abi.Fields {
		if info.Field == 0 {
			continue
		}
		r := rule{FieldInfo: info}
		switch info.Field {
		case abi.FieldBody:
			r.want = wantAny
		case abi.FieldTime, abi.FieldObservedTime, abi.FieldStartTime, abi.FieldSpanEndTime:
			r.want, r.most = wantInt, maxTime
		case abi.FieldSeverity:
			r.want, r.most = wantSeverity, 24
		case abi.FieldFlags:
			r.want, r.most = wantInt, 1<<32-1
		case abi.FieldTraceID:
			r.want, r.most = wantID, 16
		case abi.FieldSpanID, abi.FieldSpanParentID:
			r.want, r.most = wantID, 8
		case abi.FieldValue:
			r.want = wantNumber
		case abi.FieldMetricType, abi.FieldMetricTemporality:
			r.want, r.least, r.most = wantInt, 1, 2
		case abi.FieldMetricMonotonic:
			r.want = wantBool
		case abi.FieldSpanKind:
			r.want, r.most = wantInt, 5
		case abi.FieldSpanStatusCode:
			r.want, r.most = wantInt, 2
		default:
			r.want = wantString
		}
		all[info.Field] = r
	}
	return all
}

// rowOf names a row of a signal in errors.
var rowOf = [signals]string{abi.SignalLogs: "a log record", abi.SignalMetrics: "a data point", abi.SignalTraces: "a span"}

// metricOf names types of metrics in errors.
var metricOf = [...]string{
	abi.MetricGauge: "gauge", abi.MetricSum: "sum", abi.MetricHistogram: "histogram",
	abi.MetricExponentialHistogram: "exponential histogram", abi.MetricSummary: "summary",
}

// checkField holds an edit of op OpSet against the field's rule.
func (c *checker) checkField(e edit) error {
	if e.name() >= uint16(fields) || rules[e.name()].Field == 0 {
		return fmt.Errorf("field %d is not known", e.name())
	}
	rule, field := &rules[e.name()], abi.Field(e.name())
	if rule.Signals&(1<<c.signal) == 0 {
		return fmt.Errorf("%s: %s has none", rule.name(), rowOf[c.signal])
	}
	if err := c.mayWrite(rule); err != nil {
		return err
	}
	if field == abi.FieldValue && c.kind > abi.MetricSum {
		return fmt.Errorf("value: the data point is of a metric of type %s, which has none", metricOf[c.kind])
	}
	if err := c.checkWanted(rule, e); err != nil {
		return err
	}
	switch field {
	case abi.FieldMetricType:
		c.kind = int(e.cell)
	case abi.FieldMetricName:
		if e.typ() != abi.TypeName && e.cell>>32 == 0 || e.typ() == abi.TypeName && c.s.names[e.cell].text == "" {
			return fmt.Errorf("metric.name: empty")
		}
	}
	c.set |= 1 << field
	return nil
}

// mayWrite says whether the row at hand, old or new, may be given the field.
func (c *checker) mayWrite(rule *rule) error {
	switch {
	case rule.Write == "" && !c.empty:
		return fmt.Errorf("%s: only a new data point that is no copy can be given one", rule.name())
	case c.fresh || c.s.plan.writes[rule.Field]:
		return nil
	}
	return notDeclared(rule.Write)
}

// checkWanted checks a value's type and bounds.
func (c *checker) checkWanted(rule *rule, e edit) error {
	if e.typ() == abi.TypeNone && (rule.want == wantAny || rule.want == wantID) {
		return nil
	}
	switch rule.want {
	case wantAny:
		return c.s.checkValue(c.r, e)
	case wantSeverity:
		if e.typ() == abi.TypeName {
			if name := e.cell >> 32; name >= uint64(len(c.s.names)) {
				return fmt.Errorf("severity_text: name %d was not announced", name)
			}
			e = edit{abi.Edit(e.row(), e.name(), e.op(), abi.TypeInt), e.cell & 0xffffffff}
		}
		return checkInt(rule, e)
	case wantInt:
		return checkInt(rule, e)
	case wantNumber:
		if e.typ() != abi.TypeInt && e.typ() != abi.TypeDouble {
			return fmt.Errorf("%s: type %d is neither int nor double", rule.name(), e.typ())
		}
		return nil
	case wantBool:
		if e.typ() != abi.TypeBool {
			return fmt.Errorf("%s: type %d is not a bool", rule.name(), e.typ())
		}
		return nil
	case wantID:
		return c.checkID(rule, e)
	}
	if e.typ() != abi.TypeString && e.typ() != abi.TypeName && e.typ() < abi.TypeSlice {
		return fmt.Errorf("%s: type %d is not a string", rule.name(), e.typ())
	}
	return c.s.checkValue(c.r, e)
}

func checkInt(rule *rule, e edit) error {
	if e.typ() != abi.TypeInt || int64(e.cell) < rule.least || int64(e.cell) > rule.most {
		return fmt.Errorf("%s: type %d, value %d; want type %d, %d to %d", rule.name(), e.typ(), int64(e.cell), abi.TypeInt, rule.least, rule.most)
	}
	return nil
}

func (c *checker) checkID(rule *rule, e edit) error {
	if e.typ() != abi.TypeBytes && e.typ() < abi.TypeSlice {
		return fmt.Errorf("%s: type %d is not bytes", rule.name(), e.typ())
	}
	if err := c.s.checkValue(c.r, e); err != nil {
		return err
	}
	if e.typ() >= abi.TypeSlice {
		if _, typ, _ := c.s.sliced(e); typ != abi.TypeBytes {
			return fmt.Errorf("%s: a slice of column %d, which is not bytes", rule.name(), e.typ()&^abi.TypeSlice)
		}
	}
	if n := e.cell >> 32; n != uint64(rule.most) {
		return fmt.Errorf("%s: %d bytes, want %d", rule.name(), n, rule.most)
	}
	return nil
}
