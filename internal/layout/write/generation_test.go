package write

import (
	"strings"
	"testing"

	"github.com/gomamba/gomamba/config"
)

// transformers 5.24 wrote these for configurations that differ from its defaults as the rows do.
func TestGenerationConfig(t *testing.T) {
	id := func(i int) *int { return &i }
	const head, tail = "{\n  \"_from_model_config\": true,\n", "  \"transformers_version\": \"5.24.0\",\n  \"use_cache\": true\n}\n"
	for _, test := range []struct {
		edit func(*config.Common)
		want string
	}{
		{
			func(c *config.Common) { c.EosTokenID = config.TokenIDs{IDs: []int{0, 5}, List: true} },
			head + "  \"bos_token_id\": 0,\n  \"eos_token_id\": [\n    0,\n    5\n  ],\n  \"output_attentions\": false,\n" +
				"  \"output_hidden_states\": false,\n  \"pad_token_id\": 0,\n" + tail,
		},
		{
			func(c *config.Common) { c.BosTokenID, c.PadTokenID, c.EosTokenID = nil, nil, config.TokenIDs{} },
			head + "  \"output_attentions\": false,\n  \"output_hidden_states\": false,\n" + tail,
		},
		{
			func(c *config.Common) {
				c.OutputHiddenStates, c.UseCache = true, false
				c.BosTokenID, c.PadTokenID, c.EosTokenID.IDs = id(7), id(1), []int{50256}
			},
			head + "  \"bos_token_id\": 7,\n  \"eos_token_id\": 50256,\n  \"output_attentions\": false,\n  \"output_hidden_states\": true,\n" +
				"  \"pad_token_id\": 1,\n  \"return_dict_in_generate\": true,\n" + strings.Replace(tail, "true", "false", 1),
		},
	} {
		cfg := config.NewMamba()
		test.edit(&cfg.Common)
		got, err := Generation(cfg)
		if err != nil || string(got) != test.want {
			t.Errorf("error %v, got\n%s\nwant\n%s", err, got, test.want)
		}
	}
}
