package condition

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/obsd-io/obsd/runtime/abi"
)

const (
	// maxNesting bounds parentheses within parentheses.
	maxNesting = 64
	// maxLength bounds a condition, in bytes.
	maxLength = 1 << 16
)

// Parser reads conditions that share their columns.
type Parser struct {
	// Columns are the columns that the conditions read, named as in a plugin's Reads, in the order of their first
	// appearance.
	Columns []string
	// Signals are those whose rows the conditions are for; none stands for all.
	Signals []abi.Signal
	// Regexp compiles the pattern of an IsMatch that is more than plain text with ^ or $. Without it such a pattern is
	// refused: a plugin that does not need it is spared the size of package regexp.
	Regexp func(pattern string) (func(string) bool, error)
}

// Parse reads a condition.
//
// # Errors
//
// Every error is an [*Error]: what is outside the subset is refused by column, with what is supported.
func (p *Parser) Parse(text string) (*Condition, error) {
	r := reader{lexer: lexer{text: text}, parser: p, signals: p.signals()}
	if len(text) > maxLength {
		return nil, r.fail(maxLength, "the condition is longer than 64 KiB")
	}
	r.advance()
	root := r.or()
	if r.err == nil && r.kind != kindEnd {
		r.unexpected("and, or, or the end")
	}
	if r.err != nil {
		return nil, r.err
	}
	c := &Condition{}
	for signal := range abi.Signal(len(c.chains)) {
		chain := &c.chains[signal]
		chain.Start = Reject
		if r.signals&(1<<signal) != 0 {
			chain.Start = chain.add(signal, root, Accept, Reject)
		}
	}
	return c, nil
}

// signals has the bit 1<<signal of each signal.
func (p *Parser) signals() uint8 {
	set := uint8(0)
	for _, signal := range p.Signals {
		set |= 1 << signal
	}
	if set == 0 {
		return all
	}
	return set
}

// expression is a condition's tree: a test, a constant, or two expressions joined.
type expression struct {
	join        join
	left, right *expression
	constant    bool
	test        Test
}

type join uint8

const (
	joinTest join = iota
	joinConstant
	joinAnd
	joinOr
	joinNot // of left
)

// add appends the tests of an expression, as they are for a signal, and returns where it starts, given where it leads.
func (c *Chain) add(signal abi.Signal, e *expression, yes, no int) int {
	if yes == no {
		return yes
	}
	switch e.join {
	case joinConstant:
		if e.constant {
			return yes
		}
		return no
	case joinAnd:
		return c.add(signal, e.left, c.add(signal, e.right, yes, no), no)
	case joinOr:
		return c.add(signal, e.left, yes, c.add(signal, e.right, yes, no))
	case joinNot:
		return c.add(signal, e.left, no, yes)
	}
	t := e.test
	t.Left, t.Right, t.yes, t.no = t.Left.in(signal), t.Right.in(signal), yes, no
	if t.Left.Column < 0 && t.Right.Column < 0 {
		return t.Next(t.Holds(t.Left.Value, t.Right.Value))
	}
	if t.Left.Column < 0 {
		t.Left, t.Right, t.op = t.Right, t.Left, t.op.mirrored()
	}
	if t.Right.Column < 0 {
		t.decide()
	}
	c.Tests = append(c.Tests, t)
	return len(c.Tests) - 1
}

// in is the operand for rows of a signal: nil if they have no such column.
func (o Operand) in(signal abi.Signal) Operand {
	if o.Column >= 0 && o.signals&(1<<signal) == 0 {
		return constant(Value{})
	}
	return o
}

// constant is an operand that is a literal.
func constant(v Value) Operand { return Operand{Column: -1, Value: v} }

// mirrored is the comparison with its sides exchanged.
func (o op) mirrored() op {
	m := o & opEqual
	if o&opLess != 0 {
		m |= opGreater
	}
	if o&opGreater != 0 {
		m |= opLess
	}
	return m
}

// reader is recursive descent over the tokens. After an error it reads no further.
type reader struct {
	lexer
	token
	parser  *Parser
	signals uint8
	nesting int
	err     *Error
}

func (r *reader) advance() {
	if r.err == nil {
		r.token, r.err = r.next()
	}
	if r.err != nil {
		r.token = token{kindEnd, "", len(r.lexer.text)}
	}
}

func (r *reader) refuse(at int, reason string) {
	if r.err == nil {
		r.err = r.fail(at, reason)
	}
	r.advance()
}

func (r *reader) unexpected(want string) {
	got := "the end"
	switch {
	case r.kind == kindString:
		got = "a string"
	case r.kind != kindEnd:
		got = strconv.Quote(r.token.text)
	}
	hint := ""
	switch upper := strings.ToLower(r.token.text); {
	case r.kind == kindWord && (upper == "and" || upper == "or" || upper == "not") && upper != r.token.text:
		hint = ": write " + upper + " in lower case"
	case r.token.text == "=":
		hint = ": write =="
	case r.token.text == "+" || r.token.text == "-" || r.token.text == "*" || r.token.text == "/":
		hint = ": arithmetic is not supported"
	}
	r.refuse(r.token.at, "want "+want+", got "+got+hint)
}

// take consumes a word or mark, if it is next.
func (r *reader) take(text string) bool {
	if r.token.text != text || r.kind != kindWord && r.kind != kindMark {
		return false
	}
	r.advance()
	return true
}

func (r *reader) expect(mark string) {
	if !r.take(mark) {
		r.unexpected(mark)
	}
}

func (r *reader) or() *expression {
	e := r.and()
	for r.take("or") {
		e = &expression{join: joinOr, left: e, right: r.and()}
	}
	return e
}

