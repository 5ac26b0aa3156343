package main

import (
	"strings"

	"github.com/obsd-io/obsd/sdk"
)

// numbers says what a number means as a severity.
type numbers uint8

const (
	numbersNone numbers = iota
	numbersPino
	numbersSyslog
)

func numbersOf(name string) numbers {
	switch name {
	case "pino":
		return numbersPino
	case "syslog":
		return numbersSyslog
	}
	return numbersNone
}

// Severities between the first ones of the ranges.
const (
	severityInfo2  = sdk.SeverityInfo + 1
	severityError2 = sdk.SeverityError + 1
	severityError3 = sdk.SeverityError + 2
)

// levels are the names of severities, with what the logs data model's appendix B makes of syslog, zap and log4j.
var levels = []struct {
	name     string
	severity sdk.Severity
}{
	{"info", sdk.SeverityInfo},
	{"debug", sdk.SeverityDebug},
	{"warn", sdk.SeverityWarn},
	{"warning", sdk.SeverityWarn},
	{"error", sdk.SeverityError},
	{"err", sdk.SeverityError},
	{"trace", sdk.SeverityTrace},
	{"fatal", sdk.SeverityFatal},
	{"critical", severityError2},
	{"crit", severityError2},
	{"notice", severityInfo2},
	{"alert", severityError3},
	{"emerg", sdk.SeverityFatal},
	{"emergency", sdk.SeverityFatal},
	{"panic", severityError3},
	{"dpanic", severityError2},
	{"information", sdk.SeverityInfo},
	{"informational", sdk.SeverityInfo},
	{"inf", sdk.SeverityInfo},
	{"dbg", sdk.SeverityDebug},
	{"wrn", sdk.SeverityWarn},
	{"trc", sdk.SeverityTrace},
	{"verbose", sdk.SeverityTrace},
	{"severe", sdk.SeverityError},
	{"config", sdk.SeverityDebug},
	{"fine", sdk.SeverityDebug},
	{"finer", sdk.SeverityTrace},
	{"finest", sdk.SeverityTrace},
	{"t", sdk.SeverityTrace},
	{"d", sdk.SeverityDebug},
	{"i", sdk.SeverityInfo},
	{"w", sdk.SeverityWarn},
	{"e", sdk.SeverityError},
	{"f", sdk.SeverityFatal},
}

// syslogLevels are the severities of syslog's numbers (RFC 5424, §6.2.1).
var syslogLevels = [8]sdk.Severity{
	sdk.SeverityFatal, severityError3, severityError2, sdk.SeverityError, sdk.SeverityWarn, severityInfo2, sdk.SeverityInfo, sdk.SeverityDebug,
}

// lastLevels remembers a short name for each first letter.
var lastLevels [32]struct {
	word     uint64 // 0: none
	length   int
	severity int64
}

// level reads a severity.
func (n numbers) level(t sdk.Text, v *sdk.JSON) (severity int64, ok bool) {
	if v.Kind() == sdk.KindNumber {
		number, ok := v.Int()
		if !ok {
			return 0, false
		}
		return n.number(number)
	}
	if v.Kind() != sdk.KindString {
		return 0, false
	}
	s := v.Span()
	length := s.Len()
	if length == 0 || length > 8 {
		return n.name(v.String(""))
	}
	word := t.Word(s.Offset()) << (64 - 8*length)
	last := &lastLevels[t.Word(s.Offset())&31]
	if last.word != word || last.length != length {
		if severity, ok = n.name(v.String("")); !ok {
			return 0, false
		}
		last.word, last.length, last.severity = word, length, severity
	}
	return last.severity, true
}

func (n numbers) number(v int64) (int64, bool) {
	switch {
	case n == numbersPino && v >= 10 && v <= 60 && v%10 == 0:
		return 1 + 4*(v/10-1), true
	case n == numbersSyslog && v >= 0 && v < int64(len(syslogLevels)):
		return int64(syslogLevels[v]), true
	}
	return 0, false
}

// name reads a name, one of the data model's such as error2, one of slog's such as INFO+2, or a number as text.
func (n numbers) name(s string) (int64, bool) {
	if severity := named(s); severity != 0 {
		return int64(severity), true
	}
	if len(s) < 1 || s[len(s)-1]-'0' > 9 {
		return 0, false
	}
	digits := len(s)
	for digits > 0 && s[digits-1]-'0' <= 9 {
		digits--
	}
	number := int64(0)
	for _, c := range []byte(s[digits:min(len(s), digits+4)]) {
		number = 10*number + int64(c-'0')
	}
	if digits == 0 {
		return n.number(number)
	}
	return offset(s[:digits], number)
}

// offset reads a name with a number behind it: of the data model, which counts from 2 to 4, or of slog, which adds.
func offset(name string, number int64) (int64, bool) {
	switch sign := name[len(name)-1]; sign {
	case '+', '-':
		if sign == '-' {
			number = -number
		}
		if severity := int64(named(name[:len(name)-1])); severity != 0 {
			return max(1, min(24, severity+number)), true
		}
	default:
		switch severity := named(name); severity {
		case sdk.SeverityTrace, sdk.SeverityDebug, sdk.SeverityInfo, sdk.SeverityWarn, sdk.SeverityError, sdk.SeverityFatal:
			return int64(severity) + number - 1, number >= 2 && number <= 4
		}
	}
	return 0, false
}

// named is the severity of a name, in any case; 0 for none.
func named(s string) sdk.Severity {
	for _, l := range levels {
		if len(l.name) == len(s) && strings.EqualFold(l.name, s) {
			return l.severity
		}
	}
	return 0
}
