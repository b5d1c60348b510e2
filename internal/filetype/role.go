package filetype

import "strings"

// role is what a matrix does in a model.
type role uint8

const (
	other role = iota // such as all matrices of Mamba blocks
	output
	embedding
	attnValue // and what holds values too: attn_qkv, attn_kv_b
	attnKey
	attnQuery
	attnOutput
	ffnUp // an MLP's, and of all experts together
	ffnGate
	ffnDown
	roles

	// Roles of rules alone.
	anyRole
	ffnDownCounted // ffnDown, with i the number of those before, also if there are experts
)

// covers reports whether a rule for r speaks of a matrix whose role is of.
func (r role) covers(of role) bool {
	return r == of || r == anyRole || r == ffnDownCounted && of == ffnDown
}

const outputName = "output.weight"

// roleNames are parts of names, of which the first that is found decides.
var roleNames = []struct {
	part string
	role role
}{
	{"attn_qkv.weight", attnValue},
	{"attn_kv_b.weight", attnValue},
	{"attn_v.weight", attnValue},
	{"attn_k.weight", attnKey},
	{"attn_q.weight", attnQuery},
	{"attn_output.weight", attnOutput},
	{"ffn_up", ffnUp},
	{"ffn_gate", ffnGate},
	{"ffn_down", ffnDown},
}

func roleOf(name string) role {
	switch name {
	case outputName:
		return output
	case "token_embd.weight":
		return embedding
	}
	for _, n := range roleNames {
		if strings.Contains(name, n.part) {
			return n.role
		}
	}
	return other
}