func (r *reader) and() *expression {
	e := r.factor()
	for r.take("and") {
		e = &expression{join: joinAnd, left: e, right: r.factor()}
	}
	return e
}

func (r *reader) factor() *expression {
	if r.take("not") {
		return &expression{join: joinNot, left: r.plainFactor()}
	}
	return r.plainFactor()
}

func (r *reader) plainFactor() *expression {
	switch {
	case r.kind == kindMark && r.token.text == "(":
		return r.parentheses()
	case r.kind == kindWord && strings.Contains(functions, " "+r.token.text+" "):
		return r.function()
	}
	start := r.token
	left := r.value()
	if r.kind != kindOperator {
		if start.kind == kindWord && (start.text == "true" || start.text == "false") {
			return &expression{join: joinConstant, constant: start.text == "true"}
		}
		r.unexpected("a comparison (== != < <= > >=)")
		return &expression{}
	}
	o := operators[r.token.text]
	r.advance()
	right := r.token
	return &expression{test: r.comparison(start, right, Test{Left: left, op: o, Right: r.value()})}
}

// comparison checks a comparison whose operands start at left and right: an id's digits are turned into its bytes.
func (r *reader) comparison(left, right token, t Test) Test {
	id, at, literal := &t.Left, left, &t.Right
	if id.digits == 0 {
		id, at, literal = &t.Right, right, &t.Left
	}
	if id.digits == 0 {
		return t
	}
	if literal.Column >= 0 || literal.Value.Type != abi.TypeString || t.op != opEqual && t.op != opNotEqual {
		r.refuse(at.at, "the digits of an id are compared by == and != with a text only")
		return t
	}
	// A text of any other form stays one: it is different from all ids.
	if b, err := hex.DecodeString(literal.Value.Text); err == nil && len(b) == id.digits && literal.Value.Text == strings.ToLower(literal.Value.Text) {
		literal.Value = Value{Type: abi.TypeBytes, Text: string(b)}
	}
	return t
}

var operators = map[string]op{
	"==": opEqual, "!=": opNotEqual, "<": opLess, "<=": opLessEqual, ">": opGreater, ">=": opGreaterEqual,
}

func (r *reader) parentheses() *expression {
	if r.nesting++; r.nesting > maxNesting {
		r.refuse(r.token.at, "more than "+strconv.Itoa(maxNesting)+" parentheses within each other")
		return &expression{}
	}
	r.advance()
	e := r.or()
	r.expect(")")
	r.nesting--
	return e
}

// functions lists the functions, each between spaces.
const functions = " HasPrefix HasSuffix Contains IsMatch "

func (r *reader) function() *expression {
	e := &expression{}
	switch r.token.text {
	case "HasPrefix":
		e.test.op = opHasPrefix
	case "HasSuffix":
		e.test.op = opHasSuffix
	case "Contains":
		e.test.op = opContains
	default:
		e.test.op = opIsMatch
	}
	r.advance()
	r.expect("(")
	at := r.token.at
	switch e.test.Left = r.value(); {
	case e.test.Left.Column < 0:
		r.refuse(at, "want a path, such as body or attributes[\"key\"], as the first argument")
	case e.test.Left.digits > 0:
		r.refuse(at, "the digits of an id are compared by == and != with a text only")
	}
	r.expect(",")
	if r.kind != kindString {
		r.unexpected("a string as the second argument")
		return e
	}
	pattern := r.token
	e.test.Right = constant(Value{Type: abi.TypeString, Text: pattern.text})
	r.advance()
	r.expect(")")
	if e.test.op == opIsMatch {
		e.test.match = r.compile(pattern)
	}
	return e
}

// compile makes the matcher of a pattern.
func (r *reader) compile(pattern token) func(string) bool {
	if o, text, ok := literal(pattern.text); ok {
		return plain(o, text)
	}
	if r.parser.Regexp == nil {
		r.refuse(pattern.at, "regular expressions are not supported here, only plain text with ^ before and $ behind it; HasPrefix, HasSuffix and Contains are")
		return nil
	}
	match, err := r.parser.Regexp(pattern.text)
	if err != nil {
		r.refuse(pattern.at, err.Error())
	}
	return match
}

// value reads a path or literal.
func (r *reader) value() Operand {
	t := r.token
	switch t.kind {
	case kindString:
		r.advance()
		return constant(Value{Type: abi.TypeString, Text: t.text})
	case kindInt:
		r.advance()
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			r.refuse(t.at, "the number does not fit 64 bits")
		}
		return constant(Value{Type: abi.TypeInt, Int: n})
	case kindFloat:
		r.advance()
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			r.refuse(t.at, "the number does not fit a double")
		}
		return constant(Value{Type: abi.TypeDouble, Double: f})
	case kindWord:
		r.advance()
		return r.word(t)
	}
	r.unexpected("a path or literal")
	return constant(Value{})
}

// word reads what starts with a word that was consumed.
func (r *reader) word(t token) Operand {
	switch t.text {
	case "nil":
		return constant(Value{})
	case "true":
		return constant(Value{Type: abi.TypeBool, Int: 1})
	case "false":
		return constant(Value{Type: abi.TypeBool})
	}
	if n, there, ok := enum(t.text); ok {
		if there != "" {
			r.refuse(t.at, t.text+" is not known; there are "+there)
		}
		return constant(Value{Type: abi.TypeInt, Int: n})
	}
	if r.kind == kindMark && r.token.text == "(" {
		r.refuse(t.at, "function "+t.text+" is not supported; there are "+strings.ReplaceAll(strings.TrimSpace(functions), " ", ", "))
		return constant(Value{})
	}
	return r.path(t)
}
