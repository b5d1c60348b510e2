package torchbin

import (
	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/impostor"
)

// identify says what a file is that is neither of torch.save's formats.
func identify(data []byte) string {
	what := impostor.Identify(data, "of torch.save",
		impostor.Magic{First: "GGUF", What: "is a GGUF file, not of torch.save; name it .gguf"},
		impostor.Magic{First: "PK\x05\x06", What: "is an empty zip archive; download it again"})
	if what == "" {
		what = "begins with " + badfile.Quote(string(data[:min(len(data), 8)])) + ", expected the zip archive or the pickle of torch.save"
	}
	return what
}
