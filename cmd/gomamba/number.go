package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/pflag"
)

// number is the value of a flag that takes a number of a range. What lies outside is refused before anything is done
// or allocated with it, by a message that names the flag and the range.
type number[T int | float64] struct {
	value   *T
	parse   func(text string) (T, error)
	in      func(v T) bool
	allowed string
}

func (n *number[T]) Set(text string) error {
	v, err := n.parse(text)
	if err != nil || !n.in(v) {
		return errors.New("expected " + n.allowed)
	}
	*n.value = v
	return nil
}

func (n *number[T]) String() string {
	if n.value == nil {
		return "" // pflag asks a zero value for its default
	}
	return fmt.Sprint(*n.value)
}

// Type is what help shows.
func (n *number[T]) Type() string {
	if _, ok := any(n.value).(*int); ok {
		return "int"
	}
	return "float"
}

// expects is what the value of a flag says of its range.
type expects interface{ expected() string }

func (n *number[T]) expected() string { return n.allowed }

// most is a range that ends where numbers do.
const most = math.MaxInt

// intVar defines a flag, of which short may be empty, for a whole number from low to high. note says more of the range.
func intVar(flags *pflag.FlagSet, value *int, name, short string, usual, low, high int, note, usage string) {
	*value = usual
	n := &number[int]{value: value, parse: strconv.Atoi, in: func(v int) bool { return low <= v && v <= high }}
	if n.allowed = fmt.Sprintf("a whole number from %d to %d", low, high); high == most {
		n.allowed = fmt.Sprintf("a whole number from %d on", low)
	}
	n.allowed += note
	flags.VarP(n, name, short, usage)
}

// floatVar defines a flag for a number from low to high, or above low if that itself is out.
func floatVar(flags *pflag.FlagSet, value *float64, name string, usual, low, high float64, above bool, note, usage string) {
	*value = usual
	n := &number[float64]{value: value, in: func(v float64) bool { return v <= high && (v > low || v == low && !above) },
		parse: func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }}
	if n.allowed = "a number from " + decimal(low) + " to " + decimal(high); above {
		n.allowed = "a number above " + decimal(low) + ", up to " + decimal(high)
	}
	n.allowed += note
	flags.Var(n, name, usage)
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
