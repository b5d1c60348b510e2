package gguf

// The numbers of types as ggml.h states them (enum ggml_type).
const (
	F32  Type = 0
	F16  Type = 1
	Q8_0 Type = 8
	I8   Type = 24
	I16  Type = 25
	I32  Type = 26
	I64  Type = 27
	F64  Type = 28
	BF16 Type = 30
)
