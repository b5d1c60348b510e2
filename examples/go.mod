// A module of its own, so that the programs see of gomamba what any other program sees.
module example.com/examples

go 1.26.0

require github.com/gomamba/gomamba v0.0.0

require (
	github.com/agnivade/levenshtein v1.2.2 // indirect
	github.com/gofrs/flock v0.13.2 // indirect
	github.com/nlpodyssey/safetensors v0.0.0-20250209183917-bfb01cc25f7c // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/gomamba/gomamba => ../
