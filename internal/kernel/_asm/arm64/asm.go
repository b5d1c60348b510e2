package main

import (
	"fmt"
	"math"
	"strings"
)

// asm collects the text of one assembly file, the declarations of its functions and its constants.
//
// There is no allocation of registers: each generator says which it uses for what. R18, R27 and R28 belong to the system and to
// Go. R20 holds the address of the constants in functions that begin with it.
type asm struct {
	text, stubs strings.Builder

	name      string            // of the table of constants
	constants []quad            // in its order
	at        map[quad]int      // where each stands
	params    map[string]string // operands of the function's parameters
}

// V is a vector register, R a general one.
type (
	V int
	R int
)

func (v V) String() string { return fmt.Sprintf("V%d", int(v)) }
func (r R) String() string { return fmt.Sprintf("R%d", int(r)) }

const constantsR R = 20

// quad is a constant of 128 bits, the lower half first.
type quad [2]uint64

func newAsm(name string) *asm { return &asm{name: name, at: map[quad]int{}} }

// p writes an instruction that the Go assembler has a name for.
func (a *asm) p(format string, args ...any) { fmt.Fprintf(&a.text, "\t"+format+"\n", args...) }

// word writes any other instruction, with its text in Arm's notation.
func (a *asm) word(op uint32, format string, args ...any) {
	a.p("WORD $0x%08x // %s", op, fmt.Sprintf(format, args...))
}

func (a *asm) label(name string) { fmt.Fprintf(&a.text, "%s:\n", name) }

// fn begins a function. signature is Go's; a result without a name is called ret. frame is its stack in bytes.
func (a *asm) fn(name, signature string, frame int, doc ...string) {
	fmt.Fprintf(&a.stubs, "\n// %s %s\n//\n//go:noescape\nfunc %s%s\n", name, strings.Join(doc, "\n// "), name, signature)
	list, result, _ := strings.Cut(strings.TrimPrefix(signature, "("), ")")
	a.params = map[string]string{}
	offset := 0
	place := func(name, typ string) {
		size := 8
		if typ == "float32" || typ == "uint32" {
			size = 4
		}
		offset = (offset + size - 1) / size * size
		a.params[name] = fmt.Sprintf("%s+%d(FP)", name, offset)
		offset += size
	}
	places := func(list string) {
		var names []string
		for _, part := range strings.Split(list, ", ") {
			name, typ, typed := strings.Cut(part, " ")
			names = append(names, name)
			if typed {
				for _, n := range names {
					place(n, typ)
				}
				names = nil
			}
		}
	}
	places(list)
	result = strings.Trim(result, " ()")
	if result != "" {
		offset = (offset + 7) &^ 7
		if !strings.Contains(result, " ") {
			result = "ret " + result
		}
		places(result)
	}
	flags := "NOSPLIT"
	if frame > 0 {
		flags = "0"
	}
	fmt.Fprintf(&a.text, "// func %s%s\nTEXT ·%s(SB), %s, $%d-%d\n", name, signature, name, flags, frame, offset)
}

func (a *asm) ret() { a.p("RET"); a.text.WriteByte('\n') }

// load sets registers to parameters.
func (a *asm) load(r R, param string) { a.p("MOVD %s, %v", a.param(param), r) }

func (a *asm) param(name string) string {
	operand, ok := a.params[name]
	if !ok {
		panic("no parameter " + name)
	}
	return operand
}

// useConstants sets the register of the constants.
func (a *asm) useConstants() { a.p("MOVD $%s<>(SB), %v", a.name, constantsR) }

// constant loads a constant. Loads are cheaper than the vector instructions beside them, so that a polynomial takes its
// coefficients from memory anew for every step.
func (a *asm) constant(d V, q quad) {
	at, ok := a.at[q]
	if !ok {
		at = 16 * len(a.constants)
		a.at[q], a.constants = at, append(a.constants, q)
	}
	a.ldr(d, at, constantsR)
}

// bytes returns where n bytes of constants begin, a multiple of 16, that stand together.
func (a *asm) bytes(n int, value func(i int) uint8) int {
	first := bytesOf(value)
	if at, ok := a.at[first]; ok {
		return at
	}
	at := 16 * len(a.constants)
	a.at[first] = at
	for i := 0; i < n; i += 16 {
		a.constants = append(a.constants, bytesOf(func(j int) uint8 { return value(i + j) }))
	}
	return at
}

// table returns the text of the constants.
func (a *asm) table() string {
	var s strings.Builder
	for i, q := range a.constants {
		for half, v := range q {
			fmt.Fprintf(&s, "DATA %s<>+%d(SB)/8, $0x%016x\n", a.name, 16*i+8*half, v)
		}
	}
	fmt.Fprintf(&s, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", a.name, 16*max(1, len(a.constants)))
	return s.String()
}

// Constants of which every element is the same.
func double(v float64) quad { b := math.Float64bits(v); return quad{b, b} }
func single(v float32) quad { return words(math.Float32bits(v)) }
func words(v uint32) quad   { b := uint64(v)<<32 | uint64(v); return quad{b, b} }
func sameByte(v uint8) quad { return words(uint32(v) * 0x01010101) }

// bytesOf is the constant of 16 bytes.
func bytesOf(value func(i int) uint8) (q quad) {
	for i := range 16 {
		q[i/8] |= uint64(value(i)) << (i % 8 * 8)
	}
	return q
}

// down counts r down by step and branches to the label unless it has become 0.
func (a *asm) down(r R, step int, label string) {
	a.p("SUB $%d, %v", step, r)
	a.p("CBNZ %v, %s", r, label)
}

func (a *asm) add(n int, registers ...R) {
	for _, r := range registers {
		a.p("ADD $%d, %v", n, r)
	}
}
