package progress_test

import (
	"context"
	"slices"
	"testing"

	"github.com/gomamba/gomamba/compare"
	"github.com/gomamba/gomamba/internal/progress"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/model/parity"
)

// stage is what a watcher saw of one stage.
type stage struct {
	name, unit  string
	done, total int64
}

// TestStages demands that whoever waits sees every stage of the work begin, advance and come to its end.
func TestStages(t *testing.T) {
	ck, err := loader.Open("../../fixtures/mamba1/default", loader.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	m, err := model.New(ck, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, c := range []struct {
		work func(ctx context.Context) error
		want []string
	}{
		{func(ctx context.Context) error {
			_, err := m.Forward(ctx, model.Single(make([]int64, 1000)), m.NewCache(1), model.Want{})
			return err
		}, []string{""}},
		{func(ctx context.Context) error {
			_, err := parity.SelfCheck(ctx, ck, m, nil)
			return err
		}, []string{"float32 network", "float64 oracle", "float32 oracle"}},
		{func(ctx context.Context) error {
			_, err := compare.NewReceipt(ctx, ck, ck, compare.ReceiptOptions{Threads: 1})
			return err
		}, []string{"tensors", "predictions"}},
	} {
		var seen []stage
		watch := func(name, unit string, done, total int64) {
			if len(seen) == 0 || seen[len(seen)-1].name != name {
				if done != 0 {
					t.Errorf("%s begins at %d", name, done)
				}
				seen = append(seen, stage{name: name})
			}
			last := &seen[len(seen)-1]
			if done < last.done {
				t.Errorf("%s: %d %s after %d", name, done, unit, last.done)
			}
			*last = stage{name, unit, done, total}
		}
		if err := c.work(progress.With(context.Background(), watch)); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range seen {
			names = append(names, s.name)
			if s.done != s.total || s.total == 0 {
				t.Errorf("%q ends at %d of %d %s", s.name, s.done, s.total, s.unit)
			}
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("saw the stages %q, expected %q", names, c.want)
		}
	}
}
