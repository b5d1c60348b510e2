package jinja

import "math"

// arithmetic computes with two numbers as Python does, except that integers have 64 bits.
func (r *run) arithmetic(op string, a, b any) any {
	x, xf, xFloat, _ := number(a)
	y, yf, yFloat, _ := number(b)
	if op == "/" || xFloat || yFloat {
		return r.floats(op, xf, yf)
	}
	var n int64
	ok := true
	switch op {
	case "+":
		n = x + y
		ok = (n > x) == (y > 0)
	case "-":
		n = x - y
		ok = (n < x) == (y > 0)
	case "*":
		n = x * y
		ok = x == 0 || n/x == y && !(x == -1 && y == math.MinInt64)
	case "//", "%":
		if y == 0 {
			r.fail("integer division or modulo by zero")
		}
		q, m := x/y, x%y
		if m != 0 && (m < 0) != (y < 0) {
			q, m = q-1, m+y
		}
		if n = q; op == "%" {
			n = m
		}
	case "**":
		if y < 0 {
			return r.floats(op, xf, yf)
		}
		n, ok = power(x, y)
	}
	if !ok {
		r.fail("%d %s %d has more than 64 bits", x, op, y)
	}
	return n
}

// power is x**y of integers, y not negative.
func power(x, y int64) (n int64, ok bool) {
	if -1 <= x && x <= 1 {
		y = min(y, 2-y%2) // all odd powers are the same, and all even ones but the first
	}
	n = 1
	for ; y > 0; y-- {
		next := n * x
		if x != 0 && next/x != n {
			return 0, false
		}
		n = next
	}
	return n, true
}

func (r *run) floats(op string, x, y float64) any {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "**":
		return math.Pow(x, y)
	}
	if y == 0 {
		r.fail("float division by zero")
	}
	switch op {
	case "//":
		return math.Floor(x / y)
	case "%":
		m := math.Mod(x, y)
		if m != 0 && (m < 0) != (y < 0) {
			m += y
		}
		return m
	}
	return x / y
}
