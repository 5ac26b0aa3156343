package condition

import (
	"slices"
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
	r := reader{lexer: lexer{text: text}, parser: p}
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
	c.start = c.add(root, accept, reject)
	return c, nil
}

// expression is a condition's tree: a test, a constant, or two expressions joined.
type expression struct {
	join        join
	left, right *expression
	constant    bool
	test        test
}

type join uint8

const (
	joinTest join = iota
	joinConstant
	joinAnd
	joinOr
	joinNot // of left
)

// add appends the tests of an expression and returns where it starts, given where it leads.
func (c *Condition) add(e *expression, yes, no int) int {
	switch e.join {
	case joinConstant:
		if e.constant {
			return yes
		}
		return no
	case joinAnd:
		return c.add(e.left, c.add(e.right, yes, no), no)
	case joinOr:
		return c.add(e.left, yes, c.add(e.right, yes, no))
	case joinNot:
		return c.add(e.left, no, yes)
	}
	e.test.yes, e.test.no = yes, no
	c.tests = append(c.tests, e.test)
	return len(c.tests) - 1
}

// reader is recursive descent over the tokens. After an error it reads no further.
type reader struct {
	lexer
	token
	parser  *Parser
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
	e := &expression{test: test{left: left, op: operators[r.token.text]}}
	r.advance()
	e.test.right = r.value()
	return e
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
	if e.test.left = r.value(); e.test.left.column < 0 {
		r.refuse(at, "want a path, such as body or attributes[\"key\"], as the first argument")
	}
	r.expect(",")
	if r.kind != kindString {
		r.unexpected("a string as the second argument")
		return e
	}
	pattern := r.token
	e.test.right = operand{-1, Value{Type: abi.TypeString, Text: pattern.text}}
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
func (r *reader) value() operand {
	t := r.token
	switch t.kind {
	case kindString:
		r.advance()
		return operand{-1, Value{Type: abi.TypeString, Text: t.text}}
	case kindInt:
		r.advance()
		n, err := strconv.ParseInt(t.text, 10, 64)
		if err != nil {
			r.refuse(t.at, "the number does not fit 64 bits")
		}
		return operand{-1, Value{Type: abi.TypeInt, Int: n}}
	case kindFloat:
		r.advance()
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			r.refuse(t.at, "the number does not fit a double")
		}
		return operand{-1, Value{Type: abi.TypeDouble, Double: f}}
	case kindWord:
		r.advance()
		return r.word(t)
	}
	r.unexpected("a path or literal")
	return operand{column: -1}
}

// word reads what starts with a word that was consumed.
func (r *reader) word(t token) operand {
	switch {
	case t.text == "nil":
		return operand{column: -1}
	case t.text == "true":
		return operand{-1, Value{Type: abi.TypeBool, Int: 1}}
	case t.text == "false":
		return operand{-1, Value{Type: abi.TypeBool}}
	case strings.HasPrefix(t.text, severityPrefix):
		n, ok := severity(t.text[len(severityPrefix):])
		if !ok {
			r.refuse(t.at, t.text+" is not known; there are "+severityPrefix+"TRACE, DEBUG, INFO, WARN, ERROR, FATAL, each also with 2, 3 or 4 behind it, and UNSPECIFIED")
		}
		return operand{-1, Value{Type: abi.TypeInt, Int: n}}
	case r.kind == kindMark && r.token.text == "(":
		r.refuse(t.at, "function "+t.text+" is not supported; there are "+strings.ReplaceAll(strings.TrimSpace(functions), " ", ", "))
		return operand{column: -1}
	}
	return r.path(t)
}

// path reads a path whose first word was consumed.
func (r *reader) path(t token) operand {
	name, prefix := t.text, "attributes."
	if name == "log" || name == "resource" {
		r.expect(".")
		name = r.token.text
		if r.kind != kindWord || t.text == "resource" && name != "attributes" {
			r.refuse(t.at, "this path is not known; "+knownPaths)
			return operand{column: -1}
		}
		r.advance()
	}
	if t.text == "resource" {
		prefix = "resource."
	}
	if f, ok := fields[name]; ok {
		if r.token.text == "[" || r.token.text == "." {
			r.refuse(r.token.at, name+" is read as a whole: keys and fields of it are not supported")
		}
		return operand{r.column(f.column), f.absent}
	}
	if name != "attributes" {
		r.refuse(t.at, strconv.Quote(name)+" is not known; "+knownPaths)
		return operand{column: -1}
	}
	return operand{column: r.column(prefix + r.key(t, prefix))}
}

// key reads ["key"] behind attributes.
func (r *reader) key(t token, prefix string) string {
	if r.token.text == "." && r.kind == kindMark {
		r.refuse(t.at, `write the key as in attributes["key"]`)
		return ""
	}
	r.expect("[")
	key := r.token
	if r.kind != kindString {
		r.unexpected("a key in quotes")
		return ""
	}
	r.advance()
	r.expect("]")
	if key.text == "" || key.text == "*" {
		r.refuse(key.at, "the key "+strconv.Quote(key.text)+" cannot be read")
	}
	if r.kind == kindMark && r.token.text == "[" {
		r.refuse(r.token.at, "an attribute is read as a whole: keys within "+prefix+key.text+" are not supported")
	}
	return key.text
}

// column numbers a column.
func (r *reader) column(name string) int {
	if r.err != nil {
		return -1
	}
	i := slices.Index(r.parser.Columns, name)
	if i < 0 {
		i = len(r.parser.Columns)
		r.parser.Columns = append(r.parser.Columns, name)
	}
	return i
}
