package main

import (
	"github.com/gomamba/gomamba/fixtures"
	"github.com/gomamba/gomamba/internal/files"
)

// boxName is the MODEL that is in the program itself, unless there is a file or folder of that name.
const boxName = "box"

func init() { files.Mount(boxName, fixtures.Box()) }
