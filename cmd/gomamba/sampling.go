package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/gomamba/gomamba/model"
)

// samplingFlags are the flags that say how tokens are drawn. Their values mean what they mean in llama.cpp and
// transformers, whose zeros are not always those of model.Sampling.
type samplingFlags struct {
	how        model.Sampling
	topP       float64
	repeatLast int
}

func (f *samplingFlags) define(flags *pflag.FlagSet) {
	how := &f.how
	floatVar(flags, &how.Temperature, "temp", 0, 0, model.MaxTemperature, false, "; 0 is greedy", "temperature; 0 is greedy")
	intVar(flags, &how.TopK, "top-k", "", 0, 0, most, "; 0 keeps all tokens", "draw from the k likeliest tokens; 0: all")
	floatVar(flags, &f.topP, "top-p", 1, 0, 1, false, "; 0 keeps the likeliest token, 1 all",
		"draw from the likeliest tokens that together reach this probability; 0: the likeliest alone")
	floatVar(flags, &how.MinP, "min-p", 0, 0, 1, false, "", "drop tokens less likely than this share of the likeliest")
	floatVar(flags, &how.RepeatPenalty, "repeat-penalty", 1, 0, model.MaxPenalty, true, "; 1 is off", "make recent tokens less likely; 1: off")
	intVar(flags, &f.repeatLast, "repeat-last-n", "", 64, model.WholeText, most, "; 0 is none, -1 the whole text",
		"how many tokens the repeat penalty looks back; 0: none, -1: the whole text")
	how.Order = model.LlamaOrder()
	flags.Var(&orderValue{&how.Order}, "sampler-order", "llama.cpp, transformers, or the steps in another order")
	flags.Uint64Var(&how.Seed, "seed", 0, "seed for random draws")
}

// sampling returns what the flags ask for.
func (f *samplingFlags) sampling() model.Sampling {
	how := f.how
	if how.TopP = f.topP; f.topP == 0 {
		how.TopP = model.LikeliestOnly
	}
	if how.RepeatLast = f.repeatLast; f.repeatLast == 0 {
		how.RepeatPenalty = 1 // it looks at nothing
	}
	return how
}

// orderHelp explains --sampler-order.
const orderHelp = `--sampler-order sets the order of the steps that make tokens less likely or drop them:
  llama.cpp      penalty,top-k,top-p,min-p,temp
  transformers   penalty,temp,top-k,top-p,min-p; a high --temp keeps more
or these five in any other order. A step does nothing unless its flag is given.`

// orderNames are the orders that have a name.
var orderNames = []struct {
	name  string
	order model.Order
}{{"llama.cpp", model.LlamaOrder()}, {"transformers", model.TransformersOrder()}}

// orderValue is the value of --sampler-order.
type orderValue struct{ order *model.Order }

func (o *orderValue) Set(text string) error {
	for _, known := range orderNames {
		if known.name == text {
			*o.order = known.order
			return nil
		}
	}
	usual := model.LlamaOrder()
	var order model.Order
	steps := strings.Split(text, ",")
	for i, step := range steps {
		s := model.Step(strings.TrimSpace(step))
		if i >= len(order) || !slices.Contains(usual[:], s) || slices.Contains(order[:], s) {
			return errors.New("expected " + o.expected())
		}
		order[i] = s
	}
	if len(steps) < len(order) {
		return errors.New("expected " + o.expected())
	}
	*o.order = order
	return nil
}

func (o *orderValue) String() string {
	if o.order == nil {
		return ""
	}
	for _, known := range orderNames {
		if known.order == *o.order {
			return known.name
		}
	}
	return joinSteps(*o.order)
}

func (o *orderValue) Type() string { return "order" }

func (o *orderValue) expected() string {
	return fmt.Sprintf("llama.cpp, transformers, or each of %s once", joinSteps(model.LlamaOrder()))
}

func joinSteps(order model.Order) string {
	names := make([]string, len(order))
	for i, s := range order {
		names[i] = string(s)
	}
	return strings.Join(names, ",")
}
