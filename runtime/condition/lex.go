package condition

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what a token is.
type kind uint8

const (
	kindEnd kind = iota
	kindWord
	kindString // text is the content
	kindInt
	kindFloat
	kindOperator // == != < <= > >=
	kindMark     // ( ) [ ] , .
	kindOther
)

// token is a piece of a condition.
type token struct {
	kind kind
	text string
	at   int // in bytes
}

// lexer cuts a condition into tokens.
type lexer struct {
	text string
	at   int
}

func (l *lexer) fail(at int, reason string) *Error {
	return &Error{utf8.RuneCountInString(l.text[:at]) + 1, reason}
}

func (l *lexer) next() (token, *Error) {
	l.at += len(l.text[l.at:]) - len(strings.TrimLeft(l.text[l.at:], " \t\r\n"))
	start := l.at
	if start == len(l.text) {
		return token{kindEnd, "", start}, nil
	}
	switch c := l.text[start]; {
	case c == '"':
		return l.string()
	case isDigit(c), (c == '-' || c == '+' || c == '.') && l.digitAfter(start+1):
		return l.number(), nil
	case isLetter(c):
		for l.at < len(l.text) && (isLetter(l.text[l.at]) || isDigit(l.text[l.at])) {
			l.at++
		}
		return token{kindWord, l.text[start:l.at], start}, nil
	case strings.IndexByte("=!<>", c) >= 0:
		return l.operator(), nil
	case strings.IndexByte("()[],.", c) >= 0:
		l.at++
		return token{kindMark, l.text[start:l.at], start}, nil
	}
	_, size := utf8.DecodeRuneInString(l.text[start:])
	l.at += size
	return token{kindOther, l.text[start:l.at], start}, nil
}

func isDigit(c byte) bool { return c-'0' < 10 }

func isLetter(c byte) bool { return c|' '-'a' < 26 || c == '_' }

// digitAfter says whether a number goes on at i: with a digit, or a point and a digit.
func (l *lexer) digitAfter(i int) bool {
	if i < len(l.text) && l.text[i] == '.' && l.text[i-1] != '.' {
		i++
	}
	return i < len(l.text) && isDigit(l.text[i])
}

// number reads [-+]?digits or [-+]?digits?.digits([eE][-+]?digits)?.
func (l *lexer) number() token {
	start := l.at
	if c := l.text[l.at]; c == '-' || c == '+' {
		l.at++
	}
	l.digits()
	if l.at+1 >= len(l.text) || l.text[l.at] != '.' || !isDigit(l.text[l.at+1]) {
		return token{kindInt, l.text[start:l.at], start}
	}
	l.at++
	l.digits()
	if rest := l.text[l.at:]; len(rest) > 1 && rest[0]|' ' == 'e' {
		sign := 0
		if rest[1] == '-' || rest[1] == '+' {
			sign = 1
		}
		if len(rest) > 1+sign && isDigit(rest[1+sign]) {
			l.at += 1 + sign
			l.digits()
		}
	}
	return token{kindFloat, l.text[start:l.at], start}
}

func (l *lexer) digits() {
	for l.at < len(l.text) && isDigit(l.text[l.at]) {
		l.at++
	}
}

func (l *lexer) operator() token {
	start := l.at
	l.at++
	if l.at < len(l.text) && l.text[l.at] == '=' {
		l.at++
	}
	t := token{kindOperator, l.text[start:l.at], start}
	if t.text == "=" || t.text == "!" {
		t.kind = kindOther
	}
	return t
}

// string reads a string with the escapes of Go.
func (l *lexer) string() (token, *Error) {
	start := l.at
	rest, content := l.text[start+1:], []byte(nil)
	for {
		if rest == "" {
			return token{}, l.fail(start, `the string has no closing "`)
		}
		if rest[0] == '"' {
			l.at = len(l.text) - len(rest) + 1
			return token{kindString, string(content), start}, nil
		}
		at := len(l.text) - len(rest)
		var ok bool
		if content, rest, ok = unquote(content, rest); !ok {
			return token{}, l.fail(at, `no such escape in a string; there are \" \\ \n \t \r \a \b \f \v \x12 \u1234 \U00012345 and \012`)
		}
	}
}

// unquote moves one character of a string's content, perhaps an escape, from s to b.
func unquote(b []byte, s string) (content []byte, rest string, ok bool) {
	if s[0] != '\\' {
		_, size := utf8.DecodeRuneInString(s)
		return append(b, s[:size]...), s[size:], true
	}
	r, multibyte, rest, err := strconv.UnquoteChar(s, '"')
	if err != nil {
		return b, s, false
	}
	if multibyte {
		return utf8.AppendRune(b, r), rest, true
	}
	return append(b, byte(r)), rest, true
}
