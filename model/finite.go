package model

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/numcheck"
)

// NonFinite describes the first state that is not finite, in the order in which the network computes them, such as
// "cache.ssm_states.3 of block 3 holds NaN". It returns "" if all are finite. States retain NaN and infinities, so this finds
// the block where they began without looking at every activation of every token.
func (c *Cache) NonFinite() string {
	for l := range c.states {
		for i := range c.states[l] {
			for values := range c.states[l][i].Parts() {
				if bad := numcheck.NonFinite(values); bad >= 0 {
					return fmt.Sprintf("%s of block %d holds %v", dump.State(c.states[l][i].Name, l), l, values[bad])
				}
			}
		}
	}
	return ""
}

// NonFiniteError reports a logit that is not finite, and where in the network that began.
type NonFiniteError struct {
	Token int     // whose logit it is
	Logit float32 // NaN or an infinity
	Where string  // the first state that is not finite, as Cache.NonFinite names it; "" if that is after the last block
}

func (e *NonFiniteError) Error() string {
	where := e.Where
	if where == "" {
		where = "the states of all blocks are finite, so it comes from the last block, the final norm or the head"
	}
	return fmt.Sprintf("the logit of token %d is %v: %s", e.Token, e.Logit, where)
}
