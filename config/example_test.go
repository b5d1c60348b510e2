package config_test

import (
	"fmt"

	"github.com/gomamba/gomamba/config"
)

func ExampleParseHF() {
	c, err := config.ParseHF("config.json", []byte(`{
		"model_type": "mamba",
		"hidden_size": 1024,
		"num_hidden_layers": 48,
		"time_step_rank": "auto"
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	m := c.(*config.MambaConfig)
	fmt.Println(m.Family(), m.HiddenSize, m.DInner(), m.TimeStepRank, m.StateSize, m.ConvKernel)

	_, err = config.ParseHF("config.json", []byte(`{"model_type": "mamba", "hidden_size": "1024"}`))
	fmt.Println(err)
	// Output:
	// mamba 1024 2048 64 16 4
	// config.json: hidden_size: found the string "1024", expected an integer from 1 to 268435456
}
