package parity

import (
	"fmt"

	"github.com/gomamba/gomamba/internal/blocks"
	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/model"
)

// explainFloored is explain, and if that fails judges the reference once more with the floor of dt that transformers applies in
// full passes of some families. If it fits, the report says so.
func (q *inquiry) explainFloored(ref *dump.Dump) (*Report, error) {
	r, err := q.explain(ref)
	least, has := blocks.Floor(q.m.Config())
	if err != nil || r.Passed || !has || q.m.DtFloor() {
		return r, err
	}
	m, err := model.New(q.ck, model.Options{Threads: q.m.Threads(), DtFloor: true})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	floored := *q
	floored.m, floored.truth = m, map[bool]*judgement{}
	if floored.own, err = ours(q.ctx, m, q.batch, q.want); err != nil {
		return nil, err
	}
	other, err := floored.explain(ref)
	if err != nil || !other.Passed {
		return r, err
	}
	other.Hint = fmt.Sprintf("the reference raises every dt to time_step_min, %v, and so does the judge here. transformers does that "+
		"where it computes several tokens at a time on a CPU; training, its own single tokens, and this network otherwise do not", least)
	return other, nil
}
