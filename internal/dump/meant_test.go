package dump

import "testing"

func TestMeant(t *testing.T) {
	for name, want := range map[string]string{
		"hidden_state.0": "hidden_states.0", "hidden_states_3": "hidden_states.3", "hiden_states.12": "hidden_states.12",
		"HiddenStates.1": "hidden_states.1", "hidden_states.01": "hidden_states.1", "all_hidden_states.2": "hidden_states.2",
		"conv_states.0": "cache.conv_states.0", "cache.ssm_state.5": "cache.ssm_states.5", "past_key_values.conv_states.1": "cache.conv_states.1",
		"logit": "logits", "lm_logits": "logits", "Logits": "logits", "inputs_ids": "input_ids", "input_id": "input_ids",
		"attn_mask": "attention_mask", "attention_masks": "attention_mask",
		"labels": "", "loss": "", "position_ids": "", "cache_position": "", "rope.0": "", "x": "", "0": "", "": "", "weights.3": "", "scores": "",
	} {
		if got, ok := Meant(name); got != want || ok != (want != "") {
			t.Errorf("Meant(%q) = %q, %v, expected %q", name, got, ok, want)
		}
	}
}
