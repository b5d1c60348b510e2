package find

import (
	"github.com/gomamba/gomamba/fixtures"
	"github.com/gomamba/gomamba/internal/files"
)

// Box is the model that is in the program itself, unless there is a file or folder of that name.
const Box = "box"

func init() { files.Mount(Box, fixtures.Box()) }
